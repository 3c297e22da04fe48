//! What goes into the core and what comes out: times, events, actions. No behaviour.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Add;
use std::time::Duration;

use augreg_executor::SlotId;
use augreg_protocol::{AttemptKey, FailureKind, JobState};
use augreg_spec::JobId;

use super::fit::Needs;

/// A moment: milliseconds since whatever the caller chose. Only differences matter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Add<Duration> for Millis {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(millis))
    }
}

/// An open job as the core hears of it first.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// Its id.
    pub id: JobId,
    /// Higher runs first.
    pub priority: i64,
    /// Floating-point operations it is expected to take; within a priority the longest runs first.
    pub flops: f64,
    /// The job that must succeed before this one can begin; none if it has.
    pub parent: Option<JobId>,
    /// What it cannot do without.
    pub needs: Needs,
    /// The number of its last attempt, 0 if there was none.
    pub attempts: u32,
    /// Whether a worker that an earlier scheduler left behind may still execute that last attempt.
    pub live: bool,
    /// Whether it is to be run. If not, its live attempt is seen to its end and no more.
    pub wanted: bool,
    /// The step of its last checkpoint.
    pub checkpoint: u64,
    /// Losses in a row without a new checkpoint, here and below since a person last had it tried again.
    pub losses: u32,
    /// Attempts that ran out of memory.
    pub out_of_memory: u32,
    /// Attempts that failed without explanation.
    pub bugs: u32,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptEnd {
    /// It finished the job.
    Succeeded,
    /// It failed.
    Failed {
        /// The kind.
        kind: FailureKind,
        /// What went wrong, for a person.
        message: String,
    },
    /// It wrote a checkpoint and left because it was told to.
    Stopped,
}

