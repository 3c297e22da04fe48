//! What a pause holds back, and what it lets go on.

use std::time::Duration;

use augreg_executor::SlotId;
use augreg_protocol::JobState;

use super::{Bench, SLOT, gone, id, job, key, state};
use crate::core::{Action, AttemptEnd, Event, Finish, Pauser, Policy};

const PERSON: Event = Event::Pause { by: Pauser::Person, drain: false, why: String::new() };
const DRAIN: Event = Event::Pause { by: Pauser::Person, drain: true, why: String::new() };
const DISK: Event = Event::Pause { by: Pauser::Disk, drain: false, why: String::new() };

#[test]
fn a_persons_pause_lets_workers_leave_and_keeps_the_run_up() {
    let mut bench = Bench::busy();
    assert_eq!(bench.send(PERSON), [Action::StopWorker { slot: SLOT }]);
    assert_eq!(state(&bench.end(key("a", 1), AttemptEnd::Stopped)), Some(JobState::Queued));
    assert_eq!(bench.send(gone(SLOT)), [], "neither a new worker nor the end");
    assert_eq!(bench.after(Duration::from_hours(9)), []);
    assert!(bench.core.is_paused() && !bench.core.is_running());

    let actions = bench.send(Event::GoOn { by: Pauser::Person });
    assert_eq!(actions, [Action::StartWorker { slot: SLOT }]);
    let actions = bench.send(Event::WorkerReady { slot: SLOT });
    assert_eq!(actions, [Action::Assign { slot: SLOT, attempt: key("a", 2) }]);
}

#[test]
fn a_draining_pause_lets_attempts_end_and_their_workers_leave_then() {
    let mut bench = Bench::busy();
    bench.send(Event::JobsAdded(vec![job("b")]));
    assert_eq!(bench.send(DRAIN), []);
    let actions = bench.end(key("a", 1), AttemptEnd::Succeeded);
    assert_eq!(state(&actions), Some(JobState::Succeeded));
    let actions = bench.send(Event::WorkerFree { slot: SLOT });
    assert_eq!(actions, [Action::StopWorker { slot: SLOT }]);
    assert_eq!(bench.send(gone(SLOT)), []);
}

#[test]
fn a_draining_pause_can_be_made_a_leaving_one() {
    let mut bench = Bench::busy();
    bench.send(DRAIN);
    assert_eq!(bench.send(PERSON), [Action::StopWorker { slot: SLOT }]);
}

#[test]
fn a_worker_on_its_way_up_when_the_pause_comes_is_not_needed() {
    let mut bench = Bench::new(1);
    bench.send(Event::JobsAdded(vec![job("a")]));
    let actions = bench.send(PERSON);
    assert!(matches!(&actions[..], [Action::KillWorker { .. }]), "{actions:?}");
    assert_eq!(bench.send(gone(SLOT)), []);
}

#[test]
fn under_a_full_disk_workers_stay_and_get_nothing_more() {
    let mut bench = Bench::busy();
    bench.send(Event::JobsAdded(vec![job("b")]));
    assert_eq!(bench.send(DISK), []);
    bench.end(key("a", 1), AttemptEnd::Succeeded);
    assert_eq!(bench.send(Event::WorkerFree { slot: SLOT }), []);
    assert_eq!(bench.after(Duration::from_mins(10)), [], "the run does not end");
    let actions = bench.send(Event::GoOn { by: Pauser::Disk });
    assert_eq!(actions, [Action::Assign { slot: SLOT, attempt: key("b", 1) }]);
}

#[test]
fn work_goes_on_when_no_reason_to_pause_is_left() {
    let mut bench = Bench::new(1);
    bench.send(PERSON);
    bench.send(DISK);
    assert_eq!(bench.send(Event::JobsAdded(vec![job("a")])), []);
    assert_eq!(bench.send(Event::GoOn { by: Pauser::Person }), []);
    let start = Action::StartWorker { slot: SLOT };
    assert_eq!(bench.send(Event::GoOn { by: Pauser::Disk }), [start]);
    assert_eq!(bench.send(Event::GoOn { by: Pauser::Disk }), [], "said twice");
}

#[test]
fn a_run_paused_before_it_has_jobs_waits_and_one_without_jobs_ends() {
    let mut bench = Bench::new(1);
    assert_eq!(bench.send(PERSON), []);
    assert_eq!(bench.send(Event::JobsAdded(vec![job("a")])), []);
    let mut bench = Bench::new(1);
    bench.send(DISK);
    assert_eq!(bench.send(Event::JobsAdded(vec![])), [Action::Finish(Finish::Done)]);
}

#[test]
fn a_paused_run_can_be_stopped_and_its_last_job_cancelled() {
    let mut bench = Bench::busy();
    bench.send(PERSON);
    bench.end(key("a", 1), AttemptEnd::Stopped);
    bench.send(gone(SLOT));
    assert_eq!(bench.send(Event::Stop), [Action::Finish(Finish::Stopped)]);

    let mut bench = Bench::new(1);
    bench.send(PERSON);
    bench.send(Event::JobsAdded(vec![job("a")]));
    let actions = bench.send(Event::Cancel { job: id("a") });
    assert_eq!(actions.last(), Some(&Action::Finish(Finish::Done)));
}

