//! The slots: what their workers are doing, and the watch kept over them.
//!
//! Jobs are known here by the attempt's name only. What the core asks for at every event (who is
//! idle, who is late) is kept sorted, so that no event looks through all slots.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use augreg_executor::SlotId;
use augreg_protocol::AttemptKey;

use super::policy::Policy;
use super::queue::Rank;
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
    pub(super) began: Millis,
    last_sign: Millis,
    step: u64,
    last_step: Millis,
}

/// Why a worker is killed; decides how its attempt ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KillReason {
    /// Its attempt's journal cannot be right, for this reason.
    Untrusted(String),
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

/// What becomes of a slot once its worker has finished its attempt and left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Drain {
    /// It gets another worker.
    Recycle,
    /// It is given up.
    Quarantine,
}

/// How a worker's last attempt went, if well: what can be expected of the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    pub(super) took: Duration,
    /// Of its job.
    pub(super) rank: Rank,
}

#[derive(Debug)]
pub(super) struct Slot {
    pub(super) seat: Seat,
    /// Attempts the worker was handed ahead of time: it takes them up one after the other.
    pub(super) ahead: VecDeque<AttemptKey>,
    pub(super) pace: Option<Pace>,
    /// Attempts that its worker has ended.
    pub(super) served: u32,
    /// Starts in a row that failed.
    pub(super) failed_starts: u32,
    /// Set from the moment the worker is told to leave until it is gone.
    pub(super) leaving: Option<Leaving>,
    /// The worker gets nothing more.
    pub(super) drain: Option<Drain>,
    sorted: Sorted,
}

/// Which list of the core's a slot is in, if any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum List {
    #[default]
    None,
    Idle,
    Starting,
    Swift,
}

/// Where a slot is sorted in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sorted {
    list: List,
    occupied: bool,
    empty: Option<Millis>,
    /// Never later than the slot's deadline; a worker's signs of life leave it behind.
    alarm: Option<Millis>,
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
    fn new() -> Self {
        let seat = Seat::Empty { not_before: Millis(0) };
        let (leaving, drain, sorted) = (None, None, Sorted::default());
        let (ahead, pace) = (VecDeque::new(), None);
        Self { seat, ahead, pace, served: 0, failed_starts: 0, leaving, drain, sorted }
    }

    pub(super) fn has_worker(&self) -> bool {
        !matches!(self.seat, Seat::Empty { .. } | Seat::Retired)
    }

    pub(super) fn is_killed(&self) -> bool {
        self.leaving.as_ref().is_some_and(|leaving| leaving.killed.is_some())
    }

    /// The worker is no more: another may be started from `not_before` on, unless the slot is given
    /// up.
    pub(super) fn vacate(&mut self, not_before: Millis) {
        self.seat = match self.drain.take() {
            Some(Drain::Quarantine) => Seat::Retired,
            Some(Drain::Recycle) | None => Seat::Empty { not_before },
        };
        self.leaving = None;
        self.pace = None;
        self.served = 0;
    }

    /// The attempt of the worker is over: the next, if it was handed one, is under way.
    pub(super) fn take_up(&mut self, now: Millis) {
        self.seat = match self.ahead.pop_front() {
            Some(next) => Seat::Busy(Busy::new(next, now)),
            None => Seat::Idle,
        };
    }

    /// How many attempts its worker is to have ahead of time. It is given more only when half of
    /// them are taken up, so that many are written at once; never more than it may run.
    pub(super) fn depth(&self, policy: &Policy) -> usize {
        let left = policy.recycle_after.map_or(u32::MAX, |most| {
            // The one it is at counts.
            most.get().saturating_sub(self.served).saturating_sub(1)
        });
        let depth = self.pace.map_or(0, |pace| policy.depth(pace.took)).min(left as usize);
        if self.ahead.len() > depth / 2 { self.ahead.len() } else { depth }
    }

    fn sorted(&self, policy: &Policy) -> Sorted {
        let list = match &self.seat {
            _ if self.leaving.is_some() || self.drain.is_some() => List::None,
            Seat::Idle => List::Idle,
            Seat::Starting { .. } => List::Starting,
            // Not while it finishes: it may be found to be gone before it says that it is free.
            Seat::Busy(_) if self.depth(policy) > self.ahead.len() => List::Swift,
            _ => List::None,
        };
        Sorted {
            list,
            occupied: self.has_worker(),
            empty: match self.seat {
                Seat::Empty { not_before } => Some(not_before),
                _ => None,
            },
            alarm: self.deadline(policy),
        }
    }

    /// When something is wrong with the worker, unless it gives a sign of life before.
    fn deadline(&self, policy: &Policy) -> Option<Millis> {
        if let Some(leaving) = self.leaving.as_ref().filter(|_| self.has_worker()) {
            return Some(leaving.deadline);
        }
        match &self.seat {
            Seat::Starting { since } => Some(*since + policy.hello_timeout),
            Seat::Busy(busy) => Some(
                (busy.last_sign + policy.heartbeat_timeout)
                    .min(busy.last_step + policy.step_timeout),
            ),
            Seat::Finishing { since } => Some(*since + policy.heartbeat_timeout),
            Seat::Empty { .. } | Seat::Idle | Seat::Retired => None,
        }
    }

    /// What is wrong with the worker at `now`, if anything.
    fn alarm(&self, now: Millis, policy: &Policy) -> Option<Alarm> {
        self.deadline(policy).filter(|deadline| *deadline <= now)?;
        if let Some(leaving) = &self.leaving {
            return Some(match leaving.killed {
                None => Alarm::Kill(KillReason::Overstayed),
                Some(_) => Alarm::Undying,
            });
        }
        let (limit, what) = match &self.seat {
            Seat::Starting { .. } => (policy.hello_timeout, "did not say hello"),
            Seat::Busy(busy) if busy.last_sign + policy.heartbeat_timeout <= now => {
                (policy.heartbeat_timeout, "gave no sign of life")
            }
            Seat::Busy(_) => (policy.step_timeout, "made no step"),
            _ => (policy.heartbeat_timeout, "did not ask for work after its attempt"),
        };
        let text = format!("the worker {what} for {:.1} s", limit.as_secs_f64());
        Some(Alarm::Kill(KillReason::Timeout(text)))
    }
}

