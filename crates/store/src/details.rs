//! One job at a time: its whole story, and its curves.

use augreg_protocol::{AttemptState, FailureKind, JobState, Outcome};
use augreg_spec::{JobId, JobSpec, Labels};

use crate::{Store, StoreError};

/// All that the study knows of a job. Times are milliseconds since 1970, UTC.
#[derive(Debug, Clone, PartialEq)]
pub struct JobDetails {
    /// The job.
    pub job: JobId,
    /// What it does.
    pub spec: JobSpec,
    /// What its sweep calls its parts.
    pub labels: Labels,
    /// Its state.
    pub state: JobState,
    /// Higher runs first.
    pub priority: i64,
    /// Floating-point operations.
    pub flops: f64,
    /// Trainable parameters.
    pub parameters: u64,
    /// When it was registered.
    pub created: u64,
    /// The sweeps that ask for it, or once did.
    pub sweeps: Vec<String>,
    /// Its attempts, oldest first.
    pub attempts: Vec<AttemptDetails>,
    /// Its audit, oldest first.
    pub events: Vec<EventDetails>,
    /// What it found out.
    pub result: Option<Outcome>,
    /// Its checkpoints, oldest first.
    pub checkpoints: Vec<CheckpointDetails>,
    /// The names of its metrics.
    pub metrics: Vec<String>,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptDetails {
    /// Its number, from 1.
    pub number: u32,
    /// The kind of executor.
    pub executor: String,
    /// The slot.
    pub slot: String,
    /// The device.
    pub device: String,
    /// The host, once the worker has said so.
    pub host: Option<String>,
    /// The worker's process id, once it has said so.
    pub pid: Option<u32>,
    /// Its state.
    pub state: AttemptState,
    /// Why it failed.
    pub failure: Option<FailureKind>,
    /// Why it failed, for a person.
    pub message: Option<String>,
    /// The step it went on from.
    pub from_step: Option<u64>,
    /// When it began.
    pub started: u64,
    /// When it ended.
    pub ended: Option<u64>,
    /// Peak resident memory in bytes.
    pub peak_memory: Option<u64>,
    /// Training images a second.
    pub images_per_second: Option<f64>,
}

/// One line of the audit.
#[derive(Debug, Clone, PartialEq)]
pub struct EventDetails {
    /// When.
    pub at: u64,
    /// The attempt it is about.
    pub attempt: Option<u32>,
    /// Who decided.
    pub actor: String,
    /// What.
    pub what: String,
    /// Why.
    pub reason: String,
}

/// One checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointDetails {
    /// The attempt that wrote it.
    pub attempt: u32,
    /// The step.
    pub step: u64,
    /// When.
    pub at: u64,
}

impl Store {
    /// The one job whose id begins with `prefix`.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownJob`], or [`StoreError::AmbiguousJob`] with candidates.
    pub async fn job_by_prefix(&self, prefix: &str) -> Result<JobId, StoreError> {
        let _ = prefix;
        todo!()
    }

    /// All about one job.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownJob`].
    pub async fn job(&self, job: JobId) -> Result<JobDetails, StoreError> {
        let _ = job;
        todo!()
    }

    /// A metric over steps, ascending. Where attempts overlap, the latest attempt counts.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`]. An unknown job or name has an empty curve.
    pub async fn curve(&self, job: JobId, name: &str) -> Result<Vec<(u64, f64)>, StoreError> {
        let _ = (job, name);
        todo!()
    }
}
