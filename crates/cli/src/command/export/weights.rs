//! Weights for timm and AugReg's own code; for timm with what it takes to build the network, and a model card.

use std::path::Path;

use augreg_export::{Card, Origin, WholeFile, architecture, config};
use augreg_protocol::RunFolder;
use augreg_spec::{JobId, Keep, Training};
use augreg_store::{JobDetails, Store};
use augreg_weights::checkpoint::load_parameters;
use augreg_weights::foreign::{WeightsError, write_npz, write_timm};
use augreg_weights::{Architecture, CheckpointError};
use clap::ValueEnum;

use crate::failure::{Ending, Failure};
use crate::output;
use crate::words::count;

/// What the hub calls the file of weights in its folder.
const WEIGHTS: &str = "model.safetensors";

/// Whose files are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Target {
    /// safetensors under timm's names
    Timm,
    /// npz as AugReg released its own
    Npz,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Which {
    /// The last
    Final,
    /// Those with the best validation accuracy
    Best,
}

pub(super) async fn write(
    store: &Store,
    job: JobId,
    target: Target,
    which: Which,
    out: &Path,
) -> Result<Ending, Failure> {
    let details = store.job(job).await?;
    let short = details.job.short();
    let Some(training) = details.spec.training() else {
        let message = format!("job {short} trains nothing: it has no weights");
        let help = "name a job of a `[pretrain]` or `[transfer]` stage";
        return Err(Failure::request(message, help));
    };
    let network = Architecture::of(&training).map_err(Failure::internal)?;
    let parameters = parameters(store, &details, &training, &network, which)?;
    let is_folder =
        target == Target::Timm && out.extension().is_none_or(|end| end != "safetensors");
    let file = if is_folder { out.join(WEIGHTS) } else { out.to_owned() };
    target.write(&file, &network, &parameters, Some(details.job.to_string()))?;
    let mut said = format!("wrote `{}`", file.display());
    if target == Target::Timm {
        said += &describe(store, &details, &training, &network, which, &file, is_folder).await?;
    }
    output::say(&format!(
        "{said}: {} with {} parameters of job {short}",
        details.labels.model,
        count(parameters.len() as u64)
    ));
    Ok(Ending::Good)
}

fn parameters(
    store: &Store,
    details: &JobDetails,
    training: &Training,
    network: &Architecture,
    which: Which,
) -> Result<Vec<f32>, Failure> {
    let folder = RunFolder::new(store.root(), details.job);
    let path = match which {
        Which::Final => folder.last(),
        Which::Best => folder.best(),
    };
    if !path.exists() {
        return Err(not_there(details, &path, which));
    }
    load_parameters(&path, details.job, &network.tensors(training.head_bias)).map_err(unusable)
}

/// Writes the configuration and the model card: in a folder under the hub's names, else beside the file
/// under its own. Returns what to say of them.
async fn describe(
    store: &Store,
    details: &JobDetails,
    training: &Training,
    network: &Architecture,
    which: Which,
    file: &Path,
    is_folder: bool,
) -> Result<String, Failure> {
    let upstream = match training.upstream.as_ref().and_then(augreg_spec::Upstream::job) {
        Some(job) => Some(store.job(job).await?),
        None => None,
    };
    let timm = architecture(network);
    let text = |path: Option<&Path>| path.map(|path| path.display().to_string());
    let weights = text(Some(file)).unwrap_or_default();
    let folder = text(file.parent().filter(|_| is_folder && timm.is_some()));
    let card = Card {
        job: details,
        upstream: upstream.as_ref(),
        training,
        network,
        timm: timm.as_ref(),
        origin: match which {
            Which::Final => Origin::Final,
            Which::Best => Origin::Best,
        },
        weights: &weights,
        folder: folder.as_deref(),
    };
    let (card_file, config_file) = if is_folder {
        (file.with_file_name("README.md"), file.with_file_name("config.json"))
    } else {
        (file.with_extension("md"), file.with_extension("json"))
    };
    let mut said = String::new();
    if let Some(timm) = &timm {
        WholeFile::write(&config_file, config(network, timm).as_bytes())?;
        said = format!(", `{}`", config_file.display());
    }
    WholeFile::write(&card_file, card.to_string().as_bytes())?;
    Ok(said + &format!(" and `{}`", card_file.display()))
}

impl Target {
    /// Writes parameters for this reader; `job` trained them.
    pub(crate) fn write(
        self,
        path: &Path,
        architecture: &Architecture,
        parameters: &[f32],
        job: Option<String>,
    ) -> Result<(), WeightsError> {
        match self {
            Self::Timm => write_timm(path, architecture, parameters, job),
            Self::Npz => write_npz(path, architecture, parameters),
        }
    }
}

/// Why a job has no such parameters.
fn not_there(details: &JobDetails, path: &Path, which: Which) -> Failure {
    let (short, state) = (details.job.short(), &details.state);
    let which = match which {
        Which::Final => "final",
        Which::Best => "best",
    };
    let message =
        format!("job {short} has no {which} parameters: there is no `{}`", path.display());
    let help = if details.result.is_some() {
        let kept = Keep::ALL.map(|(name, _)| format!("`{name}`")).join(", ");
        format!(
            "its sweep did not keep them, or they were removed; `keep` in the sweep file says what stays \
             ({kept}). `--which` takes the others, if they are there"
        )
    } else {
        format!("it is {state}: `augreg resume` finishes it; `--which best` takes the best so far")
    };
    Failure::request(message, help)
}

fn unusable(error: CheckpointError) -> Failure {
    let help = "train it again with `augreg retry`, or take the others with `--which`";
    let help = matches!(error, CheckpointError::Damaged { .. }).then_some(help);
    Failure::broken(error, help)
}
