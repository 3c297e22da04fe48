//! One job at a time: its whole story, and its curves.

use augreg_protocol::{AttemptState, FailureKind, JobState, Outcome, Proof};
use augreg_spec::{JobId, JobSpec, Labels};

use sqlx::SqliteConnection;

use crate::error::{database, decode};
use crate::ledger::{Boundary, boundaries};
use crate::rows::{attempt_state, failure, job_id, job_state, json};
use crate::spec_text::whole;
use crate::{Store, StoreError};

/// All that the study knows of a job. Times are milliseconds since 1970, UTC.
#[derive(Debug, Clone, PartialEq)]
pub struct JobDetails {
    /// The job.
    pub job: JobId,
    /// What it does.
    pub spec: JobSpec,
    /// What its sweep calls its parts.
    pub labels: Labels,
    /// Its state.
    pub state: JobState,
    /// Higher runs first.
    pub priority: i64,
    /// Floating-point operations.
    pub flops: f64,
    /// Trainable parameters.
    pub parameters: u64,
    /// When it was registered.
    pub created: u64,
    /// The sweeps that ask for it, or once did.
    pub sweeps: Vec<String>,
    /// Its attempts, oldest first.
    pub attempts: Vec<AttemptDetails>,
    /// How each attempt but the first went on from those before.
    pub boundaries: Vec<Boundary>,
    /// Its audit, oldest first.
    pub events: Vec<EventDetails>,
    /// What it found out.
    pub result: Option<Outcome>,
    /// Its checkpoints, oldest first.
    pub checkpoints: Vec<CheckpointDetails>,
    /// The names of its metrics.
    pub metrics: Vec<String>,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptDetails {
    /// Its number, from 1.
    pub number: u32,
    /// The kind of executor.
    pub executor: String,
    /// The slot.
    pub slot: String,
    /// The device.
    pub device: String,
    /// The host, once the worker has said so.
    pub host: Option<String>,
    /// The worker's process id, once it has said so.
    pub pid: Option<u32>,
    /// The worker's version, once it has said so.
    pub version: Option<String>,
    /// Threads of its kernels, once it has said so.
    pub threads: Option<u32>,
    /// Images that go through its network at once, once it has said so.
    pub micro_batch: Option<u32>,
    /// Its state.
    pub state: AttemptState,
    /// Why it failed.
    pub failure: Option<FailureKind>,
    /// Why it failed, for a person.
    pub message: Option<String>,
    /// The step it went on from.
    pub from_step: Option<u64>,
    /// When it began.
    pub started: u64,
    /// When it ended.
    pub ended: Option<u64>,
    /// Bytes at the peak: what tensors held on a GPU, else what was resident of the worker.
    pub peak_memory: Option<u64>,
    /// Training images a second.
    pub images_per_second: Option<f64>,
    /// How often a cluster had started its task again before.
    pub restarts: u32,
    /// The cluster's own number of its task, if one ran it.
    pub batch_job: Option<String>,
    /// The GPUs that its task had, as the cluster counts them on the node.
    pub gpus: Option<String>,
}

/// One line of the audit.
#[derive(Debug, Clone, PartialEq)]
pub struct EventDetails {
    /// When.
    pub at: u64,
    /// The attempt it is about.
    pub attempt: Option<u32>,
    /// Who decided.
    pub actor: String,
    /// What.
    pub what: String,
    /// Why.
    pub reason: String,
}

/// One checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointDetails {
    /// The attempt that wrote it.
    pub attempt: u32,
    /// The step.
    pub step: u64,
    /// When.
    pub at: u64,
}

/// A number that an attempt measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The metric.
    pub name: String,
    /// Steps done then.
    pub step: u64,
    /// Its value.
    pub value: f64,
    /// The attempt.
    pub attempt: u32,
}

