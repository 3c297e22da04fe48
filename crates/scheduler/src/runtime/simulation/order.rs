//! What must hold of what the scheduler decides, as far as it can be told without asking it.

use std::collections::BTreeMap;

use augreg_protocol::JobState;
use augreg_spec::JobId;

use super::desk::Desk;
use super::witness::{Row, Violation};
use super::world::World;
use crate::core::Action;

impl Desk {
    /// What must hold whenever everything that was decided is done.
    pub(super) fn look_around(&self, world: &World) -> Result<(), Violation> {
        let counts = self.core.counts();
        world.witness.agrees_with(counts)?;
        let succeeded = world.witness.count(JobState::Succeeded);
        if succeeded != self.succeeded_before + counts.succeeded {
            let how = format!("{succeeded} jobs succeeded, the core counts {counts:?}");
            return Err(Violation::new("results are counted once", how));
        }
        if !self.core.is_running() {
            return Ok(());
        }
        for slot in world.idle_slots() {
            // One that was never tried has nothing to wait for.
            let mut new = world.witness.rows.iter().filter(|(_, row)| row.is_new());
            let fits = new.find(|(job, _)| !self.cautious && world.setting.fits(**job, slot));
            if fits.is_some() || self.core.has_work_for(slot) {
                let how = format!("{slot} is free and a job could run there: {fits:?}");
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
    before: &BTreeMap<JobId, Row>,
    actions: &[Action],
) -> Result<(), Violation> {
    let passed_over = |job: &JobId, row: &Row| {
        row.is_new() && before.get(job).is_some_and(|before| *before == *row)
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
