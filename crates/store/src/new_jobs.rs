//! Jobs on their way into the database: made ready a piece at a time, and inserted if they are new.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use augreg_protocol::JobState;
use augreg_spec::{Cost, DataSource, DatasetIdentity, Job, cost};
use sqlx::SqliteConnection;

use crate::axes::{Axes, Query};
use crate::checked::checked;
use crate::difference::Asked;
use crate::error::database;
use crate::rows::{json_text, repeated};
use crate::{NewSweep, StoreError};

/// Jobs of a piece. A trip to SQLite costs more than a row, and SQLite's own cost per row stops
/// falling here.
const PIECE: usize = 256;

/// `OR FAIL`: what was inserted before need not be taken back by SQLite; the transaction is given up.
#[rustfmt::skip]
const ONE_JOB: &str = checked!(
    "INSERT OR FAIL INTO job (
         id, state, stage, priority, dataset_fingerprint, steps, parameters, flops, created, labels,
         spec, dataset, model, augmentation, randaugment_layers, randaugment_magnitude, mixup,
         dropout, stochastic_depth, weight_decay, learning_rate, epochs, batch_size, resolution,
         loss, precision, seed, crop, flip, warmup_steps, clip_norm, beta1, beta2, eps, head_bias,
         evaluations
     )
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
             ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO NOTHING",
    _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _,
    _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _
);

static MANY_JOBS: LazyLock<String> = LazyLock::new(|| repeated(ONE_JOB, PIECE));

/// A job on its way to become a row.
struct Row {
    job: Job,
    fingerprint: String,
    cost: Cost,
    labels: String,
}

impl Row {
    /// Binds its values, in the order of [`ONE_JOB`].
    fn bind(&self, query: Query, at: i64, priority: i64) -> Query {
        let Job { id, spec, labels, .. } = &self.job;
        let query = query
            .bind(id.to_string())
            .bind(JobState::Queued.name())
            .bind(spec.stage().name())
            .bind(priority)
            .bind(&self.fingerprint)
            .bind(spec.steps() as i64)
            .bind(self.cost.parameters as i64)
            .bind(self.cost.flops)
            .bind(at)
            .bind(&self.labels)
            .bind(self.job.canonical())
            .bind(&labels.dataset)
            .bind(&labels.model)
            .bind(&labels.augmentation);
        Axes::of(spec).bind(query)
    }
}

/// Consecutive jobs of a sweep.
#[derive(Default)]
pub(crate) struct Piece(Vec<Row>);

impl Piece {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> i64 {
        self.0.len() as i64
    }

    pub(crate) fn flops(&self) -> f64 {
        self.0.iter().map(|row| row.cost.flops).sum()
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        let asked = |row: &Row| Asked { id: row.job.id.to_string(), labels: row.labels.clone() };
        self.0.iter().map(asked).collect()
    }
}

/// Inserts those jobs that the study does not have. Returns how many those were.
pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    piece: &Piece,
    at: i64,
    priority: i64,
) -> Result<i64, StoreError> {
    let (sql, size) =
        if piece.0.len() == PIECE { (MANY_JOBS.as_str(), PIECE) } else { (ONE_JOB, 1) };
    let mut inserted = 0;
    for rows in piece.0.chunks(size) {
        let mut query = sqlx::query(sql);
        for row in rows {
            query = row.bind(query, at, priority);
        }
        let done = query.execute(&mut *connection).await.map_err(database("register jobs"))?;
        inserted += done.rows_affected() as i64;
    }
    Ok(inserted)
}

/// Makes pieces of a sweep's jobs.
pub(crate) struct NewJobs<'a> {
    jobs: &'a mut (dyn Iterator<Item = Job> + Send),
    datasets: &'a BTreeMap<String, (String, DataSource)>,
    /// Neighbours in a grid mostly share their data set, and hashing one costs more than a row.
    last: Option<(DatasetIdentity, String)>,
}

/// Stands for the data set of jobs that need none; its row is the schema's own.
const NO_DATASET: &str = "none";

impl<'a> NewJobs<'a> {
    pub(crate) fn of(NewSweep { jobs, datasets, .. }: NewSweep<'a>) -> Self {
        Self { jobs, datasets, last: None }
    }

    /// The next piece; empty after the last.
    pub(crate) fn take_piece(&mut self) -> Result<Piece, StoreError> {
        let mut piece = Piece(Vec::with_capacity(PIECE));
        while piece.0.len() < PIECE
            && let Some(job) = self.jobs.next()
        {
            piece.0.push(self.row(job)?);
        }
        Ok(piece)
    }

    fn row(&mut self, job: Job) -> Result<Row, StoreError> {
        let fingerprint = match job.spec.dataset() {
            None => NO_DATASET.to_owned(),
            Some(dataset) => {
                let fingerprint = self.fingerprint(dataset);
                if !self.datasets.contains_key(&fingerprint) {
                    return Err(StoreError::UnknownDataset { job: job.id });
                }
                fingerprint
            }
        };
        let (cost, labels) = (cost(&job.spec), json_text("labels", "a job", &job.labels)?);
        Ok(Row { job, fingerprint, cost, labels })
    }

    fn fingerprint(&mut self, dataset: &DatasetIdentity) -> String {
        match &self.last {
            Some((last, fingerprint)) if last == dataset => fingerprint.clone(),
            _ => {
                let fingerprint = dataset.fingerprint();
                self.last = Some((dataset.clone(), fingerprint.clone()));
                fingerprint
            }
        }
    }
}
