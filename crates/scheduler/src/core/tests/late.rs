//! Results of attempts that were given up: they end their jobs, wherever those are by then.

use augreg_executor::SlotId;
use augreg_protocol::{AttemptKey, FailureKind, JobState};

use super::dependencies::child;
use super::{Bench, SLOT, failed, gone, id, job, key};
use crate::core::{Action, AttemptEnd, Event, NewJob};

fn set(name: &str, state: JobState) -> Action {
    Action::SetJobState { job: id(name), state }
}

fn late(name: &str, number: u32) -> Event {
    Event::FinishedLate { attempt: key(name, number) }
}

#[test]
fn a_late_result_ends_the_attempt_that_runs_and_releases_who_waits() {
    let mut bench = Bench::busy();
    bench.send(Event::JobsAdded(vec![child("b", "a")]));
    bench.send(gone(SLOT));
    assert_eq!(bench.next_attempt(), key("a", 2));
    let actions = bench.send(late("a", 1));
    let expected = [
        Action::EndAttempt { attempt: key("a", 2), end: AttemptEnd::Stopped },
        set("a", JobState::Succeeded),
        set("b", JobState::Queued),
        Action::StopWorker { slot: SLOT },
    ];
    assert_eq!(actions, expected);
    assert_eq!(bench.end(key("a", 2), AttemptEnd::Succeeded), [], "it is over");
    assert_eq!(bench.send(gone(SLOT)), [Action::StartWorker { slot: SLOT }]);
    assert_eq!(bench.core.counts().succeeded, 1);
}

#[test]
fn a_late_result_ends_a_job_that_is_queued() {
    let mut bench = Bench::busy();
    bench.send(gone(SLOT));
    assert_eq!(bench.send(late("a", 1))[0], set("a", JobState::Succeeded));
    assert_eq!(bench.core.counts().left(), 0);
}

#[test]
fn a_late_result_overrules_failure_and_cancelling() {
    // Another job keeps the run up meanwhile.
    let mut bench = Bench::new(2);
    bench.send(Event::JobsAdded(vec![NewJob { flops: 9.0, losses: 2, ..job("a") }, job("z")]));
    bench.send(Event::WorkerReady { slot: SLOT });
    bench.send(Event::WorkerReady { slot: SlotId(1) });
    bench.send(gone(SLOT));
    assert_eq!(bench.core.counts().failed, 1);
    assert_eq!(bench.send(late("a", 1)), [set("a", JobState::Succeeded)]);
    assert_eq!((bench.core.counts().failed, bench.core.counts().succeeded), (0, 1));

    let mut bench = Bench::busy();
    bench.send(Event::JobsAdded(vec![job("z")]));
    bench.send(gone(SLOT));
    bench.send(Event::Cancel { job: id("a") });
    assert_eq!(bench.core.counts().cancelled, 1);
    assert_eq!(bench.send(late("a", 1)), [set("a", JobState::Succeeded)]);
    assert_eq!((bench.core.counts().cancelled, bench.core.counts().succeeded), (0, 1));
}

#[test]
fn a_late_result_of_a_job_that_is_not_of_this_run_counts_too() {
    let mut bench = Bench::busy();
    bench.send(Event::JobsAdded(vec![child("b", "elsewhere")]));
    let expected = [set("elsewhere", JobState::Succeeded), set("b", JobState::Queued)];
    assert_eq!(bench.send(late("elsewhere", 3)), expected);
}

#[test]
fn the_result_of_a_live_attempt_is_not_late() {
    let mut bench = Bench::busy();
    let end = AttemptEnd::Succeeded;
    let expected = Action::EndAttempt { attempt: key("a", 1), end };
    assert_eq!(bench.send(late("a", 1))[0], expected);
}

#[test]
fn what_else_an_attempt_that_was_given_up_comes_to_changes_nothing() {
    let mut bench = Bench::busy();
    bench.send(gone(SLOT));
    for end in [AttemptEnd::Stopped, failed(FailureKind::Diverged)] {
        assert_eq!(bench.end(key("a", 1), end), []);
    }
    assert_eq!(bench.next_attempt(), key("a", 2));
}

#[test]
fn a_trial_that_a_late_result_ends_does_not_keep_others_from_being_tried() {
    let mut bench = Bench::new(1);
    let given_up = |n: u32| NewJob { attempts: 1, ..job(&n.to_string()) };
    bench.send(Event::JobsAdded((0..50).map(given_up).collect()));
    let first = bench.send(Event::WorkerReady { slot: SLOT }).pop();
    let Some(Action::Assign { mut attempt, .. }) = first else { panic!("{first:?}") };
    let mut told = Vec::new();
    while !told.contains(&"slowed-down") {
        let end = failed(FailureKind::Bug);
        told.extend(
            bench.told(Event::AttemptEnded { attempt, end }).into_iter().map(|told| told.0),
        );
        let next = bench.send(Event::WorkerFree { slot: SLOT }).pop();
        attempt = match next {
            Some(Action::Assign { attempt, .. }) => attempt,
            _ => bench.next_attempt(),
        };
    }
    bench.send(Event::FinishedLate { attempt: AttemptKey { number: 1, ..attempt } });
    assert_eq!(bench.send(gone(SLOT)), [Action::StartWorker { slot: SLOT }]);
    let next = match bench.send(Event::WorkerReady { slot: SLOT }).pop() {
        Some(Action::Assign { attempt, .. }) => attempt,
        _ => bench.next_attempt(),
    };
    assert_ne!(next.job, attempt.job, "the next is tried");
}
