//! How attempts end, and what that means for their jobs and for those that wait for them.

use std::time::Duration;

use augreg_executor::SlotId;
use augreg_protocol::{AttemptKey, FailureKind, JobState};
use augreg_spec::JobId;

use super::history::Verdict;
use super::jobs::{Cancelled, Live, blames_slot};
use super::slots::{Busy, KillReason, Pace, Seat, Slot};
use super::state::Core;
use super::words::{Action, AttemptEnd};

impl Core {
    pub(super) fn end_attempt(&mut self, attempt: AttemptKey, mut end: AttemptEnd) {
        if !self.jobs.is_live(attempt) {
            self.ended_late(attempt, &end);
            return;
        }
        let since = self.now();
        let slot = self.slot_of(attempt);
        let rank = self.jobs.rank(attempt.job);
        let found = slot.and_then(|id| {
            self.slots.change(id, |slot| {
                slot.served += 1;
                let busy = match &slot.seat {
                    Seat::Busy(busy) if busy.attempt == attempt => busy.clone(),
                    // Its journal was read before those of the attempts that came first.
                    _ => {
                        slot.ahead.retain(|ahead| *ahead != attempt);
                        return (slot.leaving.is_some(), Busy::new(attempt, since));
                    }
                };
                slot.seat = Seat::Finishing { since };
                let took = Duration::from_millis(since.0.saturating_sub(busy.began.0));
                let went_well = end == AttemptEnd::Succeeded;
                slot.pace = rank.filter(|_| went_well).map(|rank| Pace { took, rank });
                (slot.leaving.is_some(), busy)
            })
        });
        let (expected, busy) = found.unzip();
        let decided = self.jobs.end(since, attempt, &end, expected.unwrap_or(true), &self.policy);
        let Some((verdict, why)) = decided else { return };

        let mut reason = match &end {
            AttemptEnd::Succeeded => "the attempt succeeded".to_owned(),
            AttemptEnd::Stopped => "the attempt stopped at a checkpoint".to_owned(),
            AttemptEnd::Failed { kind, message } => {
                format!("{}: {}", kind.name(), split_headline(message).0)
            }
        };
        let judged = end.clone();
        if let Some(why) = why {
            reason = format!("{reason}; {why}");
            if let (AttemptEnd::Failed { message, .. }, Verdict::End(_)) = (&mut end, &verdict) {
                let (headline, details) = split_headline(message);
                *message = format!("{headline}; {why}{details}");
            }
        }
        let (state, what) = match verdict {
            Verdict::End(state) => (state, state.name()),
            Verdict::Leave => (JobState::Queued, "queued-again"),
            Verdict::Retry(delay) if delay.is_zero() => (JobState::Queued, "queued-again"),
            Verdict::Retry(delay) => {
                reason = format!("{reason}; tried again in {:.1} s", delay.as_secs_f64());
                (JobState::Queued, "retried")
            }
        };
        self.actions.push(Action::EndAttempt { attempt, end });
        self.actions.push(Action::SetJobState { job: attempt.job, state });
        self.audit(Some(attempt), what, reason);
        self.see_children(attempt.job, state);
        if let (Some(slot), Some(busy)) = (slot, busy) {
            self.judge_slot(slot, attempt.job, &judged, state);
            let times = (busy.began, since);
            let slots = self.fits.left();
            let turn = self.breaker.ended(times, attempt, &judged, (slots, &self.policy));
            self.turn(turn);
            self.recycle_used(slot);
        }
    }

    /// An attempt that was handed out ahead of time will not be begun: its worker is no more.
    pub(super) fn hand_back(&mut self, attempt: AttemptKey) {
        if !self.jobs.is_live(attempt) {
            return;
        }
        let end = AttemptEnd::Stopped;
        let decided = self.jobs.end(self.now(), attempt, &end, true, &self.policy);
        let Some((verdict, why)) = decided else { return };
        let (state, what) = match verdict {
            Verdict::End(state) => (state, state.name()),
            Verdict::Leave | Verdict::Retry(_) => (JobState::Queued, "queued-again"),
        };
        let mut reason = "its worker left before it had come to it".to_owned();
        if let Some(why) = why {
            reason = format!("{reason}; {why}");
        }
        let now = self.now();
        let slots = self.fits.left();
        let turn = self.breaker.ended((now, now), attempt, &end, (slots, &self.policy));
        self.actions.push(Action::EndAttempt { attempt, end });
        self.actions.push(Action::SetJobState { job: attempt.job, state });
        self.audit(Some(attempt), what, reason);
        self.see_children(attempt.job, state);
        self.turn(turn);
    }

