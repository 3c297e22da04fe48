//! Tests of the core: every rule by itself, and what holds whatever happens.

mod ahead;
mod cost;
mod dependencies;
mod elsewhere;
mod late;
mod laws;
mod pauses;
mod properties;
mod recycling;
mod retries;
mod slots;
mod storms;
mod workers;

use std::time::Duration;

use augreg_executor::SlotId;
use augreg_protocol::{AttemptKey, FailureKind, JobState};
use augreg_spec::JobId;

use super::{Action, AttemptEnd, Core, Event, Millis, Needs, NewJob, Offer, Policy};

const SLOT: SlotId = SlotId(0);

fn policy() -> Policy {
    Policy { ahead: Duration::ZERO, ..Policy::default() }
}

fn id(name: &str) -> JobId {
    JobId::of(name)
}

fn job(name: &str) -> NewJob {
    NewJob {
        id: id(name),
        priority: 0,
        flops: 1.0,
        parent: None,
        needs: Needs::default(),
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
///
/// Nothing is handed out ahead of time unless a test is about that: attempts here take no time.
struct Bench {
    core: Core,
    now: Millis,
}

impl Bench {
    fn new(slots: u32) -> Self {
        let slots = (0..slots).map(|slot| (SlotId(slot), Offer::default()));
        Self { core: Core::new(policy(), slots), now: Millis(0) }
    }

    /// Slots with so many GPUs each, their workers up if `jobs` call for them.
    fn with(gpus: &[u32], jobs: Vec<NewJob>) -> (Self, Vec<Action>) {
        let offer = |gpus| Offer { gpus, memory: None };
        let slots = (0..).map(SlotId).zip(gpus.iter().copied().map(offer));
        let mut bench = Self { core: Core::new(policy(), slots), now: Millis(0) };
        let mut done = Vec::new();
        for action in bench.send(Event::JobsAdded(jobs)) {
            match action {
                Action::StartWorker { slot } => {
                    done.extend(bench.send(Event::WorkerReady { slot }));
                }
                other => done.push(other),
            }
        }
        (bench, done)
    }

    /// What is audited beside what is done.
    fn told(&mut self, event: Event) -> Vec<(&'static str, String)> {
        let audits = self.core.handle(self.now, event).into_iter();
        let audit = |action| match action {
            Action::Audit { what, reason, .. } => Some((what, reason)),
            _ => None,
        };
        audits.filter_map(audit).collect()
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

    /// Lets time pass as it does in life: from tick to tick.
    fn after(&mut self, pause: Duration) -> Vec<Action> {
        let (mut left, mut actions) = (pause, Vec::new());
        while !left.is_zero() {
            let step = left.min(Duration::from_secs(20));
            left -= step;
            self.now = self.now + step;
            actions.extend(self.send(Event::Tick));
        }
        actions
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
