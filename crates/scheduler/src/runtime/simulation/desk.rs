//! The scheduler in the simulation: the loop of [`run`](super::super::run) without its process.
//!
//! Core, opening, reading of journals and the making of changes are the real ones. What differs is
//! what surrounds them: time, workers and the disk are the world's, and it may die at any point.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

use augreg_executor::{Slot, SlotId, WorkerReport};
use augreg_protocol::{AttemptKey, Device, JobState};
use augreg_spec::JobId;
use augreg_store::{Change, Store};

use super::super::arrivals::is_about_work;
use super::super::journals::News;
use super::super::late::{Late, Word};
use super::super::opening::Opening;
use super::super::orphans;
use super::super::reading::Reading;
use super::super::record::{change, write};
use super::order::order_holds;
use super::witness::{Row, Violation};
use super::world::World;
use crate::core::{Action, Core, Event, Finish, Millis, Pauser};

/// Why a turn of the loop was not finished.
#[derive(Debug)]
pub(super) enum Halt {
    /// The scheduler died.
    Died,
    Broken(Violation),
}

impl From<Violation> for Halt {
    fn from(violation: Violation) -> Self {
        Self::Broken(violation)
    }
}

/// What wakes the loop.
#[derive(Debug)]
pub(super) enum Wake {
    Report(SlotId, WorkerReport),
    Tick,
    Event(Event),
}

/// Ticks between looks at attempts that were given up.
const LATE: u64 = 10;

/// Decisions that the disk does not take yet.
struct Stalled {
    news: Vec<News>,
    changes: Vec<Change>,
    actions: Vec<Action>,
}

pub(super) struct Desk {
    pub(super) number: u32,
    pub(super) core: Core,
    slots: Vec<Slot>,
    store: Store,
    reading: Reading,
    late: Late,
    inbox: VecDeque<Wake>,
    events: VecDeque<Event>,
    stalled: Option<Stalled>,
    /// The pauses that the core was told of.
    pauses: HashSet<Pauser>,
    /// Jobs are tried one at a time.
    pub(super) cautious: bool,
    began: u64,
    ticks: u64,
    pub(super) succeeded_before: usize,
    pub(super) finish: Option<Finish>,
}

impl Desk {
    /// Starts a scheduler on what the disk holds.
    pub(super) async fn open(world: &mut World, number: u32) -> Result<Self, Halt> {
        world.may_crash("the scheduler died before a write")?;
        world.catch_up().await?;
        world.may_crash("the scheduler died after a write")?;
        let store = world.store.clone();
        let slots = world.setting.slots.keys();
        let slot = |id: &SlotId| Slot { id: *id, device: Device::Cpu, gpu: None, threads: 1 };
        let slots: Vec<Slot> = slots.map(slot).collect();
        let offers = world.setting.slots.iter().map(|(id, offer)| (*id, *offer));
        let core = Core::new(world.policy.clone(), offers);
        let mut desk = Self {
            number,
            core,
            slots,
            reading: Reading::new(world.root.clone(), Duration::ZERO),
            late: Late::new(&world.root),
            inbox: VecDeque::new(),
            events: VecDeque::new(),
            stalled: None,
            pauses: HashSet::new(),
            cautious: false,
            began: world.time.now(),
            ticks: 0,
            succeeded_before: world.witness.count(JobState::Succeeded),
            finish: None,
            store,
        };
        let broken = |e: augreg_store::StoreError| Violation::new("the study opens", e);
        let mut pending = desk.store.pending(Some(&world.sweep)).await.map_err(broken)?;
        for job in &mut pending {
            world.setting.complete(job, |parent| world.witness.succeeded(parent));
        }
        let Opening { mut new, left, repairs } = Opening::of(&pending);
        for job in &mut new {
            world.setting.equip(job);
        }
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
        let pause = |&(by, drain)| Event::Pause { by, drain, why: String::new() };
        let pauses = world.paused.iter().map(pause);
        let mut events: Vec<_> = pauses.collect();
        events.push(Event::JobsAdded(new));
        desk.turn(world, Vec::new(), events).await?;
        desk.see_orphans(world, left).await?;
        Ok(desk)
    }