impl Busy {
    pub(super) fn new(attempt: AttemptKey, now: Millis) -> Self {
        Self { attempt, began: now, last_sign: now, step: 0, last_step: now }
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
pub(super) struct Slots {
    policy: Policy,
    all: BTreeMap<SlotId, Slot>,
    idle: BTreeSet<SlotId>,
    starting: BTreeSet<SlotId>,
    occupied: BTreeSet<SlotId>,
    swift: BTreeSet<SlotId>,
    empty: BTreeSet<(Millis, SlotId)>,
    alarms: BTreeSet<(Millis, SlotId)>,
}

impl Slots {
    pub(super) fn new(ids: impl IntoIterator<Item = SlotId>, policy: &Policy) -> Self {
        let mut slots = Self {
            policy: policy.clone(),
            all: ids.into_iter().map(|id| (id, Slot::new())).collect(),
            idle: BTreeSet::new(),
            starting: BTreeSet::new(),
            occupied: BTreeSet::new(),
            swift: BTreeSet::new(),
            empty: BTreeSet::new(),
            alarms: BTreeSet::new(),
        };
        let ids: Vec<_> = slots.all.keys().copied().collect();
        for id in ids {
            slots.change(id, |_| ());
        }
        slots
    }

    pub(super) fn get(&self, id: SlotId) -> Option<&Slot> {
        self.all.get(&id)
    }

    /// Changes a slot, and sorts it in anew.
    pub(super) fn change<T>(&mut self, id: SlotId, how: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        let slot = self.all.get_mut(&id)?;
        let result = how(slot);
        let (old, new) = (slot.sorted, slot.sorted(&self.policy));
        slot.sorted = new;
        if old != new {
            for (set, list) in [
                (&mut self.idle, List::Idle),
                (&mut self.starting, List::Starting),
                (&mut self.swift, List::Swift),
            ] {
                sort(set, id, old.list == list, new.list == list);
            }
            sort(&mut self.occupied, id, old.occupied, new.occupied);
            for (set, old, new) in
                [(&mut self.empty, old.empty, new.empty), (&mut self.alarms, old.alarm, new.alarm)]
            {
                old.map(|at| set.remove(&(at, id)));
                new.map(|at| set.insert((at, id)));
            }
        }
        Some(result)
    }

    /// Slots that could execute an attempt now.
    pub(super) fn idle(&self) -> &BTreeSet<SlotId> {
        &self.idle
    }

    /// Slots whose worker is on its way up.
    pub(super) fn starting(&self) -> &BTreeSet<SlotId> {
        &self.starting
    }

    /// Slots with a worker, of whatever kind.
    pub(super) fn occupied(&self) -> &BTreeSet<SlotId> {
        &self.occupied
    }

    /// Slots whose worker is at work and should be handed more ahead of time.
    pub(super) fn swift(&self) -> &BTreeSet<SlotId> {
        &self.swift
    }

    /// Slots on which a worker may be started at `now`.
    pub(super) fn startable(&self, now: Millis) -> impl Iterator<Item = SlotId> {
        self.empty.range(..=(now, SlotId(u32::MAX))).map(|(_, id)| *id)
    }

    /// When the next slot becomes startable after `now`.
    pub(super) fn next_start(&self, now: Millis) -> Option<Millis> {
        self.empty.range((now, SlotId(u32::MAX))..).next().map(|(at, _)| *at)
    }

    /// When the watch has to look next.
    pub(super) fn next_alarm(&self) -> Option<Millis> {
        self.alarms.first().map(|(at, _)| *at)
    }

    /// Takes note of a sign of life.
    pub(super) fn beat(&mut self, id: SlotId, now: Millis, step: u64) {
        // Its alarm stays where it is: when it goes off it is put off.
        if let Some(Slot { seat: Seat::Busy(busy), .. }) = self.all.get_mut(&id) {
            busy.beat(now, step);
        }
    }

    /// Takes note of a sign of life from a worker that cannot make a step.
    pub(super) fn waits(&mut self, id: SlotId, now: Millis) {
        if let Some(Slot { seat: Seat::Busy(busy), .. }) = self.all.get_mut(&id) {
            (busy.last_sign, busy.last_step) = (now, now);
        }
    }

    /// Something that is wrong at `now`.
    pub(super) fn alarm(&mut self, now: Millis) -> Option<(SlotId, Alarm)> {
        while let Some(&(at, id)) = self.alarms.first()
            && at <= now
        {
            if let Some(alarm) = self.all.get(&id).and_then(|slot| slot.alarm(now, &self.policy)) {
                return Some((id, alarm));
            }
            self.change(id, |_| ());
        }
        None
    }

    /// Notes that a worker was told to leave by `deadline`.
    pub(super) fn leave(&mut self, id: SlotId, deadline: Millis, killed: Option<KillReason>) {
        self.change(id, |slot| slot.leaving = Some(Leaving { deadline, killed }));
    }
}

fn sort(set: &mut BTreeSet<SlotId>, id: SlotId, was: bool, is: bool) {
    match (was, is) {
        (false, true) => _ = set.insert(id),
        (true, false) => _ = set.remove(&id),
        _ => {}
    }
}
