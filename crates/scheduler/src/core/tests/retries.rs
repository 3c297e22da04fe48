//! What becomes of jobs: their order, their ends, and when they are tried again.

use std::time::Duration;

use augreg_executor::SlotId;
use augreg_protocol::{FailureKind, JobState};

use super::{Bench, SLOT, failed, gone, id, job, key, message, state};
use crate::core::{Action, AttemptEnd, Event, Finish, NewJob, Policy};

#[test]
fn a_job_runs_ends_and_the_last_worker_leaves() {
    let mut bench = Bench::busy();
    let attempt = key("a", 1);
    let end = AttemptEnd::Succeeded;
    assert_eq!(
        bench.end(attempt, end.clone()),
        [
            Action::EndAttempt { attempt, end },
            Action::SetJobState { job: id("a"), state: JobState::Succeeded },
            Action::StopWorker { slot: SLOT },
        ]
    );
    assert_eq!(bench.send(Event::WorkerFree { slot: SLOT }), []);
    assert_eq!(bench.send(gone(SLOT)), [Action::Finish(Finish::Done)]);
    assert_eq!(bench.core.counts().succeeded, 1);
    assert_eq!(bench.send(Event::JobsAdded(vec![job("b")])), [], "it is over");
}

#[test]
fn a_job_that_is_given_another_priority_takes_its_new_place_queued_waiting_or_running() {
    let mut bench = Bench::new(1);
    let jobs = vec![
        NewJob { flops: 3.0, ..job("first") },
        NewJob { flops: 2.0, ..job("second") },
        NewJob { flops: 1.0, ..job("third") },
        NewJob { flops: 9.0, parent: Some(id("first")), ..job("child") },
    ];
    bench.send(Event::JobsAdded(jobs));
    let mut actions = bench.send(Event::WorkerReady { slot: SLOT });
    for (name, priority) in [("first", -5), ("third", 1), ("child", -1), ("nobody", 7)] {
        assert_eq!(bench.send(Event::Prioritize { job: id(name), priority }), []);
    }
    let mut order = Vec::new();
    while let Some(Action::Assign { attempt, .. }) = actions.last() {
        order.push(attempt.job);
        let attempt = *attempt;
        bench.end(attempt, AttemptEnd::Succeeded);
        actions = bench.send(Event::WorkerFree { slot: SLOT });
    }
    assert_eq!(order, ["first", "third", "second", "child"].map(id));
}

#[test]
fn no_jobs_is_done_at_once() {
    assert_eq!(Bench::new(2).send(Event::JobsAdded(vec![])), [Action::Finish(Finish::Done)]);
}

#[test]
fn priority_comes_first_then_the_longest_then_the_id() {
    let mut bench = Bench::new(1);
    let jobs = vec![
        NewJob { flops: 5.0, ..job("short") },
        NewJob { flops: 9e20, ..job("long") },
        NewJob { priority: 1, flops: 1.0, ..job("urgent") },
        NewJob { flops: 5.0, ..job("short too") },
        NewJob { flops: f64::NAN, ..job("unknown") },
        NewJob { flops: f64::NAN, ..job("unknown") },
    ];
    bench.send(Event::JobsAdded(jobs));
    let mut actions = bench.send(Event::WorkerReady { slot: SLOT });
    let mut order = Vec::new();
    while let Some(Action::Assign { attempt, .. }) = actions.last() {
        order.push(attempt.job);
        let attempt = *attempt;
        bench.end(attempt, AttemptEnd::Succeeded);
        actions = bench.send(Event::WorkerFree { slot: SLOT });
    }
    let mut short = [id("short"), id("short too")];
    short.sort();
    assert_eq!(order, [id("urgent"), id("long"), short[0], short[1], id("unknown")]);
}

#[test]
fn a_diverged_job_and_one_without_data_fail_at_once() {
    for kind in [FailureKind::Diverged, FailureKind::Data] {
        let mut bench = Bench::busy();
        let actions = bench.end(key("a", 1), failed(kind));
        assert_eq!(state(&actions), Some(JobState::Failed));
        assert_eq!(message(&actions), (kind, "it broke".to_owned()));
    }
}

