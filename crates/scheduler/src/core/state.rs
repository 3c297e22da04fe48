//! The state machine itself: what it knows, and which part of it takes in which event.

use std::collections::BTreeSet;
use std::mem;
use std::time::Duration;

use augreg_executor::SlotId;
use augreg_protocol::AttemptKey;
use augreg_spec::JobId;

use super::breaker::Breaker;
use super::clock::Clock;
use super::fit::{Class, Fits, Offer};
use super::jobs::{Counts, Jobs};
use super::pauses::Pauses;
use super::policy::Policy;
use super::slots::Slots;
use super::suspects::Suspects;
use super::words::{Action, Event, Finish, Millis, NewJob};

/// Where the run as a whole stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// Jobs are handed out.
    Running,
    /// Nothing is handed out; workers leave. Attempts of an earlier scheduler's workers are waited
    /// for until the time given.
    Leaving { finish: Finish, orphans_until: Millis },
    /// Over: nothing more is done.
    Over,
}

/// Decides what runs where, what is tried again, and when it is over.
#[derive(Debug)]
pub struct Core {
    pub(super) policy: Policy,
    pub(super) phase: Phase,
    pub(super) pauses: Pauses,
    pub(super) breaker: Breaker,
    /// Whether somebody else gives jobs their places.
    pub(super) elsewhere: bool,
    /// Whether jobs have been heard of: before that, none being left means nothing.
    pub(super) begun: bool,
    /// Whether more will be heard of when none is left.
    pub(super) expects: bool,
    pub(super) jobs: Jobs,
    pub(super) slots: Slots,
    pub(super) fits: Fits,
    /// Classes of jobs that are known to fit no slot.
    pub(super) told_unfit: BTreeSet<Class>,
    pub(super) suspects: Suspects,
    clock: Clock,
    /// When something comes due of which no event tells.
    due: Option<Millis>,
    /// What [`Self::handle`] has decided so far; empty between calls.
    pub(super) actions: Vec<Action>,
}

impl Core {
    /// A core with these slots, none of which has a worker, and no jobs.
    #[must_use]
    pub fn new(policy: Policy, slots: impl IntoIterator<Item = (SlotId, Offer)>) -> Self {
        let slots: Vec<_> = slots.into_iter().collect();
        Self {
            phase: Phase::Running,
            pauses: Pauses::default(),
            breaker: Breaker::default(),
            elsewhere: false,
            begun: false,
            expects: false,
            jobs: Jobs::default(),
            slots: Slots::new(slots.iter().map(|(id, _)| *id), &policy),
            fits: Fits::new(&slots),
            told_unfit: BTreeSet::new(),
            suspects: Suspects::default(),
            clock: Clock::new(policy.leap()),
            due: None,
            actions: Vec::new(),
            policy,
        }
    }

