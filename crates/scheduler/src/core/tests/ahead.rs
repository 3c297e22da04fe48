//! Handing out ahead of time.

use std::time::Duration;

use augreg_executor::SlotId;
use augreg_protocol::{AttemptKey, FailureKind, JobState};

use super::{Bench, SLOT, failed, gone, id, job};
use crate::core::{Action, AttemptEnd, Core, Event, Millis, NewJob, Offer, Policy};

/// So many jobs on so many slots whose workers are up and busy.
fn bench(slots: u32, jobs: u32) -> (Bench, Vec<(SlotId, AttemptKey)>) {
    let offers = (0..slots).map(|slot| (SlotId(slot), Offer::default()));
    let mut bench = Bench { core: Core::new(Policy::default(), offers), now: Millis(0) };
    let jobs = (0..jobs).map(|at| job(&at.to_string())).collect();
    bench.send(Event::JobsAdded(jobs));
    let up = (0..slots)
        .flat_map(|slot| assigned(&bench.send(Event::WorkerReady { slot: SlotId(slot) })));
    let up = up.collect();
    (bench, up)
}

fn assigned(actions: &[Action]) -> Vec<(SlotId, AttemptKey)> {
    let assigned = |action: &Action| match action {
        Action::Assign { slot, attempt } => Some((*slot, *attempt)),
        _ => None,
    };
    actions.iter().filter_map(assigned).collect()
}

/// The worker ends its attempt so much later and says so.
fn finish(bench: &mut Bench, slot: SlotId, attempt: AttemptKey, later: u64) -> Vec<Action> {
    bench.now = bench.now + Duration::from_millis(later);
    let mut actions = bench.end(attempt, AttemptEnd::Succeeded);
    actions.extend(bench.send(Event::WorkerFree { slot }));
    actions
}

#[test]
fn a_worker_that_takes_milliseconds_is_handed_more_and_one_that_takes_longer_is_not() {
    let (mut slow, up) = bench(1, 100);
    assert_eq!(assigned(&finish(&mut slow, SLOT, up[0].1, 60)).len(), 1);
    let (mut fast, up) = bench(1, 100);
    let handed = assigned(&finish(&mut fast, SLOT, up[0].1, 2));
    assert_eq!(handed.len(), 1 + 12, "one, and 25 ms of work");

    // It takes them up one after the other, and is given more when half of them are left.
    let mut more = Vec::new();
    for (_, attempt) in &handed {
        more = assigned(&finish(&mut fast, SLOT, *attempt, 2));
        if !more.is_empty() {
            break;
        }
    }
    assert!(more.len() >= 6, "{more:?}");
}

#[test]
fn each_slot_is_handed_its_share_only() {
    let (mut bench, up) = bench(4, 12);
    let handed = assigned(&finish(&mut bench, up[0].0, up[0].1, 1));
    assert_eq!(handed.len(), 2, "of the eight that are left, a fourth");
}

#[test]
fn a_longer_job_is_not_handed_out_ahead_of_time() {
    let offers = [(SLOT, Offer::default())];
    let mut bench = Bench { core: Core::new(Policy::default(), offers), now: Millis(0) };
    let long = |name| NewJob { flops: 1e15, ..job(name) };
    let jobs = vec![NewJob { priority: 1, ..job("short") }, long("long"), long("long too")];
    bench.send(Event::JobsAdded(jobs));
    let first = assigned(&bench.send(Event::WorkerReady { slot: SLOT }))[0].1;
    assert_eq!(first.job, id("short"));
    bench.now = Millis(1);
    assert_eq!(assigned(&bench.end(first, AttemptEnd::Succeeded)), []);
    assert_eq!(assigned(&bench.send(Event::WorkerFree { slot: SLOT })).len(), 1);
}

#[test]
fn a_failure_ends_the_handing_ahead() {
    let (mut bench, up) = bench(1, 100);
    bench.now = Millis(1);
    bench.end(up[0].1, failed(FailureKind::Diverged));
    assert_eq!(assigned(&bench.send(Event::WorkerFree { slot: SLOT })).len(), 1);
}

#[test]
fn what_a_worker_had_not_come_to_when_it_died_costs_its_jobs_nothing() {
    let (mut bench, up) = bench(1, 9);
    let handed = assigned(&finish(&mut bench, SLOT, up[0].1, 1));
    assert_eq!(handed.len(), 8);
    let actions = bench.send(gone(SLOT));
    let ends: Vec<_> = actions
        .iter()
        .filter_map(|action| match action {
            Action::EndAttempt { attempt, end } => Some((*attempt, end.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(ends.len(), 8);
    let lost = |end: &AttemptEnd| matches!(end, AttemptEnd::Failed { kind: FailureKind::Lost, .. });
    assert!(ends[0].0 == handed[0].1 && lost(&ends[0].1), "the one it was at is lost");
    assert!(ends[1..].iter().all(|(_, end)| *end == AttemptEnd::Stopped), "{ends:?}");
    assert_eq!(bench.core.counts().queued, 8);
    // They wait for nothing.
    let first = assigned(&bench.send(Event::WorkerReady { slot: SLOT }));
    assert_eq!(first[0].1, AttemptKey { number: 2, ..first[0].1 });
}

#[test]
fn a_job_that_is_cancelled_before_its_turn_is_cancelled_when_its_worker_has_left() {
    let (mut bench, up) = bench(1, 9);
    let handed = assigned(&finish(&mut bench, SLOT, up[0].1, 1));
    let job = handed[5].1.job;
    assert_eq!(bench.send(Event::Cancel { job }), [Action::StopWorker { slot: SLOT }]);
    bench.end(handed[0].1, AttemptEnd::Stopped);
    let actions = bench.send(gone(SLOT));
    assert!(actions.contains(&Action::SetJobState { job, state: JobState::Cancelled }));
    assert_eq!(bench.core.counts().cancelled, 1);
}