#[test]
fn a_bug_and_a_lack_of_memory_are_retried_once() {
    for kind in [FailureKind::Bug, FailureKind::OutOfMemory] {
        let mut bench = Bench::busy();
        assert_eq!(state(&bench.end(key("a", 1), failed(kind))), Some(JobState::Queued));
        bench.send(Event::WorkerFree { slot: SLOT });
        assert_eq!(bench.next_attempt(), key("a", 2));
        let actions = bench.end(key("a", 2), failed(kind));
        assert_eq!(state(&actions), Some(JobState::Failed));
        assert!(message(&actions).1.contains("given up"), "{actions:?}");
    }
}

#[test]
fn three_losses_in_a_row_end_a_job() {
    let mut bench = Bench::busy();
    for number in 1..3 {
        let actions = bench.send(gone(SLOT));
        assert_eq!(message(&actions).0, FailureKind::Lost);
        assert_eq!(state(&actions), Some(JobState::Queued));
        assert_eq!(bench.next_attempt(), key("a", number + 1));
    }
    let actions = bench.send(gone(SLOT));
    assert_eq!(state(&actions), Some(JobState::Failed));
    assert!(message(&actions).1.contains("lost 3 times"), "{actions:?}");
}

#[test]
fn losses_with_new_checkpoints_in_between_never_end_a_job() {
    let mut bench = Bench::busy();
    let mut attempt = key("a", 1);
    for step in 1..20 {
        bench.send(Event::Checkpointed { attempt, step });
        assert_eq!(state(&bench.send(gone(SLOT))), Some(JobState::Queued));
        attempt = bench.next_attempt();
    }
    // The same checkpoint again is no progress: the second and third loss at step 19.
    for expected in [JobState::Queued, JobState::Failed] {
        bench.send(Event::Checkpointed { attempt, step: 19 });
        assert_eq!(state(&bench.send(gone(SLOT))), Some(expected));
        if expected == JobState::Queued {
            attempt = bench.next_attempt();
        }
    }
}

#[test]
fn losses_before_a_restart_count() {
    for (losses, expected) in
        [(0, JobState::Queued), (1, JobState::Queued), (2, JobState::Failed), (9, JobState::Failed)]
    {
        let mut bench = Bench::new(1);
        bench.send(Event::JobsAdded(vec![NewJob { losses, attempts: 7, ..job("a") }]));
        let actions = bench.send(Event::WorkerReady { slot: SLOT });
        assert_eq!(actions, [Action::Assign { slot: SLOT, attempt: key("a", 8) }]);
        assert_eq!(state(&bench.send(gone(SLOT))), Some(expected));
    }
}

#[test]
fn a_lost_job_waits_while_others_go_on() {
    let mut bench = Bench::busy();
    bench.send(Event::JobsAdded(vec![job("b")]));
    let actions = bench.send(gone(SLOT));
    assert!(actions.contains(&Action::StartWorker { slot: SLOT }));
    let actions = bench.send(Event::WorkerReady { slot: SLOT });
    assert_eq!(actions, [Action::Assign { slot: SLOT, attempt: key("b", 1) }]);
    bench.end(key("b", 1), AttemptEnd::Succeeded);
    assert_eq!(bench.send(Event::WorkerFree { slot: SLOT }), [], "the back-off is not over");
    let actions = bench.after(Duration::from_millis(750));
    assert_eq!(actions, [Action::Assign { slot: SLOT, attempt: key("a", 2) }]);
}

#[test]
fn preemption_is_retried_without_end() {
    let mut bench = Bench::busy();
    for number in 1..20 {
        let end =
            if number % 2 == 0 { AttemptEnd::Stopped } else { failed(FailureKind::Preempted) };
        assert_eq!(state(&bench.end(key("a", number), end)), Some(JobState::Queued));
        bench.send(gone(SLOT));
        assert_eq!(bench.next_attempt(), key("a", number + 1));
    }
}

