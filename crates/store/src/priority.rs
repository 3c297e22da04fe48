//! Which jobs come first: a person may say so at any time.
//!
//! The database holds what is so from then on, and the audit that it was changed. A scheduler that runs
//! learns of it from the audit; the next reads it with everything else. So there is no request that
//! could be lost or stay open.

use augreg_spec::JobId;

use crate::clock::now;
use crate::error::database;
use crate::rows::{job_id, json_text};
use crate::{Store, StoreError};

impl Store {
    /// Gives those of `jobs` that have not ended this priority, and returns them. `by` says who wants
    /// it, for the audit.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn set_priority(
        &self,
        jobs: &[JobId],
        priority: i64,
        by: &str,
    ) -> Result<Vec<JobId>, StoreError> {
        let ids = json_text("ids", "a request", &jobs)?;
        let mut connection = self.writer()?.connection().await;
        let mut transaction = connection.begin().await?;
        let open = sqlx::query_scalar!(
            "UPDATE job SET priority = ? WHERE id IN (SELECT value FROM json_each(?))
             AND state IN ('waiting', 'queued', 'running') RETURNING id",
            priority,
            ids
        )
        .fetch_all(&mut *transaction)
        .await
        .map_err(database("set jobs' priorities"))?;
        let (at, ids) = (now(), json_text("ids", "a request", &open)?);
        let reason = format!("priority {priority}, {by}");
        sqlx::query!(
            "INSERT INTO event (at, job_id, actor, what, reason)
             SELECT ?1, value, 'user', 'priority-set', ?2 FROM json_each(?3)",
            at,
            reason,
            ids
        )
        .execute(&mut *transaction)
        .await
        .map_err(database("write the audit"))?;
        transaction.commit().await.map_err(database("commit"))?;
        open.iter().map(|id| job_id(id)).collect()
    }

    /// The number of the last line of the audit; 0: there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn last_event(&self) -> Result<i64, StoreError> {
        sqlx::query_scalar!(r#"SELECT coalesce(max(id), 0) AS "id!: i64" FROM event"#)
            .fetch_one(self.readers())
            .await
            .map_err(database("read the end of the audit"))
    }

    /// The jobs that were given a priority after line `after` of the audit, with what they have now.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn priorities_since(&self, after: i64) -> Result<Vec<(JobId, i64)>, StoreError> {
        // By the number of the line: few lines are younger than a second.
        let rows = sqlx::query!(
            r#"SELECT DISTINCT job.id AS "id!: String", priority AS "priority!: i64"
               FROM event JOIN job ON job.id = event.job_id
               WHERE event.id > ? AND what = 'priority-set'"#,
            after
        )
        .fetch_all(self.readers())
        .await
        .map_err(database("read which priorities were set"))?;
        rows.into_iter().map(|row| Ok((job_id(&row.id)?, row.priority))).collect()
    }
}
