//! The open jobs: their queue, their history of failures, and the rules of trying again.
//!
//! Slots and workers are unknown here.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use augreg_executor::SlotId;
use augreg_protocol::{AttemptKey, FailureKind, JobState};
use augreg_spec::JobId;

use super::policy::Policy;
use super::words::{AttemptEnd, Millis, NewJob};

/// The place of a job in the queue; the least runs first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    priority: Reverse<i64>,
    /// The bits of a non-negative float order as the float does.
    flops: Reverse<u64>,
    job: JobId,
}

/// The attempt that a job has going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Live {
    pub(super) number: u32,
    /// None if it runs in a worker left behind by an earlier scheduler.
    pub(super) slot: Option<SlotId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Ready,
    Delayed(Millis),
    Live(Live),
}

#[derive(Debug)]
struct Job {
    rank: Rank,
    place: Place,
    /// The number of the last attempt.
    attempts: u32,
    /// The step the next attempt would go on from, as far as known.
    checkpoint: u64,
    /// Losses and timeouts since that step grew.
    losses: u32,
    out_of_memory: u32,
    bugs: u32,
    cancelled: bool,
    wanted: bool,
}

/// What becomes of a job after an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It comes to its end.
    End(JobState),
    /// It is tried again.
    Retry(Duration),
    /// It would be tried again, but not by this run.
    Leave,
}

impl Job {
    /// The rules of design §7. Returns the verdict and, where it needs explaining, why.
    fn verdict(
        &mut self,
        policy: &Policy,
        attempt: AttemptKey,
        end: &AttemptEnd,
        expected: bool,
    ) -> (Verdict, Option<String>) {
        let fail = |why: Option<String>| (Verdict::End(JobState::Failed), why);
        let kind = match end {
            AttemptEnd::Succeeded => return (Verdict::End(JobState::Succeeded), None),
            _ if self.cancelled => return (Verdict::End(JobState::Cancelled), None),
            AttemptEnd::Stopped if expected => return (Verdict::Retry(Duration::ZERO), None),
            AttemptEnd::Stopped => FailureKind::Preempted,
            AttemptEnd::Failed { kind, .. } => *kind,
        };
        match kind {
            FailureKind::Diverged | FailureKind::Data => fail(None),
            FailureKind::Preempted if expected => (Verdict::Retry(Duration::ZERO), None),
            FailureKind::Preempted => (Verdict::Retry(policy.delay(attempt, 1)), None),
            FailureKind::Lost | FailureKind::Timeout => {
                self.losses += 1;
                let (lost, of) = (self.losses, policy.losses);
                if lost < of {
                    let why = format!("loss {lost} of {of} in a row without a new checkpoint");
                    (Verdict::Retry(policy.delay(attempt, lost)), Some(why))
                } else {
                    fail(Some(format!("given up: lost {lost} times without a new checkpoint")))
                }
            }
            FailureKind::OutOfMemory => {
                self.out_of_memory += 1;
                if self.out_of_memory <= policy.memory_retries {
                    (Verdict::Retry(policy.delay(attempt, 1)), None)
                } else {
                    fail(Some(format!("given up: out of memory {} times", self.out_of_memory)))
                }
            }
            FailureKind::Bug => {
                self.bugs += 1;
                if self.bugs <= policy.bug_retries {
                    (Verdict::Retry(policy.delay(attempt, 1)), None)
                } else {
                    fail(Some(format!("given up: failed like this {} times", self.bugs)))
                }
            }
        }
    }
}

/// How many jobs are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Wait for a slot or for the end of a back-off.
    pub queued: usize,
    /// Have a live attempt.
    pub running: usize,
    /// Succeeded since this core began.
    pub succeeded: usize,
    /// Failed since this core began.
    pub failed: usize,
    /// Cancelled since this core began.
    pub cancelled: usize,
}

/// Every job that has not come to its end.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    open: BTreeMap<JobId, Job>,
    ready: BTreeSet<Rank>,
    delayed: BTreeSet<(Millis, JobId)>,
    /// Jobs whose live attempt has no slot.
    orphans: BTreeSet<JobId>,
    counts: Counts,
}

