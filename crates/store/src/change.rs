//! The changes a scheduler makes to a study: what it decided, to be written before it acts.

use std::collections::HashSet;

use augreg_protocol::{AttemptKey, AttemptState, Device, FailureKind, JobState};
use augreg_spec::JobId;

use crate::StoreError;
use crate::batch::Batch;

/// One change to the study. Times are milliseconds since 1970, UTC.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A job moves to another state. To `succeeded` only a job that has a result can move.
    JobState {
        /// The job.
        job: JobId,
        /// Its new state.
        state: JobState,
    },
    /// An attempt begins. The job moves to `running` with it.
    AttemptStarted {
        /// The attempt.
        attempt: AttemptKey,
        /// The kind of executor: `local`, `slurm`.
        executor: String,
        /// The slot it occupies, as the executor names it.
        slot: String,
        /// Where it computes.
        device: Device,
        /// When.
        at: u64,
    },
    /// An attempt is given up: it ends without its journal having said so. No effect on one that
    /// has ended.
    AttemptEnded {
        /// The attempt.
        attempt: AttemptKey,
        /// How: any state but `running`.
        state: AttemptState,
        /// Why, if it failed: the kind, and a text for a person.
        failure: Option<(FailureKind, String)>,
        /// When.
        at: u64,
    },
    /// Nothing more is expected of an attempt that was given up.
    Settled {
        /// The attempt.
        attempt: AttemptKey,
    },
    /// A line of the audit.
    Event {
        /// The job it is about.
        job: Option<JobId>,
        /// The number of the attempt it is about.
        attempt: Option<u32>,
        /// Who decided: `scheduler`, `user`, `worker`.
        actor: String,
        /// What was decided, in a word: `retried`, `cancelled`, …
        what: String,
        /// Why, for a person.
        reason: String,
        /// When.
        at: u64,
    },
}

impl Change {
    /// The job it is about.
    pub(crate) fn job(&self) -> Option<JobId> {
        match self {
            Self::JobState { job, .. } => Some(*job),
            Self::AttemptStarted { attempt, .. }
            | Self::AttemptEnded { attempt, .. }
            | Self::Settled { attempt } => Some(attempt.job),
            Self::Event { job, .. } => *job,
        }
    }
}

/// Adds the statements that make a change. `ended` are attempts that end in the same write because
/// their journals say so.
pub(crate) fn plan(change: &Change, ended: &HashSet<AttemptKey>, batch: &mut Batch) {
    match change {
        Change::JobState { job, state } => {
            let job = job.to_string();
            batch
                .add(
                    "change a job's state",
                    "UPDATE job SET state = ? WHERE id = ?",
                    [state.name().into(), job.as_str().into()],
                )
                .or(StoreError::UnknownJob { prefix: job });
        }
        Change::AttemptStarted { attempt, executor, slot, device, at } => {
            batch.add(
                "start an attempt",
                "INSERT INTO attempt (job_id, number, state, executor, slot, device, started)
                 VALUES (?, ?, 'running', ?, ?, ?, ?)",
                [
                    attempt.job.to_string().into(),
                    attempt.number.into(),
                    executor.as_str().into(),
                    slot.as_str().into(),
                    device.to_string().into(),
                    (*at).into(),
                ],
            );
        }
        Change::AttemptEnded { attempt, .. } if ended.contains(attempt) => {}
        Change::AttemptEnded { attempt, state, failure, at } => {
            let (kind, message) = failure.as_ref().map(|(kind, text)| (kind.name(), text)).unzip();
            batch
                .add(
                    "end an attempt",
                    "UPDATE attempt SET
                         failure = iif(state = 'running', ?, failure),
                         message = iif(state = 'running', ?, message),
                         ended = coalesce(ended, ?),
                         given_up = iif(state = 'running', 1, given_up),
                         state = iif(state = 'running', ?, state)
                     WHERE job_id = ? AND number = ?",
                    [
                        kind.into(),
                        message.map(String::as_str).into(),
                        (*at).into(),
                        state.name().into(),
                        attempt.job.to_string().into(),
                        attempt.number.into(),
                    ],
                )
                .or(StoreError::UnknownAttempt { attempt: *attempt });
        }
        Change::Settled { attempt } => {
            batch.add(
                "settle an attempt that was given up",
                "UPDATE attempt SET given_up = 0 WHERE job_id = ? AND number = ?",
                [attempt.job.to_string().into(), attempt.number.into()],
            );
        }
        Change::Event { job, attempt, actor, what, reason, at } => {
            batch.add(
                "write the audit",
                "INSERT INTO event (at, job_id, attempt, actor, what, reason)
                 VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (*at).into(),
                    job.map(|job| job.to_string()).into(),
                    (*attempt).into(),
                    actor.as_str().into(),
                    what.as_str().into(),
                    reason.as_str().into(),
                ],
            );
        }
    }
}
