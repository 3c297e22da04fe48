//! The changes a scheduler makes to a study: what it decided, to be written before it acts.

use std::collections::HashSet;

use augreg_protocol::{AttemptKey, AttemptState, Device, FailureKind, JobState};
use augreg_spec::JobId;

use crate::batch::{Batch, Kind};

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

/// Adds the rows that make a change. `ended` are attempts that end in the same write because their
/// journals say so.
pub(crate) fn plan(change: &Change, ended: &HashSet<AttemptKey>, batch: &mut Batch) {
    match change {
        Change::JobState { job, state } => batch.add(*job, Kind::Move, &(job, state.name())),
        Change::AttemptStarted {
            attempt: AttemptKey { job, number },
            executor,
            slot,
            device,
            at,
        } => {
            let row = (job, number, executor, slot, device.to_string(), at);
            batch.add(*job, Kind::Start, &row);
        }
        Change::AttemptEnded { attempt, .. } if ended.contains(attempt) => {}
        Change::AttemptEnded { attempt: AttemptKey { job, number }, state, failure, at } => {
            let (kind, message) = failure.as_ref().map(|(kind, text)| (kind.name(), text)).unzip();
            let row = (job, number, state.name(), kind, message, at);
            batch.add(*job, Kind::GiveUp, &row);
        }
        Change::Settled { attempt: AttemptKey { job, number } } => {
            batch.add(*job, Kind::Settle, &(job, number));
        }
        Change::Event { job, attempt, actor, what, reason, at } => {
            batch.event(&(at, job, attempt, actor, what, reason));
        }
    }
}
