//! Workers coming, hanging, dying and leaving, and what that means for their slots.

use std::mem;

use augreg_executor::SlotId;
use augreg_protocol::FailureKind;

use super::slots::{Alarm, Drain, KillReason, Seat, Slot};
use super::state::{Core, Phase};
use super::words::{Action, AttemptEnd, Finish};

impl Core {
    pub(super) fn worker_ready(&mut self, id: SlotId) {
        self.slots.change(id, |slot| {
            if matches!(slot.seat, Seat::Starting { .. }) {
                slot.seat = Seat::Idle;
                slot.failed_starts = 0;
            }
        });
        self.let_go(id);
    }

    pub(super) fn worker_free(&mut self, id: SlotId) {
        let now = self.now();
        self.slots.change(id, |slot| {
            if matches!(slot.seat, Seat::Finishing { .. }) {
                slot.take_up(now);
            }
        });
        self.let_go(id);
    }

    /// Tells an idle worker to leave if it gets nothing more.
    fn let_go(&mut self, id: SlotId) {
        let done = |slot: &Slot| slot.drain.is_some() && slot.seat == Seat::Idle;
        if self.slots.get(id).is_some_and(done) {
            self.stop_worker(id);
        }
    }

    pub(super) fn start_failed(&mut self, id: SlotId, why: String, hopeless: bool) {
        let (limit, now) = (self.policy.starts, self.now());
        let starting = |slot: &Slot| matches!(slot.seat, Seat::Starting { .. });
        if !self.slots.get(id).is_some_and(starting) {
            if hopeless && self.slots.get(id).is_some_and(Slot::has_worker) {
                // The hello of the worker before it was taken for its own.
                self.worker_gone(id, &why, false);
                self.give_up_starts(id, why, true);
            }
            return;
        }
        let failed = self.slots.change(id, |slot| {
            slot.leaving = None;
            slot.failed_starts += 1;
            slot.failed_starts
        });
        let failed = failed.unwrap_or_default();
        if failed < limit && !hopeless {
            let not_before = now + self.policy.start_delay(failed);
            self.slots.change(id, |slot| slot.vacate(not_before));
            let reason = format!("start {failed} of {limit} on {id} failed: {why}");
            self.audit(None, "worker-start-failed", reason);
            return;
        }
        self.give_up_starts(id, why, hopeless);
    }

    fn give_up_starts(&mut self, id: SlotId, why: String, hopeless: bool) {
        self.retire(id, &format!("no worker can be started: {why}"));
        if hopeless || self.fits.left() == 0 {
            self.leave(Finish::GaveUp(why));
        }
    }

    pub(super) fn worker_gone(&mut self, id: SlotId, why: &str, out_of_memory: bool) {
        if !self.slots.get(id).is_some_and(Slot::has_worker) {
            return;
        }
        let ahead = self.slots.change(id, |slot| mem::take(&mut slot.ahead)).unwrap_or_default();
        self.lose_worker(id, why, out_of_memory);
        for attempt in ahead {
            self.hand_back(attempt);
        }
    }

    fn lose_worker(&mut self, id: SlotId, why: &str, out_of_memory: bool) {
        let now = self.now();
        let Some(slot) = self.slots.get(id) else { return };
        let leaving = slot.leaving.as_ref().map(|leaving| leaving.killed.clone());
        let busy = match &slot.seat {
            Seat::Starting { .. } => {
                return match leaving.flatten() {
                    Some(KillReason::Overstayed | KillReason::Untrusted(_)) => {
                        self.slots.change(id, |slot| slot.vacate(now));
                    }
                    Some(KillReason::Timeout(hung)) => self.start_failed(id, hung, false),
                    None => {
                        self.start_failed(id, format!("it left before its hello: {why}"), false);
                    }
                };
            }
            Seat::Busy(busy) => busy.attempt,
            _ => {
                self.slots.change(id, |slot| slot.vacate(now));
                if leaving.is_none() {
                    let reason = format!("{id} has lost its idle worker: {why}");
                    self.audit(None, "worker-left", reason);
                }
                return;
            }
        };
        // The attempt ends while the slot still knows whether its worker was told to leave.
        let failed = |kind, message| AttemptEnd::Failed { kind, message };
        let end = match leaving {
            Some(Some(KillReason::Timeout(hung))) => failed(FailureKind::Timeout, hung),
            Some(Some(KillReason::Untrusted(why))) => failed(FailureKind::Bug, why),
            Some(_) => {
                let text = format!("told to leave, but there is no final checkpoint: {why}");
                failed(FailureKind::Preempted, text)
            }
            None if out_of_memory => failed(FailureKind::OutOfMemory, why.to_owned()),
            None => failed(FailureKind::Lost, why.to_owned()),
        };
        self.end_attempt(busy, end);
        self.slots.change(id, |slot| slot.vacate(now));
    }

