//! What a person decides about jobs: cancelling and retrying. Each leaves a line in the audit.

use augreg_spec::JobId;
use sqlx::SqliteConnection;

use crate::checked::checked;
use crate::clock::now;
use crate::error::database;
use crate::rows::{job_id, json_text};
use crate::{Store, StoreError};

impl Store {
    /// Cancels those of `jobs` that wait or are queued. Returns them. A running job is the
    /// scheduler's to stop.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn set_cancelled(
        &self,
        jobs: &[JobId],
        reason: &str,
    ) -> Result<Vec<JobId>, StoreError> {
        self.decide(jobs, CANCEL, "cancelled", reason).await
    }

    /// Queues those of `jobs` that have failed or were cancelled again. Returns them.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn requeue_failed(
        &self,
        jobs: &[JobId],
        reason: &str,
    ) -> Result<Vec<JobId>, StoreError> {
        self.decide(jobs, REQUEUE, "requeued", reason).await
    }

    /// Whether a person queued jobs again after line `after` of the audit.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn requeued_since(&self, after: i64) -> Result<bool, StoreError> {
        sqlx::query_scalar!(
            r#"SELECT EXISTS (
                   SELECT 1 FROM event WHERE id > ? AND what = 'requeued' AND actor = 'user'
               ) AS "requeued!: bool""#,
            after
        )
        .fetch_one(self.readers())
        .await
        .map_err(database("read which jobs were queued again"))
    }

    /// The failed jobs that a sweep asks for, or those of the study, in order of registration.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownSweep`].
    pub async fn failed_jobs(&self, sweep: Option<&str>) -> Result<Vec<JobId>, StoreError> {
        let sweep = self.find(sweep).await?;
        let ids = sqlx::query_scalar!(
            "SELECT id FROM job
             WHERE state = 'failed' AND (?1 IS NULL OR EXISTS (
                 SELECT 1 FROM member
                 WHERE sweep_id = ?1 AND member.ordinal = job.ordinal AND NOT orphaned
             ))
             ORDER BY ordinal",
            sweep
        )
        .fetch_all(self.readers())
        .await
        .map_err(database("read what failed"))?;
        ids.iter().map(|id| job_id(id)).collect()
    }

    /// Moves jobs by `statement` and notes `what` was done with each that it moved.
    async fn decide(
        &self,
        jobs: &[JobId],
        statement: &'static str,
        what: &str,
        reason: &str,
    ) -> Result<Vec<JobId>, StoreError> {
        let mut connection = self.writer()?.connection().await;
        let mut transaction = connection.begin().await?;
        let moved: Vec<String> = sqlx::query_scalar(statement)
            .bind(json_text("ids", "a request", &jobs)?)
            .fetch_all(&mut *transaction)
            .await
            .map_err(database("change jobs' states"))?;
        note(&mut transaction, &moved, what, reason).await?;
        transaction.commit().await.map_err(database("commit"))?;
        moved.iter().map(|id| job_id(id)).collect()
    }
}

const CANCEL: &str = checked!(
    "UPDATE job SET state = 'cancelled'
     WHERE id IN (SELECT value FROM json_each(?)) AND state IN ('waiting', 'queued') RETURNING id",
    _
);

const REQUEUE: &str = checked!(
    "UPDATE job SET state = 'queued', forgiven = attempts
     WHERE id IN (SELECT value FROM json_each(?)) AND state IN ('failed', 'cancelled')
     RETURNING id",
    _
);

/// Writes a line of the audit about each of `jobs`: what a person did, and why.
pub(crate) async fn note(
    connection: &mut SqliteConnection,
    jobs: &[String],
    what: &str,
    reason: &str,
) -> Result<(), StoreError> {
    let (at, jobs) = (now(), json_text("ids", "a request", &jobs)?);
    sqlx::query!(
        "INSERT INTO event (at, job_id, actor, what, reason)
         SELECT ?1, value, 'user', ?2, ?3 FROM json_each(?4)",
        at,
        what,
        reason,
        jobs
    )
    .execute(connection)
    .await
    .map_err(database("write the audit"))?;
    Ok(())
}
