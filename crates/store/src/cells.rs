//! A sweep as a grid: which settings it varies, and what became of the jobs of each combination.
//!
//! Groups of jobs that differ in their seed alone are told apart from groups that differ in anything
//! else, so that whoever draws a cell can take the mean of the ones and the best of the others. What is
//! drawn, and how, is decided elsewhere.

use augreg_spec::nearest;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::answer::collect;
use crate::error::database;
use crate::query::push_sweep;
use crate::question::Question;
use crate::status::sweep_id;
use crate::{QueryError, Store, StoreError, Value};

/// The settings that a grid can be laid out by: columns of `v_jobs`.
pub const AXES: [&str; 18] = [
    "dataset",
    "model",
    "augmentation",
    "dropout",
    "stochastic_depth",
    "mixup",
    "weight_decay",
    "learning_rate",
    "epochs",
    "steps",
    "batch_size",
    "resolution",
    "loss",
    "precision",
    "crop",
    "flip",
    "warmup_steps",
    "seed",
];

/// What a grid can show: columns of `v_jobs` that a finished job fills.
pub const MEASURES: [&str; 5] =
    ["final_val", "best_val", "final_test", "train_loss", "images_per_second"];

/// One stage of a sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageAxes {
    /// The stage.
    pub stage: String,
    /// Jobs that the sweep asks for.
    pub jobs: u64,
    /// Those of [`AXES`] in which they differ, in that order.
    pub varied: Vec<&'static str>,
}

/// Jobs of a grid that differ in their seeds alone.
#[derive(Debug, Clone, PartialEq)]
pub struct CellGroup {
    /// The values of the axes asked for, in their order.
    pub key: Vec<Value>,
    /// How many jobs there are.
    pub jobs: u64,
    /// Of them, those that run.
    pub running: u64,
    /// Those that have failed.
    pub failed: u64,
    /// Those that were cancelled.
    pub cancelled: u64,
    /// Those that have succeeded.
    pub succeeded: u64,
    /// Trainable parameters of the largest.
    pub parameters: u64,
    /// The mean of what was measured; none: nothing was.
    pub mean: Option<f64>,
}

impl Store {
    /// The stages of a sweep and what varies in each, by name.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownSweep`].
    pub async fn stage_axes(&self, sweep: &str) -> Result<Vec<StageAxes>, StoreError> {
        let mut reader = self.readers().acquire().await.map_err(database("begin reading"))?;
        let id = sweep_id(&mut reader, sweep).await?;
        let mut sql = Question::new("SELECT stage, count(*)");
        for axis in AXES {
            // A value that some jobs have and others lack is a difference, too.
            sql.push(format!(
                ", min({axis}) IS NOT max({axis}) OR count({axis}) NOT IN (0, count(*))"
            ));
        }
        sql.push(" FROM job WHERE 1");
        push_sweep(&mut sql, id);
        sql.push(" GROUP BY stage ORDER BY stage");
        let rows = sql.build().fetch_all(&mut *reader).await.map_err(database("read a grid"))?;
        rows.iter().map(|row| stage(row).map_err(database("read a grid"))).collect()
    }

    /// The jobs of one stage of a sweep, by the values of `axes` and by whatever else they differ in but
    /// their seeds.
    ///
    /// # Errors
    ///
    /// [`QueryError::UnknownColumn`] for an axis or a measure that there is not;
    /// [`StoreError::UnknownSweep`].
    pub async fn cells(
        &self,
        sweep: &str,
        stage: &StageAxes,
        axes: &[&str],
        measure: &str,
    ) -> Result<Vec<CellGroup>, QueryError> {
        let axes: Vec<_> = axes.iter().map(|axis| known(axis, &AXES)).collect::<Result<_, _>>()?;
        let measure = known(measure, &MEASURES)?;
        let others = stage.varied.iter().filter(|axis| **axis != "seed" && !axes.contains(axis));
        let by: Vec<_> = axes.iter().chain(others).copied().collect();
        let mut reader = self.readers().acquire().await.map_err(database("begin reading"))?;
        let id = sweep_id(&mut reader, sweep).await?;
        let mut sql = Question::new(
            "SELECT count(*), sum(state = 'running'), sum(state = 'failed'),
                    sum(state = 'cancelled'), sum(state = 'succeeded'), max(job.parameters), avg(",
        );
        sql.push("result.").push(measure).push(")");
        for axis in &axes {
            sql.push(", job.").push(axis);
        }
        sql.push(" FROM job LEFT JOIN result ON job_id = id WHERE job.stage = ")
            .push_bind(&*stage.stage);
        push_sweep(&mut sql, id);
        for (at, axis) in by.iter().enumerate() {
            sql.push(if at == 0 { " GROUP BY job." } else { ", job." }).push(axis);
        }
        let rows = collect(sql.build().fetch(&mut *reader)).await?;
        Ok(rows.iter().map(|row| group(row)).collect())
    }
}

fn known(name: &str, all: &[&'static str]) -> Result<&'static str, QueryError> {
    all.iter().find(|known| **known == name).copied().ok_or_else(|| QueryError::UnknownColumn {
        name: name.to_owned(),
        nearest: nearest(name, all.iter().copied()).map(str::to_owned),
    })
}

fn stage(row: &SqliteRow) -> Result<StageAxes, sqlx::Error> {
    let mut varied = Vec::new();
    for (at, axis) in AXES.into_iter().enumerate() {
        if row.try_get::<bool, _>(at + 2)? {
            varied.push(axis);
        }
    }
    let jobs = row.try_get::<i64, _>(1)?;
    Ok(StageAxes { stage: row.try_get(0)?, jobs: jobs as u64, varied })
}

fn group(row: &[Value]) -> CellGroup {
    let count = |at: usize| match row.get(at) {
        Some(Value::Integer(count)) => *count as u64,
        _ => 0,
    };
    let mean = match row.get(6) {
        Some(Value::Real(mean)) => Some(*mean),
        _ => None,
    };
    let [jobs, running, failed, cancelled, succeeded, parameters] = [0, 1, 2, 3, 4, 5].map(count);
    let key = row[7..].to_vec();
    CellGroup { key, jobs, running, failed, cancelled, succeeded, parameters, mean }
}
