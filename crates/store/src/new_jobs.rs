//! Jobs on their way into the database: made ready a piece at a time, and inserted if they are new.

use std::collections::BTreeMap;

use augreg_protocol::JobState;
use augreg_spec::{DataSource, DatasetIdentity, Job, cost};

use crate::axes::Axes;
use crate::difference::Asked;
use crate::insertion::{PIECE, Row};
use crate::rows::json_text;
use crate::{NewSweep, StoreError};

/// A job on its way to become a row.
pub(crate) struct NewJob {
    asked: Asked,
    flops: f64,
    pub(crate) row: Row,
}

/// Consecutive jobs of a sweep.
#[derive(Default)]
pub(crate) struct Piece(Vec<NewJob>);

impl Piece {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> i64 {
        self.0.len() as i64
    }

    pub(crate) fn flops(&self) -> f64 {
        self.0.iter().map(|job| job.flops).sum()
    }

    /// Takes the rows apart from what is asked for.
    pub(crate) fn split(self) -> (Vec<Row>, Vec<Asked>) {
        self.0.into_iter().map(|job| (job.row, job.asked)).unzip()
    }
}

/// Makes pieces of a sweep's jobs.
pub(crate) struct NewJobs<'a> {
    at: i64,
    priority: i64,
    jobs: &'a mut (dyn Iterator<Item = Job> + Send),
    datasets: &'a BTreeMap<String, (String, DataSource)>,
    /// Neighbours in a grid mostly share their data set, and hashing one costs more than a row.
    last: Option<(DatasetIdentity, String)>,
}

/// Stands for the data set of jobs that need none; its row is the schema's own.
const NO_DATASET: &str = "none";

impl<'a> NewJobs<'a> {
    pub(crate) fn of(NewSweep { jobs, datasets, priority, .. }: NewSweep<'a>, at: i64) -> Self {
        Self { at, priority, jobs, datasets, last: None }
    }

    /// The next piece; empty after the last.
    pub(crate) fn take_piece(&mut self) -> Result<Piece, StoreError> {
        let mut piece = Piece(Vec::with_capacity(PIECE));
        while piece.0.len() < PIECE
            && let Some(job) = self.jobs.next()
        {
            piece.0.push(self.new_job(job)?);
        }
        Ok(piece)
    }

    fn new_job(&mut self, job: Job) -> Result<NewJob, StoreError> {
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
        let (cost, names) = (cost(&job.spec), json_text("labels", "a job", &job.labels)?);
        let id = job.id.to_string();
        let mut row: Row = vec![
            id.clone().into(),
            JobState::Queued.name().into(),
            job.spec.stage().name().into(),
            self.priority.into(),
            fingerprint.into(),
            job.spec.steps().into(),
            cost.parameters.into(),
            cost.flops.into(),
            self.at.into(),
            names.clone().into(),
            job.canonical().into(),
            job.labels.dataset.into(),
            job.labels.model.into(),
            job.labels.augmentation.into(),
        ];
        row.extend(Axes::of(&job.spec).values());
        Ok(NewJob { asked: Asked { id, labels: names }, flops: cost.flops, row })
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