impl Store {
    /// The one job whose id begins with `prefix`.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownJob`], or [`StoreError::AmbiguousJob`] with candidates.
    pub async fn job_by_prefix(&self, prefix: &str) -> Result<JobId, StoreError> {
        // Ids are ASCII in lower case; `~` sorts after all of their characters.
        let prefix = prefix.to_ascii_lowercase();
        let ids = sqlx::query_scalar!(
            "SELECT id FROM job WHERE id >= ?1 AND id < ?1 || '~' ORDER BY id LIMIT 11",
            prefix
        )
        .fetch_all(self.readers())
        .await
        .map_err(database("look a job up"))?;
        match ids.as_slice() {
            [] => Err(StoreError::UnknownJob { prefix }),
            [id] => job_id(id),
            several => {
                let candidates = several.iter().take(10).cloned().collect();
                Err(StoreError::AmbiguousJob { prefix, candidates })
            }
        }
    }

    /// The state of a job, whether or not its spec can be read.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownJob`].
    pub async fn state(&self, job: JobId) -> Result<JobState, StoreError> {
        let id = job.to_string();
        let state = sqlx::query_scalar!("SELECT state FROM job WHERE id = ?", id)
            .fetch_optional(self.readers())
            .await
            .map_err(database("read a job's state"))?
            .ok_or_else(|| StoreError::UnknownJob { prefix: id.clone() })?;
        job_state(&id, &state)
    }

    /// All about one job.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownJob`].
    pub async fn job(&self, job: JobId) -> Result<JobDetails, StoreError> {
        let mut snapshot = self.readers().begin().await.map_err(database("begin reading"))?;
        let id = job.to_string();
        let row = sqlx::query!(
            "SELECT spec, identity, labels, state, priority, flops, parameters, created
             FROM job JOIN dataset ON fingerprint = dataset_fingerprint WHERE id = ?",
            id
        )
        .fetch_optional(&mut *snapshot)
        .await
        .map_err(database("read a job"))?
        .ok_or_else(|| StoreError::UnknownJob { prefix: id.clone() })?;
        Ok(JobDetails {
            job,
            spec: whole(&row.spec, row.identity.as_deref()).map_err(decode("the spec", &id))?,
            labels: json("the labels", &id, &row.labels)?,
            state: job_state(&id, &row.state)?,
            priority: row.priority,
            flops: row.flops,
            parameters: row.parameters as u64,
            created: row.created as u64,
            sweeps: sweeps(&mut snapshot, &id).await?,
            attempts: attempts(&mut snapshot, &id).await?,
            boundaries: boundaries(&mut snapshot, &id).await?,
            events: events(&mut snapshot, &id).await?,
            result: result(&mut snapshot, &id).await?,
            checkpoints: checkpoints(&mut snapshot, &id).await?,
            metrics: metrics(&mut snapshot, &id).await?,
        })
    }

    /// A metric over steps, ascending. Where attempts overlap, the latest attempt counts.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`]. An unknown job or name has an empty curve.
    pub async fn curve(&self, job: JobId, name: &str) -> Result<Vec<(u64, f64)>, StoreError> {
        let id = job.to_string();
        let rows = sqlx::query!(
            r#"SELECT step AS "step!: i64", value AS "value!: f64" FROM v_curves
               WHERE job_id = ? AND name = ? ORDER BY step"#,
            id,
            name
        )
        .fetch_all(self.readers())
        .await
        .map_err(database("read a curve"))?;
        Ok(rows.into_iter().map(|row| (row.step as u64, row.value)).collect())
    }
}

impl Store {
    /// All curves of a job, by name and then by step. Where attempts overlap, the latest counts.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`]. An unknown job has none.
    pub async fn measured(&self, job: JobId) -> Result<Vec<Measured>, StoreError> {
        let id = job.to_string();
        let rows = sqlx::query!(
            r#"SELECT name, step AS "step!: i64", value AS "value!: f64", attempt AS "attempt!: u32"
               FROM v_curves WHERE job_id = ? ORDER BY name, step"#,
            id
        )
        .map(|row| Measured {
            name: row.name,
            step: row.step as u64,
            value: row.value,
            attempt: row.attempt,
        });
        rows.fetch_all(self.readers()).await.map_err(database("read the curves of a job"))
    }
}

async fn sweeps(connection: &mut SqliteConnection, id: &str) -> Result<Vec<String>, StoreError> {
    sqlx::query_scalar!(
        "SELECT name FROM sweep_job JOIN sweep ON sweep.id = sweep_id
         WHERE job_id = ? ORDER BY sweep_id",
        id
    )
    .fetch_all(connection)
    .await
    .map_err(database("read a job's sweeps"))
}