    /// The worker on a slot gets nothing more; once it has left, another takes its place.
    pub(super) fn recycle(&mut self, id: SlotId, why: &str) {
        let fresh = |slot: &Slot| slot.has_worker() && slot.drain.is_none();
        if !self.slots.get(id).is_some_and(fresh) {
            return;
        }
        self.slots.change(id, |slot| slot.drain = Some(Drain::Recycle));
        self.audit(None, "worker-recycled", format!("the worker on {id} is replaced: {why}"));
        self.let_go(id);
    }

    /// Replaces the worker on a slot if it has run as many jobs as one may.
    pub(super) fn recycle_used(&mut self, id: SlotId) {
        let served = self.slots.get(id).map_or(0, |slot| slot.served);
        if self.policy.recycle_after.is_some_and(|most| served >= most.get()) {
            self.recycle(id, &format!("it has run {served} jobs"));
        }
    }

    /// Replaces the worker on a slot if it holds more memory than one may.
    pub(super) fn resident(&mut self, id: SlotId, bytes: u64) {
        if let Some(most) = self.policy.worker_memory.filter(|most| bytes > *most) {
            let [holds, most] = [bytes, most].map(|bytes| bytes as f64 / 1e6);
            self.recycle(
                id,
                &format!("it holds {holds:.0} MB of memory, {most:.0} MB are allowed"),
            );
        }
    }

    /// The worker on a slot gets nothing more, and no other takes its place; unless there are jobs
    /// that fit no other slot.
    pub(super) fn quarantine(&mut self, id: SlotId) {
        let drain = self.slots.get(id).map(|slot| (slot.drain, slot.seat == Seat::Retired));
        if !matches!(drain, Some((None | Some(Drain::Recycle), false)))
            || self.fits.left() < 2
            || !self.jobs.can_spare(id, &self.fits)
        {
            return;
        }
        self.fits.give_up(id);
        self.slots.change(id, |slot| {
            slot.drain = Some(Drain::Quarantine);
            if let Seat::Empty { not_before } = slot.seat {
                slot.vacate(not_before);
            }
        });
        let reason = format!(
            "{id} is quarantined: it failed {} jobs in a row that succeeded elsewhere; nothing more \
             is handed to it in this run",
            self.policy.quarantine
        );
        self.audit(None, "slot-quarantined", reason);
        if self.slots.get(id).is_some_and(|slot| matches!(slot.seat, Seat::Starting { .. })) {
            self.stop_worker(id);
        }
        self.let_go(id);
    }

    /// A slot is given up: no worker can be had there.
    fn retire(&mut self, id: SlotId, why: &str) {
        self.fits.give_up(id);
        self.slots.change(id, |slot| {
            slot.seat = Seat::Retired;
            slot.leaving = None;
            slot.drain = None;
        });
        self.audit(None, "slot-retired", format!("{id} is given up: {why}"));
    }

    /// Tells a worker to leave. One that has not said hello has nothing to save and is killed.
    pub(super) fn stop_worker(&mut self, id: SlotId) {
        let Some(slot) = self.slots.get(id).filter(|slot| slot.leaving.is_none()) else { return };
        if matches!(slot.seat, Seat::Starting { .. }) {
            self.kill_worker(id, KillReason::Overstayed, "not needed any more");
        } else {
            self.slots.leave(id, self.now() + self.policy.stop_grace, None);
            self.actions.push(Action::StopWorker { slot: id });
        }
    }

    pub(super) fn kill_worker(&mut self, id: SlotId, reason: KillReason, why: &str) {
        if self.slots.get(id).is_some_and(|slot| !slot.is_killed()) {
            self.slots.leave(id, self.now() + self.policy.kill_grace, Some(reason));
            self.actions.push(Action::KillWorker { slot: id, why: why.to_owned() });
        }
    }

    /// Kills the workers that hang, gives up the slots of those that do not even die.
    pub(super) fn watch(&mut self) {
        while let Some((id, alarm)) = self.slots.alarm(self.now()) {
            match alarm {
                Alarm::Kill(reason) => {
                    let why = match &reason {
                        KillReason::Timeout(text) => text.clone(),
                        KillReason::Overstayed => "did not leave when told to".to_owned(),
                        KillReason::Untrusted(why) => why.clone(),
                    };
                    self.kill_worker(id, reason, &why);
                }
                Alarm::Undying => {
                    self.worker_gone(id, "it was killed, but the system keeps the process", false);
                    self.retire(id, "its worker cannot be killed");
                    if self.fits.left() == 0 {
                        let why = "the last worker cannot be killed".to_owned();
                        self.leave(Finish::GaveUp(why));
                    }
                }
            }
        }
    }

    /// Leaves at once.
    pub(super) fn leave_now(&mut self) {
        let now = self.now();
        let finish = match mem::replace(&mut self.phase, Phase::Over) {
            Phase::Leaving { finish, .. } => finish,
            Phase::Running | Phase::Over => Finish::Stopped,
        };
        self.phase = Phase::Leaving { finish, orphans_until: now };
        for slot in self.slots.occupied().clone() {
            self.kill_worker(slot, KillReason::Overstayed, "told to leave at once");
        }
    }
}
