//! Tests of the core: every rule by itself, and what holds whatever happens.

mod pauses;
mod properties;
mod retries;
mod workers;

use std::time::Duration;

use augreg_executor::SlotId;
use augreg_protocol::{AttemptKey, FailureKind, JobState};
use augreg_spec::JobId;

use super::{Action, AttemptEnd, Core, Event, Millis, NewJob, Policy};

const SLOT: SlotId = SlotId(0);

fn id(name: &str) -> JobId {
    JobId::of(name)
}

fn job(name: &str) -> NewJob {
    NewJob {
        id: id(name),
        priority: 0,
        flops: 1.0,
        attempts: 0,
        live: false,
        wanted: true,
        checkpoint: 0,
        losses: 0,
        out_of_memory: 0,
        bugs: 0,
    }
}

fn key(name: &str, number: u32) -> AttemptKey {
    AttemptKey { job: id(name), number }
}

fn failed(kind: FailureKind) -> AttemptEnd {
    AttemptEnd::Failed { kind, message: "it broke".to_owned() }
}

fn gone(slot: SlotId) -> Event {
    Event::WorkerGone { slot, why: "killed by signal 9".to_owned(), out_of_memory: false }
}

/// A core and its clock; what it decides apart from audit lines.
struct Bench {
    core: Core,
    now: Millis,
}

impl Bench {
    fn new(slots: u32) -> Self {
        Self { core: Core::new(Policy::default(), (0..slots).map(SlotId)), now: Millis(0) }
    }

    /// One slot, its worker up and busy with the first attempt of job `a`.
    fn busy() -> Self {
        let mut bench = Self::new(1);
        bench.send(Event::JobsAdded(vec![job("a")]));
        let actions = bench.send(Event::WorkerReady { slot: SLOT });
        assert_eq!(actions, [Action::Assign { slot: SLOT, attempt: key("a", 1) }]);
        bench
    }

    fn send(&mut self, event: Event) -> Vec<Action> {
        let mut actions = self.core.handle(self.now, event);
        actions.retain(|action| !matches!(action, Action::Audit { .. }));
        actions
    }

    fn after(&mut self, pause: Duration) -> Vec<Action> {
        self.now = self.now + pause;
        self.send(Event::Tick)
    }

    fn end(&mut self, attempt: AttemptKey, end: AttemptEnd) -> Vec<Action> {
        self.send(Event::AttemptEnded { attempt, end })
    }

    /// Lets back-offs pass and brings up workers until something is assigned.
    fn next_attempt(&mut self) -> AttemptKey {
        for _ in 0..100 {
            let mut actions = self.after(Duration::from_secs(1));
            while let Some(action) = actions.pop() {
                match action {
                    Action::Assign { attempt, .. } => return attempt,
                    Action::StartWorker { slot } => {
                        actions.extend(self.send(Event::WorkerReady { slot }));
                    }
                    _ => {}
                }
            }
        }
        panic!("nothing is assigned");
    }
}

fn state(actions: &[Action]) -> Option<JobState> {
    actions.iter().find_map(|action| match action {
        Action::SetJobState { state, .. } => Some(*state),
        _ => None,
    })
}

fn message(actions: &[Action]) -> (FailureKind, String) {
    let found = actions.iter().find_map(|action| match action {
        Action::EndAttempt { end: AttemptEnd::Failed { kind, message }, .. } => {
            Some((*kind, message.clone()))
        }
        _ => None,
    });
    found.expect("an attempt failed")
}