/// Why nothing is handed out. Each reason comes and goes by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pauser {
    /// A person wants it so: until a person wants it otherwise, the run waits, with its devices free.
    Person,
    /// The disk is full: until there is room. Workers stay.
    Disk,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// There are jobs to run. Those already known are passed over.
    JobsAdded(Vec<NewJob>),
    /// The worker on a slot is up and has nothing to do yet.
    WorkerReady {
        /// Its slot.
        slot: SlotId,
    },
    /// No worker could be started on a slot; there is no process.
    StartFailed {
        /// The slot.
        slot: SlotId,
        /// Why, for a person.
        why: String,
        /// Whether trying again, here or on another slot, is pointless.
        hopeless: bool,
    },
    /// The worker on a slot is done with its attempt and goes on with the next, or waits for one.
    WorkerFree {
        /// Its slot.
        slot: SlotId,
    },
    /// How much memory the worker on a slot holds after an attempt. Told before that it is free.
    Resident {
        /// Its slot.
        slot: SlotId,
        /// Bytes.
        bytes: u64,
    },
    /// The worker on a slot is no more.
    WorkerGone {
        /// Its slot.
        slot: SlotId,
        /// How it went, for a person.
        why: String,
        /// Whether it was the host running out of memory that took it.
        out_of_memory: bool,
    },
    /// An attempt has begun where somebody else has placed its job.
    Begun {
        /// The attempt.
        attempt: AttemptKey,
    },
    /// A sign of life from the worker that executes an attempt.
    Beat {
        /// The attempt.
        attempt: AttemptKey,
        /// Steps done.
        step: u64,
    },
    /// A sign of life from the worker that executes an attempt: it waits for room on the disk, so no
    /// step is expected of it.
    Waits {
        /// The attempt.
        attempt: AttemptKey,
    },
    /// A checkpoint is on disk: the next attempt would go on from here.
    Checkpointed {
        /// The attempt that wrote it.
        attempt: AttemptKey,
        /// Its step.
        step: u64,
    },
    /// An attempt is over.
    AttemptEnded {
        /// The attempt.
        attempt: AttemptKey,
        /// How it ended.
        end: AttemptEnd,
    },
    /// An attempt that was given up, in this run or an earlier one, has finished its job all the same.
    /// If the job is not among those of this run, it has not succeeded yet.
    FinishedLate {
        /// The attempt.
        attempt: AttemptKey,
    },
    /// What an attempt leaves behind cannot be trusted, whatever its worker is doing.
    Untrusted {
        /// The attempt.
        attempt: AttemptKey,
        /// What is wrong, for a person.
        why: String,
    },
    /// The worker on a slot is to be replaced as soon as it has no attempt.
    Recycle {
        /// The slot.
        slot: SlotId,
        /// Why, for a person.
        why: String,
    },
    /// Whether more jobs will follow when some of those that there are have ended: until then the run is not
    /// over when nothing is left.
    Expect {
        /// Whether they will.
        more: bool,
    },
    /// A person takes a job out.
    Cancel {
        /// The job.
        job: JobId,
    },
    /// A person has given a job another priority: it takes its new place in the queue. An attempt that
    /// runs goes on.
    Prioritize {
        /// The job.
        job: JobId,
        /// Higher runs first.
        priority: i64,
    },
    /// Hand out nothing more until every reason for that is gone.
    Pause {
        /// The reason.
        by: Pauser,
        /// Whether running attempts go on to their ends; else their workers write checkpoints and
        /// leave. Under a full disk, where a checkpoint finds no room, they always go on.
        drain: bool,
        /// Who paused it, or what the disk lacks: a clause for a person.
        why: String,
    },
    /// These jobs, and no others, are held back: the sweeps that ask for them are paused.
    Hold {
        /// The jobs, whether heard of yet or not.
        jobs: BTreeSet<JobId>,
        /// Whether those of them that run go on to their ends.
        drain: bool,
    },
    /// A reason to pause is gone.
    GoOn {
        /// The reason.
        by: Pauser,
    },
    /// Start nothing more; let workers write their checkpoints and leave.
    Stop,
    /// Leave at once.
    StopNow,
    /// Time has passed.
    Tick,
}

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Start a worker on an empty slot.
    StartWorker {
        /// The slot.
        slot: SlotId,
    },
    /// Record that an attempt, and with it its job, runs; then hand it to the worker on a slot, which
    /// is idle, or takes it up after those it was handed before.
    Assign {
        /// The slot.
        slot: SlotId,
        /// The attempt.
        attempt: AttemptKey,
    },
    /// Record that an attempt, and with it its job, runs where somebody else has placed it.
    Begun {
        /// The attempt.
        attempt: AttemptKey,
    },
    /// Record how an attempt ended.
    EndAttempt {
        /// The attempt.
        attempt: AttemptKey,
        /// How it ended.
        end: AttemptEnd,
    },
    /// Record a job's new state.
    SetJobState {
        /// The job.
        job: JobId,
        /// Its state.
        state: JobState,
    },
    /// Ask the worker on a slot to write a checkpoint and leave.
    StopWorker {
        /// The slot.
        slot: SlotId,
    },
    /// End the worker on a slot by force.
    KillWorker {
        /// The slot.
        slot: SlotId,
        /// Why, for a person.
        why: String,
    },
    /// Record why something was decided.
    Audit {
        /// The job concerned, if one.
        job: Option<JobId>,
        /// The number of the attempt concerned, if one.
        attempt: Option<u32>,
        /// What was decided, in a word.
        what: &'static str,
        /// Why, for a person.
        reason: String,
    },
    /// It is over: no worker of this scheduler is left, and no job runs but in workers that an earlier
    /// one left behind.
    Finish(Finish),
}

/// Why the core finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// Every job came to its end.
    Done,
    /// It was told to stop.
    Stopped,
    /// The jobs that are left cannot be run by this run.
    Left {
        /// Queued, but no slot that is left fits them.
        unfit: usize,
        /// Waiting for a job that failed, was cancelled, or is not part of this run.
        waiting: usize,
    },
    /// Whatever is tried fails alike and at once.
    AllFail(String),
    /// No worker can be had.
    GaveUp(String),
}

impl fmt::Display for Finish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("every job came to its end"),
            Self::Stopped => f.write_str("told to stop"),
            Self::Left { unfit, waiting } => write!(
                f,
                "nothing more can be run: {unfit} jobs fit no slot, {waiting} wait for jobs that do \
                 not succeed in this run"
            ),
            Self::AllFail(why) => f.write_str(why),
            Self::GaveUp(why) => write!(f, "no worker can be had: {why}"),
        }
    }
}
