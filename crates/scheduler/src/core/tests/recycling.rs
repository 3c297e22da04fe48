//! Workers that are replaced: after so many jobs, or for the memory they hold.

use std::num::NonZeroU32;
use std::time::Duration;

use augreg_protocol::{AttemptKey, FailureKind};

use super::{Bench, SLOT, failed, gone, job, policy};
use crate::core::{Action, AttemptEnd, Core, Event, Millis, Offer, Policy};

/// One slot whose worker is up and busy with the first of so many jobs.
fn bench(policy: Policy, jobs: u32) -> (Bench, AttemptKey) {
    let mut bench = Bench { core: Core::new(policy, [(SLOT, Offer::default())]), now: Millis(0) };
    bench.send(Event::JobsAdded((0..jobs).map(|at| job(&at.to_string())).collect()));
    let up = bench.send(Event::WorkerReady { slot: SLOT });
    let first = assigned(&up)[0];
    (bench, first)
}

fn assigned(actions: &[Action]) -> Vec<AttemptKey> {
    let assigned = |action: &Action| match action {
        Action::Assign { attempt, .. } => Some(*attempt),
        _ => None,
    };
    actions.iter().filter_map(assigned).collect()
}

/// The worker ends its attempt and says so.
fn finish(bench: &mut Bench, attempt: AttemptKey, end: AttemptEnd) -> Vec<Action> {
    bench.now = bench.now + Duration::from_millis(2);
    let mut actions = bench.end(attempt, end);
    actions.extend(bench.send(Event::WorkerFree { slot: SLOT }));
    actions
}

fn after(jobs: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(jobs)
}

#[test]
fn a_worker_is_replaced_once_it_has_run_its_jobs_however_they_ended() {
    let (mut bench, first) = bench(Policy { recycle_after: after(2), ..policy() }, 5);
    let next = assigned(&finish(&mut bench, first, failed(FailureKind::Diverged)));
    assert_eq!(next.len(), 1, "it has one more to run");
    let actions = finish(&mut bench, next[0], AttemptEnd::Succeeded);
    assert_eq!(actions.last(), Some(&Action::StopWorker { slot: SLOT }), "{actions:?}");
    assert_eq!(assigned(&actions), [], "and nothing more");
    let actions = bench.send(gone(SLOT));
    assert_eq!(actions, [Action::StartWorker { slot: SLOT }], "another takes its place");

    // The other begins to count anew.
    let third = assigned(&bench.send(Event::WorkerReady { slot: SLOT }))[0];
    assert_eq!(assigned(&finish(&mut bench, third, AttemptEnd::Succeeded)).len(), 1);
}

#[test]
fn a_worker_that_leaves_to_be_replaced_costs_no_job_a_try_and_its_slot_nothing() {
    let (mut bench, mut next) = bench(Policy { recycle_after: after(1), ..policy() }, 20);
    for done in 1.. {
        let actions = finish(&mut bench, next, AttemptEnd::Succeeded);
        assert!(actions.contains(&Action::StopWorker { slot: SLOT }), "{actions:?}");
        bench.send(gone(SLOT));
        if done == 20 {
            break;
        }
        next = assigned(&bench.send(Event::WorkerReady { slot: SLOT }))[0];
        assert_eq!(next.number, 1);
    }
    assert_eq!(bench.core.counts().succeeded, 20);
}

#[test]
fn a_worker_is_handed_no_more_ahead_of_time_than_it_may_run() {
    let policy = Policy { recycle_after: after(6), ..Policy::default() };
    let (mut bench, first) = bench(policy, 100);
    let mut left = assigned(&finish(&mut bench, first, AttemptEnd::Succeeded));
    assert_eq!(left.len(), 5, "one, and four ahead of time");
    let mut ran = 1;
    loop {
        ran += 1;
        let actions = finish(&mut bench, left.remove(0), AttemptEnd::Succeeded);
        left.extend(assigned(&actions));
        if actions.contains(&Action::StopWorker { slot: SLOT }) {
            break;
        }
    }
    assert_eq!((ran, left.len()), (6, 0));
    assert_eq!(bench.core.counts().running, 0);
}

#[test]
fn a_worker_that_holds_too_much_memory_is_replaced_after_its_job_and_those_it_has_in_hand() {
    let policy = Policy { worker_memory: Some(1_000_000_000), ..Policy::default() };
    let (mut bench, first) = bench(policy, 100);
    bench.send(Event::Resident { slot: SLOT, bytes: 1_000_000_000 });
    let mut left = assigned(&finish(&mut bench, first, AttemptEnd::Succeeded));
    assert!(left.len() > 1, "it may hold as much as that, and has more in hand: {left:?}");

    let told = bench.told(Event::Resident { slot: SLOT, bytes: 2_300_000_000 });
    let (what, why) = &told[0];
    assert_eq!(*what, "worker-recycled");
    assert!(why.contains("2300 MB") && why.contains("1000 MB are allowed"), "{why}");
    while !left.is_empty() {
        let actions = finish(&mut bench, left.remove(0), AttemptEnd::Succeeded);
        assert_eq!(assigned(&actions), [], "it gets nothing more");
        assert_eq!(actions.contains(&Action::StopWorker { slot: SLOT }), left.is_empty());
    }
    assert_eq!(bench.send(gone(SLOT)), [Action::StartWorker { slot: SLOT }]);
}

#[test]
fn a_worker_that_dies_while_it_is_to_be_replaced_loses_only_what_it_was_at() {
    let policy = Policy { worker_memory: Some(1), ..Policy::default() };
    let (mut bench, first) = bench(policy, 9);
    let handed = assigned(&finish(&mut bench, first, AttemptEnd::Succeeded));
    bench.send(Event::Resident { slot: SLOT, bytes: 2 });
    assert!(handed.len() > 2);
    bench.send(gone(SLOT));
    let counts = bench.core.counts();
    assert_eq!((counts.running, counts.failed, counts.queued), (0, 0, 8));
    let again = assigned(&bench.send(Event::WorkerReady { slot: SLOT }))[0];
    assert!(again.number == 2 && again.job != handed[0].job, "that one backs off");
}

#[test]
fn without_a_limit_no_worker_is_replaced() {
    let (mut bench, mut next) = bench(policy(), 500);
    for _ in 1..500 {
        bench.send(Event::Resident { slot: SLOT, bytes: u64::MAX });
        next = assigned(&finish(&mut bench, next, AttemptEnd::Succeeded))[0];
    }
}