    /// An attempt that was given up is over after all.
    fn ended_late(&mut self, attempt: AttemptKey, end: &AttemptEnd) {
        if *end == AttemptEnd::Succeeded && self.jobs.knows(attempt) {
            self.finished_late(attempt);
        } else {
            self.audit(Some(attempt), "ignored", "the attempt was over already".to_owned());
        }
    }

    /// An attempt that was given up has finished its job: so the job has succeeded, and whatever
    /// else is at it is of no use any more.
    pub(super) fn finished_late(&mut self, attempt: AttemptKey) {
        if self.jobs.is_live(attempt) {
            return self.end_attempt(attempt, AttemptEnd::Succeeded);
        }
        let (job, state) = (attempt.job, JobState::Succeeded);
        let other = self.jobs.finished_late(job);
        let mut reason =
            "the attempt had been given up, and finished the job all the same".to_owned();
        if let Some(Live { number, .. }) = other {
            let attempt = AttemptKey { job, number };
            self.actions.push(Action::EndAttempt { attempt, end: AttemptEnd::Stopped });
            self.breaker.no_longer(attempt);
            reason = format!("{reason}; attempt {number} is told to leave");
        }
        self.actions.push(Action::SetJobState { job, state });
        self.audit(Some(attempt), state.name(), reason);
        self.suspects.ended(job);
        self.see_children(job, state);
        if let Some(slot) = other.and_then(|other| other.slot) {
            self.stop_worker(slot);
        }
    }

    /// Draws what an attempt's end says about its slot.
    fn judge_slot(&mut self, slot: SlotId, job: JobId, end: &AttemptEnd, state: JobState) {
        if *end == AttemptEnd::Succeeded {
            for suspect in self.suspects.finished(slot, job, self.policy.quarantine) {
                self.quarantine(suspect);
            }
        } else if state.is_end() {
            self.suspects.ended(job);
        } else if blames_slot(end) {
            self.suspects.failed(slot, job);
        }
    }

    /// Queues the jobs that waited for one that succeeded; tells why the others go on waiting.
    fn see_children(&mut self, parent: JobId, state: JobState) {
        if !state.is_end() {
            return;
        }
        for job in self.jobs.after(parent, state) {
            if state == JobState::Succeeded {
                self.actions.push(Action::SetJobState { job, state: JobState::Queued });
                let reason = format!("{parent}, whose checkpoint it starts from, has succeeded");
                self.note(Some(job), None, "released", reason);
            } else {
                let reason = format!(
                    "{parent}, whose checkpoint it starts from, is {state}: `augreg retry {parent}` \
                     and `augreg resume` go on with both"
                );
                self.note(Some(job), None, "left-waiting", reason);
            }
        }
    }

    /// Ends the attempt as a bug. A worker that is at it is killed first: until it is gone, nobody else
    /// may be.
    pub(super) fn untrusted(&mut self, attempt: AttemptKey, why: String) {
        let Some(id) = self.slot_of(attempt) else {
            let end = AttemptEnd::Failed { kind: FailureKind::Bug, message: why };
            return self.end_attempt(attempt, end);
        };
        let at_it = |slot: &Slot| matches!(&slot.seat, Seat::Busy(busy) if busy.attempt == attempt);
        // If not, it has gone on to that attempt, and said nothing so far.
        let is_at_it = self.slots.get(id).is_some_and(at_it);
        let reason = if is_at_it { KillReason::Untrusted(why) } else { KillReason::Overstayed };
        self.kill_worker(id, reason, "its attempt cannot be trusted");
    }

    pub(super) fn cancel(&mut self, job: JobId) {
        match self.jobs.cancel(job) {
            None => {}
            Some(Cancelled::Now) => {
                let state = JobState::Cancelled;
                self.actions.push(Action::SetJobState { job, state });
                self.note(Some(job), None, state.name(), "cancelled before it ran".to_owned());
                self.suspects.ended(job);
                self.see_children(job, state);
            }
            Some(Cancelled::Later(live)) => {
                let reason = "cancelled while it ran: its worker is told to leave".to_owned();
                self.audit(Some(AttemptKey { job, number: live.number }), "cancelling", reason);
                if let Some(slot) = live.slot {
                    self.stop_worker(slot);
                }
            }
        }
    }
}

/// The first line of a message, which says what happened, and the rest with its line break: a log's
/// last lines, which the attempt keeps and the audit need not repeat.
fn split_headline(message: &str) -> (&str, &str) {
    message.split_at(message.find('\n').unwrap_or(message.len()))
}
