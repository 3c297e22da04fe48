//! What must hold of what the scheduler decides, as far as it can be told without asking it.

use std::collections::{BTreeMap, BTreeSet};

use augreg_executor::SlotId;
use augreg_protocol::JobState;
use augreg_spec::JobId;

use super::desk::Desk;
use super::row::Row;
use super::witness::Violation;
use super::world::World;
use crate::core::Action;

/// For so long, in milliseconds, may a slot be without a worker: starts that failed are not tried
/// again at once.
const BARE: u64 = 10_000;

impl Desk {
    /// What must hold whenever everything that was decided is done.
    pub(super) fn look_around(&mut self, world: &World) -> Result<(), Violation> {
        let counts = self.core.counts();
        world.witness.agrees_with(counts, &world.beside)?;
        let succeeded = world.witness.count(JobState::Succeeded);
        if succeeded != self.succeeded_before + counts.succeeded {
            let how = format!("{succeeded} jobs succeeded, the core counts {counts:?}");
            return Err(Violation::new("results are counted once", how));
        }
        if !self.core.is_running() {
            self.bare.clear();
            return Ok(());
        }
        for slot in world.idle_slots() {
            let waits = self.waits_for(world, slot);
            if waits.is_some() || self.core.has_work_for(slot) {
                let how = format!("{slot} is free and a job could run there: {waits:?}");
                return Err(Violation::new("no slot is free while a job is queued", how));
            }
        }
        self.no_slot_stays_bare(world)
    }

    /// Nothing is handed out in a pause, nor what is to be held back.
    pub(super) fn nothing_is_handed_out_that_may_not(
        &self,
        decided: &[Action],
    ) -> Result<(), Violation> {
        for action in decided {
            if let Action::Assign { slot, attempt } = action
                && (!self.pauses.is_empty() || self.held.contains(&attempt.job))
            {
                let (pauses, held) = (&self.pauses, &self.held);
                let how = format!("{attempt} is handed to {slot}; {pauses:?}, held back {held:?}");
                return Err(Violation::new("nothing is handed out in a pause", how));
            }
        }
        Ok(())
    }

    /// A job for a slot that was never tried, and so has nothing to wait for.
    fn waits_for(&self, world: &World, slot: SlotId) -> Option<JobId> {
        let mut rows = world.witness.rows.iter().filter(|(_, row)| row.is_new());
        let fits = rows.find(|(job, _)| {
            !self.held.contains(job)
                && !world.beside.contains(job)
                && world.setting.fits(**job, slot)
        });
        fits.map(|(job, _)| *job).filter(|_| !self.cautious)
    }

    /// No slot is without a worker for long while none is on its way and a job waits for one.
    fn no_slot_stays_bare(&mut self, world: &World) -> Result<(), Violation> {
        for slot in world.setting.slots.keys() {
            let seated = world.seats.values().any(|seat| seat.free || !seat.heard);
            if seated
                || world.seats.contains_key(slot)
                || !self.core.has_slot(*slot)
                || self.waits_for(world, *slot).is_none()
            {
                self.bare.remove(slot);
                continue;
            }
            let since = *self.bare.entry(*slot).or_insert(world.time.now());
            if world.time.now() - since > BARE {
                let how = format!("{slot} has had no worker since {since}");
                return Err(Violation::new("no slot is free while a job is queued", how));
            }
        }
        Ok(())
    }
}

/// Nothing was handed out while a job was passed over that comes before it. `before` are the rows
/// as they were.
pub(super) fn order_holds(
    world: &World,
    held: [&BTreeSet<JobId>; 2],
    before: &BTreeMap<JobId, Row>,
    actions: &[Action],
) -> Result<(), Violation> {
    let passed_over = |job: &JobId, row: &Row| {
        row.is_new()
            && before.get(job).is_some_and(|before| *before == *row)
            && !held.iter().any(|held| held.contains(job))
            && !world.beside.contains(job)
    };
    let rows = world.witness.rows.iter();
    let left: Vec<_> = rows.filter(|(id, row)| passed_over(id, row)).map(|(id, _)| id).collect();
    for action in actions {
        let Action::Assign { slot, attempt } = action else { continue };
        let first = |id: &&&JobId| {
            world.setting.fits(***id, *slot) && world.setting.comes_before(***id, attempt.job)
        };
        if let Some(other) = left.iter().find(first) {
            let how = format!("{attempt} is handed to {slot} before {other}");
            return Err(Violation::new("the queue is worked off in its order", how));
        }
    }
    Ok(())
}
