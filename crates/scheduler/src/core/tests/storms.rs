//! A fault that fails every job at once.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use augreg_executor::SlotId;
use augreg_protocol::FailureKind;

use super::{Bench, SLOT, failed, job, policy};
use crate::core::{Action, AttemptEnd, Core, Event, Finish, Millis, Needs, NewJob, Offer};

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
    let new = |i: u32| job(&i.to_string());
    play(Bench::new(8), (0..jobs).map(new).collect(), 0, end)
}

/// As [`storm`], with so many starts of workers that fail.
fn play(
    mut bench: Bench,
    jobs: Vec<NewJob>,
    mut failing: u32,
    end: impl Fn(u32) -> AttemptEnd,
) -> Storm {
    let began = Instant::now();
    let mut todo = VecDeque::from([Event::JobsAdded(jobs)]);
    let mut storm = Storm::default();
    while storm.finish.is_none() {
        let event = todo.pop_front().unwrap_or_else(|| {
            bench.now = bench.now + Duration::from_millis(100);
            Event::Tick
        });
        for action in bench.core.handle(bench.now, event) {
            match action {
                Action::StartWorker { slot } if failing > 0 && slot != SLOT => {
                    failing -= 1;
                    let why = "not now".to_owned();
                    todo.push_back(Event::StartFailed { slot, why, hopeless: false });
                }
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

/// Seed 173469 of the simulator, before this held: an idle worker that nothing fits was taken for one
/// that tries the next job, and the run stood still for ever.
#[test]
fn after_a_storm_a_worker_is_started_for_a_job_that_the_idle_ones_cannot_run() {
    let offers = [0, 1].map(|gpus| Offer { gpus, memory: None });
    let core = Core::new(policy(), (0..).map(SlotId).zip(offers));
    let bench = Bench { core, now: Millis(0) };
    let mut jobs: Vec<_> = (0..20).map(|i| NewJob { priority: 1, ..job(&i.to_string()) }).collect();
    jobs.push(NewJob { needs: Needs { gpus: 1, memory: 0 }, ..job("on a GPU") });
    let storm = play(bench, jobs, 1, |n| match n {
        1..=40 => failed(FailureKind::Bug),
        _ => AttemptEnd::Succeeded,
    });
    assert_eq!(storm.finish, Some(Finish::Done), "{storm:?}");
}
