//! What people do to a run, and to a study without one.

use super::desk::{Desk, Wake};
use super::play::Play;
use super::witness::Violation;
use super::world::World;
use crate::core::Event;

impl Play {
    /// A person cancels a job, has one tried again, or stops the run, once or twice.
    pub(super) async fn person(&mut self, world: &mut World) -> Result<(), Violation> {
        let ids = world.deeds.ids();
        let job = ids[world.draws.below(ids.len() as u32) as usize];
        let deed = world.draws.below(4);
        let stalled = self.desk.as_ref().is_some_and(Desk::is_stalled);
        match (&self.desk, deed) {
            (Some(_), 0 | 1) => self.wake(world, None, Wake::Event(Event::Cancel { job })).await,
            (Some(_), 2) => {
                world.seen.count("a person stopped a run");
                self.wake(world, None, Wake::Event(Event::Stop)).await
            }
            (Some(desk), _) if stalled => {
                let number = desk.number;
                self.fall(world, number);
                Ok(())
            }
            (Some(_), _) => {
                world.seen.count("a person ended a run at once");
                self.wake(world, None, Wake::Event(Event::StopNow)).await
            }
            (None, 0 | 1) if !world.disk_full => {
                let done = world.store.set_cancelled(&[job], "a whim").await;
                for _ in done.map_err(|e| Violation::new("jobs can be cancelled", e))? {
                    world.seen.count("a person cancelled a job without a run");
                }
                world.look().await.map(drop)
            }
            (None, _) if !world.disk_full => {
                let done = world.store.requeue_failed(&[job], "a whim").await;
                let moved = done.map_err(|e| Violation::new("jobs can be requeued", e))?;
                for id in moved {
                    world.seen.count("a person had a job tried again");
                    world.deeds.job_mut(id).requeued += 1;
                }
                world.look().await.map(drop)
            }
            _ => Ok(()),
        }
    }
}
