//! What is left to do: the jobs that have not ended, with all the scheduler decides upon and no
//! more, since there may be a million. What a worker is told is read when its time comes: `work.rs`.

use std::collections::HashMap;

use augreg_protocol::{Device, FailureKind, JobState};
use augreg_spec::JobId;
use futures_util::TryStreamExt;
use sqlx::SqliteConnection;

use crate::error::database;
use crate::rows::{device, failure, job_id, job_state};
use crate::status::sweep_id;
use crate::{Store, StoreError};

/// A job that has not ended.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingJob {
    /// The job.
    pub job: JobId,
    /// `waiting`, `queued` or `running`.
    pub state: JobState,
    /// Higher runs first.
    pub priority: i64,
    /// What it costs in all.
    pub flops: f64,
    /// Trainable parameters.
    pub parameters: u64,
    /// The job whose checkpoint it starts from, unless that has succeeded.
    pub parent: Option<JobId>,
    /// The number of its last attempt; 0 before the first.
    pub attempts: u32,
    /// The attempt that ran when the database was written last.
    pub running: Option<PendingAttempt>,
    /// How many of its last attempts in a row were lost or preempted without a new checkpoint. Here
    /// and below only attempts count since a person had it tried again.
    pub losses: u32,
    /// How many attempts ended in a `bug`.
    pub bugs: u32,
    /// How many attempts ran out of memory.
    pub out_of_memory: u32,
    /// The step of its last checkpoint.
    pub checkpoint: Option<u64>,
    /// Whether it was asked for: else it is only there because it runs.
    pub wanted: bool,
}

/// An attempt that is thought to be live.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingAttempt {
    /// Its number.
    pub number: u32,
    /// The kind of executor.
    pub executor: String,
    /// The slot.
    pub slot: String,
    /// Where it computes.
    pub device: Device,
    /// Process id of the worker, when its journal has said so.
    pub pid: Option<u32>,
    /// Host of the worker, when its journal has said so.
    pub host: Option<String>,
    /// When it began, milliseconds since 1970.
    pub started: u64,
}

impl Store {
    /// The jobs that have not ended: those that the sweep asks for, and whatever else runs; or all of
    /// the study, orphans included. In the order they were registered.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownSweep`].
    pub async fn pending(&self, sweep: Option<&str>) -> Result<Vec<PendingJob>, StoreError> {
        let mut snapshot = self.readers().begin().await.map_err(database("begin reading"))?;
        let sweep_id = match sweep {
            Some(name) => Some(sweep_id(&mut snapshot, name).await?),
            None => None,
        };
        let mut jobs = jobs(&mut snapshot, sweep_id).await?;
        if jobs.is_empty() {
            return Ok(jobs);
        }
        add_attempts(&mut snapshot, &mut jobs).await?;
        add_checkpoints(&mut snapshot, &mut jobs).await?;
        Ok(jobs)
    }
}

async fn jobs(
    connection: &mut SqliteConnection,
    sweep_id: Option<i64>,
) -> Result<Vec<PendingJob>, StoreError> {
    let mut rows = sqlx::query!(
        r#"SELECT id, state, priority, attempts AS "attempts: u32", flops,
                  parameters,
                  (SELECT id FROM job AS parent
                   WHERE parent.id = job.parent AND parent.state <> 'succeeded') AS parent,
                  (?1 IS NULL OR EXISTS (
                      SELECT 1 FROM member
                      WHERE sweep_id = ?1 AND member.ordinal = job.ordinal AND NOT orphaned
                  )) AS "wanted!: bool"
           FROM job
           WHERE state IN ('waiting', 'queued', 'running')
           ORDER BY ordinal"#,
        sweep_id
    )
    .fetch(connection);
    let mut jobs = Vec::new();
    while let Some(row) = rows.try_next().await.map_err(database("read the jobs that are left"))? {
        if !row.wanted && row.state != JobState::Running.name() {
            continue;
        }
        jobs.push(PendingJob {
            job: job_id(&row.id)?,
            state: job_state(&row.id, &row.state)?,
            priority: row.priority,
            parent: row.parent.as_deref().map(job_id).transpose()?,
            flops: row.flops,
            parameters: row.parameters as u64,
            attempts: row.attempts,
            running: None,
            losses: 0,
            bugs: 0,
            out_of_memory: 0,
            checkpoint: None,
            wanted: row.wanted,
        });
    }
    Ok(jobs)
}

