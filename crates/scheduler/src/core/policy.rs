//! The numbers behind the core's decisions, and the back-off they give. No state.

use std::num::NonZeroU32;
use std::time::Duration;

use augreg_protocol::AttemptKey;
use augreg_spec::random::{Purpose, named_stream};

/// Limits and delays. None of them changes a result, only when and how often work is tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// A busy worker without a sign of life for this long is killed.
    pub heartbeat_timeout: Duration,
    /// A busy worker without a new step for this long is killed.
    pub step_timeout: Duration,
    /// A worker that has not said hello this long after its start is killed.
    pub hello_timeout: Duration,
    /// How long a worker that was told to leave may take before it is killed.
    pub stop_grace: Duration,
    /// How long a killed worker may take to be gone before its slot is given up.
    pub kill_grace: Duration,
    /// Losses (and timeouts) in a row without a new checkpoint that end a job.
    pub losses: u32,
    /// How often running out of memory is retried in the life of a job.
    pub memory_retries: u32,
    /// How often an unexplained failure is retried in the life of a job.
    pub bug_retries: u32,
    /// Starts in a row that fail before a slot is given up.
    pub starts: u32,
    /// Delay after the first loss; doubles with each further one.
    pub backoff: Duration,
    /// No delay is longer than this, jitter aside.
    pub backoff_limit: Duration,
    /// How long a job waits for another slot than the one that failed it.
    pub elsewhere: Duration,
    /// Jobs that a slot fails in a row, and others finish, before it is quarantined.
    pub quarantine: usize,
    /// Attempts in a row that fail alike, and at once, before jobs are tried one at a time; at least
    /// four a slot.
    pub alike: u32,
    /// What counts as at once.
    pub at_once: Duration,
    /// Trials in a row that fail alike before the run is given up.
    pub trials: u32,
    /// How much work a worker is given beyond the attempt it is at, by how long its last one took:
    /// with jobs of milliseconds it need not wait for the next. Nothing where jobs take longer.
    pub ahead: Duration,
    /// Jobs that a worker runs before it is replaced; without it, as many as there are.
    pub recycle_after: Option<NonZeroU32>,
    /// A worker that holds more bytes of memory than this after a job is replaced.
    pub worker_memory: Option<u64>,
    /// Seed of the jitter.
    pub seed: u64,
}

/// What an attempt is taken to last that took no millisecond.
const QUICKEST: Duration = Duration::from_micros(200);

impl Default for Policy {
    fn default() -> Self {
        Self {
            heartbeat_timeout: Duration::from_mins(2),
            step_timeout: Duration::from_mins(30),
            hello_timeout: Duration::from_mins(2),
            stop_grace: Duration::from_secs(8),
            kill_grace: Duration::from_secs(1),
            losses: 3,
            memory_retries: 1,
            bug_retries: 1,
            starts: 3,
            backoff: Duration::from_millis(500),
            backoff_limit: Duration::from_mins(1),
            elsewhere: Duration::from_secs(30),
            quarantine: 3,
            alike: 32,
            at_once: Duration::from_secs(10),
            trials: 10,
            ahead: Duration::from_millis(25),
            recycle_after: None,
            worker_memory: None,
            seed: 0,
        }
    }
}

impl Policy {
    /// The delay before the attempt after `last`, `losses` losses in a row having happened:
    /// `backoff · 2^(losses − 1)`, at most `backoff_limit`, times a jitter in [0.5, 1.5) that is a
    /// function of seed and attempt, so that many jobs lost together do not come back together.
    #[must_use]
    pub fn delay(&self, last: AttemptKey, losses: u32) -> Duration {
        let doublings = losses.saturating_sub(1).min(16);
        let base = self.backoff.saturating_mul(1 << doublings).min(self.backoff_limit);
        let jitter = named_stream(self.seed, Purpose::Backoff, &last.to_string()).uniform(0.5, 1.5);
        base.mul_f64(jitter)
    }

    /// The longest step of the clock in which time has passed for workers too: shorter than any
    /// time-out that one of them could miss because nobody listened.
    pub(super) fn leap(&self) -> Duration {
        self.heartbeat_timeout.min(self.hello_timeout) / 2
    }

    /// How many attempts a worker is to have ahead of time whose last one took so long.
    pub(super) fn depth(&self, took: Duration) -> usize {
        (self.ahead.as_micros() / took.max(QUICKEST).as_micros()) as usize
    }

    /// The delay before the next start on a slot after `failed` starts in a row: doubles, no jitter.
    pub(super) fn start_delay(&self, failed: u32) -> Duration {
        let doublings = failed.saturating_sub(1).min(16);
        self.backoff.saturating_mul(1 << doublings).min(self.backoff_limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use augreg_spec::JobId;

    #[test]
    fn delays_double_up_to_the_limit_and_jitter_by_attempt() {
        let policy = Policy::default();
        let key = |number| AttemptKey { job: JobId::of("a"), number };
        for losses in 1..40 {
            let delay = policy.delay(key(losses), losses);
            let base = policy.backoff.saturating_mul(1 << (losses - 1).min(16));
            let base = base.min(policy.backoff_limit);
            assert!(delay >= base / 2 && delay < base * 3 / 2, "{losses}: {delay:?}");
        }
        assert_eq!(policy.delay(key(1), 1), policy.delay(key(1), 1));
        assert_ne!(policy.delay(key(1), 1), policy.delay(key(2), 1));
    }
}