impl Jobs {
    pub(super) fn counts(&self) -> Counts {
        let queued = self.ready.len() + self.delayed.len();
        Counts { queued, running: self.open.len() - queued, ..self.counts }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    pub(super) fn has_orphans(&self) -> bool {
        !self.orphans.is_empty()
    }

    /// Attempts that run in workers left behind by an earlier scheduler.
    pub(super) fn orphans(&self) -> Vec<AttemptKey> {
        let key = |job: &JobId| Some(AttemptKey { job: *job, number: self.live(*job)?.number });
        self.orphans.iter().filter_map(key).collect()
    }

    /// Takes in a job. One that had used up its retries and is here again was queued by a person:
    /// it began afresh then, so only what came after counts.
    pub(super) fn add(&mut self, new: &NewJob, policy: &Policy) {
        if self.open.contains_key(&new.id) || !(new.wanted || new.live) {
            return;
        }
        let rank = Rank {
            priority: Reverse(new.priority),
            flops: Reverse(if new.flops > 0.0 { new.flops.to_bits() } else { 0 }),
            job: new.id,
        };
        let since = |limit: u32, count: u32| count % limit.max(1);
        let place = if new.live {
            self.orphans.insert(new.id);
            Place::Live(Live { number: new.attempts, slot: None })
        } else {
            self.ready.insert(rank);
            Place::Ready
        };
        let job = Job {
            rank,
            place,
            attempts: new.attempts,
            checkpoint: new.checkpoint,
            losses: since(policy.losses, new.losses),
            out_of_memory: since(policy.memory_retries + 1, new.out_of_memory),
            bugs: since(policy.bug_retries + 1, new.bugs),
            cancelled: false,
            wanted: new.wanted,
        };
        self.open.insert(new.id, job);
    }

    /// Moves jobs whose back-off is over to the queue.
    pub(super) fn wake(&mut self, now: Millis) {
        while let Some(&(at, id)) = self.delayed.first()
            && at <= now
        {
            self.delayed.pop_first();
            if let Some(job) = self.open.get_mut(&id) {
                job.place = Place::Ready;
                self.ready.insert(job.rank);
            }
        }
    }

    /// Takes the first job of the queue and gives it a new attempt on `slot`.
    pub(super) fn begin(&mut self, slot: SlotId) -> Option<AttemptKey> {
        let id = self.ready.pop_first()?.job;
        let job = self.open.get_mut(&id)?;
        job.attempts += 1;
        job.place = Place::Live(Live { number: job.attempts, slot: Some(slot) });
        Some(AttemptKey { job: id, number: job.attempts })
    }

    /// The live attempt of a job.
    pub(super) fn live(&self, id: JobId) -> Option<Live> {
        match self.open.get(&id)?.place {
            Place::Live(live) => Some(live),
            Place::Ready | Place::Delayed(_) => None,
        }
    }

    /// Whether this attempt is the live one of its job.
    pub(super) fn is_live(&self, attempt: AttemptKey) -> bool {
        self.live(attempt.job).is_some_and(|live| live.number == attempt.number)
    }

    /// Notes that the next attempt would go on from `step`. Only a step beyond the last is progress.
    pub(super) fn checkpointed(&mut self, id: JobId, step: u64) {
        if let Some(job) = self.open.get_mut(&id)
            && step > job.checkpoint
        {
            job.checkpoint = step;
            job.losses = 0;
        }
    }

    /// Ends the live attempt of a job and decides what becomes of the job. `expected` says whether
    /// the worker had a reason to leave. Returns the verdict and why.
    pub(super) fn end(
        &mut self,
        now: Millis,
        attempt: AttemptKey,
        end: &AttemptEnd,
        expected: bool,
        policy: &Policy,
    ) -> Option<(Verdict, Option<String>)> {
        let job = self.open.get_mut(&attempt.job)?;
        let (verdict, why) = job.verdict(policy, attempt, end, expected);
        self.orphans.remove(&attempt.job);
        let verdict = match verdict {
            Verdict::Retry(_) if !job.wanted => Verdict::Leave,
            verdict => verdict,
        };
        match verdict {
            Verdict::Leave => _ = self.open.remove(&attempt.job),
            Verdict::End(state) => self.close(attempt.job, state),
            Verdict::Retry(Duration::ZERO) => {
                job.place = Place::Ready;
                self.ready.insert(job.rank);
            }
            Verdict::Retry(delay) => {
                job.place = Place::Delayed(now + delay);
                self.delayed.insert((now + delay, attempt.job));
            }
        }
        Some((verdict, why))
    }

    /// Takes a job out. Returns whether that was all, or it has a live attempt that must end first.
    pub(super) fn cancel(&mut self, id: JobId) -> Option<Cancelled> {
        let job = self.open.get_mut(&id)?;
        match job.place {
            Place::Live(live) => {
                job.cancelled = true;
                return Some(Cancelled::Later(live));
            }
            Place::Ready => _ = self.ready.remove(&job.rank),
            Place::Delayed(at) => _ = self.delayed.remove(&(at, id)),
        }
        self.close(id, JobState::Cancelled);
        Some(Cancelled::Now)
    }

    fn close(&mut self, id: JobId, state: JobState) {
        self.open.remove(&id);
        match state {
            JobState::Succeeded => self.counts.succeeded += 1,
            JobState::Cancelled => self.counts.cancelled += 1,
            _ => self.counts.failed += 1,
        }
    }
}

/// Whether a cancelled job is out, or will be when its live attempt has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cancelled {
    Now,
    Later(Live),
}
