//! Jobs that somebody else places.

use super::*;
use crate::core::Finish;

fn bench(jobs: Vec<NewJob>) -> Bench {
    let mut bench = Bench { core: Core::elsewhere(policy()), now: Millis(0) };
    assert_eq!(bench.send(Event::JobsAdded(jobs)), []);
    bench
}

fn begun(bench: &mut Bench, name: &str, number: u32) -> Vec<Action> {
    bench.send(Event::Begun { attempt: key(name, number) })
}

#[test]
fn jobs_are_ready_in_their_order_and_run_when_an_attempt_has_begun() {
    let long = NewJob { flops: 9.0, ..job("long") };
    let urgent = NewJob { priority: 1, ..job("urgent") };
    let child = NewJob { parent: Some(id("long")), ..job("child") };
    let mut bench = bench(vec![job("short"), long, urgent, child]);
    assert_eq!(bench.core.ready(), [id("urgent"), id("long"), id("short")]);
    assert_eq!(begun(&mut bench, "long", 1), [Action::Begun { attempt: key("long", 1) }]);
    assert_eq!(bench.core.ready(), [id("urgent"), id("short")]);

    let actions = bench.end(key("long", 1), AttemptEnd::Succeeded);
    assert_eq!(state(&actions[..2]), Some(JobState::Succeeded));
    assert!(bench.core.ready().contains(&id("child")), "its upstream job has succeeded");
}

#[test]
fn a_task_that_is_started_again_ends_the_attempt_before() {
    let mut bench = bench(vec![job("a")]);
    begun(&mut bench, "a", 1);
    let actions = begun(&mut bench, "a", 2);
    assert_eq!(message(&actions).0, FailureKind::Preempted);
    assert!(actions.contains(&Action::Begun { attempt: key("a", 2) }));
    // Words about the one before come too late.
    assert_eq!(bench.end(key("a", 1), failed(FailureKind::Lost)), []);
    assert_eq!(begun(&mut bench, "a", 2), []);
}

#[test]
fn losses_without_progress_end_a_job_and_preemptions_do_not() {
    let mut bench = bench(vec![job("a"), job("b")]);
    for number in 1..=20 {
        begun(&mut bench, "b", number);
        let actions = bench.end(key("b", number), failed(FailureKind::Preempted));
        assert_eq!(state(&actions), Some(JobState::Queued));
    }
    for number in 1..=3 {
        begun(&mut bench, "a", number);
        let actions = bench.end(key("a", number), failed(FailureKind::Lost));
        let expected = if number < 3 { JobState::Queued } else { JobState::Failed };
        assert_eq!(state(&actions), Some(expected));
        bench.after(Duration::from_mins(2));
    }
}

#[test]
fn a_cancelled_job_that_runs_is_cancelled_when_its_attempt_has_ended() {
    let mut bench = bench(vec![job("a"), job("b")]);
    begun(&mut bench, "a", 1);
    assert_eq!(bench.send(Event::Cancel { job: id("a") }), []);
    let actions = bench.end(key("a", 1), AttemptEnd::Stopped);
    assert_eq!(state(&actions), Some(JobState::Cancelled));
    assert_eq!(state(&bench.send(Event::Cancel { job: id("b") })), Some(JobState::Cancelled));
}

#[test]
fn it_is_over_when_all_have_ended_and_not_before() {
    let mut bench = bench(vec![job("a")]);
    assert_eq!(bench.after(Duration::from_hours(1)), []);
    begun(&mut bench, "a", 1);
    let actions = bench.end(key("a", 1), AttemptEnd::Succeeded);
    assert_eq!(actions.last(), Some(&Action::Finish(Finish::Done)));
}

#[test]
fn to_stop_leaves_what_runs_elsewhere_alone() {
    let mut bench = bench(vec![job("a"), job("b")]);
    begun(&mut bench, "a", 1);
    assert_eq!(bench.send(Event::Stop), [Action::Finish(Finish::Stopped)]);
}
