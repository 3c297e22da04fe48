//! `augreg export`: what a job left behind, for other people's programs.

mod tensorboard;
mod weights;

use std::path::PathBuf;

use augreg_spec::JobId;
use augreg_store::{JobQuery, Store, Value};
use clap::{Args, ValueEnum};

use crate::args::Global;
use crate::failure::{Ending, Failure};
use crate::question::filters;

pub(crate) use weights::Target;
use weights::Which;

const EXAMPLES: &str = "\
Examples:
  augreg export 51aype --to timm --out b16      # a folder for timm and the Hugging Face hub
  augreg export 51aype --to npz --out b16.npz   # for AugReg's own code
  augreg export 'final_val>0.8' --to tensorboard --out logs";

/// Write the weights of a finished job for timm or AugReg's own code, or curves for TensorBoard
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExportArgs {
    /// Jobs by the first characters of their ids; for TensorBoard also by filters as `augreg query` takes
    /// them, all jobs without
    #[arg(value_name = "JOB | FILTER")]
    jobs: Vec<String>,
    /// Only jobs of this sweep
    #[arg(long, value_name = "NAME")]
    sweep: Option<String>,
    /// Who is to read it
    #[arg(long, value_name = "WHOM")]
    to: Reader,
    /// What to write; files that are there are replaced. For timm a folder, or the name of a `.safetensors`
    /// file; for npz a file; for TensorBoard a folder
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Which parameters
    #[arg(long, default_value = "final", value_name = "WHICH")]
    which: Which,
}

/// For whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Reader {
    /// safetensors under timm's names, with `config.json` and a model card
    Timm,
    /// npz as AugReg released its own
    Npz,
    /// Event files, one run for each job
    Tensorboard,
}

pub(crate) async fn run(global: &Global, args: &ExportArgs) -> Result<Ending, Failure> {
    let store = Store::open_read_only(&global.root).await?;
    let jobs = chosen(&store, args).await?;
    let target = match args.to {
        Reader::Timm => Target::Timm,
        Reader::Npz => Target::Npz,
        Reader::Tensorboard => return tensorboard::write(&store, &jobs, &args.out).await,
    };
    let [job] = jobs.as_slice() else {
        let message = format!("weights are of one job, and these are {}", jobs.len());
        return Err(Failure::request(message, "name one by the first characters of its id"));
    };
    weights::write(&store, *job, target, args.which, &args.out).await
}

/// The jobs that are named, or pass the filters, as they were registered.
async fn chosen(store: &Store, args: &ExportArgs) -> Result<Vec<JobId>, Failure> {
    let is_filter = |text: &&String| text.contains(['=', '<', '>', '~', '!']);
    let (by_filter, by_id): (Vec<_>, Vec<_>) = args.jobs.iter().partition(is_filter);
    let mut jobs = Vec::new();
    for prefix in &by_id {
        jobs.push(store.job_by_prefix(prefix).await?);
    }
    if !by_filter.is_empty() || by_id.is_empty() {
        let query = JobQuery {
            sweep: args.sweep.clone(),
            filters: filters(by_filter)?,
            columns: Some(vec!["id".to_owned()]),
            ..JobQuery::default()
        };
        let id = |row: Vec<Value>| match row.into_iter().next() {
            Some(Value::Text(id)) => id.parse::<JobId>().ok(),
            _ => None,
        };
        jobs.extend(store.query(&query).await?.rows.into_iter().filter_map(id));
    }
    let mut seen = std::collections::HashSet::new();
    jobs.retain(|job| seen.insert(*job));
    if jobs.is_empty() {
        let help = "`augreg query FILTER…` shows what passes";
        return Err(Failure::request("no job passes these filters", help));
    }
    Ok(jobs)
}
