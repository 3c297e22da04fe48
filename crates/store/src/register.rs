//! Sweeps enter the study: jobs are added, shared ones found again, none is ever taken out.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use augreg_protocol::JobState;
use augreg_spec::{DataSource, DatasetIdentity, Job, JobId, cost};
use sqlx::SqliteConnection;

use crate::clock::now;
use crate::error::database;
use crate::rows::{job_state, json_text, values};
use crate::writer::WriteConnection;
use crate::{Store, StoreError};

/// A sweep to be registered.
#[derive(Debug, Clone, Copy)]
pub struct NewSweep<'a> {
    /// Its name.
    pub name: &'a str,
    /// The sweep file's text.
    pub text: &'a str,
    /// The jobs it asks for, in the order of its grid, no id twice.
    pub jobs: &'a [Job],
    /// Every data set of `jobs`: fingerprint → name and where it lies now.
    pub datasets: &'a BTreeMap<String, (String, DataSource)>,
    /// Jobs of higher priority run first.
    pub priority: i64,
}

/// What a sweep changes, or would change, in a study.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Difference {
    /// Jobs that the study does not have yet.
    pub new: u64,
    /// Jobs that the study has already, from this sweep or another: the sum of the next four and
    /// those that wait.
    pub shared: u64,
    /// Shared jobs that have succeeded.
    pub done: u64,
    /// Shared jobs that run.
    pub running: u64,
    /// Shared jobs that have failed.
    pub failed: u64,
    /// Shared jobs that were cancelled.
    pub cancelled: u64,
    /// Jobs that the sweep asked for until now and does not any longer. They stay as they are.
    pub orphaned: u64,
}

impl Difference {
    /// The difference to a study that has no job yet.
    #[must_use]
    pub fn all_new(jobs: u64) -> Self {
        Self { new: jobs, ..Self::default() }
    }

    fn count(&mut self, state: JobState, jobs: u64) {
        self.shared += jobs;
        match state {
            JobState::Waiting | JobState::Queued => {}
            JobState::Running => self.running += jobs,
            JobState::Succeeded => self.done += jobs,
            JobState::Failed => self.failed += jobs,
            JobState::Cancelled => self.cancelled += jobs,
        }
    }
}

impl Store {
    /// Registers a sweep, or its new version, in one transaction.
    ///
    /// Jobs that the study knows are shared and keep their state; their labels become those of this
    /// sweep and their priority the higher of both. Jobs no longer asked for stay.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownDataset`] if a job's data set is not among `datasets`; whatever the
    /// database reports. Nothing is registered then.
    pub async fn register_sweep(&self, sweep: NewSweep<'_>) -> Result<Difference, StoreError> {
        let mut connection = self.writer()?.connection().await;
        let result = register(&mut connection, sweep).await;
        if matches!(result, Err(StoreError::Database { .. })) {
            connection.discard();
        }
        result
    }

    /// What registering a sweep of this name with these jobs would change.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn difference(&self, sweep: &str, jobs: &[JobId]) -> Result<Difference, StoreError> {
        // One transaction, so that all counts are of one moment.
        let mut snapshot = self.readers().begin().await.map_err(database("begin reading"))?;
        difference(&mut snapshot, sweep, jobs.iter().copied()).await
    }
}

async fn register(
    connection: &mut WriteConnection,
    sweep: NewSweep<'_>,
) -> Result<Difference, StoreError> {
    let mut transaction = connection.begin().await?;
    let ids = sweep.jobs.iter().map(|job| job.id);
    let difference = difference(&mut transaction, sweep.name, ids).await?;
    let at = now();
    let sweep_id = store_sweep(&mut transaction, sweep, at).await?;
    store_datasets(&mut transaction, sweep.datasets).await?;
    store_jobs(&mut transaction, sweep, at).await?;
    store_membership(&mut transaction, sweep_id, sweep.jobs, difference.orphaned > 0).await?;
    note(&mut transaction, sweep_id, difference, at).await?;
    transaction.commit().await.map_err(database("commit a sweep"))?;
    Ok(difference)
}

