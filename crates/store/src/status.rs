//! The study at a glance: sweeps, counts, what runs, what failed, how fast it goes.

use augreg_protocol::{AttemptKey, FailureKind, JobState};
use augreg_spec::{JobId, Labels};

use crate::{Store, StoreError};

/// A sweep of the study.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepSummary {
    /// Its name.
    pub name: String,
    /// The sweep file's text as last registered.
    pub text: String,
    /// Jobs that it asks for.
    pub jobs: u64,
    /// When it was first registered, milliseconds since 1970.
    pub created: u64,
    /// When it was last registered, milliseconds since 1970.
    pub updated: u64,
}

/// How many jobs are in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts([u64; JobState::ALL.len()]);

impl Counts {
    /// The jobs in `state`.
    #[must_use]
    pub fn of(&self, state: JobState) -> u64 {
        self.0[state as usize]
    }

    /// The jobs in any state.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The jobs that have not ended.
    #[must_use]
    pub fn unfinished(&self) -> u64 {
        JobState::ALL.into_iter().filter(|state| !state.is_end()).map(|state| self.of(state)).sum()
    }
}

/// An attempt that is thought to be live.
#[derive(Debug, Clone, PartialEq)]
pub struct RunningAttempt {
    /// The attempt.
    pub attempt: AttemptKey,
    /// What its job's parts are called.
    pub labels: Labels,
    /// The slot.
    pub slot: String,
    /// The device.
    pub device: String,
    /// The host, once the worker has said so.
    pub host: Option<String>,
    /// When it began, milliseconds since 1970.
    pub started: u64,
    /// The last step that a metric or checkpoint was recorded for.
    pub step: u64,
    /// Steps of the whole job.
    pub steps: u64,
}

/// A job that has failed, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct FailedJob {
    /// The job.
    pub job: JobId,
    /// What its parts are called.
    pub labels: Labels,
    /// The kind of failure of its last failed attempt, if any attempt failed.
    pub failure: Option<FailureKind>,
    /// What that attempt said.
    pub message: Option<String>,
    /// How many attempts it had.
    pub attempts: u32,
}

/// How fast finished jobs went on one kind of device.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasuredSpeed {
    /// The device.
    pub device: String,
    /// Finished jobs.
    pub jobs: u64,
    /// Their floating-point operations.
    pub flops: f64,
    /// The seconds they took.
    pub seconds: f64,
}

impl Store {
    /// The sweeps, oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn sweeps(&self) -> Result<Vec<SweepSummary>, StoreError> {
        todo!()
    }

    /// Jobs by state: of those the sweep asks for, or of the whole study.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownSweep`].
    pub async fn counts(&self, sweep: Option<&str>) -> Result<Counts, StoreError> {
        let _ = sweep;
        todo!()
    }

    /// The attempts thought to be live, longest running first.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownSweep`].
    pub async fn running(&self, sweep: Option<&str>) -> Result<Vec<RunningAttempt>, StoreError> {
        let _ = sweep;
        todo!()
    }

    /// The jobs that have failed, in the order they were registered, at most `limit`.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownSweep`].
    pub async fn failures(
        &self,
        sweep: Option<&str>,
        limit: u64,
    ) -> Result<Vec<FailedJob>, StoreError> {
        let _ = (sweep, limit);
        todo!()
    }

    /// How fast finished jobs went, by device: the ground of every estimate.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn speeds(&self) -> Result<Vec<MeasuredSpeed>, StoreError> {
        todo!()
    }
}
