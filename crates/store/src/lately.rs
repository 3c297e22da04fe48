//! What a scheduler asks about the runs before it, and a person about the last: answers that cost the
//! same however large the study is.

use augreg_spec::JobId;

use crate::error::database;
use crate::rows::{job_id, json_text};
use crate::{Store, StoreError};

impl Store {
    /// Jobs that succeeded within the last `lines` lines of the audit, oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn succeeded_lately(&self, lines: u32) -> Result<Vec<JobId>, StoreError> {
        let ids = sqlx::query_scalar!(
            r#"SELECT job_id AS "id!: String" FROM event
               WHERE id > (SELECT max(id) FROM event) - ? AND what = 'succeeded'
                   AND job_id IS NOT NULL
               ORDER BY id"#,
            lines
        )
        .fetch_all(self.readers())
        .await
        .map_err(database("read what succeeded lately"))?;
        ids.iter().map(|id| job_id(id)).collect()
    }

    /// The slots that the last run has given up, or the present one: when (milliseconds since
    /// 1970), and why, for a person.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn slots_given_up(&self) -> Result<Vec<(u64, String)>, StoreError> {
        // The last line of all may be the end of the last run.
        let rows = sqlx::query!(
            "WITH said AS (
                 SELECT id, at, what, reason FROM event
                 WHERE what IN ('slot-quarantined', 'slot-retired', 'finished')
                 ORDER BY id DESC LIMIT 1000
             )
             SELECT at, reason FROM said
             WHERE what <> 'finished' AND id > coalesce((
                 SELECT max(id) FROM said
                 WHERE what = 'finished' AND id < (SELECT max(id) FROM said)
             ), 0)
             ORDER BY id"
        )
        .fetch_all(self.readers())
        .await
        .map_err(database("read which slots were given up"))?;
        Ok(rows.into_iter().map(|row| (row.at as u64, row.reason)).collect())
    }

    /// Those of `jobs` that the study has and that were never tried.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn untried(&self, jobs: &[JobId]) -> Result<Vec<JobId>, StoreError> {
        let ids = json_text("ids", "a request", &jobs)?;
        let ids = sqlx::query_scalar!(
            "SELECT id FROM job
             WHERE id IN (SELECT value FROM json_each(?)) AND attempts = 0
                 AND state IN ('waiting', 'queued')
             ORDER BY ordinal",
            ids
        )
        .fetch_all(self.readers())
        .await
        .map_err(database("find jobs that were never tried"))?;
        ids.iter().map(|id| job_id(id)).collect()
    }
}
