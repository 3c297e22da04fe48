//! Keeps a fault that fails every job at once from failing them all.
//!
//! A worker that cannot load a library, a folder that is not mounted: such a fault fails jobs as fast
//! as they are handed out, and by the morning all of a hundred thousand have used up their retries. So
//! after many attempts that failed alike, within seconds and with nothing else in between, one at a
//! time is tried, at longer and longer intervals. One that does anything else lets all go on: the
//! fault has passed. When all trials have failed the run is over and the other jobs are still queued.
//! Nothing is hidden: every attempt has ended as it did.

use std::time::Duration;

use augreg_protocol::{AttemptKey, FailureKind};

use super::policy::Policy;
use super::words::{AttemptEnd, Millis};

/// What attempts have failed of lately.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    fault: Option<Fault>,
    trials: Option<Trials>,
}

#[derive(Debug)]
struct Fault {
    kind: FailureKind,
    headline: String,
    times: u32,
}

/// How cautiously jobs are handed out.
#[derive(Debug, Clone, Copy)]
struct Trials {
    failed: u32,
    next: Millis,
    under_way: Option<(AttemptKey, Millis)>,
}

/// What an attempt's end means for handing out work.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing new.
    None,
    /// From now on jobs are tried one at a time.
    Tripped(String),
    /// Jobs are handed out again.
    Reset,
    /// It is no use.
    Hopeless(String),
}

impl Breaker {
    /// An attempt ended that began at `began`.
    pub(super) fn ended(
        &mut self,
        (began, now): (Millis, Millis),
        attempt: AttemptKey,
        end: &AttemptEnd,
        (slots, policy): (usize, &Policy),
    ) -> Turn {
        use FailureKind::{Bug, Data, Lost, OutOfMemory, Preempted, Timeout};
        let (kind, message) = match end {
            AttemptEnd::Stopped | AttemptEnd::Failed { kind: Preempted, .. } => {
                self.no_longer(attempt);
                return Turn::None;
            }
            AttemptEnd::Failed {
                kind: kind @ (Bug | Data | Lost | OutOfMemory | Timeout),
                message,
            } if now < began + policy.at_once => (*kind, message),
            _ => return self.reset(),
        };
        let headline = message.lines().next().unwrap_or_default();
        // Paths in it may lead to the job's own folder.
        let headline = headline.replace(&attempt.job.to_string(), "…");
        let alike = |fault: &&mut Fault| fault.kind == kind && fault.headline == headline;
        let Some(fault) = self.fault.as_mut().filter(alike) else {
            let turn = self.reset();
            self.fault = Some(Fault { kind, headline, times: 1 });
            return turn;
        };
        fault.times = fault.times.saturating_add(1);
        let what = || format!("{}: {}", kind.name(), fault.headline);
        let enough = policy.alike.max(4 * u32::try_from(slots).unwrap_or(u32::MAX / 4));
        match &mut self.trials {
            None if fault.times < enough => Turn::None,
            None => {
                let (failed, next) = (0, now + trial_delay(0, policy));
                self.trials = Some(Trials { failed, next, under_way: None });
                let times = fault.times;
                let how = "jobs are tried one at a time from now on, until one gets further";
                Turn::Tripped(format!("the last {times} attempts failed alike: {}; {how}", what()))
            }
            Some(trials) if trials.under_way.is_some_and(|(trial, _)| trial == attempt) => {
                trials.under_way = None;
                trials.failed += 1;
                trials.next = now + trial_delay(trials.failed, policy);
                if trials.failed < policy.trials {
                    return Turn::None;
                }
                Turn::Hopeless(format!(
                    "the last {} attempts failed alike: {}",
                    fault.times,
                    what()
                ))
            }
            Some(_) => Turn::None,
        }
    }

    /// Whether jobs are tried one at a time.
    pub(super) fn is_cautious(&self) -> bool {
        self.trials.is_some()
    }

    /// Whether a job may be handed out.
    pub(super) fn lets_pass(&self, now: Millis) -> bool {
        self.trials.is_none_or(|trials| trials.under_way.is_none() && trials.next <= now)
    }

    /// A job is handed out.
    pub(super) fn pass(&mut self, attempt: AttemptKey, now: Millis) {
        if let Some(trials) = &mut self.trials {
            trials.under_way = Some((attempt, now));
        }
    }

    /// Lets all go on once a trial has lasted longer than the failures did.
    pub(super) fn look(&mut self, now: Millis, policy: &Policy) -> Turn {
        match self.next(policy) {
            Some(at) if at <= now && !self.lets_pass(now) => self.reset(),
            _ => Turn::None,
        }
    }

    /// When it may change its mind by itself.
    pub(super) fn next(&self, policy: &Policy) -> Option<Millis> {
        let trials = self.trials?;
        Some(trials.under_way.map_or(trials.next, |(_, began)| began + policy.at_once))
    }

    /// An attempt is over, and that says nothing.
    pub(super) fn no_longer(&mut self, attempt: AttemptKey) {
        if let Some(trials) = &mut self.trials
            && trials.under_way.is_some_and(|(trial, _)| trial == attempt)
        {
            trials.under_way = None;
        }
    }

    fn reset(&mut self) -> Turn {
        self.fault = None;
        if self.trials.take().is_some() { Turn::Reset } else { Turn::None }
    }
}

/// The pause before the next trial, after so many that failed.
fn trial_delay(failed: u32, policy: &Policy) -> Duration {
    policy.backoff.saturating_mul(2 << failed.min(16)).min(policy.backoff_limit)
}
