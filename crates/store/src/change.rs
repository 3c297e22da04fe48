//! The changes a scheduler makes to a study: what it decided, to be written before it acts.

use augreg_protocol::{AttemptKey, AttemptState, Device, FailureKind, JobState};
use augreg_spec::JobId;

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
    /// An attempt ends without its journal having said so. No effect on one that has ended.
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