    /// Takes in what woke the loop; later, if the disk does not take what was decided before.
    pub(super) async fn wake(&mut self, world: &mut World, wake: Wake) -> Result<(), Halt> {
        // Ticks do not pile up.
        if !(matches!(wake, Wake::Tick) && self.stalled.is_some()) {
            self.inbox.push_back(wake);
        }
        self.go_on(world).await
    }

    /// Whether it waits for the disk.
    pub(super) fn is_stalled(&self) -> bool {
        self.stalled.is_some()
    }

    async fn go_on(&mut self, world: &mut World) -> Result<(), Halt> {
        if let Some(Stalled { news, changes, actions }) = self.stalled.take() {
            self.record(world, news, changes, actions).await?;
            self.settle(world, Vec::new(), Vec::new()).await?;
        }
        while self.stalled.is_none() && self.finish.is_none() {
            let Some(wake) = self.inbox.pop_front() else { break };
            match wake {
                Wake::Report(slot, report) => self.listen(world, slot, report).await?,
                wake => self.take(world, wake).await?,
            }
        }
        Ok(())
    }

    /// Takes in a report and some of those that have arrived behind it.
    async fn listen(
        &mut self,
        world: &mut World,
        slot: SlotId,
        report: WorkerReport,
    ) -> Result<(), Halt> {
        let mut next = Some((slot, report));
        let (mut all_news, mut all_events) = (Vec::new(), Vec::new());
        while let Some((slot, report)) = next.take() {
            world.heard(slot, &report);
            let more = is_about_work(&report);
            let (news, mut events) = self.reading.report(slot, report);
            all_news.extend(news);
            all_events.append(&mut events);
            let together = |wake: &mut Wake| {
                matches!(wake, Wake::Report(_, report) if more && is_about_work(report))
                    && world.draws.chance(0.7)
            };
            if let Some(Wake::Report(slot, report)) = self.inbox.pop_front_if(together) {
                next = Some((slot, report));
            }
        }
        self.turn(world, all_news, all_events).await
    }

    async fn take(&mut self, world: &mut World, wake: Wake) -> Result<(), Halt> {
        match wake {
            Wake::Report(slot, report) => self.listen(world, slot, report).await,
            Wake::Event(event) => self.turn(world, Vec::new(), vec![event]).await,
            Wake::Tick => {
                let (news, mut events) = self.reading.glance();
                events.push(Event::Tick);
                self.turn(world, news, events).await?;
                if self.stalled.is_some() {
                    return Ok(());
                }
                self.ticks += 1;
                if self.ticks.is_multiple_of(5) {
                    let orphans = self.core.orphans();
                    self.see_orphans(world, orphans).await?;
                }
                if self.ticks.is_multiple_of(LATE) && world.witness.has_given_up() {
                    let words = self.late.look(&self.store).await;
                    let broken = |e| Violation::new("what was given up can be read", e);
                    self.see_late(world, words.map_err(broken)?).await?;
                }
                Ok(())
            }
        }
    }

    async fn see_orphans(
        &mut self,
        world: &mut World,
        orphans: Vec<AttemptKey>,
    ) -> Result<(), Halt> {
        for attempt in orphans {
            if self.stalled.is_some() {
                break;
            }
            let alive = orphans::is_alive(&self.reading.folder(attempt.job));
            let (news, events) = self.reading.orphan(attempt, alive);
            let patience = world.policy.step_timeout.as_millis() as u64;
            if alive && world.time.now() - self.began > patience {
                world.kill_holder(attempt);
            }
            self.turn(world, news.into_iter().collect(), events).await?;
        }
        Ok(())
    }

    async fn see_late(&mut self, world: &mut World, words: Vec<Word>) -> Result<(), Halt> {
        for Word { news, events, changes } in words {
            // What is not taken in now is looked at again.
            if self.stalled.is_some() {
                break;
            }
            self.events.extend(events);
            self.settle(world, news, changes).await?;
        }
        Ok(())
    }

