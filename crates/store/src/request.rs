//! What people ask of a scheduler from another process. A request is a row that stays open until
//! what it asks for has come about, so it outlives a scheduler that dies over it.

use augreg_spec::JobId;

use crate::clock::now;
use crate::control::note;
use crate::error::database;
use crate::rows::{job_id, json_text};
use crate::{Store, StoreError};

impl Store {
    /// Asks for those of `jobs` that have not ended to be cancelled. Returns them. `by` says who
    /// asks, for the audit. The request closes by itself when a job ends, however it does.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn request_cancel(&self, jobs: &[JobId], by: &str) -> Result<Vec<JobId>, StoreError> {
        let ids = json_text("ids", "a request", &jobs)?;
        let mut connection = self.writer()?.connection().await;
        let mut transaction = connection.begin().await?;
        let open = sqlx::query_scalar!(
            "SELECT id FROM job WHERE id IN (SELECT value FROM json_each(?))
             AND state IN ('waiting', 'queued', 'running')",
            ids
        )
        .fetch_all(&mut *transaction)
        .await
        .map_err(database("find jobs to cancel"))?;
        let (at, ids) = (now(), json_text("ids", "a request", &open)?);
        let new = sqlx::query_scalar!(
            r#"INSERT INTO request (at, kind, job_id) SELECT ?, 'cancel', value FROM json_each(?)
               WHERE true ON CONFLICT DO NOTHING RETURNING job_id AS "job_id!: String""#,
            at,
            ids
        )
        .fetch_all(&mut *transaction)
        .await
        .map_err(database("ask for jobs to be cancelled"))?;
        note(&mut transaction, &new, "cancel-requested", by).await?;
        transaction.commit().await.map_err(database("commit"))?;
        open.iter().map(|id| job_id(id)).collect()
    }

    /// Takes back what was asked about those of `jobs` that have not ended: they are not to be cancelled.
    /// Returns them. For when no scheduler is at work that may have heard of it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn take_back_cancel(
        &self,
        jobs: &[JobId],
        by: &str,
    ) -> Result<Vec<JobId>, StoreError> {
        let (at, ids) = (now(), json_text("ids", "a request", &jobs)?);
        let mut connection = self.writer()?.connection().await;
        let mut transaction = connection.begin().await?;
        let open = sqlx::query_scalar!(
            r#"UPDATE request SET closed = ? WHERE kind = 'cancel' AND closed IS NULL
               AND job_id IN (SELECT value FROM json_each(?)) RETURNING job_id AS "job_id!: String""#,
            at,
            ids
        )
        .fetch_all(&mut *transaction)
        .await
        .map_err(database("take back what was asked for"))?;
        note(&mut transaction, &open, "cancel-taken-back", by).await?;
        transaction.commit().await.map_err(database("commit"))?;
        open.iter().map(|id| job_id(id)).collect()
    }

    /// The jobs that somebody asked to be cancelled and that have not ended, oldest request first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn cancel_requests(&self) -> Result<Vec<JobId>, StoreError> {
        let ids = sqlx::query_scalar!(
            r#"SELECT job_id AS "job_id!" FROM request
               WHERE kind = 'cancel' AND closed IS NULL ORDER BY id"#
        )
        .fetch_all(self.readers())
        .await
        .map_err(database("read what is asked for"))?;
        ids.iter().map(|id| job_id(id)).collect()
    }
}
