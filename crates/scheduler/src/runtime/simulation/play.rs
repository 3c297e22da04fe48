//! One schedule from its first happening to the end of its run.

use std::time::Duration;

use augreg_protocol::JobState;
use augreg_spec::random::{Purpose, stream};
use augreg_store::Change;

use super::coverage::Coverage;
use super::desk::{Desk, Halt, Wake};
use super::faults::Faults;
use super::study::{Study, Template};
use super::witness::Violation;
use super::world::{Happening, World};
use crate::core::{Event, Finish, Pauser, Policy};

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
    let result = to_the_end(&mut world).await;
    let log = world.log();
    study.store = world.store;
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
    if !world.is_over() {
        return Ok(false);
    }
    world.witness.at_the_end(&world.deeds)?;
    // The next schedule of this study must not depend on this one.
    if world.witness.has_given_up() {
        let broken = |e| Violation::new("what was given up can be settled", e);
        let left = world.store.given_up(None, u32::MAX).await.map_err(broken)?;
        let settled = left.iter().map(|left| Change::Settled { attempt: left.attempt });
        world.store.apply(&settled.collect::<Vec<_>>()).await.map_err(broken)?;
    }
    Ok(true)
}

/// Decides what befalls the world from outside.
fn plan(world: &mut World) {
    world.time.at(0, Happening::Boot);
    let hostile = world.between(5_000, 60_000);
    world.time.at(hostile, Happening::Calm);
    let until = hostile as u32;
    if world.draws.chance(0.3) {
        let at = world.between(0, until);
        let lasts = world.between(100, 60_000);
        world.time.at(at, Happening::Disk { full: true });
        world.time.at(at + lasts, Happening::Disk { full: false });
    }
    for _ in 0..world.draws.below(4) {
        let at = world.between(0, until);
        world.time.at(at, Happening::Person);
    }
    for _ in 0..world.draws.below(3) {
        let at = world.between(0, until);
        let by = i64::from(world.draws.below(600_000)) - 300_000;
        world.time.at(at, Happening::Leap { by });
    }
    for _ in 0..world.draws.below(3) {
        let at = world.between(0, until);
        let slots: Vec<_> = world.setting.slots.keys().copied().collect();
        let slot = slots[world.draws.below(slots.len() as u32) as usize];
        world.time.at(at, Happening::Recycle { slot });
    }
    for by in [Pauser::Person, Pauser::Disk] {
        if world.draws.chance(0.2) {
            let at = world.between(0, until);
            let lasts = world.between(100, 40_000);
            let drain = world.draws.chance(0.5);
            world.time.at(at, Happening::Pause { by, drain });
            world.time.at(at + lasts, Happening::GoOn { by });
        }
    }
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
            Happening::Disk { full } => {
                world.disk_full = full;
                if full {
                    world.seen.count("the disk was full");
                }
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
            Happening::Pause { by, drain } => {
                world.paused.retain(|(pauser, _)| *pauser != by);
                world.paused.push((by, drain));
                self.wake(world, None, Wake::Event(Event::Pause { by, drain, why: String::new() }))
                    .await
            }
            Happening::GoOn { by } => {
                world.paused.retain(|(pauser, _)| *pauser != by);
                self.wake(world, None, Wake::Event(Event::GoOn { by })).await
            }
            Happening::Person if self.ended => Ok(()),
            Happening::Person => self.person(world).await,
            Happening::Calm => {
                world.faults = Faults::default();
                world.disk_full = false;
                Ok(())
            }
        }
    }

    async fn boot(&mut self, world: &mut World) -> Result<(), Violation> {
        if self.desk.is_some() || self.ended {
            return Ok(());
        }
        if world.disk_full {
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
            Err(Halt::Died) => self.fall(world, scheduler),
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
            Err(Halt::Died) => {
                self.fall(world, number);
                Ok(())
            }
        }
    }

    pub(super) fn fall(&mut self, world: &mut World, scheduler: u32) {
        world.note(|| format!("scheduler {scheduler} dies"));
        self.desk = None;
        if world.draws.chance(world.faults.power) {
            world.black_out();
        }
        world.abandon(scheduler);
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
        if let Some(open) = rows.find(|(_, row)| finish == Finish::Done && !row.has_ended()) {
            return Err(Violation::new("every job comes to an end", format!("{open:?}")));
        }
        self.desk = None;
        world.abandon(number);
        let is_over = match finish {
            Finish::Done => true,
            Finish::Left { .. } => world.is_over(),
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
