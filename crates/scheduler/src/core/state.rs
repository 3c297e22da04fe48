//! The state machine itself: how each event moves jobs and slots, and what is done about it.

use std::mem;

use augreg_executor::SlotId;
use augreg_protocol::{AttemptKey, FailureKind, JobState};
use augreg_spec::JobId;

use super::jobs::{Cancelled, Counts, Jobs, Verdict};
use super::pauses::Pauses;
use super::policy::Policy;
use super::slots::{Alarm, Busy, KillReason, Seat, Slots};
use super::words::{Action, AttemptEnd, Event, Finish, Millis, Pauser};

/// Where the run as a whole stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
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
    policy: Policy,
    phase: Phase,
    pauses: Pauses,
    /// Whether jobs have been heard of: before that, none being left means nothing.
    begun: bool,
    jobs: Jobs,
    slots: Slots,
    /// The clock as far as known; it never goes back.
    now: Millis,
    /// What [`Self::handle`] has decided so far; empty between calls.
    actions: Vec<Action>,
}

impl Core {
    /// A core with these slots, none of which has a worker, and no jobs.
    #[must_use]
    pub fn new(policy: Policy, slots: impl IntoIterator<Item = SlotId>) -> Self {
        Self {
            policy,
            phase: Phase::Running,
            pauses: Pauses::default(),
            begun: false,
            jobs: Jobs::default(),
            slots: Slots::new(slots),
            now: Millis(0),
            actions: Vec::new(),
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

    /// How many jobs could be assigned this instant.
    #[cfg(test)]
    pub(crate) fn ready(&self) -> usize {
        self.jobs.ready()
    }

    /// Takes in one event at a time and answers with what is to be done, in order. A time before
    /// one already seen counts as that one.
    ///
    /// After [`Action::Finish`] every answer is empty.
    pub fn handle(&mut self, now: Millis, event: Event) -> Vec<Action> {
        self.now = self.now.max(now);
        if self.phase != Phase::Over {
            self.take(event);
            self.watch();
            self.rest();
            self.dispatch();
            self.start_workers();
            self.wind_up();
        }
        mem::take(&mut self.actions)
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::JobsAdded(new) => {
                self.begun = true;
                for job in &new {
                    self.jobs.add(job, &self.policy);
                }
                if matches!(self.phase, Phase::Leaving { finish: Finish::Done, .. }) {
                    self.phase = Phase::Running;
                }
            }
            Event::WorkerReady { slot } => self.worker_ready(slot),
            Event::StartFailed { slot, why, hopeless } => self.start_failed(slot, why, hopeless),
            Event::WorkerFree { slot } => self.worker_free(slot),
            Event::WorkerGone { slot, why, out_of_memory } => {
                self.worker_gone(slot, &why, out_of_memory);
            }
            Event::Beat { attempt, step } => {
                if let Some(slot) = self.slot_of(attempt) {
                    self.slots.beat(slot, self.now, step);
                }
            }
            Event::Checkpointed { attempt, step } => {
                if self.jobs.is_live(attempt) {
                    self.jobs.checkpointed(attempt.job, step);
                }
            }
            Event::AttemptEnded { attempt, end } => self.end_attempt(attempt, end),
            Event::Untrusted { attempt, why } => self.untrusted(attempt, why),
            Event::Cancel { job } => self.cancel(job),
            Event::Pause { by, drain } => self.pause(by, drain),
            Event::GoOn { by } => self.go_on(by),
            Event::Stop => self.leave(Finish::Stopped),
            Event::StopNow => self.leave_now(),
            Event::Tick => {}
        }
    }

    /// The slot that executes this attempt, if the attempt is live and on a slot.
    fn slot_of(&self, attempt: AttemptKey) -> Option<SlotId> {
        self.jobs.live(attempt.job).filter(|live| live.number == attempt.number)?.slot
    }

    fn worker_ready(&mut self, id: SlotId) {
        if let Some(slot) = self.slots.get(id)
            && matches!(slot.seat, Seat::Starting { .. })
        {
            slot.seat = Seat::Idle;
            slot.failed_starts = 0;
        }
    }

    fn worker_free(&mut self, id: SlotId) {
        if let Some(slot) = self.slots.get(id)
            && matches!(slot.seat, Seat::Finishing { .. })
        {
            slot.seat = Seat::Idle;
        }
    }

    fn start_failed(&mut self, id: SlotId, why: String, hopeless: bool) {
        let (limit, now) = (self.policy.starts, self.now);
        let Some(slot) = self.slots.get(id).filter(|s| matches!(s.seat, Seat::Starting { .. }))
        else {
            return;
        };
        slot.leaving = None;
        slot.failed_starts += 1;
        let failed = slot.failed_starts;
        if failed < limit && !hopeless {
            let not_before = now + self.policy.start_delay(failed);
            slot.seat = Seat::Empty { not_before };
            let reason = format!("start {failed} of {limit} on {id} failed: {why}");
            self.audit(None, "worker-start-failed", reason);
            return;
        }
        slot.seat = Seat::Retired;
        let reason = format!("{id} is given up: no worker can be started: {why}");
        self.audit(None, "slot-retired", reason);
        if hopeless || self.slots.all_retired() {
            self.leave(Finish::GaveUp(why));
        }
    }

    fn worker_gone(&mut self, id: SlotId, why: &str, out_of_memory: bool) {
        let now = self.now;
        let Some(slot) = self.slots.get(id).filter(|slot| slot.has_worker()) else { return };
        if matches!(slot.seat, Seat::Starting { .. }) {
            let killed = slot.leaving.take().and_then(|leaving| leaving.killed);
            match killed {
                Some(KillReason::Overstayed) => slot.seat = Seat::Empty { not_before: now },
                Some(KillReason::Timeout(hung)) => self.start_failed(id, hung, false),
                None => self.start_failed(id, format!("it left before its hello: {why}"), false),
            }
            return;
        }
        let seat = mem::replace(&mut slot.seat, Seat::Empty { not_before: now });
        let Seat::Busy(busy) = seat else {
            if slot.leaving.take().is_none() {
                self.audit(None, "worker-left", format!("{id} has lost its idle worker: {why}"));
            }
            return;
        };
        // The attempt ends while the slot still knows whether its worker was told to leave.
        let failed = |kind, message| AttemptEnd::Failed { kind, message };
        let end = match slot.leaving.as_ref().map(|leaving| leaving.killed.clone()) {
            Some(Some(KillReason::Timeout(hung))) => failed(FailureKind::Timeout, hung),
            Some(_) => {
                let text = format!("told to leave, but there is no final checkpoint: {why}");
                failed(FailureKind::Preempted, text)
            }
            None if out_of_memory => failed(FailureKind::OutOfMemory, why.to_owned()),
            None => failed(FailureKind::Lost, why.to_owned()),
        };
        self.end_attempt(busy.attempt, end);
        if let Some(slot) = self.slots.get(id) {
            slot.seat = Seat::Empty { not_before: now };
            slot.leaving = None;
        }
    }

    fn end_attempt(&mut self, attempt: AttemptKey, mut end: AttemptEnd) {
        if !self.jobs.is_live(attempt) {
            let reason = "the attempt was over already".to_owned();
            self.audit(Some(attempt), "ignored", reason);
            return;
        }
        let mut expected = true;
        let since = self.now;
        if let Some(slot) = self.slot_of(attempt).and_then(|id| self.slots.get(id)) {
            expected = slot.leaving.is_some();
            slot.seat = Seat::Finishing { since };
        }
        let decided = self.jobs.end(self.now, attempt, &end, expected, &self.policy);
        let Some((verdict, why)) = decided else { return };

        let mut reason = match &end {
            AttemptEnd::Succeeded => "the attempt succeeded".to_owned(),
            AttemptEnd::Stopped => "the attempt stopped at a checkpoint".to_owned(),
            AttemptEnd::Failed { kind, message } => {
                format!("{}: {}", kind.name(), split_headline(message).0)
            }
        };
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
    }

    /// Ends the attempt as a bug, and the worker with it should it be at it still.
    fn untrusted(&mut self, attempt: AttemptKey, why: String) {
        let slot = self.slot_of(attempt);
        let end = AttemptEnd::Failed { kind: FailureKind::Bug, message: why };
        self.end_attempt(attempt, end);
        if let Some(slot) = slot {
            self.kill_worker(slot, KillReason::Overstayed, "its attempt cannot be trusted");
        }
    }

    fn cancel(&mut self, job: JobId) {
        match self.jobs.cancel(job) {
            None => {}
            Some(Cancelled::Now) => {
                let state = JobState::Cancelled;
                self.actions.push(Action::SetJobState { job, state });
                self.note(Some(job), None, state.name(), "cancelled before it ran".to_owned());
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

    fn pause(&mut self, by: Pauser, drain: bool) {
        if !self.pauses.begin(by, drain) {
            return;
        }
        let reason = match by {
            Pauser::Disk => "the disk is full: nothing is handed out until there is room",
            Pauser::Person if drain => {
                "a person paused the run: attempts go on to their ends, nothing more is handed out"
            }
            Pauser::Person => "a person paused the run: workers write checkpoints and leave",
        };
        self.audit(None, "paused", reason.to_owned());
        if by == Pauser::Person && !drain && self.phase == Phase::Running {
            for slot in self.slots.occupied() {
                self.stop_worker(slot);
            }
        }
    }

    fn go_on(&mut self, by: Pauser) {
        if !self.pauses.end(by) {
            return;
        }
        let mut reason = match by {
            Pauser::Disk => "the disk has room again".to_owned(),
            Pauser::Person => "a person lets the run go on".to_owned(),
        };
        if self.pauses.any() {
            reason += ", but there is another reason to pause";
        }
        self.audit(None, "unpaused", reason);
    }

    /// Lets workers go that have nothing to do while a person's pause lasts.
    fn rest(&mut self) {
        if self.phase == Phase::Running && self.pauses.empties_slots() {
            for slot in self.slots.idle() {
                self.stop_worker(slot);
            }
        }
    }

    /// Lets every worker leave; `finish` says why, unless there was a reason already.
    fn leave(&mut self, finish: Finish) {
        if self.phase != Phase::Running {
            return;
        }
        let orphans_until = self.now + self.policy.stop_grace;
        self.phase = Phase::Leaving { finish, orphans_until };
        for slot in self.slots.occupied() {
            self.stop_worker(slot);
        }
    }

    fn leave_now(&mut self) {
        let finish = match mem::replace(&mut self.phase, Phase::Over) {
            Phase::Leaving { finish, .. } => finish,
            Phase::Running | Phase::Over => Finish::Stopped,
        };
        self.phase = Phase::Leaving { finish, orphans_until: self.now };
        for slot in self.slots.occupied() {
            self.kill_worker(slot, KillReason::Overstayed, "told to leave at once");
        }
    }

    /// Tells a worker to leave. One that has not said hello has nothing to save and is killed.
    fn stop_worker(&mut self, id: SlotId) {
        let Some(slot) = self.slots.get(id).filter(|slot| slot.leaving.is_none()) else { return };
        if matches!(slot.seat, Seat::Starting { .. }) {
            self.kill_worker(id, KillReason::Overstayed, "not needed any more");
        } else {
            self.slots.leave(id, self.now + self.policy.stop_grace, None);
            self.actions.push(Action::StopWorker { slot: id });
        }
    }

    fn kill_worker(&mut self, id: SlotId, reason: KillReason, why: &str) {
        let killed = |slot: &super::slots::Slot| {
            slot.leaving.as_ref().is_some_and(|leaving| leaving.killed.is_some())
        };
        if self.slots.get(id).is_some_and(|slot| !killed(slot)) {
            self.slots.leave(id, self.now + self.policy.kill_grace, Some(reason));
            self.actions.push(Action::KillWorker { slot: id, why: why.to_owned() });
        }
    }

    /// Kills the workers that hang, gives up the slots of those that do not even die.
    fn watch(&mut self) {
        for (id, alarm) in self.slots.alarms(self.now, &self.policy) {
            match alarm {
                Alarm::Kill(reason) => {
                    let why = match &reason {
                        KillReason::Timeout(text) => text.clone(),
                        KillReason::Overstayed => "did not leave when told to".to_owned(),
                    };
                    self.kill_worker(id, reason, &why);
                }
                Alarm::Undying => {
                    self.worker_gone(id, "it was killed, but the system keeps the process", false);
                    if let Some(slot) = self.slots.get(id) {
                        slot.seat = Seat::Retired;
                    }
                    let reason = format!("{id} is given up: its worker cannot be killed");
                    self.audit(None, "slot-retired", reason);
                    if self.slots.all_retired() {
                        let why = "the last worker cannot be killed".to_owned();
                        self.leave(Finish::GaveUp(why));
                    }
                }
            }
        }
    }

    /// Hands the first jobs of the queue to idle workers.
    fn dispatch(&mut self) {
        self.jobs.wake(self.now);
        if !self.is_running() {
            return;
        }
        for id in self.slots.idle() {
            let Some(attempt) = self.jobs.begin(id) else { return };
            if let Some(slot) = self.slots.get(id) {
                slot.seat = Seat::Busy(Busy::new(attempt, self.now));
            }
            self.actions.push(Action::Assign { slot: id, attempt });
            self.audit(Some(attempt), "started", format!("first of the queue; {id} is free"));
        }
    }

    /// Starts as many workers as there are jobs for them.
    fn start_workers(&mut self) {
        if !self.is_running() {
            return;
        }
        let wanted = self.jobs.ready().saturating_sub(self.slots.starting());
        for id in self.slots.startable(self.now).into_iter().take(wanted) {
            if let Some(slot) = self.slots.get(id) {
                slot.seat = Seat::Starting { since: self.now };
                slot.leaving = None;
                self.actions.push(Action::StartWorker { slot: id });
            }
        }
    }

    /// Leaves when there is nothing more to do, finishes when everybody has left.
    fn wind_up(&mut self) {
        if self.phase == Phase::Running && self.begun && self.jobs.is_empty() {
            self.leave(Finish::Done);
        }
        let Phase::Leaving { finish, orphans_until } = &self.phase else { return };
        if !self.slots.occupied().is_empty() {
            return;
        }
        let finish = finish.clone();
        if self.jobs.has_orphans() {
            if self.now < *orphans_until {
                return;
            }
            // Whoever works on them still may finish: the next scheduler sees to them.
            for attempt in self.jobs.orphans() {
                let reason = "the worker of an earlier scheduler still executes it".to_owned();
                self.audit(Some(attempt), "left-running", reason);
            }
        }
        self.phase = Phase::Over;
        self.audit(None, "finished", finish.to_string());
        self.actions.push(Action::Finish(finish));
    }

    fn audit(&mut self, attempt: Option<AttemptKey>, what: &'static str, reason: String) {
        let (job, number) = attempt.map(|attempt| (attempt.job, attempt.number)).unzip();
        self.note(job, number, what, reason);
    }

    fn note(
        &mut self,
        job: Option<JobId>,
        attempt: Option<u32>,
        what: &'static str,
        reason: String,
    ) {
        self.actions.push(Action::Audit { job, attempt, what, reason });
    }
}

/// The first line of a message, which says what happened, and the rest with its line break: a log's
/// last lines, which the attempt keeps and the audit need not repeat.
fn split_headline(message: &str) -> (&str, &str) {
    message.split_at(message.find('\n').unwrap_or(message.len()))
}