    /// How many jobs are in which state.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.jobs.counts()
    }

    /// Whether work is handed out: neither finished, nor leaving, nor paused.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.phase == Phase::Running && !self.is_paused()
    }

    /// Whether nothing is handed out because of a pause.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.pauses.any()
    }

    /// Live attempts that run in workers left behind by an earlier scheduler.
    #[must_use]
    pub fn orphans(&self) -> Vec<AttemptKey> {
        self.jobs.orphans()
    }

    /// The first `most` jobs of the queue: what will be assigned soon, as things are.
    #[must_use]
    pub fn upcoming(&self, most: usize) -> Vec<JobId> {
        self.jobs.queue().upcoming(most)
    }

    /// How long after the last event there need not be another: a back-off or a time-out is over
    /// then. Never so long that the pause could be taken for a leap of the clock.
    #[must_use]
    pub fn next_alarm(&self) -> Duration {
        self.clock.until(self.due.unwrap_or(Millis(u64::MAX)))
    }

    /// Whether there is a job for an idle worker on `slot` this instant.
    #[cfg(test)]
    pub(crate) fn has_work_for(&self, slot: SlotId) -> bool {
        self.is_running()
            && !self.breaker.is_cautious()
            && self.slots.idle().contains(&slot)
            && self.jobs.queue().first(slot, &self.fits).is_some()
    }

    /// Whether a slot is not given up.
    #[cfg(test)]
    pub(crate) fn has_slot(&self, slot: SlotId) -> bool {
        self.fits.has(slot)
    }

    /// Takes in one event at a time and answers with what is to be done, in order.
    ///
    /// Only the differences between the times of events matter, and neither one that is negative nor
    /// one that is too long to be a pause between events: clocks jump.
    ///
    /// What follows from time alone follows from [`Event::Tick`] only, so that whoever has other events
    /// at hand can give those first: a worker that is over its time may have finished.
    ///
    /// After [`Action::Finish`] only the ends of attempts are answered: what an attempt has achieved
    /// counts, and nothing more is begun.
    pub fn handle(&mut self, now: Millis, event: Event) -> Vec<Action> {
        self.clock.show(now);
        if self.phase == Phase::Over {
            if matches!(event, Event::AttemptEnded { .. } | Event::FinishedLate { .. }) {
                self.take(event);
            }
            return mem::take(&mut self.actions);
        }
        let is_tick = event == Event::Tick;
        let changes_nothing =
            matches!(event, Event::Beat { .. } | Event::Waits { .. } | Event::Checkpointed { .. });
        self.take(event);
        if is_tick && self.due.is_some_and(|due| due <= self.now()) {
            self.watch();
            self.follow_up();
        } else if !is_tick && !changes_nothing {
            self.follow_up();
        }
        mem::take(&mut self.actions)
    }

    /// The time that has passed.
    pub(super) fn now(&self) -> Millis {
        self.clock.now()
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::JobsAdded(new) => self.add(&new),
            Event::WorkerReady { slot } => self.worker_ready(slot),
            Event::StartFailed { slot, why, hopeless } => self.start_failed(slot, why, hopeless),
            Event::WorkerFree { slot } => self.worker_free(slot),
            Event::Begun { attempt } => self.begun_elsewhere(attempt),
            Event::Resident { slot, bytes } => self.resident(slot, bytes),
            Event::WorkerGone { slot, why, out_of_memory } => {
                self.worker_gone(slot, &why, out_of_memory);
            }
            Event::Beat { attempt, step } => {
                if let Some(slot) = self.slot_of(attempt) {
                    self.slots.beat(slot, self.now(), step);
                }
            }
            Event::Waits { attempt } => {
                if let Some(slot) = self.slot_of(attempt) {
                    self.slots.waits(slot, self.now());
                }
            }
            Event::Checkpointed { attempt, step } => {
                if self.jobs.is_live(attempt) {
                    self.jobs.checkpointed(attempt.job, step);
                }
            }
            Event::AttemptEnded { attempt, end } => self.end_attempt(attempt, end),
            Event::FinishedLate { attempt } => self.finished_late(attempt),
            Event::Untrusted { attempt, why } => self.untrusted(attempt, why),
            Event::Recycle { slot, why } => self.recycle(slot, &why),
            Event::Expect { more } => self.expects = more,
            Event::Cancel { job } => self.cancel(job),
            Event::Prioritize { job, priority } => self.jobs.prioritize(job, priority),
            Event::Pause { by, drain, why } => self.pause(by, drain, &why),
            Event::Hold { jobs, drain } => self.hold(jobs, drain),
            Event::GoOn { by } => self.go_on(by),
            Event::Stop => self.leave(Finish::Stopped),
            Event::StopNow => self.leave_now(),
            Event::Tick => {}
        }
    }

    fn add(&mut self, new: &[NewJob]) {
        self.begun = true;
        for job in new {
            self.jobs.add(job, &mut self.fits);
        }
        if let Phase::Leaving { finish, .. } = &self.phase
            && matches!(finish, Finish::Done | Finish::Left { .. })
        {
            self.phase = Phase::Running;
        }
        let mut stranded = self.jobs.stranded();
        if let Some((job, parent)) = stranded.next() {
            let more = match stranded.count() {
                0 => String::new(),
                more => format!(", and {more} more likewise"),
            };
            let reason = format!(
                "job {job} waits for {parent}, which has not succeeded and is not part of this \
                 run{more}"
            );
            self.note(None, None, "left-waiting", reason);
        }
    }

    /// What follows from an event, or from time.
    fn follow_up(&mut self) {
        self.dispatch();
        self.rest();
        self.start_workers();
        self.tell_unfit();
        self.wind_up();
        self.due = self.next_due();
    }

    fn next_due(&self) -> Option<Millis> {
        let now = self.now();
        let orphans = match &self.phase {
            Phase::Leaving { orphans_until, .. } => Some(*orphans_until),
            Phase::Running => None,
            Phase::Over => return None,
        };
        // What was due by now has been seen to, or waits for an event.
        let later = |at: &Millis| *at > now;
        let all = [
            self.slots.next_alarm(),
            self.slots.next_start(now),
            self.jobs.next_wake(),
            self.breaker.next(&self.policy).filter(later),
            orphans.filter(later),
        ];
        all.into_iter().flatten().min()
    }

    /// The slot that executes this attempt, if the attempt is live and on a slot.
    pub(super) fn slot_of(&self, attempt: AttemptKey) -> Option<SlotId> {
        self.jobs.live(attempt.job).filter(|live| live.number == attempt.number)?.slot
    }

    pub(super) fn audit(
        &mut self,
        attempt: Option<AttemptKey>,
        what: &'static str,
        reason: String,
    ) {
        let (job, number) = attempt.map(|attempt| (attempt.job, attempt.number)).unzip();
        self.note(job, number, what, reason);
    }

    pub(super) fn note(
        &mut self,
        job: Option<JobId>,
        attempt: Option<u32>,
        what: &'static str,
        reason: String,
    ) {
        self.actions.push(Action::Audit { job, attempt, what, reason });
    }
}