#[test]
fn a_result_found_in_the_journal_of_a_killed_worker_stands() {
    let mut bench = Bench::busy();
    bench.after(Policy::default().heartbeat_timeout);
    let actions = bench.end(key("a", 1), AttemptEnd::Succeeded);
    assert_eq!(state(&actions), Some(JobState::Succeeded));
    assert_eq!(bench.send(gone(SLOT)), [Action::Finish(Finish::Done)]);
}

#[test]
fn an_attempt_that_cannot_be_trusted_ends_as_a_bug_once_its_worker_is_dead() {
    let mut bench = Bench::busy();
    let why = "damaged at byte 7".to_owned();
    let actions = bench.send(Event::Untrusted { attempt: key("a", 1), why: why.clone() });
    assert!(matches!(&actions[..], [Action::KillWorker { .. }]), "{actions:?}");
    assert_eq!(message(&bench.send(gone(SLOT))), (FailureKind::Bug, why.clone()));
    assert_eq!(bench.next_attempt(), key("a", 2));

    let mut bench = Bench::new(1);
    bench.send(Event::JobsAdded(vec![NewJob { attempts: 1, live: true, ..job("a") }]));
    let actions = bench.send(Event::Untrusted { attempt: key("a", 1), why: why.clone() });
    assert_eq!(message(&actions), (FailureKind::Bug, why), "one left behind is dead when told");
}

#[test]
fn words_about_other_attempts_change_nothing() {
    let mut bench = Bench::busy();
    for number in [0, 2] {
        assert_eq!(bench.end(key("a", number), AttemptEnd::Succeeded), []);
    }
    assert_eq!(bench.end(key("b", 1), AttemptEnd::Succeeded), []);
    assert_eq!(bench.send(Event::WorkerFree { slot: SLOT }), [], "it is busy");
    assert_eq!(bench.send(Event::WorkerReady { slot: SLOT }), []);
    assert_eq!(bench.send(gone(SlotId(9))), []);
    assert_eq!(state(&bench.end(key("a", 1), AttemptEnd::Succeeded)), Some(JobState::Succeeded));
}

#[test]
fn cancelling_takes_a_queued_job_out_and_stops_a_running_one() {
    let mut bench = Bench::busy();
    bench.send(Event::JobsAdded(vec![job("b")]));
    let actions = bench.send(Event::Cancel { job: id("b") });
    assert_eq!(state(&actions), Some(JobState::Cancelled));
    let actions = bench.send(Event::Cancel { job: id("a") });
    assert_eq!(actions, [Action::StopWorker { slot: SLOT }]);
    assert_eq!(state(&bench.end(key("a", 1), AttemptEnd::Stopped)), Some(JobState::Cancelled));
    assert_eq!(bench.send(gone(SLOT)), [Action::Finish(Finish::Done)]);
    assert_eq!(bench.core.counts().cancelled, 2);
}

#[test]
fn an_attempt_left_behind_is_waited_for_and_not_started_again() {
    let mut bench = Bench::new(1);
    let left = NewJob { attempts: 2, live: true, ..job("a") };
    assert_eq!(bench.send(Event::JobsAdded(vec![left])), []);
    assert_eq!(bench.core.orphans(), [key("a", 2)]);
    assert_eq!(bench.after(Duration::from_secs(1)), []);
    let actions = bench.end(key("a", 2), failed(FailureKind::Preempted));
    assert_eq!(state(&actions), Some(JobState::Queued));
    assert_eq!(actions.last(), Some(&Action::StartWorker { slot: SLOT }), "without back-off");
}

#[test]
fn an_attempt_left_behind_in_another_sweep_is_only_seen_to_its_end() {
    let mut bench = Bench::new(1);
    let left = NewJob { attempts: 1, live: true, wanted: false, ..job("a") };
    bench.send(Event::JobsAdded(vec![left]));
    let actions = bench.end(key("a", 1), failed(FailureKind::Preempted));
    assert_eq!(state(&actions), Some(JobState::Queued));
    assert_eq!(actions.last(), Some(&Action::Finish(Finish::Done)));
}
