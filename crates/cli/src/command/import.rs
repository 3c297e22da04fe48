//! `augreg import`

use std::path::PathBuf;

use augreg_spec::{ModelSpec, nearest};
use augreg_store::{Rows, Value};
use augreg_weights::foreign::{Head, Weights};
use augreg_weights::{Architecture, sha256};
use clap::Args;

use super::export::Target;
use crate::args::Global;
use crate::failure::{Ending, Failure};
use crate::output;
use crate::table::{self, Format};

/// Check a file of weights, and write it anew: for timm or AugReg's code, another size, another head
///
/// FILE is an npz of AugReg's (old prefixes and big_vision's names too), safetensors of timm's, or a
/// checkpoint of a job. What network it holds is read off it. Every tensor must be there with the
/// right shape, and nothing else. No study is needed.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The file
    file: PathBuf,
    /// The model it must hold, by its name in the study
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Attention heads, for a model that is not the study's in a file that does not say
    #[arg(long, value_name = "N", conflicts_with = "model", value_parser = clap::value_parser!(u32).range(1..))]
    heads: Option<u32>,
    /// Resize the position embeddings for images of so many pixels a side
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(1..))]
    resolution: Option<u32>,
    /// Put a new head of so many classes, all zeros, in place of the file's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    classes: Option<u32>,
    /// Write what comes of it to this file; one that is there is replaced
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Who is to read that file
    #[arg(long, default_value = "timm", value_name = "WHOM")]
    to: Target,
    /// How the description comes out
    #[arg(long, default_value = "table")]
    format: Format,
}

#[expect(clippy::unused_async, reason = "every command is called alike")]
pub(crate) async fn run(_: &Global, args: &ImportArgs) -> Result<Ending, Failure> {
    let asked = args.model.as_deref().map(named).transpose()?;
    let weights = Weights::read(&args.file)?;
    let asked = asked.or(args.heads.map(|heads| weights.described().with_heads(heads)));
    let architecture = weights.architecture(asked, args.resolution, args.classes)?;
    let head = if args.classes.is_some() { Head::Zeros } else { Head::Kept };
    let parameters = weights.parameters(&architecture, head)?;
    if weights.has_hidden_layer() {
        output::say("the hidden layer before the head (`pre_logits`) is left out, with the head");
    }
    table::write(&description(args, &weights, &architecture, &parameters), args.format)?;
    if let Some(out) = &args.out {
        let job = weights.job().map(str::to_owned);
        args.to.write(out, &architecture, &parameters, job)?;
        output::say(&format!("wrote `{}`", out.display()));
    }
    Ok(Ending::Good)
}

/// A model of the study.
fn named(name: &str) -> Result<ModelSpec, Failure> {
    ModelSpec::named(name).ok_or_else(|| {
        let help = match nearest(name, ModelSpec::names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "the study has {}; without `--model` the file says what it holds",
                ModelSpec::names().collect::<Vec<_>>().join(", ")
            ),
        };
        Failure::request(format!("unknown model `{name}`"), help)
    })
}

/// What came of the file, in one row.
fn description(
    args: &ImportArgs,
    weights: &Weights,
    architecture: &Architecture,
    parameters: &[f32],
) -> Rows {
    let model = architecture.model();
    let name = model.name().map_or_else(|| model.to_string(), str::to_owned);
    let hash = sha256(&architecture.tensors(0.0), &[parameters]);
    let columns: [(&str, Value); 8] = [
        ("file", args.file.display().to_string().into()),
        ("format", weights.format().to_string().into()),
        ("model", name.into()),
        ("channels", architecture.channels().into()),
        ("classes", architecture.classes().into()),
        ("resolution", architecture.resolution().into()),
        ("parameters", (parameters.len() as u64).into()),
        ("parameters_sha256", hash.into()),
    ];
    let (columns, row) = columns.map(|(name, value)| (name.to_owned(), value)).into_iter().unzip();
    Rows { columns, rows: vec![row] }
}
