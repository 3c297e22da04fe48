//! A fault that fails every job at once.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use augreg_protocol::FailureKind;

use super::{Bench, failed};
use crate::core::{Action, AttemptEnd, Event, Finish};

/// What a storm came to.
#[derive(Debug, Default)]
struct Storm {
    attempts: u32,
    finish: Option<Finish>,
    told: Vec<&'static str>,
    took: Duration,
    queued: usize,
}

/// Plays so many jobs on eight slots whose attempts end as `end` says by their number.
fn storm(jobs: u32, end: impl Fn(u32) -> AttemptEnd) -> Storm {
    let began = Instant::now();
    let mut bench = Bench::new(8);
    let new = |i: u32| super::job(&i.to_string());
    let mut todo = VecDeque::from([Event::JobsAdded((0..jobs).map(new).collect())]);
    let mut storm = Storm::default();
    while storm.finish.is_none() {
        let event = todo.pop_front().unwrap_or_else(|| {
            bench.now = bench.now + Duration::from_millis(100);
            Event::Tick
        });
        for action in bench.core.handle(bench.now, event) {
            match action {
                Action::StartWorker { slot } => todo.push_back(Event::WorkerReady { slot }),
                Action::Assign { slot, attempt } => {
                    storm.attempts += 1;
                    todo.push_back(Event::AttemptEnded { attempt, end: end(storm.attempts) });
                    todo.push_back(Event::WorkerFree { slot });
                }
                Action::StopWorker { slot } | Action::KillWorker { slot, .. } => {
                    todo.push_back(super::gone(slot));
                }
                Action::Audit { what, job: None, .. } => storm.told.push(what),
                Action::Finish(finish) => storm.finish = Some(finish),
                _ => {}
            }
        }
    }
    storm.took = began.elapsed();
    storm.queued = bench.core.counts().queued;
    storm
}

#[test]
fn a_hundred_thousand_jobs_that_all_fail_alike_are_not_all_failed() {
    let storm = storm(100_000, |_| failed(FailureKind::Bug));
    assert!(matches!(&storm.finish, Some(Finish::AllFail(why)) if why.contains("it broke")));
    assert!(storm.attempts < 60, "{storm:?}");
    assert!(storm.queued > 99_900, "{storm:?}");
    assert_eq!(storm.told, ["slowed-down", "gave-up", "finished"]);
}

#[test]
fn a_fault_that_passes_costs_no_more_than_trials() {
    let storm = storm(1000, |n| match n {
        1..=36 => failed(FailureKind::Data),
        _ => AttemptEnd::Succeeded,
    });
    assert_eq!(storm.finish, Some(Finish::Done));
    assert_eq!(storm.told, ["slowed-down", "sped-up", "finished"]);
}

#[test]
fn jobs_that_fail_each_in_their_own_way_come_to_their_ends_in_linear_time() {
    let broken = |n: u32| AttemptEnd::Failed {
        kind: FailureKind::Bug,
        message: format!("it broke in way {n}"),
    };
    let small = storm(10_000, broken);
    let large = storm(100_000, broken);
    for (storm, jobs) in [(&small, 10_000), (&large, 100_000)] {
        assert_eq!((storm.attempts, storm.queued), (2 * jobs, 0), "one retry each");
        assert_eq!(storm.finish, Some(Finish::Done));
    }
    let ratio = large.took.as_secs_f64() / small.took.as_secs_f64();
    eprintln!("10,000 jobs in {:?}, 100,000 in {:?}: {ratio:.1} times", small.took, large.took);
    assert!(ratio < 30.0, "ten times the jobs take {ratio:.1} times as long");
}
