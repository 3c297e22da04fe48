//! One schedule from its first happening to the end of its run.

use std::time::Duration;

use augreg_protocol::JobState;
use augreg_spec::random::{Purpose, stream};
use augreg_store::Store;

use super::desk::{Desk, Halt, Wake};
use super::faults::Faults;
use super::study::Template;
use super::witness::Violation;
use super::world::{Happening, World};
use crate::core::{Event, Finish, Pauser, Policy};

/// Milliseconds between ticks.
const TICK: u64 = 500;
/// More happenings than any schedule takes that ends.
const HAPPENINGS: u32 = 60_000;

/// How a schedule went wrong.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) violation: Violation,
    pub(super) log: String,
}

/// Plays the schedule of a seed on its sweep of `store`, a copy of the template. Keeps the last
/// `keep_log` lines of what happened for the failure.
pub(super) async fn play(
    seed: u64,
    template: &Template,
    store: &Store,
    keep_log: usize,
) -> Result<(), Failure> {
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
    let mut world = World::new(store.clone(), template.sweep(seed), draws, policy, keep_log);
    let result = to_the_end(&mut world).await;
    result.map_err(|violation| Failure { violation, log: world.log() })
}

async fn to_the_end(world: &mut World) -> Result<(), Violation> {
    world.look().await?;
    plan(world);
    let mut play = Play { desk: None, schedulers: 0, ended: false };
    for _ in 0..HAPPENINGS {
        let Some(happening) = world.time.next() else { break };
        play.happen(world, happening).await?;
        if play.ended {
            return world.witness.at_the_end(&world.deeds);
        }
    }
    let how = format!("not by {} ms: {:?}", world.time.now(), world.witness.rows);
    Err(Violation::new("every job comes to an end", how))
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

struct Play {
    desk: Option<Desk>,
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
                Ok(())
            }
            Happening::Leap { by } => {
                world.skew += by;
                Ok(())
            }
            Happening::Pause { by, drain } => {
                world.paused.retain(|(pauser, _)| *pauser != by);
                world.paused.push((by, drain));
                self.wake(world, None, Wake::Event(Event::Pause { by, drain })).await
            }
            Happening::GoOn { by } => {
                world.paused.retain(|(pauser, _)| *pauser != by);
                self.wake(world, None, Wake::Event(Event::GoOn { by })).await
            }
            Happening::Person => self.person(world).await,
            Happening::Calm => {
                world.faults = Faults::default();
                world.disk_full = false;
                Ok(())
            }
        }
    }

    async fn boot(&mut self, world: &mut World) -> Result<(), Violation> {
        if self.desk.is_some() {
            return Ok(());
        }
        if world.disk_full {
            world.time.after(1000, Happening::Boot);
            return Ok(());
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
    async fn wake(
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

    fn fall(&mut self, world: &mut World, scheduler: u32) {
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
        self.desk = None;
        if finish == Finish::Done {
            self.ended = true;
        } else {
            world.abandon(number);
        }
        Ok(())
    }

    /// A person cancels a job, has one tried again, or stops the run, once or twice.
    async fn person(&mut self, world: &mut World) -> Result<(), Violation> {
        let ids = world.deeds.ids();
        let job = ids[world.draws.below(ids.len() as u32) as usize];
        let deed = world.draws.below(4);
        let stalled = self.desk.as_ref().is_some_and(Desk::is_stalled);
        match (&self.desk, deed) {
            (Some(_), 0 | 1) => self.wake(world, None, Wake::Event(Event::Cancel { job })).await,
            (Some(_), 2) => self.wake(world, None, Wake::Event(Event::Stop)).await,
            (Some(desk), _) if stalled => {
                let number = desk.number;
                self.fall(world, number);
                Ok(())
            }
            (Some(_), _) => self.wake(world, None, Wake::Event(Event::StopNow)).await,
            (None, 0 | 1) if !world.disk_full => {
                let done = world.store.set_cancelled(&[job], "a whim").await;
                done.map_err(|e| Violation::new("jobs can be cancelled", e))?;
                world.look().await
            }
            (None, _) if !world.disk_full => {
                let done = world.store.requeue_failed(&[job], "a whim").await;
                let moved = done.map_err(|e| Violation::new("jobs can be requeued", e))?;
                for id in moved {
                    world.deeds.job_mut(id).requeued += 1;
                }
                world.look().await
            }
            _ => Ok(()),
        }
    }
}
