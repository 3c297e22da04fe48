//! What is left to do: the jobs that have not ended, with all the scheduler decides upon.

use augreg_protocol::{Device, JobState};
use augreg_spec::{DataSource, JobId, JobSpec};

use crate::{Store, StoreError};

/// A job that has not ended.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingJob {
    /// The job.
    pub job: JobId,
    /// What to do.
    pub spec: JobSpec,
    /// Where its data lie.
    pub source: DataSource,
    /// `waiting`, `queued` or `running`.
    pub state: JobState,
    /// Higher runs first.
    pub priority: i64,
    /// What it costs in all.
    pub flops: f64,
    /// The number of its last attempt; 0 before the first.
    pub attempts: u32,
    /// The attempt that ran when the database was written last.
    pub running: Option<PendingAttempt>,
    /// How many of its last attempts in a row were lost or preempted without a new checkpoint.
    pub losses: u32,
    /// How many attempts ended in a `bug` so far.
    pub bugs: u32,
    /// How many attempts ran out of memory so far.
    pub out_of_memory: u32,
    /// The step of its last checkpoint.
    pub checkpoint: Option<u64>,
}

/// An attempt that is thought to be live.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingAttempt {
    /// Its number.
    pub number: u32,
    /// The kind of executor.
    pub executor: String,
    /// The slot.
    pub slot: String,
    /// Where it computes.
    pub device: Device,
    /// Process id of the worker, when its journal has said so.
    pub pid: Option<u32>,
    /// Host of the worker, when its journal has said so.
    pub host: Option<String>,
    /// When it began, milliseconds since 1970.
    pub started: u64,
}

impl Store {
    /// The jobs that have not ended: those that the sweep asks for, or all of the study, orphans
    /// included. In the order they were registered.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownSweep`]; [`StoreError::Decode`] for a job of a newer augreg.
    pub async fn pending(&self, sweep: Option<&str>) -> Result<Vec<PendingJob>, StoreError> {
        let _ = sweep;
        todo!()
    }
}
