//! Jobs that wait for others.

use augreg_protocol::{FailureKind, JobState};

use super::{Bench, SLOT, failed, gone, id, job, key};
use crate::core::{Action, AttemptEnd, Event, Finish, NewJob};

pub(super) fn child(name: &str, parent: &str) -> NewJob {
    NewJob { parent: Some(id(parent)), flops: 100.0, ..job(name) }
}

fn family() -> Bench {
    let mut bench = Bench::new(1);
    bench.send(Event::JobsAdded(vec![child("grandchild", "child"), child("child", "a"), job("a")]));
    let actions = bench.send(Event::WorkerReady { slot: SLOT });
    assert_eq!(actions, [Action::Assign { slot: SLOT, attempt: key("a", 1) }]);
    bench
}

#[test]
fn a_job_is_released_the_moment_its_parent_succeeds() {
    let mut bench = family();
    assert_eq!((bench.core.counts().waiting, bench.core.counts().queued), (2, 0));
    for (parent, next) in [("a", "child"), ("child", "grandchild")] {
        let actions = bench.end(key(parent, 1), AttemptEnd::Succeeded);
        let released = Action::SetJobState { job: id(next), state: JobState::Queued };
        assert_eq!(actions.last(), Some(&released));
        let actions = bench.send(Event::WorkerFree { slot: SLOT });
        assert_eq!(actions, [Action::Assign { slot: SLOT, attempt: key(next, 1) }]);
    }
    bench.end(key("grandchild", 1), AttemptEnd::Succeeded);
    assert_eq!(bench.send(gone(SLOT)), [Action::Finish(Finish::Done)]);
}

#[test]
fn a_run_is_not_over_as_long_as_more_jobs_are_expected() {
    let mut bench = Bench::new(1);
    bench.send(Event::Expect { more: true });
    bench.send(Event::JobsAdded(vec![job("a")]));
    bench.send(Event::WorkerReady { slot: SLOT });
    bench.end(key("a", 1), AttemptEnd::Succeeded);
    assert_eq!(bench.send(Event::WorkerFree { slot: SLOT }), [], "the worker is kept");
    let actions = bench.send(Event::JobsAdded(vec![job("b")]));
    assert_eq!(actions, [Action::Assign { slot: SLOT, attempt: key("b", 1) }]);
    bench.send(Event::Expect { more: false });
    bench.end(key("b", 1), AttemptEnd::Succeeded);
    assert_eq!(bench.send(gone(SLOT)), [Action::Finish(Finish::Done)]);
}

#[test]
fn a_run_that_expects_more_leaves_jobs_that_cannot_be_run_all_the_same() {
    let mut bench = family();
    bench.send(Event::Expect { more: true });
    bench.end(key("a", 1), failed(FailureKind::Diverged));
    let finish = Finish::Left { unfit: 0, waiting: 2 };
    assert_eq!(bench.send(gone(SLOT)), [Action::Finish(finish)]);
}

/// Somebody retries it while the run goes on with others.
#[test]
fn a_failed_parent_that_is_tried_again_releases_who_waits_and_counts_once() {
    let mut bench = family();
    bench.send(Event::JobsAdded(vec![job("b")]));
    bench.end(key("a", 1), failed(FailureKind::Diverged));
    assert_eq!(bench.core.counts().failed, 1);
    let mut actions = bench.send(Event::JobsAdded(vec![NewJob { attempts: 1, ..job("a") }]));
    let counts = bench.core.counts();
    assert_eq!((counts.failed, counts.queued, counts.waiting), (0, 2, 2));
    actions.extend(bench.send(Event::WorkerFree { slot: SLOT }));
    let mut run = Vec::new();
    while let Some(Action::Assign { attempt, .. }) = actions.last() {
        let attempt = *attempt;
        run.push(attempt);
        bench.end(attempt, AttemptEnd::Succeeded);
        actions = bench.send(Event::WorkerFree { slot: SLOT });
    }
    for attempt in [key("a", 2), key("b", 1), key("child", 1), key("grandchild", 1)] {
        assert!(run.contains(&attempt), "{run:?}");
    }
    let counts = bench.core.counts();
    assert_eq!((counts.succeeded, counts.failed, run.len()), (4, 0, 4));
    assert_eq!(bench.send(gone(SLOT)), [Action::Finish(Finish::Done)]);
}

#[test]
fn jobs_whose_parent_failed_go_on_waiting_and_the_run_ends() {
    let mut bench = family();
    let end = failed(FailureKind::Diverged);
    let told = bench.told(Event::AttemptEnded { attempt: key("a", 1), end });
    let left = told.iter().find(|(what, _)| *what == "left-waiting").expect("it is told");
    assert!(left.1.contains(&format!("`augreg retry {}`", id("a"))), "{left:?}");
    let finish = Finish::Left { unfit: 0, waiting: 2 };
    assert_eq!(bench.send(gone(SLOT)), [Action::Finish(finish)]);
}

#[test]
fn a_cancelled_parent_releases_nobody_and_a_waiting_job_can_be_cancelled() {
    let mut bench = Bench::new(1);
    let jobs = vec![job("a"), child("b", "a"), child("c", "b")];
    bench.send(Event::JobsAdded(jobs));
    let cancelled = |name| Action::SetJobState { job: id(name), state: JobState::Cancelled };
    assert_eq!(bench.send(Event::Cancel { job: id("b") }), [cancelled("b")]);
    assert_eq!(bench.send(Event::Cancel { job: id("a") })[0], cancelled("a"));
    assert_eq!((bench.core.counts().waiting, bench.core.counts().cancelled), (1, 2));
}

#[test]
fn a_job_whose_parent_belongs_to_another_run_is_told_of_once_and_keeps_nobody() {
    let mut bench = Bench::new(1);
    let told = bench.told(Event::JobsAdded(vec![child("b", "elsewhere"), child("c", "elsewhere")]));
    assert!(told[0].1.contains("1 more likewise"), "{told:?}");
    assert_eq!(told.last().map(|(what, _)| *what), Some("finished"));
}
