//! How a scheduler of the simulation starts on what the disk holds.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::time::{Duration, Instant};

use augreg_executor::{Slot, SlotId};
use augreg_protocol::{Device, JobState};

use super::super::briefing::Briefing;
use super::super::late::Late;
use super::super::opening::Opening;
use super::super::reading::Reading;
use super::super::record::change;
use super::super::requests::{Requests, cancel_what_waits};
use super::super::space::Space;
use super::desk::{Desk, Halt};
use super::disk::RESERVE;
use super::witness::Violation;
use super::world::World;
use crate::core::{Core, Event};

impl Desk {
    /// Starts a scheduler on what the disk holds.
    pub(super) async fn open(world: &mut World, number: u32) -> Result<Self, Halt> {
        world.may_crash("the scheduler died before a write")?;
        world.catch_up().await?;
        world.may_crash("the scheduler died after a write")?;
        let mut desk = Self::new(world, number);
        let broken = |e: augreg_store::StoreError| Violation::new("the study opens", e);
        if !cancel_what_waits(&desk.store).await.map_err(broken)?.is_empty() {
            world.seen.count("a job was cancelled that an earlier scheduler was asked for");
            world.look().await?;
        }
        let mut pending = desk.store.pending(Some(&world.sweep)).await.map_err(broken)?;
        for job in &mut pending {
            world.setting.complete(job, |parent| world.witness.succeeded(parent));
        }
        let Opening { mut new, left, repairs } = Opening::of(&pending);
        for job in &mut new {
            world.setting.equip(job);
        }
        desk.jobs.extend(new.iter().map(|job| job.id));
        let changes: Vec<_> = repairs.iter().filter_map(|action| change(action, &[])).collect();
        world.may_crash("the scheduler died before a write")?;
        desk.write(world, &[], &changes).await?;
        desk.tell(world, &repairs);
        for attempt in &left {
            // Where the last reading ended only saves time: entries are known by their numbers.
            let offset = if world.draws.chance(0.3) {
                0
            } else {
                desk.store.journal_offset(*attempt).await.map_err(broken)?
            };
            desk.reading.adopt(*attempt, offset);
        }
        // What else is asked for is looked at by the first tick.
        world.asked = true;
        let mut events = desk.requests.pauses(&desk.store).await.map_err(broken)?;
        let now = desk.instant(world);
        events.extend(desk.space.look_at(now, |_| Ok(world.disk.free())));
        events.push(Event::JobsAdded(new));
        desk.turn(world, Vec::new(), events).await?;
        desk.see_orphans(world, left).await?;
        Ok(desk)
    }

    fn new(world: &World, number: u32) -> Self {
        let slots = world.setting.slots.keys();
        let slot = |id: &SlotId| Slot { id: *id, device: Device::Cpu, gpu: None, threads: 1 };
        let offers = world.setting.slots.iter().map(|(id, offer)| (*id, *offer));
        Self {
            number,
            core: Core::new(world.policy.clone(), offers),
            slots: slots.map(slot).collect(),
            store: world.store.clone(),
            reading: Reading::new(world.root.clone(), Duration::ZERO),
            late: Late::new(&world.root),
            briefing: Briefing::default(),
            // Of the whole study: only then can one of its sweeps be paused.
            requests: Requests::new(None),
            space: Space::new(world.root.clone(), RESERVE),
            jobs: BTreeSet::new(),
            inbox: VecDeque::new(),
            events: VecDeque::new(),
            stalled: None,
            pauses: HashSet::new(),
            held: BTreeSet::new(),
            held_before: BTreeSet::new(),
            cautious: false,
            bare: BTreeMap::new(),
            began: world.time.now(),
            epoch: Instant::now(),
            ticks: 0,
            succeeded_before: world.witness.count(JobState::Succeeded),
            finish: None,
        }
    }
}