#[test]
fn a_worker_that_does_not_leave_for_a_pause_is_killed_after_the_grace() {
    let mut bench = Bench::new(2);
    bench.send(Event::JobsAdded(vec![job("a"), job("b")]));
    bench.send(Event::WorkerReady { slot: SLOT });
    bench.send(Event::WorkerReady { slot: SlotId(1) });
    assert_eq!(bench.send(PERSON).len(), 2);
    assert_eq!(bench.send(PERSON), [], "said twice");
    let actions = bench.after(Policy::default().stop_grace);
    assert_eq!(actions.iter().filter(|a| matches!(a, Action::KillWorker { .. })).count(), 2);
}

#[test]
fn a_worker_that_waits_for_room_is_not_expected_to_make_a_step() {
    let mut bench = Bench::busy();
    let policy = Policy::default();
    for _ in 0..60 {
        assert_eq!(bench.send(Event::Waits { attempt: key("a", 1) }), []);
        assert_eq!(bench.after(policy.heartbeat_timeout / 2), []);
    }
    assert!(policy.heartbeat_timeout * 30 > policy.step_timeout, "it was long enough");
    let actions = bench.after(policy.heartbeat_timeout);
    assert!(matches!(actions.first(), Some(Action::KillWorker { .. })), "silent: {actions:?}");
}

fn hold(names: &[&str], drain: bool) -> Event {
    Event::Hold { jobs: names.iter().map(|name| id(name)).collect(), drain }
}

#[test]
fn jobs_of_a_paused_sweep_are_held_back_and_others_go_on() {
    let mut bench = Bench::busy();
    bench.send(Event::JobsAdded(vec![job("b")]));
    assert_eq!(bench.send(hold(&["a"], false)), [Action::StopWorker { slot: SLOT }]);
    assert_eq!(state(&bench.end(key("a", 1), AttemptEnd::Stopped)), Some(JobState::Queued));
    assert_eq!(bench.send(gone(SLOT)), [Action::StartWorker { slot: SLOT }]);
    let actions = bench.send(Event::WorkerReady { slot: SLOT });
    assert_eq!(actions, [Action::Assign { slot: SLOT, attempt: key("b", 1) }]);
    bench.end(key("b", 1), AttemptEnd::Succeeded);

    let actions = bench.send(Event::WorkerFree { slot: SLOT });
    assert_eq!(actions, [Action::StopWorker { slot: SLOT }], "the device is free for others");
    assert_eq!(bench.send(gone(SLOT)), [], "the run waits for the held job");
    assert_eq!(bench.send(hold(&[], false)), [Action::StartWorker { slot: SLOT }]);
    let actions = bench.send(Event::WorkerReady { slot: SLOT });
    assert_eq!(actions, [Action::Assign { slot: SLOT, attempt: key("a", 2) }]);
}

#[test]
fn a_held_job_that_runs_may_go_on_to_its_end_and_a_cancelled_one_leaves() {
    let mut bench = Bench::busy();
    bench.send(Event::JobsAdded(vec![job("b")]));
    assert_eq!(bench.send(hold(&["a", "b"], true)), []);
    bench.end(key("a", 1), AttemptEnd::Succeeded);
    bench.send(Event::WorkerFree { slot: SLOT });
    bench.send(gone(SLOT));
    let actions = bench.send(Event::Cancel { job: id("b") });
    assert_eq!(actions.last(), Some(&Action::Finish(Finish::Done)));
}

#[test]
fn a_job_can_be_held_before_it_is_heard_of() {
    let mut bench = Bench::new(1);
    bench.send(hold(&["a"], false));
    assert_eq!(bench.send(Event::JobsAdded(vec![job("a")])), []);
    assert_eq!(bench.send(hold(&[], false)), [Action::StartWorker { slot: SLOT }]);
}

#[test]
fn a_worker_for_whom_only_held_jobs_are_left_leaves_at_once() {
    let mut bench = Bench::new(2);
    bench.send(Event::JobsAdded(["a", "b"].map(job).to_vec()));
    let other = SlotId(1);
    bench.send(Event::WorkerReady { slot: SLOT });
    bench.send(Event::WorkerReady { slot: other });
    bench.send(Event::JobsAdded(["c", "d"].map(job).to_vec()));
    bench.send(hold(&["d"], true));
    bench.send(DISK);
    for name in ["a", "b"] {
        bench.end(key(name, 1), AttemptEnd::Succeeded);
    }
    for slot in [SLOT, other] {
        assert_eq!(bench.send(Event::WorkerFree { slot }), [], "it may be needed");
    }
    let expected =
        [Action::Assign { slot: SLOT, attempt: key("c", 1) }, Action::StopWorker { slot: other }];
    assert_eq!(bench.send(Event::GoOn { by: Pauser::Disk }), expected);
}
