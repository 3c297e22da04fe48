//! One schedule from its first happening to the end of its run.

use std::time::Duration;

use augreg_protocol::JobState;
use augreg_spec::JobId;
use augreg_spec::random::{Purpose, stream};
use augreg_store::Change;

use super::super::requests::cancel_what_waits;
use super::coverage::Coverage;
use super::desk::{Desk, Halt, Wake};
use super::disk::Disk;
use super::faults::Faults;
use super::person::Scope;
use super::plan::plan;
use super::row::Row;
use super::study::{Study, Template};
use super::witness::Violation;
use super::world::{Happening, World};
use crate::core::{Event, Finish, Policy};

/// Milliseconds between ticks.
const TICK: u64 = 500;
/// How often a scheduler that starts again opens the database anew. It takes as long as a schedule.
const REOPENED: f64 = 0.05;
/// More happenings than any schedule takes that ends.
const HAPPENINGS: u32 = 60_000;

/// How a schedule went wrong.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) violation: Violation,
    pub(super) log: String,
}

/// Plays the schedule of a seed on its sweep of `study`, a copy of the template. Keeps the last
/// `keep_log` lines of what happened for the failure. Returns what happened.
pub(super) async fn play(
    seed: u64,
    template: &Template,
    study: &mut Study,
    keep_log: usize,
) -> Result<Coverage, Failure> {
    let policy = Policy {
        heartbeat_timeout: Duration::from_secs(20),
        step_timeout: Duration::from_mins(1),
        hello_timeout: Duration::from_secs(15),
        // In half of the schedules workers are handed attempts ahead of time.
        ahead: Duration::from_secs(if seed.is_multiple_of(2) { 0 } else { 60 }),
        seed,
        ..Policy::default()
    };
    let draws = stream(seed, Purpose::Backoff, 1, 0);
    let store = study.store.clone();
    let mut world = World::new(store, template.sweep(seed), draws, policy, keep_log);
    world.witness.audit.last_read = study.audited;
    let result = to_the_end(&mut world).await;
    let log = world.log();
    (study.store, study.audited) = (world.store, world.witness.audit.last_read);
    result.map_err(|violation| Failure { violation, log }).map(|()| world.seen)
}

async fn to_the_end(world: &mut World) -> Result<(), Violation> {
    world.look().await?;
    plan(world);
    let mut play = Play { desk: None, schedulers: 0, ended: false };
    for _ in 0..HAPPENINGS {
        let Some(happening) = world.time.next() else { break };
        play.happen(world, happening).await?;
        if play.ended && !world.is_anyone_at_work() {
            if is_over(world).await? {
                return Ok(());
            }
            play.ended = false;
            world.time.after(1, Happening::Boot);
        }
    }
    let how = format!("not by {} ms: {:?}", world.time.now(), world.witness.rows);
    Err(Violation::new("every job comes to an end", how))
}

/// Takes in what workers did that no run has heard of, as the next start would. Returns whether that
/// leaves nothing to run; then it must all have come to a good end.
async fn is_over(world: &mut World) -> Result<bool, Violation> {
    world.catch_up().await?;
    let broken = |e| Violation::new("jobs can be cancelled", e);
    if !cancel_what_waits(&world.store).await.map_err(broken)?.is_empty() {
        world.look().await?;
    }
    if !world.is_over() {
        return Ok(false);
    }
    world.witness.at_the_end(&world.store, &world.sweep, &world.deeds).await?;
    // The next schedule of this study must not depend on this one.
    for what in Scope::EVERY {
        world.unpause(what).await?;
    }
    if world.witness.has_given_up() {
        let broken = |e| Violation::new("what was given up can be settled", e);
        let left = world.store.given_up(None, u32::MAX).await.map_err(broken)?;
        let settled = left.iter().map(|left| Change::Settled { attempt: left.attempt });
        world.store.apply(&settled.collect::<Vec<_>>()).await.map_err(broken)?;
    }
    Ok(true)
}

pub(super) struct Play {
    pub(super) desk: Option<Desk>,
    schedulers: u32,
    ended: bool,
}

