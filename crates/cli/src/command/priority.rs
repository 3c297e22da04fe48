//! `augreg priority`

use augreg_scheduler::runtime::StudyLock;
use clap::Args;

use super::cancel::by;
use crate::args::Global;
use crate::failure::{Ending, Failure};
use crate::output;
use crate::study;

/// Give jobs another priority: higher ones run first, 0 is the usual
///
/// Works from any process, also beside a running sweep, which heeds it within a second. What runs goes
/// on; jobs that have ended are left alone.
#[derive(Debug, Args)]
pub(crate) struct PriorityArgs {
    /// Ids of jobs, or the first characters of them
    #[arg(required = true)]
    jobs: Vec<String>,
    /// The priority, a whole number
    #[arg(allow_negative_numbers = true)]
    priority: i64,
}

pub(crate) async fn run(global: &Global, args: &PriorityArgs) -> Result<Ending, Failure> {
    let store = study::beside(&global.root).await?;
    let mut jobs = Vec::new();
    for prefix in &args.jobs {
        jobs.push(store.job_by_prefix(prefix).await?);
    }
    let set = store.set_priority(&jobs, args.priority, &by("augreg priority")).await?;
    for job in &set {
        output::print(&job.to_string())?;
        output::say(&format!("{} has priority {}", job.short(), args.priority));
    }
    for job in jobs.iter().filter(|job| !set.contains(job)) {
        output::say(&format!("{} had {} already", job.short(), store.state(*job).await?));
    }
    if StudyLock::holder(&global.root).is_none() {
        output::say("nothing runs: `augreg resume` runs what is left, in this order");
    }
    store.close().await;
    Ok(Ending::Good)
}
