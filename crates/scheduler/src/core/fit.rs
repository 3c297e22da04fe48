//! Which jobs go to which slots. Jobs with the same slots to choose from are one class.

use std::collections::BTreeMap;

use augreg_executor::SlotId;

/// What a job cannot do without.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Needs {
    /// GPUs; 0 if any device will do.
    pub gpus: u32,
    /// Bytes of its device's memory; 0 if unknown.
    pub memory: u64,
}

/// What a slot has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offer {
    /// GPUs; 0 on a CPU slot.
    pub gpus: u32,
    /// Bytes of its device's memory; none if unknown, which is taken for enough.
    pub memory: Option<u64>,
}

impl Offer {
    fn fits(self, needs: Needs) -> bool {
        self.gpus >= needs.gpus && self.memory.is_none_or(|memory| memory >= needs.memory)
    }
}

/// A class of jobs: an index.
pub(super) type Class = usize;

#[derive(Debug)]
struct Kind {
    offer: Offer,
    /// Slots of this kind that are not given up.
    slots: usize,
}

/// The slots of a run by what they offer, and the classes of jobs that follow from them.
#[derive(Debug, Default)]
pub(super) struct Fits {
    /// The least first.
    kinds: Vec<Kind>,
    kind_of: BTreeMap<SlotId, usize>,
    /// The kinds that fit each class, and the needs it was first met with.
    classes: Vec<(Vec<bool>, Needs)>,
}

impl Fits {
    pub(super) fn new(slots: &[(SlotId, Offer)]) -> Self {
        let mut offers: Vec<Offer> = slots.iter().map(|(_, offer)| *offer).collect();
        offers.sort_unstable();
        offers.dedup();
        let kind = |offer: &Offer| offers.binary_search(offer).unwrap_or_default();
        let kind_of: BTreeMap<_, _> = slots.iter().map(|(id, offer)| (*id, kind(offer))).collect();
        let kinds = offers.iter().enumerate().map(|(at, &offer)| Kind {
            offer,
            slots: kind_of.values().filter(|kind| **kind == at).count(),
        });
        Self { kinds: kinds.collect(), kind_of, classes: Vec::new() }
    }

    /// The class of jobs with these needs.
    pub(super) fn class(&mut self, needs: Needs) -> Class {
        if let Some(at) = self.classes.iter().position(|(_, first)| *first == needs) {
            return at;
        }
        let fits: Vec<bool> = self.kinds.iter().map(|kind| kind.offer.fits(needs)).collect();
        self.classes.iter().position(|(others, _)| *others == fits).unwrap_or_else(|| {
            self.classes.push((fits, needs));
            self.classes.len() - 1
        })
    }

    pub(super) fn needs(&self, class: Class) -> Needs {
        self.classes[class].1
    }

    /// Slots of little use to others come first: a place by which to sort.
    pub(super) fn rank(&self, slot: SlotId) -> usize {
        self.kind_of.get(&slot).copied().unwrap_or_default()
    }

    pub(super) fn fits(&self, class: Class, slot: SlotId) -> bool {
        self.kind_of.get(&slot).is_some_and(|kind| self.classes[class].0[*kind])
    }

    /// How many slots that are not given up fit a class.
    pub(super) fn slots(&self, class: Class) -> usize {
        let fits = self.classes[class].0.iter().zip(&self.kinds);
        fits.filter(|(fits, _)| **fits).map(|(_, kind)| kind.slots).sum()
    }

    /// Whether a slot other than this one fits a class.
    pub(super) fn has_other(&self, class: Class, slot: SlotId) -> bool {
        self.slots(class) > usize::from(self.fits(class, slot))
    }

    /// Whether a slot is not given up.
    #[cfg(test)]
    pub(super) fn has(&self, slot: SlotId) -> bool {
        self.kind_of.contains_key(&slot)
    }

    /// How many slots are not given up.
    pub(super) fn left(&self) -> usize {
        self.kinds.iter().map(|kind| kind.slots).sum()
    }

    /// A slot is given up.
    pub(super) fn give_up(&mut self, slot: SlotId) {
        if let Some(kind) = self.kind_of.remove(&slot) {
            self.kinds[kind].slots -= 1;
        }
    }
}
