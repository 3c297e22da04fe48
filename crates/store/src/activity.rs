//! What goes on in the study as a whole: its audit, its devices, what failed and what that cost.

use augreg_spec::JobId;

use crate::error::database;
use crate::rows::job_id;
use crate::{Store, StoreError};

/// One line of the study's audit. Times are milliseconds since 1970, UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StudyEvent {
    /// When.
    pub at: u64,
    /// The job it is about.
    pub job: Option<JobId>,
    /// The attempt it is about.
    pub attempt: Option<u32>,
    /// The sweep it is about.
    pub sweep: Option<String>,
    /// Who decided.
    pub actor: String,
    /// What.
    pub what: String,
    /// Why.
    pub reason: String,
}

/// What a slot has been used for.
#[derive(Debug, Clone, PartialEq)]
pub struct SlotUse {
    /// The host, once a worker has said so.
    pub host: Option<String>,
    /// The slot.
    pub slot: String,
    /// The device.
    pub device: String,
    /// What the device is called, where that is known.
    pub device_name: Option<String>,
    /// Attempts that it had.
    pub attempts: u64,
    /// Of them, those that failed.
    pub failed: u64,
    /// Seconds that they took, those that run until now left out.
    pub seconds: f64,
    /// When the last began.
    pub last_started: u64,
    /// When the last ended that has ended.
    pub last_ended: Option<u64>,
}

/// How many attempts failed in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The kind of failure.
    pub failure: String,
    /// Attempts.
    pub attempts: u64,
}

impl Store {
    /// The last lines of the audit, newest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn events(&self, limit: u32) -> Result<Vec<StudyEvent>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT at, job_id, attempt AS "attempt: u32", sweep.name AS "sweep?", actor, what, reason
               FROM event LEFT JOIN sweep ON sweep.id = sweep_id
               ORDER BY event.id DESC LIMIT ?"#,
            limit
        )
        .fetch_all(self.readers())
        .await
        .map_err(database("read the audit"))?;
        rows.into_iter()
            .map(|row| {
                Ok(StudyEvent {
                    at: row.at as u64,
                    job: row.job_id.map(|id| job_id(&id)).transpose()?,
                    attempt: row.attempt,
                    sweep: row.sweep,
                    actor: row.actor,
                    what: row.what,
                    reason: row.reason,
                })
            })
            .collect()
    }

    /// What each slot has been used for, the last used first, at most `limit`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn slots_used(&self, limit: u32) -> Result<Vec<SlotUse>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT host, slot AS "slot!", device AS "device!", max(device_name) AS "device_name?: String",
                      count(*) AS "attempts!: i64", sum(state = 'failed') AS "failed!: i64",
                      coalesce(sum(ended - started), 0) / 1000.0 AS "seconds!: f64",
                      max(started) AS "last_started!: i64", max(ended) AS "last_ended?: i64"
               FROM attempt GROUP BY host, slot, device
               ORDER BY max(started) DESC LIMIT ?"#,
            limit
        )
        .map(|row| SlotUse {
            host: row.host,
            slot: row.slot,
            device: row.device,
            device_name: row.device_name,
            attempts: row.attempts as u64,
            failed: row.failed as u64,
            seconds: row.seconds,
            last_started: row.last_started as u64,
            last_ended: row.last_ended.map(|at| at as u64),
        });
        rows.fetch_all(self.readers()).await.map_err(database("read what slots were used for"))
    }

    /// How many attempts failed, by kind.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn losses(&self) -> Result<Vec<Loss>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT failure AS "failure!: String", count(*) AS "attempts!: i64"
               FROM attempt WHERE failure IS NOT NULL GROUP BY failure ORDER BY failure"#
        )
        .map(|row| Loss { failure: row.failure, attempts: row.attempts as u64 });
        rows.fetch_all(self.readers()).await.map_err(database("count failures"))
    }

    /// Device seconds of all attempts, and of them those that later attempts had to repeat.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn device_seconds(&self) -> Result<(f64, f64), StoreError> {
        let row = sqlx::query!(
            r#"SELECT coalesce(sum(seconds), 0.0) AS "used!: f64",
                      coalesce(sum(wasted_seconds), 0.0) AS "wasted!: f64" FROM v_device_time"#
        )
        .fetch_one(self.readers())
        .await
        .map_err(database("add up device time"))?;
        Ok((row.used, row.wasted))
    }

    /// Images a second that each running attempt reported last, by job.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn running_speeds(&self) -> Result<Vec<(JobId, f64)>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT job_id, speed AS "speed!: f64" FROM (
                   SELECT job_id, (
                       SELECT value FROM metric
                       WHERE metric.job_id = attempt.job_id AND metric.attempt = attempt.number
                           AND metric.name = 'images_per_second'
                       ORDER BY step DESC LIMIT 1
                   ) AS speed
                   FROM attempt WHERE state = 'running'
               ) WHERE speed IS NOT NULL"#
        )
        .fetch_all(self.readers())
        .await
        .map_err(database("read how fast jobs run"))?;
        rows.into_iter().map(|row| Ok((job_id(&row.job_id)?, row.speed))).collect()
    }

    /// A metric of a job over steps, ascending, in at most about `points` points: where there are more,
    /// the mean of neighbours stands at the last step of theirs.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`]. An unknown job or name has an empty curve.
    pub async fn thinned_curve(
        &self,
        job: JobId,
        name: &str,
        points: u32,
    ) -> Result<Vec<(u64, f64)>, StoreError> {
        let id = job.to_string();
        let rows = sqlx::query!(
            r#"WITH curve AS MATERIALIZED (
                   SELECT step, value, ntile(?3) OVER (ORDER BY step) AS tile
                   FROM v_curves WHERE job_id = ?1 AND name = ?2
               )
               SELECT max(step) AS "step!: i64", avg(value) AS "value!: f64"
               FROM curve GROUP BY tile ORDER BY 1"#,
            id,
            name,
            points
        )
        .fetch_all(self.readers())
        .await
        .map_err(database("read a curve"))?;
        Ok(rows.into_iter().map(|row| (row.step as u64, row.value)).collect())
    }
}