impl Play {
    async fn happen(&mut self, world: &mut World, happening: Happening) -> Result<(), Violation> {
        if !matches!(happening, Happening::Tick { .. }) {
            world.note(|| format!("{happening:?}"));
        }
        match happening {
            Happening::Boot => self.boot(world).await,
            Happening::Tick { scheduler } => self.tick(world, scheduler).await,
            Happening::Heard { scheduler, slot, report } => {
                self.wake(world, Some(scheduler), Wake::Report(slot, report)).await
            }
            Happening::Act { worker } => {
                world.act(worker);
                Ok(())
            }
            Happening::Sent { worker, line } => {
                world.reach(worker, line);
                Ok(())
            }
            Happening::PowerCut => self.lose_power(world).await,
            Happening::Room(_) if world.calm => Ok(()),
            Happening::Room(disk) => {
                world.disk = disk;
                world.seen.count(disk.name());
                Ok(())
            }
            Happening::Recycle { slot } => {
                let why = "it has grown too large".to_owned();
                self.wake(world, None, Wake::Event(Event::Recycle { slot, why })).await
            }
            Happening::Leap { by } => {
                world.seen.count("the clock leapt");
                world.skew += by;
                Ok(())
            }
            Happening::Person(_) if self.ended => Ok(()),
            Happening::Person(deed) => self.person(world, deed).await,
            Happening::Calm => {
                (world.calm, world.asked) = (true, true);
                world.faults = Faults::default();
                world.disk = Disk::Roomy;
                for what in Scope::EVERY {
                    world.unpause(what).await?;
                }
                world.look().await.map(drop)
            }
        }
    }

    async fn boot(&mut self, world: &mut World) -> Result<(), Violation> {
        if self.desk.is_some() || self.ended {
            return Ok(());
        }
        if !world.disk.takes_rows() {
            world.time.after(1000, Happening::Boot);
            return Ok(());
        }
        if self.schedulers > 0 && world.strikes(REOPENED, "the database was opened anew") {
            world.reopen().await?;
        }
        self.schedulers += 1;
        let scheduler = self.schedulers;
        match Desk::open(world, scheduler).await {
            Ok(desk) => self.desk = Some(desk),
            Err(Halt::Broken(violation)) => return Err(violation),
            Err(Halt::Died) => self.fall(world, scheduler).await?,
        }
        world.time.after(TICK, Happening::Tick { scheduler });
        self.see_finish(world)
    }

    async fn tick(&mut self, world: &mut World, scheduler: u32) -> Result<(), Violation> {
        if self.desk.as_ref().is_some_and(|desk| desk.number == scheduler) {
            world.time.after(TICK, Happening::Tick { scheduler });
        }
        self.wake(world, Some(scheduler), Wake::Tick).await
    }

    /// Wakes the scheduler, if there is one, and it is the one meant.
    pub(super) async fn wake(
        &mut self,
        world: &mut World,
        scheduler: Option<u32>,
        wake: Wake,
    ) -> Result<(), Violation> {
        let Some(desk) =
            self.desk.as_mut().filter(|desk| scheduler.is_none_or(|number| number == desk.number))
        else {
            return Ok(());
        };
        let number = desk.number;
        match desk.wake(world, wake).await {
            Ok(()) => self.see_finish(world),
            Err(Halt::Broken(violation)) => Err(violation),
            Err(Halt::Died) => self.fall(world, number).await,
        }
    }

    pub(super) async fn fall(
        &mut self,
        world: &mut World,
        scheduler: u32,
    ) -> Result<(), Violation> {
        world.note(|| format!("scheduler {scheduler} dies"));
        self.desk = None;
        if world.draws.chance(world.faults.power) {
            world.black_out().await?;
        }
        world.abandon(scheduler);
        Ok(())
    }

    async fn lose_power(&mut self, world: &mut World) -> Result<(), Violation> {
        let desk = self.desk.take();
        world.black_out().await?;
        if let Some(desk) = desk {
            world.abandon(desk.number);
        }
        Ok(())
    }

    fn see_finish(&mut self, world: &mut World) -> Result<(), Violation> {
        let Some(desk) = &self.desk else { return Ok(()) };
        let number = desk.number;
        let Some(finish) = desk.finish.clone() else { return Ok(()) };
        world.note(|| format!("scheduler {number} finishes: {finish}"));
        if world.witness.count(JobState::Running) > desk.core.orphans().len() {
            return Err(Violation::new("nothing runs after the end of a run", finish));
        }
        let mut rows = world.witness.rows.iter();
        let open = |(id, row): &(&JobId, &Row)| !row.has_ended() && !world.beside.contains(id);
        if let Some(open) = rows.find(|row| finish == Finish::Done && open(row)) {
            return Err(Violation::new("every job comes to an end", format!("{open:?}")));
        }
        self.desk = None;
        world.abandon(number);
        let is_over = match finish {
            Finish::Done | Finish::Left { .. } => world.is_over(),
            Finish::AllFail(_) => {
                world.deeds.mend();
                false
            }
            Finish::Stopped | Finish::GaveUp(_) => false,
        };
        self.ended |= is_over;
        Ok(())
    }
}
