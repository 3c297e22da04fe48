//! Attempts that were given up before their journals had said how they ended: a worker that was
//! thought to be gone may be at one of them still. A result that it reports must not be lost.

use augreg_protocol::{AttemptKey, JobState};

use crate::error::database;
use crate::rows::{job_id, job_state};
use crate::{Store, StoreError};

/// An attempt that was given up, and how far its journal was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    /// The attempt.
    pub attempt: AttemptKey,
    /// The byte of its journal where the next reading begins.
    pub offset: u64,
    /// The number of the entry that comes next.
    pub next_seq: u64,
    /// The state of its job.
    pub state: JobState,
}

struct Row {
    job_id: String,
    number: u32,
    journal_offset: i64,
    next_seq: i64,
    state: String,
}

impl Store {
    /// Attempts that were given up, of which nothing has been heard since, in the order of their
    /// keys: at most `limit` after the one given.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn given_up(
        &self,
        after: Option<AttemptKey>,
        limit: u32,
    ) -> Result<Vec<GivenUp>, StoreError> {
        let (job, number) = after.map(|key| (key.job.to_string(), key.number)).unwrap_or_default();
        let rows = sqlx::query_as!(
            Row,
            r#"SELECT job_id, number AS "number: u32", journal_offset, next_seq, job.state
               FROM attempt JOIN job ON job.id = job_id
               WHERE given_up = 1 AND (job_id, number) > (?, ?)
               ORDER BY job_id, number LIMIT ?"#,
            job,
            number,
            limit
        )
        .fetch_all(self.readers())
        .await
        .map_err(database("read which attempts were given up"))?;
        rows.into_iter().map(Row::decode).collect()
    }
}

impl Row {
    fn decode(self) -> Result<GivenUp, StoreError> {
        Ok(GivenUp {
            attempt: AttemptKey { job: job_id(&self.job_id)?, number: self.number },
            offset: self.journal_offset as u64,
            next_seq: self.next_seq as u64,
            state: job_state(&self.job_id, &self.state)?,
        })
    }
}
