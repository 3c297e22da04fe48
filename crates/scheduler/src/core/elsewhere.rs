//! Jobs whose places somebody else gives: a cluster's batch system. The core has no slots then. It says which
//! jobs may be done and in which order, and hears of attempts when they have begun.

use augreg_protocol::{AttemptKey, FailureKind};
use augreg_spec::JobId;

use super::policy::Policy;
use super::state::Core;
use super::words::{Action, AttemptEnd};

impl Core {
    /// A core without slots, for jobs that are placed elsewhere.
    #[must_use]
    pub fn elsewhere(policy: Policy) -> Self {
        let mut core = Self::new(policy, []);
        core.elsewhere = true;
        core
    }

    /// The jobs that may be done now, in the order in which they should be; none while nothing is handed out.
    #[must_use]
    pub fn ready(&self) -> Vec<JobId> {
        if self.is_running() { self.jobs.queue().upcoming(usize::MAX) } else { Vec::new() }
    }

    /// The jobs that wait for another to succeed, each with that; none while nothing is handed out.
    #[must_use]
    pub fn waiting(&self) -> Vec<(JobId, JobId)> {
        if self.is_running() { self.jobs.waiting() } else { Vec::new() }
    }

    /// An attempt has begun where somebody else placed its job. It takes the place of the one before.
    pub(super) fn begun_elsewhere(&mut self, attempt: AttemptKey) {
        if let Some(live) = self.jobs.live(attempt.job)
            && live.number < attempt.number
        {
            let message = "the task was started again: the attempt after it goes on".to_owned();
            let end = AttemptEnd::Failed { kind: FailureKind::Preempted, message };
            self.end_attempt(AttemptKey { number: live.number, ..attempt }, end);
        }
        if self.jobs.begin_elsewhere(attempt) {
            self.actions.push(Action::Begun { attempt });
        } else {
            let reason = "it has begun, but its job is not to be done".to_owned();
            self.audit(Some(attempt), "ignored", reason);
        }
    }
}
