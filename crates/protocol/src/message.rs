//! The lines between scheduler and worker: one JSON object a line.

use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;

use augreg_spec::{DataSource, JobId, JobSpec, Keep};
use serde::{Deserialize, Serialize};

/// Names one attempt of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AttemptKey {
    /// The job.
    pub job: JobId,
    /// Counts from 1.
    pub number: u32,
}

impl fmt::Display for AttemptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.job, self.number)
    }
}

/// Where a worker computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Device {
    /// The processor.
    Cpu,
    /// A CUDA device by its index among those visible to the worker.
    Cuda(u32),
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

/// What a worker does about its job when its scheduler is gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenAbandoned {
    /// Write a checkpoint and leave: the device is free for whoever comes next.
    #[default]
    Checkpoint,
    /// Finish the job, then leave: nothing waits for somebody to come.
    Finish,
}

/// One attempt, with all a worker needs to execute it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// Which attempt this is.
    pub attempt: AttemptKey,
    /// What to do.
    pub spec: JobSpec,
    /// Where the data lie; none for a job without data.
    pub source: Option<DataSource>,
    /// The study's root, absolute.
    pub root: PathBuf,
    /// Where to compute.
    pub device: Device,
    /// Threads for libtorch's kernels. Part of what makes a CPU result bit-exact.
    pub threads: u32,
    /// Images that go through the network at once; none lets the worker find out what fits. The
    /// last bits of a result depend on it, and a checkpoint's own size comes first.
    #[serde(default)]
    pub micro_batch: Option<NonZeroU32>,
    /// Seconds between checkpoints. Changes no result.
    pub checkpoint_seconds: f64,
    /// What to do should the scheduler be gone. Changes no result.
    pub when_abandoned: WhenAbandoned,
    /// Which parameters stay when the job is done. Changes no result.
    #[serde(default)]
    pub keep: Keep,
}

/// From the scheduler. End of file means that the scheduler is gone: the worker leaves, at once or
/// after its job as [`WhenAbandoned`] says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ToWorker {
    /// Execute this attempt, after those that were sent before. One that lasts is sent only to a
    /// worker that has none.
    Run(Box<Assignment>),
    /// Write a checkpoint, end the attempt as stopped, and exit.
    Stop,
}

/// How an attempt is getting on. Lost beats do no harm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Beat {
    /// The attempt.
    pub attempt: AttemptKey,
    /// Steps done.
    pub step: u64,
    /// Steps in all.
    pub steps: u64,
    /// Mean training loss since the last beat.
    pub loss: Option<f64>,
    /// Training images a second since the last beat.
    pub images_per_second: f64,
}

/// From a worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum FromWorker {
    /// The first line: the worker is up.
    Hello {
        /// Version of the `augreg-worker` binary; must equal the scheduler's.
        version: String,
        /// Its process id.
        pid: u32,
    },
    /// Progress, about once a second, and a sign of life.
    Beat(Beat),
    /// The disk has no room for what the attempt has to write. The worker waits for it, and says so
    /// again every second.
    NoRoom {
        /// The attempt.
        attempt: AttemptKey,
        /// What could not be written, for a person.
        why: String,
    },
    /// The attempt is over and its journal says how. The worker is free.
    Ended {
        /// The attempt.
        attempt: AttemptKey,
    },
}
