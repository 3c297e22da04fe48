//! The study at a glance: sweeps, counts, what runs, what failed, how fast it goes.

use augreg_protocol::{AttemptKey, JobState};
use augreg_spec::{Labels, nearest};
use sqlx::SqliteConnection;

use crate::error::database;
use crate::rows::{job_id, job_state, json};
use crate::{Store, StoreError};

/// A sweep of the study.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SweepSummary {
    /// Its name.
    pub name: String,
    /// The sweep file's text as last registered.
    pub text: String,
    /// Jobs that it asks for.
    pub jobs: u64,
    /// When it was first registered, milliseconds since 1970.
    pub created: u64,
    /// When it was last registered, milliseconds since 1970.
    pub updated: u64,
}

/// How many jobs are in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts([u64; JobState::ALL.len()]);

impl Counts {
    /// The jobs in `state`.
    #[must_use]
    pub fn of(&self, state: JobState) -> u64 {
        self.0[state as usize]
    }

    /// The jobs in any state.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The jobs that have not ended.
    #[must_use]
    pub fn unfinished(&self) -> u64 {
        JobState::ALL.into_iter().filter(|state| !state.is_end()).map(|state| self.of(state)).sum()
    }
}

/// An attempt that is thought to be live.
#[derive(Debug, Clone, PartialEq)]
pub struct RunningAttempt {
    /// The attempt.
    pub attempt: AttemptKey,
    /// What its job's parts are called.
    pub labels: Labels,
    /// The kind of executor: `local` or `slurm`.
    pub executor: String,
    /// The slot.
    pub slot: String,
    /// The device.
    pub device: String,
    /// The host, once the worker has said so.
    pub host: Option<String>,
    /// When it began, milliseconds since 1970.
    pub started: u64,
    /// The step it began at.
    pub from_step: u64,
    /// The last step that a metric or checkpoint was recorded for.
    pub step: u64,
    /// Steps of the whole job.
    pub steps: u64,
    /// Epochs of the whole job, where it counts in them.
    pub epochs: Option<f64>,
    /// The training loss that it reported last.
    pub loss: Option<f64>,
    /// Images a second that it reported last.
    pub images_per_second: Option<f64>,
}

/// How fast a finished job went.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasuredSpeed {
    /// Its stage.
    pub stage: String,
    /// What its model is called.
    pub model: String,
    /// Its arithmetic; none where nothing is computed.
    pub precision: Option<String>,
    /// The device that finished it.
    pub device: String,
    /// Its floating-point operations; more than 0.
    pub flops: f64,
    /// The device-seconds it took, all attempts together.
    pub seconds: f64,
}

/// A job that has not ended, as far as its cost goes.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkLeft {
    /// Its stage.
    pub stage: String,
    /// What its model is called.
    pub model: String,
    /// Its arithmetic; none where nothing is computed.
    pub precision: Option<String>,
    /// Its floating-point operations.
    pub flops: f64,
}

/// Stands for all sweeps in `tally`.
pub(crate) const WHOLE_STUDY: i64 = 0;

