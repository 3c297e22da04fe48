//! The scheduler in the simulation: the loop of [`run`](super::super::run) without its process.
//!
//! Core, opening, reading of journals and the making of changes are the real ones. What differs is
//! what surrounds them: time, workers and the disk are the world's, and it may die at any point.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::time::{Duration, Instant};

use augreg_executor::{Slot, SlotId, WorkerReport};
use augreg_protocol::AttemptKey;
use augreg_spec::JobId;
use augreg_store::{Change, Store};

use super::super::arrivals::is_about_work;
use super::super::briefing::{AHEAD, Briefing};
use super::super::journals::News;
use super::super::late::{Late, Word};
use super::super::orphans;
use super::super::reading::Reading;
use super::super::record::{change, withdraw, write};
use super::super::requests::{Asked, Requests};
use super::super::space::Space;
use super::order::order_holds;
use super::row::Row;
use super::witness::Violation;
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
pub(super) struct Stalled {
    news: Vec<News>,
    changes: Vec<Change>,
    actions: Vec<Action>,
}

pub(super) struct Desk {
    pub(super) number: u32,
    pub(super) core: Core,
    pub(super) slots: Vec<Slot>,
    pub(super) store: Store,
    pub(super) reading: Reading,
    pub(super) late: Late,
    pub(super) briefing: Briefing,
    pub(super) requests: Requests,
    pub(super) space: Space,
    /// The jobs of the run that have not ended.
    pub(super) jobs: BTreeSet<JobId>,
    pub(super) inbox: VecDeque<Wake>,
    pub(super) events: VecDeque<Event>,
    pub(super) stalled: Option<Stalled>,
    /// The pauses that the core was told of.
    pub(super) pauses: HashSet<Pauser>,
    /// The jobs that it was told to hold back.
    pub(super) held: BTreeSet<JobId>,
    /// The same before the events that are decided on.
    pub(super) held_before: BTreeSet<JobId>,
    /// Jobs are tried one at a time.
    pub(super) cautious: bool,
    /// Since when slots have had no worker while a job waited for one.
    pub(super) bare: BTreeMap<SlotId, u64>,
    /// When it began: by the world's clock, and by one that knows no other.
    pub(super) began: u64,
    pub(super) epoch: Instant,
    pub(super) ticks: u64,
    pub(super) succeeded_before: usize,
    pub(super) finish: Option<Finish>,
}

impl Desk {
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

    /// Whether it has not finished.
    pub(super) fn is_up(&self) -> bool {
        self.finish.is_none()
    }