async fn store_sweep(
    connection: &mut SqliteConnection,
    sweep: NewSweep<'_>,
    at: i64,
) -> Result<i64, StoreError> {
    sqlx::query_scalar(
        "INSERT INTO sweep (name, text, created, updated) VALUES (?1, ?2, ?3, ?3)
         ON CONFLICT (name) DO UPDATE SET text = excluded.text, updated = excluded.updated
         RETURNING id",
    )
    .bind(sweep.name)
    .bind(sweep.text)
    .bind(at)
    .fetch_one(connection)
    .await
    .map_err(database("register a sweep"))
}

async fn store_datasets(
    connection: &mut SqliteConnection,
    datasets: &BTreeMap<String, (String, DataSource)>,
) -> Result<(), StoreError> {
    for (fingerprint, (name, source)) in datasets {
        sqlx::query(
            "INSERT INTO dataset (fingerprint, name, source) VALUES (?, ?, ?)
             ON CONFLICT (fingerprint) DO UPDATE
             SET name = excluded.name, source = excluded.source",
        )
        .bind(fingerprint)
        .bind(name)
        .bind(json_text("where a data set lies", name, source)?)
        .execute(&mut *connection)
        .await
        .map_err(database("register a data set"))?;
    }
    Ok(())
}

/// Rows of one statement: a trip to SQLite costs more than a row, and SQLite's own cost per row
/// stops falling here.
const ROWS: usize = 128;

static MANY_JOBS: LazyLock<String> = LazyLock::new(|| insert_jobs(ROWS));
static ONE_JOB: LazyLock<String> = LazyLock::new(|| insert_jobs(1));

fn insert_jobs(rows: usize) -> String {
    format!(
        "INSERT INTO job (id, state, stage, priority, dataset_fingerprint, steps, parameters,
                          flops, created, labels, spec)
         VALUES {}
         ON CONFLICT (id) DO UPDATE
         SET labels = excluded.labels, priority = max(priority, excluded.priority)
         WHERE labels <> excluded.labels OR priority < excluded.priority",
        values(rows, 11)
    )
}

async fn store_jobs(
    connection: &mut SqliteConnection,
    sweep: NewSweep<'_>,
    at: i64,
) -> Result<(), StoreError> {
    let mut fingerprints = Fingerprints::default();
    let (chunks, rest) = sweep.jobs.as_chunks::<ROWS>();
    let many = chunks.iter().map(|chunk| (MANY_JOBS.as_str(), chunk.as_slice()));
    for (sql, chunk) in many.chain(rest.chunks(1).map(|one| (ONE_JOB.as_str(), one))) {
        let mut query = sqlx::query(sql);
        for job in chunk {
            let fingerprint = fingerprints.of(job);
            if job.spec.dataset().is_some() && !sweep.datasets.contains_key(&fingerprint) {
                return Err(StoreError::UnknownDataset { job: job.id });
            }
            let id = job.id.to_string();
            let cost = cost(&job.spec);
            let labels = json_text("labels", &id, &job.labels)?;
            query = query
                .bind(id)
                .bind(JobState::Queued.name())
                .bind(job.spec.stage().name())
                .bind(sweep.priority)
                .bind(fingerprint)
                .bind(job.spec.steps() as i64)
                .bind(cost.parameters as i64)
                .bind(cost.flops)
                .bind(at)
                .bind(labels)
                .bind(job.spec.canonical());
        }
        query.execute(&mut *connection).await.map_err(database("register jobs"))?;
    }
    Ok(())
}

/// Stands for the data set of jobs that need none; its row is the schema's own.
const NO_DATASET: &str = "none";

/// Remembers the last fingerprint: neighbours in a grid mostly share their data set, and hashing
/// one costs more than inserting a row.
#[derive(Default)]
struct Fingerprints<'a> {
    last: Option<(&'a DatasetIdentity, String)>,
}

impl<'a> Fingerprints<'a> {
    fn of(&mut self, job: &'a Job) -> String {
        let Some(dataset) = job.spec.dataset() else { return NO_DATASET.to_owned() };
        match &self.last {
            Some((last, fingerprint)) if *last == dataset => fingerprint.clone(),
            _ => {
                let fingerprint = dataset.fingerprint();
                self.last = Some((dataset, fingerprint.clone()));
                fingerprint
            }
        }
    }
}