impl Store {
    /// The sweeps, oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn sweeps(&self) -> Result<Vec<SweepSummary>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT name, text, created, updated, (
                   SELECT coalesce(sum(total), 0) FROM tally WHERE sweep_id = sweep.id
               ) AS "jobs!: i64"
               FROM sweep ORDER BY id"#
        )
        .map(|row| SweepSummary {
            name: row.name,
            text: row.text,
            jobs: as_u64(row.jobs),
            created: as_u64(row.created),
            updated: as_u64(row.updated),
        });
        rows.fetch_all(self.readers()).await.map_err(database("read the sweeps"))
    }

    /// Jobs by state: of those the sweep asks for, or of the whole study.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownSweep`].
    pub async fn counts(&self, sweep: Option<&str>) -> Result<Counts, StoreError> {
        let sweep = self.find(sweep).await?.unwrap_or(WHOLE_STUDY);
        let rows = sqlx::query!("SELECT state, total FROM tally WHERE sweep_id = ?", sweep)
            .fetch_all(self.readers())
            .await
            .map_err(database("count jobs"))?;
        let mut counts = Counts::default();
        for row in rows {
            counts.0[job_state("a job", &row.state)? as usize] = as_u64(row.total);
        }
        Ok(counts)
    }

    /// The floating-point operations that are left to do: of all jobs together, and of each, from its last
    /// checkpoint on, if there are at most `each` in the whole study, else of none.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownSweep`].
    pub async fn work_left(
        &self,
        sweep: Option<&str>,
        each: u64,
    ) -> Result<(f64, Vec<WorkLeft>), StoreError> {
        let few = self.counts(None).await?.unfinished() <= each;
        let id = self.find(sweep).await?;
        let tally = id.unwrap_or(WHOLE_STUDY);
        let all = sqlx::query_scalar!(
            r#"SELECT coalesce(sum(flops), 0.0) AS "flops!: f64" FROM tally
               WHERE sweep_id = ? AND state IN ('waiting', 'queued', 'running')"#,
            tally
        )
        .fetch_one(self.readers())
        .await
        .map_err(database("add up what is left"))?;
        if !few {
            return Ok((all, Vec::new()));
        }
        let each = sqlx::query_as!(
            WorkLeft,
            r#"SELECT stage, model AS "model!: String", precision AS "precision?: String",
                      flops * (1.0 - coalesce((
                          SELECT max(step) FROM checkpoint WHERE job_id = job.id
                      ), 0) * 1.0 / max(steps, 1)) AS "flops!: f64"
               FROM job
               WHERE state IN ('waiting', 'queued', 'running') AND (?1 IS NULL OR EXISTS (
                   SELECT 1 FROM member
                   WHERE sweep_id = ?1 AND member.ordinal = job.ordinal AND NOT orphaned
               ))"#,
            id
        )
        .fetch_all(self.readers())
        .await
        .map_err(database("read what is left"))?;
        Ok((all, each))
    }

    /// The attempts thought to be live, longest running first.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownSweep`].
    pub async fn running(&self, sweep: Option<&str>) -> Result<Vec<RunningAttempt>, StoreError> {
        let sweep = self.find(sweep).await?;
        let rows = sqlx::query_as!(
            RunningRow,
            r#"SELECT attempt.job_id, number AS "number!: u32", executor, slot, device, host, started, steps,
                      labels, epochs, from_step,
                      (SELECT coalesce(value, "values" ->> '$[#-1]') FROM metric_series
                       WHERE job_id = job.id AND attempt = attempt.number AND name = 'train_loss'
                       ORDER BY first DESC LIMIT 1) AS "loss?: f64",
                      (SELECT coalesce(value, "values" ->> '$[#-1]') FROM metric_series
                       WHERE job_id = job.id AND attempt = attempt.number AND name = 'images_per_second'
                       ORDER BY first DESC LIMIT 1) AS "images_per_second?: f64",
                      max(coalesce(from_step, 0),
                          coalesce((SELECT max(first + points - 1) FROM metric_series
                                    WHERE job_id = job.id AND attempt = attempt.number), 0),
                          coalesce((SELECT max(step) FROM checkpoint
                                    WHERE job_id = job.id AND attempt = attempt.number), 0)
                      ) AS "step!: i64"
               FROM attempt JOIN job ON job.id = attempt.job_id
               WHERE attempt.state = 'running'
                 AND (?1 IS NULL OR EXISTS (
                     SELECT 1 FROM member
                     WHERE sweep_id = ?1 AND member.ordinal = job.ordinal AND NOT orphaned
                 ))
               ORDER BY started, attempt.job_id"#,
            sweep
        )
        .fetch_all(self.readers())
        .await
        .map_err(database("read what runs"))?;
        rows.into_iter().map(RunningRow::decode).collect()
    }

    /// How fast finished jobs went: the ground of every estimate. Of very many, a thousand are looked
    /// at: those of the least ids, which is as good as drawn by lot.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn speeds(&self) -> Result<Vec<MeasuredSpeed>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT stage, model AS "model!: String", precision AS "precision?: String", device,
                      flops, (
                          SELECT sum(v_device_time.seconds) FROM v_device_time
                          WHERE v_device_time.job_id = job.id
                      ) AS "seconds!: f64"
               FROM (SELECT job_id, attempt FROM result ORDER BY job_id LIMIT 1000) AS some
               JOIN job ON job.id = some.job_id
               JOIN attempt ON attempt.job_id = some.job_id AND attempt.number = some.attempt
               WHERE flops > 0.0
               ORDER BY job.ordinal"#
        )
        .map(|row| MeasuredSpeed {
            stage: row.stage,
            model: row.model,
            precision: row.precision,
            device: row.device,
            flops: row.flops,
            seconds: row.seconds,
        });
        rows.fetch_all(self.readers()).await.map_err(database("read measured speeds"))
    }
}

impl Store {
    /// The number of the sweep of this name, if a sweep is named at all.
    pub(crate) async fn find(&self, sweep: Option<&str>) -> Result<Option<i64>, StoreError> {
        let Some(name) = sweep else { return Ok(None) };
        let mut reader = self.readers().acquire().await.map_err(database("begin reading"))?;
        sweep_id(&mut reader, name).await.map(Some)
    }
}

/// The number of the sweep of this name.
pub(crate) async fn sweep_id(
    connection: &mut SqliteConnection,
    name: &str,
) -> Result<i64, StoreError> {
    let found = sqlx::query_scalar!("SELECT id FROM sweep WHERE name = ?", name)
        .fetch_optional(&mut *connection)
        .await
        .map_err(database("find a sweep"))?;
    if let Some(id) = found {
        return Ok(id);
    }
    let names = sqlx::query_scalar!("SELECT name FROM sweep ORDER BY id")
        .fetch_all(connection)
        .await
        .map_err(database("read the sweeps"))?;
    let nearest = nearest(name, names.iter().map(String::as_str)).map(str::to_owned);
    Err(StoreError::UnknownSweep { name: name.to_owned(), nearest })
}

/// Counts and times are never negative in the database.
fn as_u64(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

struct RunningRow {
    job_id: String,
    number: u32,
    executor: String,
    slot: String,
    device: String,
    host: Option<String>,
    started: i64,
    steps: i64,
    labels: String,
    epochs: Option<f64>,
    from_step: Option<i64>,
    loss: Option<f64>,
    images_per_second: Option<f64>,
    step: i64,
}

impl RunningRow {
    fn decode(self) -> Result<RunningAttempt, StoreError> {
        Ok(RunningAttempt {
            attempt: AttemptKey { job: job_id(&self.job_id)?, number: self.number },
            labels: json("the labels", &self.job_id, &self.labels)?,
            executor: self.executor,
            slot: self.slot,
            device: self.device,
            host: self.host,
            started: as_u64(self.started),
            from_step: as_u64(self.from_step.unwrap_or(0)),
            step: as_u64(self.step),
            steps: as_u64(self.steps),
            epochs: self.epochs,
            loss: self.loss,
            images_per_second: self.images_per_second,
        })
    }
}
