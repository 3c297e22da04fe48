//! When the queue is asked: seldom, and still more seldom while it does not answer.

use std::time::{Duration, Instant};

use augreg_executor::slurm::{Seen, SlurmError};
use tokio::task::JoinHandle;

use super::options::ClusterOptions;

/// When the queue is asked, and what it answered.
pub(super) struct Poll {
    pub(super) due: Instant,
    /// How often in a row it was asked in vain.
    pub(super) vain: u32,
    pub(super) every: Duration,
    pub(super) asked: Option<JoinHandle<Result<Vec<Seen>, SlurmError>>>,
}

/// The longest pause between two questions that are not answered.
const LONGEST_PAUSE: Duration = Duration::from_mins(2);

impl Poll {
    pub(super) fn new(cluster: &ClusterOptions) -> Self {
        Self { due: Instant::now(), vain: 0, every: cluster.poll, asked: None }
    }

    /// The next question is due after a pause, which grows while nobody answers.
    pub(super) fn again(&mut self, answered: bool) {
        self.vain = if answered { 0 } else { self.vain.saturating_add(1) };
        let pause =
            self.every.saturating_mul(1 << self.vain.min(10)).min(LONGEST_PAUSE.max(self.every));
        self.due = Instant::now() + pause;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_become_seldom_while_nobody_answers() {
        let now = Instant::now();
        let mut poll = Poll { due: now, vain: 0, every: Duration::from_secs(10), asked: None };
        let mut pause = |answered| {
            poll.again(answered);
            poll.due.duration_since(Instant::now()).as_secs_f64().round() as u64
        };
        assert_eq!([false, false, false, false, false].map(&mut pause), [20, 40, 80, 120, 120]);
        assert_eq!(pause(true), 10);
    }
}
