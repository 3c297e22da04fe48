//! `augreg retry`

use augreg_scheduler::runtime::StudyLock;
use clap::Args;

use super::cancel::by;
use crate::args::Global;
use crate::failure::{Ending, Failure};
use crate::output;
use crate::study;

/// Queue failed or cancelled jobs again, also beside a running sweep; else `augreg resume` runs them
#[derive(Debug, Args)]
pub(crate) struct RetryArgs {
    /// Ids of jobs, or the first characters of them
    #[arg(required_unless_present = "sweep")]
    jobs: Vec<String>,
    /// Every failed job of this sweep
    #[arg(long, value_name = "NAME", conflicts_with = "jobs")]
    sweep: Option<String>,
}

pub(crate) async fn run(global: &Global, args: &RetryArgs) -> Result<Ending, Failure> {
    let store = study::beside(&global.root).await?;
    let mut jobs = Vec::new();
    for prefix in &args.jobs {
        jobs.push(store.job_by_prefix(prefix).await?);
    }
    if let Some(sweep) = &args.sweep {
        jobs = store.failed_jobs(Some(sweep)).await?;
    }
    let by = by("augreg retry");
    let mut queued = store.requeue_failed(&jobs, &by).await?;
    let who = if StudyLock::holder(store.root()).is_some() {
        "the scheduler that is at work takes them up"
    } else {
        // Of a job that was not at its end, when its scheduler died.
        queued.extend(store.take_back_cancel(&jobs, &by).await?);
        "`augreg resume` runs them"
    };
    store.close().await;
    for job in &queued {
        output::print(&job.to_string())?;
    }
    output::say(&format!("{} of {} jobs queued again; {who}", queued.len(), jobs.len()));
    Ok(Ending::Good)
}
