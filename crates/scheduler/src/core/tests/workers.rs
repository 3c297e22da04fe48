//! What becomes of workers: starting, hanging, dying, leaving.

use std::time::Duration;

use augreg_executor::SlotId;
use augreg_protocol::{AttemptKey, FailureKind, JobState};

use super::{Bench, SLOT, gone, id, job, key, message, state};
use crate::core::{Action, AttemptEnd, Event, Finish, Millis, NewJob, Policy};

#[test]
fn only_as_many_workers_start_as_there_are_jobs() {
    let mut bench = Bench::new(4);
    let start = |slot| Action::StartWorker { slot: SlotId(slot) };
    let jobs = vec![job("a"), job("b")];
    assert_eq!(bench.send(Event::JobsAdded(jobs)), [start(0), start(1)]);
    assert_eq!(bench.send(Event::JobsAdded(vec![job("b"), job("c")])), [start(2)]);
}

#[test]
fn a_worker_taken_by_lack_of_memory_says_so() {
    let mut bench = Bench::busy();
    let why = "killed by signal 9".to_owned();
    let actions = bench.send(Event::WorkerGone { slot: SLOT, why, out_of_memory: true });
    assert_eq!(message(&actions).0, FailureKind::OutOfMemory);
}

#[test]
fn a_worker_without_heartbeat_is_killed_and_its_job_retried() {
    let mut bench = Bench::busy();
    let almost = Policy::default().heartbeat_timeout.saturating_sub(Duration::from_secs(1));
    assert_eq!(bench.after(almost), []);
    bench.send(Event::Beat { attempt: key("a", 1), step: 1 });
    assert_eq!(bench.after(almost), []);
    let actions = bench.after(Duration::from_secs(1));
    assert!(matches!(&actions[..], [Action::KillWorker { .. }]), "{actions:?}");
    assert_eq!(bench.after(Duration::from_millis(1)), [], "killed once");
    let actions = bench.send(gone(SLOT));
    assert_eq!(message(&actions).0, FailureKind::Timeout);
    assert_eq!(state(&actions), Some(JobState::Queued));
    assert_eq!(bench.next_attempt(), key("a", 2));
}

#[test]
fn a_worker_that_beats_but_makes_no_step_is_killed() {
    let mut bench = Bench::busy();
    let policy = Policy::default();
    let mut waited = Duration::ZERO;
    let actions = loop {
        bench.send(Event::Beat { attempt: key("a", 1), step: 3 });
        let actions = bench.after(Duration::from_mins(1));
        waited += Duration::from_mins(1);
        if !actions.is_empty() {
            break actions;
        }
        assert!(waited < policy.step_timeout * 2);
    };
    assert!(waited >= policy.step_timeout);
    assert!(
        matches!(&actions[..], [Action::KillWorker { why, .. }] if why.contains("no step")),
        "{actions:?}"
    );
}

#[test]
fn a_worker_that_cannot_be_killed_loses_its_slot_not_the_run() {
    let mut bench = Bench::new(2);
    bench.send(Event::JobsAdded(vec![job("a")]));
    bench.send(Event::WorkerReady { slot: SLOT });
    let policy = Policy::default();
    bench.after(policy.heartbeat_timeout);
    let actions = bench.after(policy.kill_grace);
    assert_eq!(state(&actions), Some(JobState::Queued));
    assert_eq!(bench.next_attempt(), key("a", 2));
    assert_eq!(bench.send(gone(SLOT)), [], "the slot stays out");
}

