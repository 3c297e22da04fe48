//! What people do to a run, and to a study without one: through the store, as `augreg` does.

use augreg_spec::random::Stream;

use super::desk::{Desk, Wake};
use super::play::Play;
use super::witness::Violation;
use super::world::{Happening, World};
use crate::core::Event;

/// Who does it: the audit must know.
pub(super) const BY: &str = "by ada on a simulated host";

/// What a person does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Deed {
    /// Cancels a job.
    Cancel,
    /// Has a job tried again.
    Retry,
    /// Stops the run; or ends it at once.
    Stop { at_once: bool },
    /// Pauses the study, a sweep that asks for all jobs of the schedule, or one that asks for half.
    Pause { what: Scope, drain: bool },
    /// Ends such a pause.
    GoOn { what: Scope },
}

/// What a pause is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Study,
    All,
    Half,
}

impl Scope {
    pub(super) const EVERY: [Self; 3] = [Self::Study, Self::All, Self::Half];

    fn name(self, sweep: &str) -> Option<String> {
        match self {
            Self::Study => None,
            Self::All => Some(sweep.to_owned()),
            Self::Half => Some(half_of(sweep)),
        }
    }
}

/// The name of the sweep that asks for half of the jobs of another.
pub(super) fn half_of(sweep: &str) -> String {
    format!("half of {sweep}")
}

impl Deed {
    pub(super) fn draw(draws: &mut Stream) -> Self {
        match draws.below(8) {
            0..=2 => Self::Cancel,
            3..=5 => Self::Retry,
            6 => Self::Stop { at_once: false },
            _ => Self::Stop { at_once: true },
        }
    }
}

impl Play {
    pub(super) async fn person(&mut self, world: &mut World, deed: Deed) -> Result<(), Violation> {
        if let Deed::Stop { at_once } = deed {
            return self.stop(world, at_once).await;
        }
        if !world.disk.takes_rows() {
            world.time.after(1000, Happening::Person(deed));
            return Ok(());
        }
        match deed {
            Deed::Stop { .. } => {}
            Deed::Cancel => self.cancel(world).await?,
            Deed::Retry => self.retry(world).await?,
            // Nobody would end it.
            Deed::Pause { .. } if world.calm => {}
            Deed::Pause { what, drain } => {
                world.seen.count(match what {
                    Scope::Study => "a person paused the study",
                    Scope::All | Scope::Half => "a person paused a sweep",
                });
                let name = what.name(&world.sweep);
                world.paused.push(what);
                let done = world.store.pause(name.as_deref(), drain, BY).await;
                done.map_err(|e| Violation::new("a study can be paused", e))?;
            }
            Deed::GoOn { what } => world.unpause(what).await?,
        }
        world.asked = true;
        world.look().await.map(drop)
    }

    async fn stop(&mut self, world: &mut World, at_once: bool) -> Result<(), Violation> {
        let Some(desk) = &self.desk else { return Ok(()) };
        if at_once && desk.is_stalled() {
            let number = desk.number;
            return self.fall(world, number).await;
        }
        let (what, event) = if at_once {
            ("a person ended a run at once", Event::StopNow)
        } else {
            ("a person stopped a run", Event::Stop)
        };
        world.seen.count(what);
        self.wake(world, None, Wake::Event(event)).await
    }

    async fn cancel(&self, world: &mut World) -> Result<(), Violation> {
        let broken = |e| Violation::new("jobs can be cancelled", e);
        let job = world.any_job();
        let asked = world.store.request_cancel(&[job], BY).await.map_err(broken)?;
        if self.desk.is_some() {
            for _ in asked {
                world.seen.count("a person had a job cancelled");
            }
            return Ok(());
        }
        let done = world.store.set_cancelled(&asked, "asked for by `augreg cancel`").await;
        for _ in done.map_err(broken)? {
            world.seen.count("a person cancelled a job without a run");
        }
        Ok(())
    }

    async fn retry(&self, world: &mut World) -> Result<(), Violation> {
        let job = world.any_job();
        let moved = world.store.requeue_failed(&[job], BY).await;
        for id in moved.map_err(|e| Violation::new("jobs can be requeued", e))? {
            world.deeds.job_mut(id).requeued += 1;
            if self.desk.as_ref().is_some_and(Desk::is_up) {
                world.seen.count("a person had a job tried again beside a run");
                world.beside.insert(id);
            } else {
                world.seen.count("a person had a job tried again");
            }
        }
        Ok(())
    }
}

impl World {
    fn any_job(&mut self) -> augreg_spec::JobId {
        let ids = self.deeds.ids();
        ids[self.draws.below(ids.len() as u32) as usize]
    }

    /// Lets go on what a person paused, if anything.
    pub(super) async fn unpause(&mut self, what: Scope) -> Result<(), Violation> {
        if !self.paused.contains(&what) {
            return Ok(());
        }
        self.paused.retain(|paused| *paused != what);
        let name = what.name(&self.sweep);
        let done = self.store.unpause(name.as_deref(), BY).await;
        done.map(drop).map_err(|e| Violation::new("a pause can be ended", e))
    }
}