static MANY_MEMBERS: LazyLock<String> = LazyLock::new(|| insert_members(ROWS));
static ONE_MEMBER: LazyLock<String> = LazyLock::new(|| insert_members(1));

fn insert_members(rows: usize) -> String {
    format!(
        "INSERT INTO sweep_job (sweep_id, job_id, position) VALUES {}
         ON CONFLICT (sweep_id, job_id) DO UPDATE
         SET position = excluded.position, orphaned = 0
         WHERE orphaned OR position <> excluded.position",
        values(rows, 3)
    )
}

async fn store_membership(
    connection: &mut SqliteConnection,
    sweep_id: i64,
    jobs: &[Job],
    orphans: bool,
) -> Result<(), StoreError> {
    if orphans {
        sqlx::query("UPDATE sweep_job SET orphaned = 1 WHERE sweep_id = ?")
            .bind(sweep_id)
            .execute(&mut *connection)
            .await
            .map_err(database("orphan jobs"))?;
    }
    let (chunks, rest) = jobs.as_chunks::<ROWS>();
    let many = chunks.iter().map(|chunk| (MANY_MEMBERS.as_str(), chunk.as_slice()));
    let mut position = 0_i64;
    for (sql, chunk) in many.chain(rest.chunks(1).map(|one| (ONE_MEMBER.as_str(), one))) {
        let mut query = sqlx::query(sql);
        for job in chunk {
            query = query.bind(sweep_id).bind(job.id.to_string()).bind(position);
            position += 1;
        }
        query.execute(&mut *connection).await.map_err(database("register a sweep's jobs"))?;
    }
    Ok(())
}

async fn note(
    connection: &mut SqliteConnection,
    sweep_id: i64,
    difference: Difference,
    at: i64,
) -> Result<(), StoreError> {
    let Difference { new, shared, orphaned, .. } = difference;
    sqlx::query(
        "INSERT INTO event (at, sweep_id, actor, what, reason)
         VALUES (?, ?, 'user', 'registered', ?)",
    )
    .bind(at)
    .bind(sweep_id)
    .bind(format!("{new} jobs new, {shared} shared, {orphaned} no longer asked for"))
    .execute(connection)
    .await
    .map_err(database("write the audit"))?;
    Ok(())
}

/// Ids looked up by one statement.
const IDS: usize = 10_000;

async fn difference(
    connection: &mut SqliteConnection,
    sweep: &str,
    ids: impl ExactSizeIterator<Item = JobId>,
) -> Result<Difference, StoreError> {
    let total = ids.len() as u64;
    let mut difference = Difference::default();
    let mut still_asked = 0;
    let mut ids = ids.peekable();
    while ids.peek().is_some() {
        let chunk: Vec<JobId> = ids.by_ref().take(IDS).collect();
        let chunk = json_text("ids", "a sweep", &chunk)?;
        let counts: Vec<(String, i64)> = sqlx::query_as(
            "SELECT state, count(*) FROM job
             WHERE id IN (SELECT value FROM json_each(?)) GROUP BY state",
        )
        .bind(&chunk)
        .fetch_all(&mut *connection)
        .await
        .map_err(database("look jobs up"))?;
        for (state, count) in counts {
            difference.count(job_state("a job", &state)?, count as u64);
        }
        still_asked += sqlx::query_scalar::<_, i64>(
            "SELECT count(*) FROM sweep_job
             WHERE sweep_id = (SELECT id FROM sweep WHERE name = ?) AND NOT orphaned
               AND job_id IN (SELECT value FROM json_each(?))",
        )
        .bind(sweep)
        .bind(&chunk)
        .fetch_one(&mut *connection)
        .await
        .map_err(database("look a sweep's jobs up"))?;
    }
    let asked: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM sweep_job
         WHERE sweep_id = (SELECT id FROM sweep WHERE name = ?) AND NOT orphaned",
    )
    .bind(sweep)
    .fetch_one(connection)
    .await
    .map_err(database("count a sweep's jobs"))?;
    difference.new = total.saturating_sub(difference.shared);
    difference.orphaned = (asked - still_asked) as u64;
    Ok(difference)
}
