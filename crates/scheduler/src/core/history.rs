//! What befell a job, and the rules of trying it again. Its place in the queue is unknown here.

use std::time::Duration;

use augreg_protocol::{AttemptKey, FailureKind, JobState};

use super::policy::Policy;
use super::words::{AttemptEnd, NewJob};

/// The attempts of a job so far, as far as they decide about the next.
#[derive(Debug)]
pub(super) struct History {
    /// The number of the last attempt.
    pub(super) attempts: u32,
    /// The step the next attempt would go on from, as far as known.
    checkpoint: u64,
    /// Losses and timeouts since that step grew.
    losses: u32,
    out_of_memory: u32,
    bugs: u32,
    pub(super) cancelled: bool,
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

impl History {
    pub(super) fn new(new: &NewJob) -> Self {
        Self {
            attempts: new.attempts,
            checkpoint: new.checkpoint,
            losses: new.losses,
            out_of_memory: new.out_of_memory,
            bugs: new.bugs,
            cancelled: false,
        }
    }

    /// Notes that the next attempt would go on from `step`. Only a step beyond the last is progress.
    pub(super) fn checkpointed(&mut self, step: u64) {
        if step > self.checkpoint {
            self.checkpoint = step;
            self.losses = 0;
        }
    }

    /// The rules of design §7. Returns the verdict and, where it needs explaining, why.
    pub(super) fn verdict(
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
                self.losses = self.losses.saturating_add(1);
                let (lost, of) = (self.losses, policy.losses);
                if lost < of {
                    let why = format!("loss {lost} of {of} in a row without a new checkpoint");
                    (Verdict::Retry(policy.delay(attempt, lost)), Some(why))
                } else {
                    fail(Some(format!("given up: lost {lost} times without a new checkpoint")))
                }
            }
            FailureKind::OutOfMemory => {
                self.out_of_memory = self.out_of_memory.saturating_add(1);
                if self.out_of_memory <= policy.memory_retries {
                    (Verdict::Retry(policy.delay(attempt, 1)), None)
                } else {
                    fail(Some(format!("given up: out of memory {} times", self.out_of_memory)))
                }
            }
            FailureKind::Bug => {
                self.bugs = self.bugs.saturating_add(1);
                if self.bugs <= policy.bug_retries {
                    (Verdict::Retry(policy.delay(attempt, 1)), None)
                } else {
                    fail(Some(format!("given up: failed like this {} times", self.bugs)))
                }
            }
        }
    }
}
