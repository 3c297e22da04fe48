//! The changes a scheduler makes to a study: what it decided, to be written before it acts.

use augreg_protocol::{AttemptKey, AttemptState, Device, FailureKind, JobState};
use augreg_spec::JobId;
use sqlx::SqliteConnection;

use crate::StoreError;
use crate::error::database;

/// One change to the study. Times are milliseconds since 1970, UTC.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A job moves to another state. To `succeeded` only a job that has a result can move.
    JobState {
        /// The job.
        job: JobId,
        /// Its new state.
        state: JobState,
    },
    /// An attempt begins. The job moves to `running` with it.
    AttemptStarted {
        /// The attempt.
        attempt: AttemptKey,
        /// The kind of executor: `local`, `slurm`.
        executor: String,
        /// The slot it occupies, as the executor names it.
        slot: String,
        /// Where it computes.
        device: Device,
        /// When.
        at: u64,
    },
    /// An attempt ends without its journal having said so. No effect on one that has ended.
    AttemptEnded {
        /// The attempt.
        attempt: AttemptKey,
        /// How: any state but `running`.
        state: AttemptState,
        /// Why, if it failed: the kind, and a text for a person.
        failure: Option<(FailureKind, String)>,
        /// When.
        at: u64,
    },
    /// A line of the audit.
    Event {
        /// The job it is about.
        job: Option<JobId>,
        /// The number of the attempt it is about.
        attempt: Option<u32>,
        /// Who decided: `scheduler`, `user`, `worker`.
        actor: String,
        /// What was decided, in a word: `retried`, `cancelled`, …
        what: String,
        /// Why, for a person.
        reason: String,
        /// When.
        at: u64,
    },
}

/// Applies one change inside the transaction of `connection`.
pub(crate) async fn apply(
    connection: &mut SqliteConnection,
    change: &Change,
) -> Result<(), StoreError> {
    match change {
        Change::JobState { job, state } => {
            let job = job.to_string();
            let found = sqlx::query("UPDATE job SET state = ? WHERE id = ?")
                .bind(state.name())
                .bind(&job)
                .execute(connection)
                .await
                .map_err(database("change a job's state"))?
                .rows_affected();
            if found == 0 {
                return Err(StoreError::UnknownJob { prefix: job });
            }
        }
        Change::AttemptStarted { attempt, executor, slot, device, at } => {
            let job = attempt.job.to_string();
            sqlx::query(
                "INSERT INTO attempt (job_id, number, state, executor, slot, device, started)
                 VALUES (?, ?, 'running', ?, ?, ?, ?)",
            )
            .bind(&job)
            .bind(attempt.number)
            .bind(executor)
            .bind(slot)
            .bind(device.to_string())
            .bind(*at as i64)
            .execute(connection)
            .await
            .map_err(database("start an attempt"))?;
        }
        Change::AttemptEnded { attempt, state, failure, at } => {
            let job = attempt.job.to_string();
            let ended = sqlx::query(
                "UPDATE attempt SET state = ?3, failure = ?4, message = ?5, ended = ?6
                 WHERE job_id = ?1 AND number = ?2 AND state = 'running'",
            )
            .bind(&job)
            .bind(attempt.number)
            .bind(state.name())
            .bind(failure.as_ref().map(|(kind, _)| kind.name()))
            .bind(failure.as_ref().map(|(_, message)| message))
            .bind(*at as i64)
            .execute(&mut *connection)
            .await
            .map_err(database("end an attempt"))?
            .rows_affected();
            if ended == 0 {
                must_exist(connection, *attempt).await?;
            }
        }
        Change::Event { job, attempt, actor, what, reason, at } => {
            sqlx::query(
                "INSERT INTO event (at, job_id, attempt, actor, what, reason)
                 VALUES (?, ?, ?, ?, ?, ?)",
            )
            .bind(*at as i64)
            .bind(job.map(|job| job.to_string()))
            .bind(attempt)
            .bind(actor)
            .bind(what)
            .bind(reason)
            .execute(connection)
            .await
            .map_err(database("write the audit"))?;
        }
    }
    Ok(())
}

async fn must_exist(
    connection: &mut SqliteConnection,
    attempt: AttemptKey,
) -> Result<(), StoreError> {
    sqlx::query_scalar::<_, i64>("SELECT 1 FROM attempt WHERE job_id = ? AND number = ?")
        .bind(attempt.job.to_string())
        .bind(attempt.number)
        .fetch_optional(connection)
        .await
        .map_err(database("find an attempt"))?
        .map(|_| ())
        .ok_or(StoreError::UnknownAttempt { attempt })
}
