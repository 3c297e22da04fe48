//! Every rule of the core, one test each.

use std::time::Duration;

use augreg_executor::SlotId;
use augreg_protocol::{AttemptKey, FailureKind, JobState};
use augreg_spec::JobId;

use super::{Action, AttemptEnd, Core, Event, Finish, Millis, NewJob, Policy};

const SLOT: SlotId = SlotId(0);

fn id(name: &str) -> JobId {
    JobId::of(name)
}

fn job(name: &str) -> NewJob {
    NewJob {
        id: id(name),
        priority: 0,
        flops: 1.0,
        attempts: 0,
        live: false,
        wanted: true,
        checkpoint: 0,
        losses: 0,
        out_of_memory: 0,
        bugs: 0,
    }
}

fn key(name: &str, number: u32) -> AttemptKey {
    AttemptKey { job: id(name), number }
}

fn failed(kind: FailureKind) -> AttemptEnd {
    AttemptEnd::Failed { kind, message: "it broke".to_owned() }
}

fn gone(slot: SlotId) -> Event {
    Event::WorkerGone { slot, why: "killed by signal 9".to_owned(), out_of_memory: false }
}

/// A core and its clock; what it decides apart from audit lines.
struct Bench {
    core: Core,
    now: Millis,
}

impl Bench {
    fn new(slots: u32) -> Self {
        Self { core: Core::new(Policy::default(), (0..slots).map(SlotId)), now: Millis(0) }
    }

    /// One slot, its worker up and busy with the first attempt of job `a`.
    fn busy() -> Self {
        let mut bench = Self::new(1);
        bench.send(Event::JobsAdded(vec![job("a")]));
        let actions = bench.send(Event::WorkerReady { slot: SLOT });
        assert_eq!(actions, [Action::Assign { slot: SLOT, attempt: key("a", 1) }]);
        bench
    }

    fn send(&mut self, event: Event) -> Vec<Action> {
        let mut actions = self.core.handle(self.now, event);
        actions.retain(|action| !matches!(action, Action::Audit { .. }));
        actions
    }

    fn after(&mut self, pause: Duration) -> Vec<Action> {
        self.now = self.now + pause;
        self.send(Event::Tick)
    }

    fn end(&mut self, attempt: AttemptKey, end: AttemptEnd) -> Vec<Action> {
        self.send(Event::AttemptEnded { attempt, end })
    }

    /// Lets back-offs pass and brings up workers until something is assigned.
    fn next_attempt(&mut self) -> AttemptKey {
        for _ in 0..100 {
            let mut actions = self.after(Duration::from_secs(1));
            while let Some(action) = actions.pop() {
                match action {
                    Action::Assign { attempt, .. } => return attempt,
                    Action::StartWorker { slot } => {
                        actions.extend(self.send(Event::WorkerReady { slot }));
                    }
                    _ => {}
                }
            }
        }
        panic!("nothing is assigned");
    }
}

fn state(actions: &[Action]) -> Option<JobState> {
    actions.iter().find_map(|action| match action {
        Action::SetJobState { state, .. } => Some(*state),
        _ => None,
    })
}

fn message(actions: &[Action]) -> (FailureKind, String) {
    let found = actions.iter().find_map(|action| match action {
        Action::EndAttempt { end: AttemptEnd::Failed { kind, message }, .. } => {
            Some((*kind, message.clone()))
        }
        _ => None,
    });
    found.expect("an attempt failed")
}

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
fn only_as_many_workers_start_as_there_are_jobs() {
    let mut bench = Bench::new(4);
    let start = |slot| Action::StartWorker { slot: SlotId(slot) };
    let jobs = vec![job("a"), job("b")];
    assert_eq!(bench.send(Event::JobsAdded(jobs)), [start(0), start(1)]);
    assert_eq!(bench.send(Event::JobsAdded(vec![job("b"), job("c")])), [start(2)]);
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
fn a_worker_taken_by_lack_of_memory_says_so() {
    let mut bench = Bench::busy();
    let why = "killed by signal 9".to_owned();
    let actions = bench.send(Event::WorkerGone { slot: SLOT, why, out_of_memory: true });
    assert_eq!(message(&actions).0, FailureKind::OutOfMemory);
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
fn losses_before_a_restart_count_until_a_person_asks_again() {
    for (losses, expected) in [(2, JobState::Failed), (3, JobState::Queued)] {
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
fn a_result_found_in_the_journal_of_a_killed_worker_stands() {
    let mut bench = Bench::busy();
    bench.after(Policy::default().heartbeat_timeout);
    let actions = bench.end(key("a", 1), AttemptEnd::Succeeded);
    assert_eq!(state(&actions), Some(JobState::Succeeded));
    assert_eq!(bench.send(gone(SLOT)), [Action::Finish(Finish::Done)]);
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
fn an_attempt_that_cannot_be_trusted_ends_as_a_bug_and_so_does_its_worker() {
    let mut bench = Bench::busy();
    let why = "damaged at byte 7".to_owned();
    let actions = bench.send(Event::Untrusted { attempt: key("a", 1), why: why.clone() });
    assert_eq!(message(&actions), (FailureKind::Bug, why));
    assert!(matches!(actions.last(), Some(Action::KillWorker { .. })), "{actions:?}");
    bench.send(gone(SLOT));
    assert_eq!(bench.next_attempt(), key("a", 2));
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

#[test]
fn stopping_does_not_wait_forever_for_an_attempt_left_behind() {
    let mut bench = Bench::new(1);
    bench.send(Event::JobsAdded(vec![NewJob { attempts: 1, live: true, ..job("a") }]));
    assert_eq!(bench.send(Event::Stop), []);
    let actions = bench.after(Policy::default().stop_grace);
    assert_eq!(state(&actions), Some(JobState::Queued));
    assert_eq!(actions.last(), Some(&Action::Finish(Finish::Stopped)));
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
