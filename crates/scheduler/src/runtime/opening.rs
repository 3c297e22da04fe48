//! How a run begins: what the database says is left to do, and what an earlier scheduler left.

use std::collections::HashSet;

use augreg_protocol::{AttemptKey, JobState};
use augreg_spec::JobId;
use augreg_store::{PendingJob, Store, StoreError};

use crate::core::{Action, NewJob};

/// What there is to begin with.
#[derive(Debug, Default)]
pub(super) struct Opening {
    /// The jobs as the core hears of them.
    pub(super) new: Vec<NewJob>,
    /// Attempts that an earlier scheduler left running.
    pub(super) left: Vec<AttemptKey>,
    /// What is to be recorded first: the database contradicts itself otherwise.
    pub(super) repairs: Vec<Action>,
}

/// The jobs to run (true), and those of other sweeps whose attempts an earlier scheduler left
/// running (false).
pub(super) async fn load(
    store: &Store,
    sweep: Option<&str>,
) -> Result<Vec<(PendingJob, bool)>, StoreError> {
    let wanted = store.pending(sweep).await?;
    let mut jobs: Vec<_> = wanted.into_iter().map(|job| (job, true)).collect();
    if sweep.is_some() {
        let ids: HashSet<JobId> = jobs.iter().map(|(job, _)| job.job).collect();
        let others = store.pending(None).await?.into_iter();
        let left = |job: &PendingJob| job.running.is_some() && !ids.contains(&job.job);
        jobs.extend(others.filter(left).map(|job| (job, false)));
    }
    Ok(jobs)
}

impl Opening {
    /// What `pending`, as [`load`] found it, comes to.
    pub(super) fn of(pending: &[(PendingJob, bool)]) -> Self {
        let mut opening = Self { new: Vec::with_capacity(pending.len()), ..Self::default() };
        for (job, wanted) in pending {
            if let Some(running) = &job.running {
                opening.left.push(AttemptKey { job: job.job, number: running.number });
            } else if job.state == JobState::Running {
                opening.requeue(job.job);
            }
            opening.new.push(NewJob {
                id: job.job,
                priority: job.priority,
                flops: job.flops,
                attempts: job.attempts,
                live: job.running.is_some(),
                wanted: *wanted,
                checkpoint: job.checkpoint.unwrap_or(0),
                losses: job.losses,
                out_of_memory: job.out_of_memory,
                bugs: job.bugs,
            });
        }
        opening
    }

    fn requeue(&mut self, job: JobId) {
        self.repairs.push(Action::SetJobState { job, state: JobState::Queued });
        self.repairs.push(Action::Audit {
            job: Some(job),
            attempt: None,
            what: "queued-again",
            reason: "it was said to run, but no attempt of it does".to_owned(),
        });
    }
}
