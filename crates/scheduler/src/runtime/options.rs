//! What a run is asked for and what it answers. No behaviour.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use augreg_executor::slurm::SlurmError;
use augreg_executor::{ProgramError, SlotId};
use augreg_protocol::{AttemptKey, Beat, FailureKind, JobState, WhenAbandoned};
use augreg_spec::{JobId, Keep, Kept, Stage};
use augreg_store::StoreError;
use thiserror::Error;

use crate::core::Policy;

/// How a run goes about its jobs. None of it changes a result.
#[derive(Debug, Clone, PartialEq)]
pub struct RunOptions {
    /// How many workers; without it, what [`augreg_executor::detect`] finds.
    pub workers: Option<NonZeroU32>,
    /// Threads of each worker; without it, what [`augreg_executor::detect`] finds.
    pub threads: Option<NonZeroU32>,
    /// The worker binary; without it, what [`augreg_executor::program`] finds.
    pub program: Option<PathBuf>,
    /// Images that go through a network at once; none lets each worker find out what fits.
    pub micro_batch: Option<NonZeroU32>,
    /// Seconds between the checkpoints of a job.
    pub checkpoint_seconds: f64,
    /// What workers do about their jobs should this scheduler be gone.
    pub when_abandoned: WhenAbandoned,
    /// What stays of finished jobs.
    pub keep: Retention,
    /// Bytes of the disk to be kept free: the run pauses when there are fewer. Without it, what
    /// [`default_reserve`](super::default_reserve) says.
    pub reserve: Option<u64>,
    /// Limits and delays.
    pub policy: Policy,
    /// A journal is read at most this often while its attempt runs.
    pub journal_interval: Duration,
}

/// What stays of finished jobs: the same of all, or more or less of some.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Retention {
    /// Of those that are not named.
    pub of_all: Kept,
    /// Of these.
    pub of_some: HashMap<JobId, Kept>,
}

impl Retention {
    /// What stays of this job.
    #[must_use]
    pub fn of(&self, job: JobId, stage: Stage) -> Keep {
        self.kept(job).of(stage)
    }

    /// What stays of this job at least, whatever its stage.
    #[must_use]
    pub fn of_any_stage(&self, job: JobId) -> Keep {
        let kept = self.kept(job);
        kept.jobs.and(kept.of(Stage::Transfer))
    }

    fn kept(&self, job: JobId) -> Kept {
        self.of_some.get(&job).copied().unwrap_or(self.of_all)
    }
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            workers: None,
            threads: None,
            program: None,
            micro_batch: None,
            checkpoint_seconds: 30.0,
            when_abandoned: WhenAbandoned::default(),
            keep: Retention::default(),
            reserve: None,
            policy: Policy::default(),
            journal_interval: Duration::from_millis(250),
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Jobs that succeeded in this run.
    pub succeeded: usize,
    /// Jobs that failed in this run.
    pub failed: usize,
    /// Jobs that were cancelled during this run.
    pub cancelled: usize,
    /// Jobs that have not come to their end.
    pub left: usize,
    /// Whether the run was told to stop.
    pub interrupted: bool,
    /// How long it took.
    pub elapsed: Duration,
}

/// What a run tells while it goes on, enough for a live display. All of it is in the database too.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// The run begins.
    Began {
        /// Jobs to be run.
        jobs: usize,
        /// What they take together: floating-point operations.
        flops: f64,
        /// Slots to run them on; 0 where a cluster places them.
        slots: usize,
    },
    /// More jobs are to be run: a rule has chosen what they start from.
    Added {
        /// How many.
        jobs: usize,
        /// What they take together: floating-point operations.
        flops: f64,
    },
    /// An attempt was handed to a worker.
    Started {
        /// The attempt.
        attempt: AttemptKey,
        /// The worker's slot.
        slot: SlotId,
        /// Steps of the whole job.
        steps: u64,
        /// Epochs that these are, where the job counts in them.
        epochs: Option<f64>,
        /// Floating-point operations of the whole job.
        flops: f64,
        /// What a person calls the job.
        name: String,
    },
    /// An attempt gets on.
    Beat(Beat),
    /// An attempt is over, and the job is not: it is queued again.
    Requeued {
        /// The attempt.
        attempt: AttemptKey,
        /// What failed; none if it was told to stop.
        failure: Option<(FailureKind, String)>,
    },
    /// A job came to its end.
    Finished {
        /// The job.
        job: JobId,
        /// `succeeded`, `failed` or `cancelled`.
        state: JobState,
        /// Floating-point operations of the whole job.
        flops: f64,
        /// Why it failed.
        failure: Option<(FailureKind, String)>,
    },
    /// The run has been told to stop and waits for its workers.
    Stopping,
    /// Something a person should know.
    Note(String),
}

/// A run that could not go on. Whatever was finished is in the database; `resume` does the rest.
#[derive(Debug, Error)]
pub enum RunError {
    /// There is no worker binary.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The study's folder is not what it was.
    #[error("failed to find the study's folder `{path}`", path = path.display())]
    Root {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No worker can be started, so no job can be run.
    #[error("no worker can be had: {why}")]
    NoWorker {
        /// Why.
        why: String,
    },
    /// A folder of what is submitted could not be written.
    #[error("failed to write `{path}`", path = path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Slurm refuses.
    #[error(transparent)]
    Slurm(SlurmError),
    /// The database failed.
    #[error("the study's database failed")]
    Store(#[from] StoreError),
}
