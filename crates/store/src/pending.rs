//! What is left to do: the jobs that have not ended, with all the scheduler decides upon.

use std::collections::HashMap;

use augreg_protocol::{Device, FailureKind, JobState};
use augreg_spec::{DataSource, JobId, JobSpec};
use sqlx::SqliteConnection;

use crate::error::database;
use crate::rows::{device, failure, job_id, job_state, json};
use crate::status::sweep_id;
use crate::{Store, StoreError};

/// A job that has not ended.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingJob {
    /// The job.
    pub job: JobId,
    /// What to do.
    pub spec: JobSpec,
    /// Where its data lie, if it needs any.
    pub source: Option<DataSource>,
    /// `waiting`, `queued` or `running`.
    pub state: JobState,
    /// Higher runs first.
    pub priority: i64,
    /// What it costs in all.
    pub flops: f64,
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
    /// The jobs that have not ended: those that the sweep asks for, or all of the study, orphans
    /// included. In the order they were registered.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownSweep`]; [`StoreError::Decode`] for a job of a newer augreg.
    pub async fn pending(&self, sweep: Option<&str>) -> Result<Vec<PendingJob>, StoreError> {
        self.jobs_in(["waiting", "queued", "running"], sweep).await
    }

    /// The jobs of the study that are said to run. In the order they were registered.
    ///
    /// # Errors
    ///
    /// [`StoreError::Decode`] for a job of a newer augreg.
    pub async fn running_jobs(&self) -> Result<Vec<PendingJob>, StoreError> {
        self.jobs_in(["running"; 3], None).await
    }

    async fn jobs_in(
        &self,
        states: [&str; 3],
        sweep: Option<&str>,
    ) -> Result<Vec<PendingJob>, StoreError> {
        let mut snapshot = self.readers().begin().await.map_err(database("begin reading"))?;
        let sweep_id = match sweep {
            Some(name) => Some(sweep_id(&mut snapshot, name).await?),
            None => None,
        };
        let sources = sources(&mut snapshot).await?;
        let mut jobs = jobs(&mut snapshot, states, sweep_id, &sources).await?;
        if jobs.is_empty() {
            return Ok(jobs);
        }
        add_attempts(&mut snapshot, &mut jobs).await?;
        add_checkpoints(&mut snapshot, &mut jobs).await?;
        Ok(jobs)
    }
}

impl Store {
    /// Where a job's data lie now.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownJob`].
    pub async fn data_source(&self, job: JobId) -> Result<DataSource, StoreError> {
        let id = job.to_string();
        let source: Option<String> = sqlx::query_scalar(
            "SELECT source FROM dataset JOIN job ON fingerprint = dataset_fingerprint WHERE id = ?",
        )
        .bind(&id)
        .fetch_optional(self.readers())
        .await
        .map_err(database("read where a data set lies"))?;
        let source = source.ok_or_else(|| StoreError::UnknownJob { prefix: id.clone() })?;
        json("where its data set lies", &id, &source)
    }
}

async fn sources(
    connection: &mut SqliteConnection,
) -> Result<HashMap<String, Option<DataSource>>, StoreError> {
    let rows: Vec<(String, String)> = sqlx::query_as("SELECT fingerprint, source FROM dataset")
        .fetch_all(connection)
        .await
        .map_err(database("read where data sets lie"))?;
    rows.into_iter()
        .map(|(fingerprint, source)| {
            let source = json("where a data set lies", &fingerprint, &source)?;
            Ok((fingerprint, source))
        })
        .collect()
}

#[derive(sqlx::FromRow)]
struct JobRow {
    id: String,
    state: String,
    priority: i64,
    parent: Option<String>,
    attempts: u32,
    flops: f64,
    dataset_fingerprint: String,
    spec: String,
}

async fn jobs(
    connection: &mut SqliteConnection,
    states: [&str; 3],
    sweep_id: Option<i64>,
    sources: &HashMap<String, Option<DataSource>>,
) -> Result<Vec<PendingJob>, StoreError> {
    let rows: Vec<JobRow> = sqlx::query_as(
        "SELECT id, state, priority, attempts, flops, dataset_fingerprint, spec,
                (SELECT id FROM job AS parent
                 WHERE parent.id = job.parent AND parent.state <> 'succeeded') AS parent
         FROM job
         WHERE state IN (?2, ?3, ?4)
           AND (?1 IS NULL OR EXISTS (
               SELECT 1 FROM sweep_job
               WHERE sweep_id = ?1 AND job_id = job.id AND NOT orphaned
           ))
         ORDER BY ordinal",
    )
    .bind(sweep_id)
    .bind(states[0])
    .bind(states[1])
    .bind(states[2])
    .fetch_all(connection)
    .await
    .map_err(database("read the jobs that are left"))?;
    rows.into_iter()
        .map(|row| {
            let missing = || StoreError::Decode {
                what: "where the data set lies",
                row: row.id.clone(),
                source: "its data set is not registered".into(),
            };
            Ok(PendingJob {
                job: job_id(&row.id)?,
                spec: json("the spec", &row.id, &row.spec)?,
                source: sources.get(&row.dataset_fingerprint).cloned().ok_or_else(missing)?,
                state: job_state(&row.id, &row.state)?,
                priority: row.priority,
                parent: row.parent.as_deref().map(job_id).transpose()?,
                flops: row.flops,
                attempts: row.attempts,
                running: None,
                losses: 0,
                bugs: 0,
                out_of_memory: 0,
                checkpoint: None,
            })
        })
        .collect()
}

/// The attempts of jobs that have not ended; most such jobs have none.
#[derive(sqlx::FromRow)]
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
    let rows: Vec<AttemptRow> = sqlx::query_as(
        "SELECT job_id, number, attempt.state, failure, executor, slot, device, host, pid, started,
                EXISTS (
                    SELECT 1 FROM checkpoint
                    WHERE checkpoint.job_id = attempt.job_id AND checkpoint.attempt = number
                ) AS has_checkpoint
         FROM attempt JOIN job ON job.id = job_id
         WHERE job.state IN ('waiting', 'queued', 'running') AND job.attempts > 0
           AND number > job.forgiven
         ORDER BY job_id, number",
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
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT job_id, step FROM (
             SELECT job_id, step, max(attempt * 0x100000000 + step)
             FROM checkpoint JOIN job ON job.id = job_id
             WHERE job.state IN ('waiting', 'queued', 'running') AND job.attempts > 0
             GROUP BY job_id
         )",
    )
    .fetch_all(connection)
    .await
    .map_err(database("read the checkpoints of jobs that are left"))?;
    let by_id = index(jobs);
    for (job, step) in rows {
        if let Some(&at) = by_id.get(&job_id(&job)?) {
            jobs[at].checkpoint = Some(step as u64);
        }
    }
    Ok(())
}

fn index(jobs: &[PendingJob]) -> HashMap<JobId, usize> {
    jobs.iter().enumerate().map(|(at, job)| (job.job, at)).collect()
}
