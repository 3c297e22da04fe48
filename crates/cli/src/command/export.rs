//! `augreg export`

use std::path::{Path, PathBuf};

use augreg_protocol::RunFolder;
use augreg_spec::Keep;
use augreg_store::{JobDetails, Store};
use augreg_weights::checkpoint::load_parameters;
use augreg_weights::foreign::{WeightsError, write_npz, write_timm};
use augreg_weights::{Architecture, CheckpointError};
use clap::{Args, ValueEnum};

use crate::args::Global;
use crate::failure::{Ending, Failure};
use crate::output;
use crate::words::count;

/// Write the weights of a finished job for timm, or for AugReg's own code
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The job's id, or the first characters of it
    job: String,
    /// Who is to read the file
    #[arg(long, value_name = "WHOM")]
    to: Target,
    /// The file to write; one that is there is replaced
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Which parameters
    #[arg(long, default_value = "final", value_name = "WHICH")]
    which: Which,
}

/// Whose files are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Target {
    /// safetensors under timm's names
    Timm,
    /// npz as AugReg released its own
    Npz,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// The last
    Final,
    /// Those with the best validation accuracy
    Best,
}

pub(crate) async fn run(global: &Global, args: &ExportArgs) -> Result<Ending, Failure> {
    let store = Store::open_read_only(&global.root).await?;
    let details = store.job(store.job_by_prefix(&args.job).await?).await?;
    let short = details.job.short();
    let Some(training) = details.spec.training() else {
        let message = format!("job {short} trains nothing: it has no weights");
        let help = "name a job of a `[pretrain]` or `[transfer]` stage";
        return Err(Failure::request(message, help));
    };
    let architecture = Architecture::of(&training).map_err(Failure::internal)?;
    let folder = RunFolder::new(store.root(), details.job);
    let path = match args.which {
        Which::Final => folder.last(),
        Which::Best => folder.best(),
    };
    if !path.exists() {
        return Err(not_there(&details, &path, args.which));
    }
    let parameters = load_parameters(&path, details.job, &architecture.tensors(training.head_bias))
        .map_err(unusable)?;
    let job = Some(details.job.to_string());
    args.to.write(&args.out, &architecture, &parameters, job)?;
    output::say(&format!(
        "wrote `{}`: {} with {} parameters of job {short}",
        args.out.display(),
        details.labels.model,
        count(parameters.len() as u64)
    ));
    Ok(Ending::Good)
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
