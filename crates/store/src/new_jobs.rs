//! Jobs on their way into the database: made ready a piece at a time, and inserted if they are new.

use augreg_protocol::JobState;
use augreg_spec::{DatasetIdentity, Job, cost};

use tokio::task::yield_now;

use crate::axes::Axes;
use crate::difference::Asked;
use crate::insertion::{Insertion, Insertions, PIECE, Row};
use crate::rows::json_text;
use crate::spec_text::without_dataset;
use crate::{NewDataset, NewSweep, StoreError};

/// A job on its way to become a row.
struct NewJob {
    asked: Asked,
    state: JobState,
    flops: f64,
    row: Row,
}

/// Consecutive jobs of a sweep.
#[derive(Default)]
pub(crate) struct Piece {
    pub(crate) insertion: Insertion,
    pub(crate) asked: Vec<Asked>,
    /// What its jobs come to, if all of them are new.
    pub(crate) new: NewTally,
}

/// New jobs and what they cost, by the state they begin in.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NewTally {
    queued: (i64, f64),
    waiting: (i64, f64),
}

impl NewTally {
    pub(crate) fn add(&mut self, state: JobState, flops: f64) {
        let of = if state == JobState::Waiting { &mut self.waiting } else { &mut self.queued };
        of.0 += 1;
        of.1 += flops;
    }

    pub(crate) fn add_all(&mut self, other: Self) {
        for (of, more) in [(&mut self.queued, other.queued), (&mut self.waiting, other.waiting)] {
            of.0 += more.0;
            of.1 += more.1;
        }
    }

    /// Each state that occurs, with its jobs and what they cost.
    pub(crate) fn states(&self) -> impl Iterator<Item = (JobState, i64, f64)> {
        let all = [(JobState::Queued, self.queued), (JobState::Waiting, self.waiting)];
        all.into_iter().map(|(state, (jobs, flops))| (state, jobs, flops)).filter(|of| of.1 > 0)
    }
}

/// Makes pieces of a sweep's jobs.
pub(crate) struct NewJobs<'a> {
    at: i64,
    priority: i64,
    jobs: &'a mut (dyn Iterator<Item = Job> + Send),
    datasets: Vec<Known<'a>>,
    insertions: Insertions,
}

/// A data set with what hashing and writing it out, once, gave.
struct Known<'a> {
    identity: &'a DatasetIdentity,
    fingerprint: String,
    text: String,
}

/// Jobs that are made in one turn.
const TURN: usize = 32;

/// Stands for the data set of jobs that need none; its row is the schema's own.
const NO_DATASET: &str = "none";

impl<'a> NewJobs<'a> {
    pub(crate) fn of(NewSweep { jobs, datasets, priority, .. }: NewSweep<'a>, at: i64) -> Self {
        let datasets = datasets.iter().map(|NewDataset { identity, .. }| Known {
            identity,
            fingerprint: identity.fingerprint(),
            text: identity.canonical(),
        });
        let datasets = datasets.collect();
        Self { at, priority, jobs, datasets, insertions: Insertions::default() }
    }

    /// The next piece; empty after the last. Whoever waits for SQLite meanwhile gets a turn now and
    /// then, so that neither waits for the other.
    pub(crate) async fn take_piece(&mut self) -> Result<Piece, StoreError> {
        let (mut rows, mut piece) = (Vec::with_capacity(PIECE), Piece::default());
        while rows.len() < PIECE
            && let Some(job) = self.jobs.next()
        {
            if rows.len() % TURN == TURN - 1 {
                yield_now().await;
            }
            let NewJob { asked, state, flops, row } = self.new_job(job)?;
            rows.push(row);
            piece.asked.push(asked);
            piece.new.add(state, flops);
        }
        piece.insertion = self.insertions.of(rows);
        Ok(piece)
    }

    fn new_job(&mut self, job: Job) -> Result<NewJob, StoreError> {
        let (fingerprint, spec) = match job.spec.dataset() {
            None => (NO_DATASET.to_owned(), job.canonical().to_owned()),
            Some(dataset) => {
                let known = self.datasets.iter().find(|known| known.identity == dataset);
                let known = known.ok_or(StoreError::UnknownDataset { job: job.id })?;
                let spec = without_dataset(job.canonical(), &known.text);
                (known.fingerprint.clone(), spec)
            }
        };
        let (cost, names) = (cost(&job.spec), json_text("labels", "a job", &job.labels)?);
        let id = job.id.to_string();
        let parent = job.spec.parent();
        // One whose parent has succeeded is released when it is to be run.
        let state = if parent.is_some() { JobState::Waiting } else { JobState::Queued };
        let mut row: Row = vec![
            id.clone().into(),
            state.name().into(),
            job.spec.stage().name().into(),
            self.priority.into(),
            parent.map(|parent| parent.to_string()).into(),
            fingerprint.into(),
            job.spec.steps().into(),
            cost.parameters.into(),
            cost.flops.into(),
            self.at.into(),
            names.clone().into(),
            spec.into(),
            job.labels.dataset.into(),
            job.labels.model.into(),
            job.labels.augmentation.into(),
        ];
        row.extend(Axes::of(&job.spec).values());
        Ok(NewJob { asked: Asked { id, labels: names }, state, flops: cost.flops, row })
    }
}
