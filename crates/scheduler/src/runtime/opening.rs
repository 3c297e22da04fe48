//! How a run begins: what the database says is left to do, and what an earlier scheduler left.

use augreg_executor::{Slot, SlotId};
use augreg_protocol::{AttemptKey, JobState};
use augreg_store::PendingJob;

use crate::core::{Action, Needs, NewJob, Offer};

/// A slot and what it has, as the core hears of it.
pub(super) fn offer(slot: &Slot) -> (SlotId, Offer) {
    (slot.id, Offer { gpus: u32::from(slot.gpu.is_some()), memory: None })
}

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

impl Opening {
    /// What the jobs that have not ended come to.
    pub(super) fn of(pending: &[PendingJob]) -> Self {
        let mut opening = Self { new: Vec::with_capacity(pending.len()), ..Self::default() };
        for job in pending {
            if let Some(running) = &job.running {
                opening.left.push(AttemptKey { job: job.job, number: running.number });
            } else {
                opening.put_right(job);
            }
            opening.new.push(NewJob {
                id: job.job,
                priority: job.priority,
                flops: job.flops,
                parent: job.parent,
                needs: Needs::default(),
                attempts: job.attempts,
                live: job.running.is_some(),
                wanted: job.wanted,
                checkpoint: job.checkpoint.unwrap_or(0),
                losses: job.losses,
                out_of_memory: job.out_of_memory,
                bugs: job.bugs,
            });
        }
        opening
    }

    /// Repairs the state of a job that no attempt of an earlier scheduler executes any more.
    fn put_right(&mut self, job: &PendingJob) {
        let (state, what, reason) = match (job.state, job.parent) {
            (JobState::Running, None) => {
                (JobState::Queued, "queued-again", "it was said to run, but no attempt of it does")
            }
            (JobState::Waiting, None) => {
                (JobState::Queued, "released", "the job it started from has succeeded")
            }
            (JobState::Running | JobState::Queued, Some(_)) => {
                (JobState::Waiting, "put-off", "the job it starts from has not succeeded")
            }
            _ => return,
        };
        self.repairs.push(Action::SetJobState { job: job.job, state });
        self.repairs.push(Action::Audit {
            job: Some(job.job),
            attempt: None,
            what,
            reason: reason.to_owned(),
        });
    }
}
