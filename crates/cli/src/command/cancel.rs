//! `augreg cancel`

use std::collections::HashSet;
use std::time::{Duration, Instant};

use augreg_scheduler::runtime::{LockError, StudyLock, call_off};
use augreg_spec::JobId;
use augreg_store::Store;
use clap::Args;

use crate::args::Global;
use crate::failure::{Ending, Failure};
use crate::output;
use crate::study;

/// How long a running scheduler is given to see to it before the command leaves it alone.
const PATIENCE: Duration = Duration::from_secs(15);

/// Take jobs out: queued ones at once, running ones as soon as they have written a checkpoint
///
/// Works from any process, whether or not a scheduler runs. `augreg retry` puts a job back; it goes
/// on from its checkpoint then.
#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    /// Ids of jobs, or the first characters of them
    #[arg(required = true)]
    jobs: Vec<String>,
}

pub(crate) async fn run(global: &Global, args: &CancelArgs) -> Result<Ending, Failure> {
    let store = study::beside(&global.root).await?;
    let mut jobs = Vec::new();
    for prefix in &args.jobs {
        jobs.push(store.job_by_prefix(prefix).await?);
    }
    let Asked { jobs: asked, busy, notes } = ask(&store, &jobs, &by("augreg cancel")).await?;
    for line in notes {
        output::say(&line);
    }
    let left =
        if busy.is_some() { wait(&store, &asked).await? } else { open(&store, &asked).await? };
    for job in asked.iter().filter(|job| !left.contains(job)) {
        let state = store.state(*job).await?;
        output::print(&job.to_string())?;
        output::say(&format!("{} is {state}", job.short()));
    }
    let in_slurm = if left.is_empty() { HashSet::new() } else { left_to_slurm(&store).await? };
    for job in &left {
        output::say(&match &busy {
            Some(holder) => format!("{} will be cancelled by {holder}", job.short()),
            None if in_slurm.contains(job) => format!(
                "{} was left to Slurm: its task writes a checkpoint and goes on without it, then \
                 `augreg resume` cancels it",
                job.short()
            ),
            None => format!(
                "{} was running when its scheduler died: `augreg resume` sees what became of it and \
                 cancels it",
                job.short()
            ),
        });
    }
    for job in jobs.iter().filter(|job| !asked.contains(job)) {
        output::say(&format!("{} had {} already", job.short(), store.state(*job).await?));
    }
    store.close().await;
    Ok(Ending::Good)
}

/// What has been asked of whom.
pub(super) struct Asked {
    /// The jobs that had not ended.
    pub(super) jobs: Vec<JobId>,
    /// The scheduler that sees to it; none: it is done, as far as it can be without one.
    pub(super) busy: Option<String>,
    /// What else a person should know.
    pub(super) notes: Vec<String>,
}

/// Asks for jobs to be cancelled. Where no scheduler runs, those that wait are cancelled right here.
pub(super) async fn ask(store: &Store, jobs: &[JobId], by: &str) -> Result<Asked, Failure> {
    let asked = store.request_cancel(jobs, by).await?;
    match StudyLock::take(store.root()) {
        Ok(_lock) => {
            store.set_cancelled(&asked, "asked for by `augreg cancel`").await?;
            let notes = call_off(store, &asked).await?;
            Ok(Asked { jobs: asked, busy: None, notes })
        }
        Err(LockError::Held { holder, .. }) => {
            Ok(Asked { jobs: asked, busy: Some(holder), notes: Vec::new() })
        }
        Err(error) => Err(error.into()),
    }
}

/// Who asks: a name that helps a colleague, as far as the system tells one.
pub(super) fn by(command: &str) -> String {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    let user = user.unwrap_or_else(|_| format!("user {}", rustix::process::getuid().as_raw()));
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("by {user} on {host}, with `{command}`")
}

/// Those of `jobs` whose cancelling has not come about.
pub(super) async fn open(store: &Store, jobs: &[JobId]) -> Result<Vec<JobId>, Failure> {
    let open = store.cancel_requests().await?;
    Ok(jobs.iter().copied().filter(|job| open.contains(job)).collect())
}

/// Jobs in the shares of tasks that are not over.
async fn left_to_slurm(store: &Store) -> Result<HashSet<JobId>, Failure> {
    let live = store.live_submissions().await?;
    let open = live.into_iter().flat_map(|submission| submission.tasks);
    Ok(open.filter(|task| !task.state.is_over).flat_map(|task| task.jobs).collect())
}

/// Gives the scheduler time; returns what it has not seen to.
async fn wait(store: &Store, jobs: &[JobId]) -> Result<Vec<JobId>, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = open(store, jobs).await?;
        if left.is_empty() || Instant::now() > deadline {
            return Ok(left);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
