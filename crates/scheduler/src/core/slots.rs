//! The slots: what their workers are doing, and the watch kept over them.
//!
//! Jobs are known here by the attempt's name only.

use std::collections::BTreeMap;

use augreg_executor::SlotId;
use augreg_protocol::AttemptKey;

use super::policy::Policy;
use super::words::Millis;

/// What the worker on a slot is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seat {
    /// There is no worker; none is started before this time.
    Empty { not_before: Millis },
    /// A worker was started and has not said hello.
    Starting { since: Millis },
    /// The worker waits for an attempt.
    Idle,
    /// The worker executes an attempt.
    Busy(Busy),
    /// Its attempt is over, but the worker has not said that it is free.
    Finishing { since: Millis },
    /// The slot is given up.
    Retired,
}

/// A worker at work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Busy {
    pub(super) attempt: AttemptKey,
    last_sign: Millis,
    step: u64,
    last_step: Millis,
}

/// Why a worker is killed; decides how its attempt ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KillReason {
    /// It hangs.
    Timeout(String),
    /// It was told to leave and did not.
    Overstayed,
}

/// A worker that is to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaving {
    deadline: Millis,
    pub(super) killed: Option<KillReason>,
}

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) seat: Seat,
    /// Starts in a row that failed.
    pub(super) failed_starts: u32,
    /// Set from the moment the worker is told to leave until it is gone.
    pub(super) leaving: Option<Leaving>,
}

/// What the watch found wrong.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Alarm {
    /// Kill the worker.
    Kill(KillReason),
    /// The worker was killed and is still there.
    Undying,
}

impl Slot {
    pub(super) fn has_worker(&self) -> bool {
        !matches!(self.seat, Seat::Empty { .. } | Seat::Retired)
    }

    pub(super) fn takes_work(&self) -> bool {
        self.seat == Seat::Idle && self.leaving.is_none()
    }

    /// What is wrong with the worker at `now`, if anything.
    fn alarm(&self, now: Millis, policy: &Policy) -> Option<Alarm> {
        if !self.has_worker() {
            return None;
        }
        if let Some(leaving) = &self.leaving {
            return (leaving.deadline <= now).then_some(match leaving.killed {
                None => Alarm::Kill(KillReason::Overstayed),
                Some(_) => Alarm::Undying,
            });
        }
        let (since, limit, what) = match &self.seat {
            Seat::Starting { since } => (*since, policy.hello_timeout, "did not say hello"),
            Seat::Busy(busy) if busy.last_sign + policy.heartbeat_timeout <= now => {
                (busy.last_sign, policy.heartbeat_timeout, "gave no sign of life")
            }
            Seat::Busy(busy) => (busy.last_step, policy.step_timeout, "made no step"),
            Seat::Finishing { since } => {
                (*since, policy.heartbeat_timeout, "did not ask for work after its attempt")
            }
            Seat::Empty { .. } | Seat::Idle | Seat::Retired => return None,
        };
        let text = || format!("the worker {what} for {:.1} s", limit.as_secs_f64());
        (since + limit <= now).then(|| Alarm::Kill(KillReason::Timeout(text())))
    }
}

impl Busy {
    pub(super) fn new(attempt: AttemptKey, now: Millis) -> Self {
        Self { attempt, last_sign: now, step: 0, last_step: now }
    }

    fn beat(&mut self, now: Millis, step: u64) {
        self.last_sign = now;
        if step != self.step {
            self.step = step;
            self.last_step = now;
        }
    }
}

/// Every slot of the run, in the order of their ids.
#[derive(Debug)]
pub(super) struct Slots(BTreeMap<SlotId, Slot>);

impl Slots {
    pub(super) fn new(ids: impl IntoIterator<Item = SlotId>) -> Self {
        let seat = Seat::Empty { not_before: Millis(0) };
        let slot = |id| (id, Slot { seat: seat.clone(), failed_starts: 0, leaving: None });
        Self(ids.into_iter().map(slot).collect())
    }

    pub(super) fn get(&mut self, id: SlotId) -> Option<&mut Slot> {
        self.0.get_mut(&id)
    }

    /// Slots that could execute an attempt now.
    pub(super) fn idle(&self) -> Vec<SlotId> {
        self.0.iter().filter(|(_, slot)| slot.takes_work()).map(|(id, _)| *id).collect()
    }

    /// Slots whose worker is on its way up.
    pub(super) fn starting(&self) -> usize {
        let starting =
            |slot: &&Slot| matches!(slot.seat, Seat::Starting { .. }) && slot.leaving.is_none();
        self.0.values().filter(starting).count()
    }

    /// Slots on which a worker may be started at `now`.
    pub(super) fn startable(&self, now: Millis) -> Vec<SlotId> {
        let empty =
            |slot: &Slot| matches!(slot.seat, Seat::Empty { not_before } if not_before <= now);
        self.0.iter().filter(|(_, slot)| empty(slot)).map(|(id, _)| *id).collect()
    }

    /// Slots with a worker, of whatever kind.
    pub(super) fn occupied(&self) -> Vec<SlotId> {
        self.0.iter().filter(|(_, slot)| slot.has_worker()).map(|(id, _)| *id).collect()
    }

    /// Whether every slot is given up.
    pub(super) fn all_retired(&self) -> bool {
        self.0.values().all(|slot| slot.seat == Seat::Retired)
    }

    /// Takes note of a sign of life.
    pub(super) fn beat(&mut self, id: SlotId, now: Millis, step: u64) {
        if let Some(Slot { seat: Seat::Busy(busy), .. }) = self.0.get_mut(&id) {
            busy.beat(now, step);
        }
    }

    /// What is wrong where.
    pub(super) fn alarms(&self, now: Millis, policy: &Policy) -> Vec<(SlotId, Alarm)> {
        self.0.iter().filter_map(|(id, slot)| Some((*id, slot.alarm(now, policy)?))).collect()
    }

    /// Notes that a worker was told to leave by `deadline`.
    pub(super) fn leave(&mut self, id: SlotId, deadline: Millis, killed: Option<KillReason>) {
        if let Some(slot) = self.0.get_mut(&id) {
            slot.leaving = Some(Leaving { deadline, killed });
        }
    }
}
