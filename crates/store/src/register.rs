//! Sweeps enter the study: jobs are added, shared ones found again, none is ever taken out.

use std::collections::BTreeMap;

use augreg_spec::{DataSource, Job, JobId};

use crate::{Store, StoreError};

/// A sweep to be registered.
#[derive(Debug, Clone, Copy)]
pub struct NewSweep<'a> {
    /// Its name.
    pub name: &'a str,
    /// The sweep file's text.
    pub text: &'a str,
    /// The jobs it asks for, in the order of its grid, no id twice.
    pub jobs: &'a [Job],
    /// Every data set of `jobs`: fingerprint → name and where it lies now.
    pub datasets: &'a BTreeMap<String, (String, DataSource)>,
    /// Jobs of higher priority run first.
    pub priority: i64,
}

/// What a sweep changes, or would change, in a study.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Difference {
    /// Jobs that the study does not have yet.
    pub new: u64,
    /// Jobs that the study has already, from this sweep or another: the sum of the next four and
    /// those that wait.
    pub shared: u64,
    /// Shared jobs that have succeeded.
    pub done: u64,
    /// Shared jobs that run.
    pub running: u64,
    /// Shared jobs that have failed.
    pub failed: u64,
    /// Shared jobs that were cancelled.
    pub cancelled: u64,
    /// Jobs that an earlier version of this sweep asked for and this one does not. They stay.
    pub orphaned: u64,
}

impl Store {
    /// Registers a sweep, or its new version, in one transaction.
    ///
    /// Jobs that the study knows are shared and keep their state; their labels become those of this
    /// sweep and their priority the higher of both.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownDataset`] if a job's data set is not among `datasets`; whatever the
    /// database reports. Nothing is registered then.
    pub async fn register_sweep(&self, sweep: NewSweep<'_>) -> Result<Difference, StoreError> {
        let _ = sweep;
        todo!()
    }

    /// What registering a sweep of this name with these jobs would change.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn difference(&self, sweep: &str, jobs: &[JobId]) -> Result<Difference, StoreError> {
        let _ = (sweep, jobs);
        todo!()
    }
}