async fn attempts(
    connection: &mut SqliteConnection,
    id: &str,
) -> Result<Vec<AttemptDetails>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT number AS "number: u32", executor, slot, device, host, pid AS "pid: u32", version,
                  threads AS "threads: u32", micro_batch AS "micro_batch: u32", state, failure, message, from_step, started, ended,
                  peak_memory, images_per_second, restarts AS "restarts: u32", batch_job, gpus
           FROM attempt WHERE job_id = ? ORDER BY number"#,
        id
    )
    .fetch_all(connection)
    .await
    .map_err(database("read a job's attempts"))?;
    rows.into_iter()
        .map(|row| {
            Ok(AttemptDetails {
                number: row.number,
                executor: row.executor,
                slot: row.slot,
                device: row.device,
                host: row.host,
                pid: row.pid,
                version: row.version,
                threads: row.threads,
                micro_batch: row.micro_batch,
                state: attempt_state(id, &row.state)?,
                failure: row.failure.map(|name| failure(id, &name)).transpose()?,
                message: row.message,
                from_step: row.from_step.map(|step| step as u64),
                started: row.started as u64,
                ended: row.ended.map(|at| at as u64),
                peak_memory: row.peak_memory.map(|bytes| bytes as u64),
                images_per_second: row.images_per_second,
                restarts: row.restarts,
                batch_job: row.batch_job,
                gpus: row.gpus,
            })
        })
        .collect()
}

async fn events(
    connection: &mut SqliteConnection,
    id: &str,
) -> Result<Vec<EventDetails>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT at, attempt AS "attempt: u32", actor, what, reason
           FROM event WHERE job_id = ? ORDER BY id"#,
        id
    )
    .map(|row| EventDetails {
        at: row.at as u64,
        attempt: row.attempt,
        actor: row.actor,
        what: row.what,
        reason: row.reason,
    });
    rows.fetch_all(connection).await.map_err(database("read a job's audit"))
}

async fn result(
    connection: &mut SqliteConnection,
    id: &str,
) -> Result<Option<Outcome>, StoreError> {
    let row = sqlx::query!(
        "SELECT best_val, final_val, final_test, train_loss, parameters_sha256, steps, seconds,
                images_per_second, peak_memory, optimizer_sha256, order_hash, epoch_order_hashes
         FROM result WHERE job_id = ?",
        id
    )
    .fetch_optional(connection)
    .await
    .map_err(database("read a job's result"))?;
    let Some(row) = row else { return Ok(None) };
    let proof = match (row.optimizer_sha256, row.order_hash, row.epoch_order_hashes) {
        (Some(optimizer_sha256), Some(order), Some(epochs)) => {
            let epoch_orders = json("the orders of epochs", id, &epochs)?;
            Some(Proof { optimizer_sha256, order, epoch_orders })
        }
        _ => None,
    };
    Ok(Some(Outcome {
        best_val: row.best_val,
        final_val: row.final_val,
        final_test: row.final_test,
        train_loss: row.train_loss,
        parameters_sha256: row.parameters_sha256,
        steps: row.steps as u64,
        seconds: row.seconds,
        images_per_second: row.images_per_second,
        peak_memory: row.peak_memory as u64,
        proof,
    }))
}

async fn checkpoints(
    connection: &mut SqliteConnection,
    id: &str,
) -> Result<Vec<CheckpointDetails>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT attempt AS "attempt: u32", step, at
           FROM checkpoint WHERE job_id = ? ORDER BY attempt, step"#,
        id
    )
    .map(|row| CheckpointDetails {
        attempt: row.attempt,
        step: row.step as u64,
        at: row.at as u64,
    });
    rows.fetch_all(connection).await.map_err(database("read a job's checkpoints"))
}

async fn metrics(connection: &mut SqliteConnection, id: &str) -> Result<Vec<String>, StoreError> {
    sqlx::query_scalar!(
        "SELECT DISTINCT name FROM metric_series WHERE job_id = ? ORDER BY name",
        id
    )
    .fetch_all(connection)
    .await
    .map_err(database("read the names of a job's metrics"))
}
