//! The queue: ready jobs in their order, apart for each class and for each slot to be kept from.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use augreg_executor::SlotId;
use augreg_spec::JobId;

use super::fit::{Class, Fits};

/// The place of a job in the queue; the least runs first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    priority: Reverse<i64>,
    /// The bits of a non-negative float order as the float does.
    flops: Reverse<u64>,
    pub(super) job: JobId,
}

impl Rank {
    pub(super) fn new(priority: i64, flops: f64, job: JobId) -> Self {
        let flops = Reverse(if flops > 0.0 { flops.to_bits() } else { 0 });
        Self { priority: Reverse(priority), flops, job }
    }

    /// The place of the same job under another priority.
    pub(super) fn with_priority(self, priority: i64) -> Self {
        Self { priority: Reverse(priority), ..self }
    }

    /// Whether a job is expected to take longer than another.
    pub(super) fn is_longer(&self, than: &Self) -> bool {
        self.flops < than.flops
    }
}

/// Which slots a ready job may go to: those that fit its class but the one, if any, that failed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lane {
    pub(super) class: Class,
    pub(super) avoid: Option<SlotId>,
}

impl Lane {
    fn leads_to(self, slot: SlotId, fits: &Fits) -> bool {
        fits.fits(self.class, slot)
            && (self.avoid != Some(slot) || !fits.has_other(self.class, slot))
    }
}

/// Ready jobs. Lanes are few, so that looking through them all costs next to nothing.
#[derive(Debug, Default)]
pub(super) struct Queue {
    lanes: BTreeMap<Lane, BTreeSet<Rank>>,
    len: usize,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn insert(&mut self, lane: Lane, rank: Rank) {
        self.len += usize::from(self.lanes.entry(lane).or_default().insert(rank));
    }

    pub(super) fn remove(&mut self, lane: Lane, rank: &Rank) {
        if let Some(ranks) = self.lanes.get_mut(&lane) {
            self.len -= usize::from(ranks.remove(rank));
            if ranks.is_empty() {
                self.lanes.remove(&lane);
            }
        }
    }

    /// The first job that may go to `slot`, and its lane.
    pub(super) fn first(&self, slot: SlotId, fits: &Fits) -> Option<(Lane, Rank)> {
        let open = self.lanes.iter().filter(|(lane, _)| lane.leads_to(slot, fits));
        let firsts = open.filter_map(|(lane, ranks)| Some((*lane, *ranks.first()?)));
        firsts.min_by_key(|(_, rank)| *rank)
    }

    /// The first `most` jobs of the queue, whatever slots they may go to.
    pub(super) fn upcoming(&self, most: usize) -> Vec<JobId> {
        let mut ranks: Vec<_> =
            self.lanes.values().flat_map(|ranks| ranks.iter().take(most)).collect();
        ranks.sort_unstable();
        ranks.into_iter().take(most).map(|rank| rank.job).collect()
    }

    /// For which of `free` slots there is a job, `coming` being on their way already. The jobs with
    /// fewest slots to choose from choose first; as many slots are put to use as can be.
    pub(super) fn wanting(
        &self,
        coming: impl Iterator<Item = SlotId>,
        free: impl Iterator<Item = SlotId>,
        fits: &Fits,
    ) -> Vec<SlotId> {
        let mut free = free.peekable();
        if free.peek().is_none() {
            return Vec::new();
        }
        let open = |(lane, ranks): (&Lane, &BTreeSet<Rank>)| Seats {
            lane: *lane,
            jobs: ranks.len(),
            taken: Vec::new(),
        };
        let mut lanes: Vec<_> = self.lanes.iter().map(open).collect();
        lanes.sort_by_key(|seats| (fits.slots(seats.lane.class), seats.lane.avoid.is_none()));
        let mut take = |slot: &SlotId| {
            let mut looked = vec![false; lanes.len()];
            take_seat(*slot, &mut lanes, &mut looked, fits)
        };
        for slot in coming {
            take(&slot);
        }
        free.filter(take).collect()
    }
}

/// The jobs of a lane, and the slots that they are meant for.
struct Seats {
    lane: Lane,
    jobs: usize,
    taken: Vec<SlotId>,
}

/// Finds a job for a slot, if need be one that was meant for another slot for which there is a job
/// elsewhere (an augmenting path). Lanes that were `looked` at are of no use.
fn take_seat(slot: SlotId, lanes: &mut [Seats], looked: &mut [bool], fits: &Fits) -> bool {
    for at in 0..lanes.len() {
        if looked[at] || !lanes[at].lane.leads_to(slot, fits) {
            continue;
        }
        looked[at] = true;
        if lanes[at].taken.len() < lanes[at].jobs {
            lanes[at].taken.push(slot);
            return true;
        }
        for place in 0..lanes[at].taken.len() {
            if take_seat(lanes[at].taken[place], lanes, looked, fits) {
                lanes[at].taken[place] = slot;
                return true;
            }
        }
    }
    false
}