/// The attempts of jobs that have not ended; most such jobs have none.
struct AttemptRow {
    job_id: String,
    number: u32,
    state: String,
    failure: Option<String>,
    executor: String,
    slot: String,
    device: String,
    host: Option<String>,
    pid: Option<u32>,
    started: i64,
    has_checkpoint: bool,
}

async fn add_attempts(
    connection: &mut SqliteConnection,
    jobs: &mut [PendingJob],
) -> Result<(), StoreError> {
    let rows = sqlx::query_as!(
        AttemptRow,
        r#"SELECT job_id, number AS "number: u32", attempt.state, failure, executor, slot, device,
                  host, pid AS "pid: u32", started,
                  EXISTS (
                      SELECT 1 FROM checkpoint
                      WHERE checkpoint.job_id = attempt.job_id AND checkpoint.attempt = number
                  ) AS "has_checkpoint!: bool"
           FROM job CROSS JOIN attempt ON job.id = job_id
           WHERE job.state IN ('waiting', 'queued', 'running') AND job.attempts > 0
             AND number > job.forgiven
           ORDER BY job_id, number"#
    )
    .fetch_all(connection)
    .await
    .map_err(database("read the attempts of jobs that are left"))?;
    let by_id = index(jobs);
    for row in rows {
        let Some(&at) = by_id.get(&job_id(&row.job_id)?) else { continue };
        add_attempt(&mut jobs[at], row)?;
    }
    Ok(())
}

fn add_attempt(job: &mut PendingJob, row: AttemptRow) -> Result<(), StoreError> {
    if row.state == "running" {
        job.running = Some(PendingAttempt {
            number: row.number,
            device: device(&row.job_id, &row.device)?,
            executor: row.executor,
            slot: row.slot,
            pid: row.pid,
            host: row.host,
            started: row.started as u64,
        });
        return Ok(());
    }
    let failure = row.failure.map(|name| failure(&row.job_id, &name)).transpose()?;
    job.bugs += u32::from(failure == Some(FailureKind::Bug));
    job.out_of_memory += u32::from(failure == Some(FailureKind::OutOfMemory));
    if row.has_checkpoint {
        job.losses = 0;
    } else if matches!(failure, Some(FailureKind::Lost | FailureKind::Timeout)) {
        job.losses += 1;
    }
    Ok(())
}

async fn add_checkpoints(
    connection: &mut SqliteConnection,
    jobs: &mut [PendingJob],
) -> Result<(), StoreError> {
    // The last that was written, not the furthest: a job that had to begin again has lost it.
    let rows = sqlx::query!(
        r#"SELECT job_id AS "job_id!: String", step AS "step!: i64" FROM (
               SELECT job_id, step, max(attempt * 0x100000000 + step)
               FROM job CROSS JOIN checkpoint ON job.id = job_id
               WHERE job.state IN ('waiting', 'queued', 'running') AND job.attempts > 0
               GROUP BY job_id
           )"#
    )
    .fetch_all(connection)
    .await
    .map_err(database("read the checkpoints of jobs that are left"))?;
    let by_id = index(jobs);
    for row in rows {
        if let Some(&at) = by_id.get(&job_id(&row.job_id)?) {
            jobs[at].checkpoint = Some(row.step as u64);
        }
    }
    Ok(())
}

fn index(jobs: &[PendingJob]) -> HashMap<JobId, usize> {
    jobs.iter().enumerate().map(|(at, job)| (job.job, at)).collect()
}
