//! What a person decides about jobs: cancelling and retrying. Each leaves a line in the audit.

use augreg_spec::JobId;

use crate::{Store, StoreError};

impl Store {
    /// Cancels the jobs that have not ended and do not run. Returns those that changed.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn set_cancelled(
        &self,
        jobs: &[JobId],
        reason: &str,
    ) -> Result<Vec<JobId>, StoreError> {
        let _ = (jobs, reason);
        todo!()
    }

    /// Queues failed and cancelled jobs again. Returns those that changed.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn requeue_failed(
        &self,
        jobs: &[JobId],
        reason: &str,
    ) -> Result<Vec<JobId>, StoreError> {
        let _ = (jobs, reason);
        todo!()
    }

    /// The failed jobs of a sweep, or of the study.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownSweep`].
    pub async fn failed_jobs(&self, sweep: Option<&str>) -> Result<Vec<JobId>, StoreError> {
        let _ = sweep;
        todo!()
    }
}
