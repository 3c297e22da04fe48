//! Why a file of weights cannot be read, used or written.

use std::io;
use std::path::PathBuf;

use augreg_spec::ModelError;
use thiserror::Error;

/// A file of weights that cannot be read, used or written.
#[derive(Debug, Error)]
pub enum WeightsError {
    /// The file system refused.
    #[error("failed to {action} `{path}`", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The bytes are no whole file of a known kind.
    #[error("`{path}` cannot be read as {kind}: {reason}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What it was taken for.
        kind: &'static str,
        /// How it shows.
        reason: String,
    },
    /// A whole file of something else than a Vision Transformer in 32-bit floats.
    #[error(
        "`{path}` does not hold the weights of a Vision Transformer in 32-bit floats: {problems}",
        path = path.display(), problems = listed(problems)
    )]
    NoTransformer {
        /// The file.
        path: PathBuf,
        /// Every tensor that is in the way.
        problems: Vec<String>,
    },
    /// The weights of another model than the one asked for.
    #[error("`{path}` holds {found}, not {asked}", path = path.display())]
    OtherModel {
        /// The file.
        path: PathBuf,
        /// The model in the file.
        found: String,
        /// The model asked for.
        asked: String,
    },
    /// The right model, but not tensor by tensor.
    #[error("`{path}` does not fit {asked}: {problems}", path = path.display(), problems = listed(problems))]
    Misfit {
        /// The file.
        path: PathBuf,
        /// The network asked for.
        asked: String,
        /// Every missing, unexpected and mis-shaped tensor.
        problems: Vec<String>,
    },
    /// The head was trained behind a hidden layer, which the study's networks do not have.
    #[error(
        "`{path}` has a hidden layer before its head (`pre_logits`), and no network here has: without \
         it the head's answers mean nothing",
        path = path.display()
    )]
    HiddenLayer {
        /// The file.
        path: PathBuf,
    },
    /// There is no head, and no classes to make one for.
    #[error("`{path}` has no head: `head.weight` and `head.bias` are missing", path = path.display())]
    NoHead {
        /// The file.
        path: PathBuf,
    },
    /// Nothing says into how many heads the width is divided.
    #[error("`{path}` does not say how many attention heads its width {width} is divided into", path = path.display())]
    UnknownHeads {
        /// The file.
        path: PathBuf,
        /// The width.
        width: u32,
    },
    /// The numbers in the file, and those asked for, make no network.
    #[error("no network can be made of `{path}`", path = path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: ModelError,
    },
}

/// How many problems are spelled out.
const SHOWN: usize = 20;

fn listed(problems: &[String]) -> String {
    let more = problems.len().saturating_sub(SHOWN);
    let mut text = problems[..problems.len() - more].join("; ");
    if more > 0 {
        text += &format!("; and {more} more");
    }
    text
}