    async fn turn(
        &mut self,
        world: &mut World,
        news: Vec<News>,
        events: Vec<Event>,
    ) -> Result<(), Halt> {
        self.events.extend(events);
        self.settle(world, news, Vec::new()).await
    }

    /// Decides, records and performs until nothing more comes of it.
    async fn settle(
        &mut self,
        world: &mut World,
        mut news: Vec<News>,
        mut changes: Vec<Change>,
    ) -> Result<(), Halt> {
        while self.stalled.is_none()
            && !(news.is_empty() && self.events.is_empty() && changes.is_empty())
        {
            let now = Millis(world.clock());
            let mut actions = Vec::new();
            for event in self.events.drain(..) {
                world.note(|| format!("  event {event:?}"));
                match event {
                    Event::Pause { by, .. } => _ = self.pauses.insert(by),
                    Event::GoOn { by } => _ = self.pauses.remove(&by),
                    Event::FinishedLate { attempt } => world.came_late(attempt.job),
                    _ => {}
                }
                actions.extend(self.core.handle(now, event));
            }
            for action in &actions {
                world.note(|| format!("    action {action:?}"));
            }
            changes.extend(actions.iter().filter_map(|a| change(a, &self.slots)));
            let (news, changes) = (std::mem::take(&mut news), std::mem::take(&mut changes));
            self.record(world, news, changes, actions).await?;
        }
        if self.stalled.is_none() {
            self.look_around(world)?;
        }
        Ok(())
    }

    async fn record(
        &mut self,
        world: &mut World,
        news: Vec<News>,
        changes: Vec<Change>,
        actions: Vec<Action>,
    ) -> Result<(), Halt> {
        let writes = !changes.is_empty() || news.iter().any(|news| !news.entries.is_empty());
        if writes && world.disk_full {
            world.seen.count("a write waited for room");
            self.stalled = Some(Stalled { news, changes, actions });
            return Ok(());
        }
        if writes {
            world.may_crash("the scheduler died before a write")?;
            let before = self.write(world, &news, &changes).await?;
            order_holds(world, &before, &actions)?;
            world.may_crash("the scheduler died after a write")?;
        }
        self.tell(world, &actions);
        for action in actions {
            self.perform(world, action)?;
            world.may_crash("the scheduler died between two actions")?;
        }
        Ok(())
    }

    async fn write(
        &mut self,
        world: &mut World,
        news: &[News],
        changes: &[Change],
    ) -> Result<BTreeMap<JobId, Row>, Halt> {
        let written = write(&self.store, news, changes).await;
        written.map_err(|e| Violation::new("the database takes what is decided", e))?;
        // Entries alone change little, and the next look sees them too.
        if changes.is_empty() && !world.draws.chance(0.2) {
            return Ok(BTreeMap::new());
        }
        Ok(world.look().await?)
    }

    /// Counts what was decided.
    fn tell(&mut self, world: &mut World, actions: &[Action]) {
        for action in actions {
            let Action::Audit { what, .. } = action else { continue };
            world.seen.count(what);
            match *what {
                "slowed-down" => self.cautious = true,
                "sped-up" => self.cautious = false,
                _ => {}
            }
        }
    }

    fn perform(&mut self, world: &mut World, action: Action) -> Result<(), Halt> {
        match action {
            Action::StartWorker { slot } => {
                if let Err(why) = world.start(self.number, slot)? {
                    self.events.push_back(Event::StartFailed { slot, why, hopeless: false });
                }
            }
            Action::Assign { slot, attempt } => {
                if !self.pauses.is_empty() {
                    let how = format!("{attempt} is handed to {slot} while {:?}", self.pauses);
                    return Err(Violation::new("nothing is handed out in a pause", how).into());
                }
                self.reading.assign(slot, attempt);
                world.assign(self.number, slot, attempt)?;
            }
            Action::EndAttempt { attempt, .. } => self.reading.close(attempt),
            Action::StopWorker { slot } => world.stop(self.number, slot),
            Action::KillWorker { slot, .. } => world.kill(self.number, slot),
            Action::SetJobState { .. } | Action::Audit { .. } => {}
            Action::Finish(finish) => self.finish = Some(finish),
        }
        Ok(())
    }
}
