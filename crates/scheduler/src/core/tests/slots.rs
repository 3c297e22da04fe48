//! Which slot gets which job, and which slot gets none any more.

use std::collections::VecDeque;
use std::time::Duration;

use augreg_executor::SlotId;
use augreg_protocol::{AttemptKey, FailureKind};

use super::{Bench, SLOT, failed, gone, id, job, key};
use crate::core::{Action, AttemptEnd, Event, Finish, Needs, NewJob};

fn needing(name: &str, gpus: u32, flops: f64) -> NewJob {
    NewJob { needs: Needs { gpus, memory: 0 }, flops, ..job(name) }
}

fn assigned(actions: &[Action]) -> Vec<(u32, AttemptKey)> {
    let assigned = actions.iter().filter_map(|action| match action {
        Action::Assign { slot, attempt } => Some((slot.0, *attempt)),
        _ => None,
    });
    assigned.collect()
}

#[test]
fn a_job_goes_only_where_it_fits_and_longest_first_among_those() {
    let jobs = vec![needing("small", 0, 1.0), needing("long", 0, 5.0), needing("big", 2, 3.0)];
    let (mut bench, done) = Bench::with(&[0, 2], jobs);
    assert_eq!(assigned(&done), [(0, key("long", 1)), (1, key("big", 1))]);
    bench.end(key("big", 1), AttemptEnd::Succeeded);
    let actions = bench.send(Event::WorkerFree { slot: SlotId(1) });
    assert_eq!(assigned(&actions), [(1, key("small", 1))]);
}

#[test]
fn memory_keeps_a_job_from_a_slot_and_unknown_memory_does_not() {
    let slots = [Some(8), Some(80), None].map(|memory| crate::core::Offer { gpus: 1, memory });
    let slots: Vec<_> = (0..).map(SlotId).zip(slots).collect();
    let needs = Needs { gpus: 1, memory: 24 };
    let mut core = crate::core::Core::new(crate::core::Policy::default(), slots);
    let jobs = ["a", "b", "c"].map(|name| NewJob { needs, ..job(name) });
    let actions = core.handle(super::Millis(0), Event::JobsAdded(jobs.into()));
    let started = |slot| actions.contains(&Action::StartWorker { slot: SlotId(slot) });
    assert_eq!([0, 1, 2].map(started), [false, true, true]);
}

#[test]
fn only_workers_are_started_that_a_job_fits() {
    let (bench, _) = Bench::with(&[0, 0, 1], vec![needing("a", 1, 1.0), needing("b", 1, 1.0)]);
    assert_eq!(bench.core.counts().running, 1);
}

#[test]
fn what_fits_nowhere_is_said_once_and_does_not_keep_the_run() {
    let mut bench = Bench::new(1);
    let jobs = vec![needing("a", 8, 1.0), needing("b", 8, 1.0), job("c")];
    let told = bench.told(Event::JobsAdded(jobs));
    assert_eq!(told.len(), 1);
    assert!(told[0].1.contains("2 jobs") && told[0].1.contains("8 GPUs"), "{told:?}");
    bench.send(Event::WorkerReady { slot: SLOT });
    let told = bench.told(Event::AttemptEnded { attempt: key("c", 1), end: AttemptEnd::Succeeded });
    assert!(told.iter().all(|(what, _)| *what != "fits-nowhere"), "{told:?}");
    let finish = Finish::Left { unfit: 2, waiting: 0 };
    assert_eq!(bench.send(gone(SLOT)), [Action::Finish(finish)]);
}

#[test]
fn a_worker_that_is_recycled_finishes_its_attempt_and_another_takes_its_place() {
    let mut bench = Bench::busy();
    bench.send(Event::JobsAdded(vec![job("b")]));
    let recycle = Event::Recycle { slot: SLOT, why: "too much memory".to_owned() };
    assert_eq!(bench.send(recycle.clone()), []);
    assert_eq!(bench.send(recycle), [], "said twice");
    bench.end(key("a", 1), AttemptEnd::Succeeded);
    let actions = bench.send(Event::WorkerFree { slot: SLOT });
    assert_eq!(actions, [Action::StopWorker { slot: SLOT }]);
    assert_eq!(bench.send(gone(SLOT)), [Action::StartWorker { slot: SLOT }]);
    let actions = bench.send(Event::WorkerReady { slot: SLOT });
    assert_eq!(assigned(&actions), [(0, key("b", 1))]);
}

const JOBS: usize = 12;

/// Plays two slots of which the first fails whatever it gets, until it gets nothing more or all jobs
/// are done. Returns whether it was quarantined.
fn bad_slot(kind: FailureKind, slots: u32) -> (bool, Bench) {
    let mut bench = Bench::new(slots);
    let jobs = (0..JOBS).map(|i| job(&i.to_string())).collect();
    let mut ready: VecDeque<Event> = VecDeque::new();
    let mut quarantined = false;
    let mut todo = vec![Event::JobsAdded(jobs)];
    for _ in 0..500 {
        let event = todo.pop().or_else(|| ready.pop_front()).unwrap_or_else(|| {
            bench.now = bench.now + Duration::from_secs(1);
            Event::Tick
        });
        for action in bench.core.handle(bench.now, event) {
            match action {
                Action::StartWorker { slot } => ready.push_back(Event::WorkerReady { slot }),
                Action::Assign { slot, attempt } => {
                    let end = if slot == SLOT { failed(kind) } else { AttemptEnd::Succeeded };
                    todo.insert(0, Event::WorkerFree { slot });
                    todo.push(Event::AttemptEnded { attempt, end });
                }
                Action::StopWorker { slot } | Action::KillWorker { slot, .. } => {
                    todo.insert(0, gone(slot));
                }
                Action::Audit { what: "slot-quarantined", .. } => quarantined = true,
                _ => {}
            }
        }
    }
    (quarantined, bench)
}

#[test]
fn a_slot_that_fails_what_others_finish_is_quarantined() {
    let (quarantined, bench) = bad_slot(FailureKind::Bug, 2);
    assert!(quarantined);
    assert_eq!((bench.core.counts().succeeded, bench.core.counts().failed), (JOBS, 0));
}

#[test]
fn the_last_slot_is_never_quarantined_and_data_say_nothing_about_a_slot() {
    let (quarantined, bench) = bad_slot(FailureKind::Bug, 1);
    assert!(!quarantined && bench.core.counts().failed == JOBS);
    let (quarantined, _) = bad_slot(FailureKind::Data, 2);
    assert!(!quarantined);
}

#[test]
fn a_retry_waits_a_while_for_another_slot_and_then_takes_the_one_that_failed_it() {
    let (mut bench, _) = Bench::with(&[0, 0], vec![job("a"), job("b")]);
    let first = if id("a") < id("b") { "a" } else { "b" };
    bench.end(key(first, 1), failed(FailureKind::Bug));
    assert_eq!(bench.send(Event::WorkerFree { slot: SLOT }), []);
    assert_eq!(bench.after(Duration::from_secs(20)), [], "the other may become free");
    let actions = bench.after(Duration::from_secs(40));
    assert_eq!(assigned(&actions), [(0, key(first, 2))]);
}