    /// The time as parts of the runtime go by that ask the system for it.
    pub(super) fn instant(&self, world: &World) -> Instant {
        self.epoch + Duration::from_millis(world.time.now() - self.began)
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
            if let WorkerReport::NoRoom { why, .. } = &report {
                let now = self.instant(world);
                self.space.missed_at(now, why);
            }
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
                let now = self.instant(world);
                events.extend(self.space.look_at(now, |_| Ok(world.disk.free())));
                events.append(&mut self.requested(world).await?);
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

    /// What people have asked for lately.
    async fn requested(&mut self, world: &mut World) -> Result<Vec<Event>, Halt> {
        if !world.asked {
            return Ok(Vec::new());
        }
        let broken = |e| Violation::new("what people ask for can be read", e);
        let Asked { cancel, others: events, retry: _ } =
            self.requests.ask(&self.store).await.map_err(broken)?;
        world.asked = false;
        let (ours, others): (Vec<_>, Vec<_>) =
            cancel.into_iter().partition(|job| self.jobs.contains(job));
        if !others.is_empty() {
            if world.disk.takes_rows() {
                let done = self.store.set_cancelled(&others, "asked for by `augreg cancel`").await;
                done.map_err(|e| Violation::new("jobs can be cancelled", e))?;
                world.look().await?;
            } else {
                self.requests.ask_again(&others);
                world.asked = true;
            }
        }
        Ok(ours.into_iter().map(|job| Event::Cancel { job }).chain(events).collect())
    }

    pub(super) async fn see_orphans(
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
            let hangs = world.time.now() - self.began > patience;
            if alive && (hangs || self.reading.is_distrusted(attempt)) {
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

    pub(super) async fn turn(
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
            self.held_before.clone_from(&self.held);
            let now = Millis(world.clock());
            let mut actions = Vec::new();
            while let Some(event) = self.events.pop_front() {
                if event != Event::Tick {
                    world.note(|| format!("  event {event:?}"));
                }
                self.heed(world, &event);
                let decided = self.core.handle(now, event);
                self.nothing_is_handed_out_that_may_not(&decided)?;
                actions.extend(decided);
            }
            for action in &actions {
                world.note(|| format!("    action {action:?}"));
            }
            changes.extend(actions.iter().filter_map(|a| change(a, &self.slots)));
            withdraw(&mut actions);
            let (news, changes) = (std::mem::take(&mut news), std::mem::take(&mut changes));
            self.record(world, news, changes, actions).await?;
        }
        if self.stalled.is_none() {
            self.look_around(world)?;
        }
        Ok(())
    }

    /// Takes note of an event that says what may not be done.
    fn heed(&mut self, world: &mut World, event: &Event) {
        match event {
            Event::Pause { by, .. } => _ = self.pauses.insert(*by),
            Event::GoOn { by } => _ = self.pauses.remove(by),
            Event::Hold { jobs, .. } => {
                if !jobs.is_empty() {
                    world.seen.count("jobs were held back");
                }
                self.held.clone_from(jobs);
            }
            Event::Untrusted { .. } => world.seen.count("a journal was not to be trusted"),
            Event::Waits { .. } => world.seen.count("a worker was heard to wait for room"),
            Event::FinishedLate { attempt } => world.came_late(attempt.job),
            _ => {}
        }
    }

    async fn record(
        &mut self,
        world: &mut World,
        news: Vec<News>,
        changes: Vec<Change>,
        actions: Vec<Action>,
    ) -> Result<(), Halt> {
        let next = || self.core.upcoming(AHEAD);
        let briefed = self.briefing.prepare(&self.store, &actions, next).await;
        briefed.map_err(|e| Violation::new("what workers are told can be read", e))?;
        let writes = !changes.is_empty() || news.iter().any(|news| !news.entries.is_empty());
        if writes && !world.disk.takes_rows() {
            world.seen.count("a write waited for room");
            self.stalled = Some(Stalled { news, changes, actions });
            self.bare.clear();
            return Ok(());
        }
        if writes {
            world.may_crash("the scheduler died before a write")?;
            let before = self.write(world, &news, &changes).await?;
            order_holds(world, [&self.held, &self.held_before], &before, &actions)?;
            world.may_crash("the scheduler died after a write")?;
        }
        self.tell(world, &actions);
        for action in actions {
            self.perform(world, action)?;
            world.may_crash("the scheduler died between two actions")?;
        }
        Ok(())
    }

    pub(super) async fn write(
        &mut self,
        world: &mut World,
        news: &[News],
        changes: &[Change],
    ) -> Result<BTreeMap<JobId, Row>, Halt> {
        let written = write(&self.store, news, changes).await;
        written.map_err(|e| Violation::new("the database takes what is decided", e))?;
        // Entries and lines of the audit alone change little, and the next look sees them too.
        let decides = changes.iter().any(|change| !matches!(change, Change::Event { .. }));
        if !decides && !world.draws.chance(0.2) {
            return Ok(BTreeMap::new());
        }
        Ok(world.look().await?)
    }

    /// Counts what was decided.
    pub(super) fn tell(&mut self, world: &mut World, actions: &[Action]) {
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
                if self.briefing.take(attempt).is_none() {
                    let how = format!("nothing is known of {attempt}");
                    return Err(Violation::new("workers are told what to do", how).into());
                }
                self.reading.assign(slot, attempt);
                world.assign(self.number, slot, attempt)?;
            }
            Action::EndAttempt { attempt, .. } => self.reading.close(attempt),
            Action::StopWorker { slot } => world.stop(self.number, slot),
            Action::KillWorker { slot, .. } => world.kill(self.number, slot),
            Action::SetJobState { job, state } => {
                if state.is_end() {
                    self.briefing.forget(job);
                    self.jobs.remove(&job);
                }
            }
            Action::Audit { .. } | Action::Begun { .. } => {}
            Action::Finish(finish) => self.finish = Some(finish),
        }
        Ok(())
    }
}