#[test]
fn a_worker_that_never_says_hello_costs_its_slot_then_the_run() {
    let mut bench = Bench::new(2);
    let mut actions = bench.send(Event::JobsAdded(vec![job("a"), job("b")]));
    let mut starts = Vec::new();
    for _ in 0..100 {
        while let Some(action) = actions.pop() {
            match action {
                Action::StartWorker { slot } => {
                    starts.push(slot);
                    let why = "cannot open libtorch".to_owned();
                    let gone = Event::WorkerGone { slot, why, out_of_memory: false };
                    actions.extend(bench.send(gone));
                }
                Action::Finish(Finish::GaveUp(why)) => {
                    assert!(why.contains("before its hello: cannot open libtorch"), "{why}");
                    assert_eq!(starts.iter().filter(|slot| **slot == SLOT).count(), 3);
                    assert_eq!(starts.len(), 6);
                    assert_eq!(bench.core.counts().queued, 2);
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
        actions = bench.after(Duration::from_secs(1));
    }
    panic!("the run never gave up");
}

#[test]
fn a_slot_without_worker_does_not_keep_the_others_from_work() {
    let mut bench = Bench::new(2);
    bench.send(Event::JobsAdded(vec![job("a"), job("b"), job("c")]));
    for _ in 0..3 {
        let why = "the disk is full".to_owned();
        bench.send(Event::StartFailed { slot: SlotId(1), why, hopeless: false });
        bench.after(Duration::from_secs(2));
    }
    for _ in 0..2 {
        let mut actions = bench.send(Event::WorkerReady { slot: SLOT });
        while let Some(Action::Assign { attempt, .. }) = actions.pop() {
            bench.end(attempt, AttemptEnd::Succeeded);
            actions = bench.send(Event::WorkerFree { slot: SLOT });
        }
    }
    assert_eq!(bench.core.counts().succeeded, 3);
}

#[test]
fn a_missing_binary_ends_the_run_and_lets_running_workers_leave() {
    let mut bench = Bench::new(2);
    bench.send(Event::JobsAdded(vec![job("a"), job("b")]));
    bench.send(Event::WorkerReady { slot: SLOT });
    let why = "no such file".to_owned();
    let actions =
        bench.send(Event::StartFailed { slot: SlotId(1), why: why.clone(), hopeless: true });
    assert_eq!(actions, [Action::StopWorker { slot: SLOT }]);
    let first = bench_first(&["a", "b"]);
    let actions = bench.end(first, AttemptEnd::Stopped);
    assert_eq!(state(&actions), Some(JobState::Queued));
    assert_eq!(bench.send(gone(SLOT)), [Action::Finish(Finish::GaveUp(why))]);
    assert_eq!(bench.core.counts().queued, 2);
}

fn bench_first(names: &[&str]) -> AttemptKey {
    AttemptKey { job: names.iter().map(|name| id(name)).min().expect("not empty"), number: 1 }
}

#[test]
fn stopping_lets_workers_leave_and_queues_their_jobs() {
    let mut bench = Bench::new(3);
    bench.send(Event::JobsAdded(vec![job("a"), job("b"), job("c")]));
    bench.send(Event::WorkerReady { slot: SLOT });
    bench.send(Event::WorkerReady { slot: SlotId(1) });
    let actions = bench.send(Event::Stop);
    assert!(
        matches!(
            &actions[..],
            [Action::StopWorker { .. }, Action::StopWorker { .. }, Action::KillWorker { slot, .. }]
                if *slot == SlotId(2)
        ),
        "one has not said hello: {actions:?}"
    );
    bench.send(gone(SlotId(2)));
    let mut order = ["a", "b", "c"].map(id);
    order.sort();
    let first = AttemptKey { job: order[0], number: 1 };
    assert_eq!(state(&bench.end(first, AttemptEnd::Stopped)), Some(JobState::Queued));
    bench.send(gone(SLOT));

    let actions = bench.after(Policy::default().stop_grace);
    assert!(matches!(&actions[..], [Action::KillWorker { .. }]), "{actions:?}");
    let actions = bench.send(gone(SlotId(1)));
    assert_eq!(message(&actions).0, FailureKind::Preempted);
    assert_eq!(actions.last(), Some(&Action::Finish(Finish::Stopped)));
    assert_eq!((bench.core.counts().queued, bench.core.counts().running), (3, 0));
}

#[test]
fn stopping_at_once_kills() {
    let mut bench = Bench::busy();
    bench.send(Event::Stop);
    let actions = bench.send(Event::StopNow);
    assert!(matches!(&actions[..], [Action::KillWorker { .. }]), "{actions:?}");
    assert_eq!(bench.send(gone(SLOT)).last(), Some(&Action::Finish(Finish::Stopped)));
}

#[test]
fn stopping_does_not_wait_forever_for_an_attempt_left_behind_and_leaves_it_running() {
    let mut bench = Bench::new(1);
    bench.send(Event::JobsAdded(vec![NewJob { attempts: 1, live: true, ..job("a") }]));
    assert_eq!(bench.send(Event::Stop), []);
    let almost = Policy::default().stop_grace.saturating_sub(Duration::from_millis(1));
    assert_eq!(bench.after(almost), []);
    assert_eq!(bench.after(Duration::from_millis(1)), [Action::Finish(Finish::Stopped)]);
    assert_eq!(bench.core.orphans(), [key("a", 1)]);
}

/// Seeds 10106, 133769 and 114274 of the simulator, before this held.
#[test]
fn what_an_attempt_achieved_counts_though_its_worker_is_over_its_time_or_the_run_is_over() {
    let mut bench = Bench::busy();
    bench.send(Event::StopNow);
    bench.now = bench.now + 2 * Policy::default().kill_grace;
    let journal_first = bench.send(Event::Checkpointed { attempt: key("a", 1), step: 1 });
    assert_eq!(journal_first, [], "time is for ticks");
    let actions = bench.end(key("a", 1), AttemptEnd::Succeeded);
    let state = Action::SetJobState { job: id("a"), state: JobState::Succeeded };
    assert!(actions.contains(&state), "{actions:?}");

    let mut bench = Bench::busy();
    bench.send(Event::StopNow);
    let actions = bench.after(2 * Policy::default().kill_grace);
    assert!(matches!(actions.last(), Some(Action::Finish(_))), "{actions:?}");
    let late = bench.send(Event::FinishedLate { attempt: key("a", 1) });
    assert_eq!(late, [state]);
    let told = bench.told(Event::AttemptEnded { attempt: key("a", 1), end: AttemptEnd::Stopped });
    assert_eq!(told[0].0, "ignored", "every end that the journal tells of is explained");
    assert_eq!(bench.send(Event::JobsAdded(vec![job("b")])), [], "nothing is begun");
}

/// Seed 86948 of the simulator: the hello of an earlier worker came late.
#[test]
fn a_worker_that_is_refused_after_it_was_given_an_attempt_is_no_worker() {
    let mut bench = Bench::busy();
    let why = "it is of version 9".to_owned();
    let refused = Event::StartFailed { slot: SLOT, why: why.clone(), hopeless: true };
    let actions = bench.send(refused);
    assert!(
        matches!(&actions[..], [Action::EndAttempt { .. }, Action::SetJobState { .. }, Action::Finish(Finish::GaveUp(said))] if *said == why),
        "{actions:?}"
    );
}

#[test]
fn a_clock_that_jumps_back_times_nobody_out() {
    let mut bench = Bench::busy();
    bench.now = Millis(1_000_000);
    bench.send(Event::Beat { attempt: key("a", 1), step: 1 });
    bench.now = Millis(5);
    assert_eq!(bench.after(Duration::from_secs(1)), []);
    bench.now = Millis(1_000_000);
    assert_eq!(bench.after(Duration::from_secs(1)), []);
}

#[test]
fn a_clock_that_jumps_back_holds_neither_back_offs_nor_time_outs_up() {
    let mut bench = Bench::busy();
    bench.now = Millis(3_600_000);
    bench.send(Event::Tick);
    bench.send(gone(SLOT));
    bench.now = Millis(0);
    assert_eq!(bench.next_attempt(), key("a", 2));
    assert!(bench.now < Millis(10_000), "{:?}", bench.now);
    let actions = bench.after(Policy::default().heartbeat_timeout);
    assert!(matches!(&actions[..], [Action::KillWorker { .. }]), "{actions:?}");
}

#[test]
fn after_a_long_sleep_every_worker_gets_its_whole_time_out() {
    let mut bench = Bench::busy();
    bench.now = bench.now + Duration::from_hours(8);
    assert_eq!(bench.send(Event::Tick), []);
    let timeout = Policy::default().heartbeat_timeout;
    assert_eq!(bench.after(timeout.saturating_sub(Duration::from_secs(1))), []);
    assert_eq!(bench.after(Duration::from_secs(1)).len(), 1, "then it is killed");
}
