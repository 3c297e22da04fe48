//! The jobs that have failed.

use augreg_protocol::FailureKind;
use augreg_spec::{JobId, Labels};

use crate::error::database;
use crate::rows::{failure, job_id, json};
use crate::{Store, StoreError};

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

impl Store {
    /// The jobs that some sweep asks for, or this one, and that have failed, in the order they were registered, at most `limit`.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownSweep`].
    pub async fn failures(
        &self,
        sweep: Option<&str>,
        limit: u64,
    ) -> Result<Vec<FailedJob>, StoreError> {
        let sweep = self.find(sweep).await?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        // The few to be told of are chosen first: a hundred thousand may have failed.
        let rows = sqlx::query_as!(
            FailedRow,
            r#"SELECT job.id, labels, attempts AS "attempts: u32", failure AS "failure?",
                      message AS "message?"
               FROM job LEFT JOIN attempt ON attempt.job_id = job.id AND attempt.number = (
                   SELECT max(number) FROM attempt AS failed
                   WHERE failed.job_id = job.id AND failed.state = 'failed'
               )
               WHERE ordinal IN (
                   SELECT ordinal FROM job AS failed
                   WHERE state = 'failed'
                     AND EXISTS (
                         SELECT 1 FROM member
                         WHERE member.ordinal = failed.ordinal AND NOT orphaned
                           AND (?1 IS NULL OR sweep_id = ?1)
                     )
                   ORDER BY ordinal LIMIT ?2
               )
               ORDER BY ordinal"#,
            sweep,
            limit
        )
        .fetch_all(self.readers())
        .await
        .map_err(database("read what failed"))?;
        rows.into_iter().map(FailedRow::decode).collect()
    }

    /// Those of them whose last failed attempt ended at `since` or later, milliseconds since 1970,
    /// in the order of those ends, at most `limit`.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownSweep`].
    pub async fn failures_since(
        &self,
        sweep: Option<&str>,
        since: u64,
        limit: u64,
    ) -> Result<Vec<FailedJob>, StoreError> {
        let sweep = self.find(sweep).await?;
        let [since, limit] = [since, limit].map(|n| i64::try_from(n).unwrap_or(i64::MAX));
        let rows = sqlx::query_as!(
            FailedRow,
            r#"SELECT job.id, labels, attempts AS "attempts: u32", failure AS "failure?",
                      message AS "message?"
               FROM attempt JOIN job ON job.id = attempt.job_id
               WHERE attempt.state = 'failed' AND attempt.ended >= ?2 AND job.state = 'failed'
                 AND attempt.number = (
                     SELECT max(number) FROM attempt AS failed
                     WHERE failed.job_id = job.id AND failed.state = 'failed'
                 )
                 AND EXISTS (
                     SELECT 1 FROM member
                     WHERE member.ordinal = job.ordinal AND NOT orphaned
                       AND (?1 IS NULL OR sweep_id = ?1)
                 )
               ORDER BY attempt.ended, job.ordinal LIMIT ?3"#,
            sweep,
            since,
            limit
        )
        .fetch_all(self.readers())
        .await
        .map_err(database("read what failed"))?;
        rows.into_iter().map(FailedRow::decode).collect()
    }
}

struct FailedRow {
    id: String,
    labels: String,
    attempts: u32,
    failure: Option<String>,
    message: Option<String>,
}

impl FailedRow {
    fn decode(self) -> Result<FailedJob, StoreError> {
        Ok(FailedJob {
            job: job_id(&self.id)?,
            labels: json("the labels", &self.id, &self.labels)?,
            failure: self.failure.map(|name| failure(&self.id, &name)).transpose()?,
            message: self.message,
            attempts: self.attempts,
        })
    }
}
