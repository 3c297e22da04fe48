//! The scheduler's loop against real worker processes, a real database and real files.

mod recovery;
mod study;

use std::time::{Duration, Instant};

use augreg_protocol::{AttemptState, FailureKind, JobState};
use augreg_scheduler::runtime::{Progress, Stopper, StudyLock};

use crate::study::Study;

#[tokio::test(flavor = "multi_thread")]
async fn twenty_jobs_run_once_each_on_two_warm_workers() {
    let study = Study::new(20).await;
    let mut seen = Vec::new();
    let (_stopper, stop) = Stopper::new();
    let summary = study.run_until(stop, |progress| seen.push(progress)).await.expect("runs");
    assert_eq!((summary.succeeded, summary.failed, summary.left), (20, 0, 0));
    assert!(!summary.interrupted);

    let mut ran = study.ran();
    ran.sort();
    let mut expected: Vec<_> = study.jobs.iter().map(|job| format!("{job}/1")).collect();
    expected.sort();
    assert_eq!(ran, expected);
    for job in 0..20 {
        let details = study.details(job).await;
        assert_eq!(details.state, JobState::Succeeded);
        assert!(details.result.is_some_and(|result| result.steps == 10));
        assert_eq!(details.attempts.len(), 1);
        assert!(details.events.iter().any(|event| event.what == "started"));
    }
    let count = |kind: fn(&Progress) -> bool| seen.iter().filter(|p| kind(p)).count();
    assert_eq!(count(|p| matches!(p, Progress::Began { jobs: 20, slots: 2, .. })), 1);
    assert_eq!(count(|p| matches!(p, Progress::Started { .. })), 20);
    assert_eq!(count(|p| matches!(p, Progress::Finished { state: JobState::Succeeded, .. })), 20);
    study.assert_quiet().await;

    let again = study.run().await.expect("runs");
    assert_eq!((again.succeeded, study.ran().len()), (0, 20), "nothing runs twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_costs_its_job_one_attempt() {
    let mut study = Study::new(6).await;
    study.order(0, &["crash"]);
    let summary = study.run().await.expect("runs");
    assert_eq!((summary.succeeded, summary.failed), (6, 0));

    let details = study.details(0).await;
    let lost = &details.attempts[0];
    assert_eq!((lost.state, lost.failure), (AttemptState::Failed, Some(FailureKind::Lost)));
    let message = lost.message.as_deref().unwrap_or_default();
    assert!(message.contains("killed by signal 9 (SIGKILL)"), "{message}");
    assert!(message.contains("about to crash"), "the log is quoted: {message}");
    assert_eq!(details.attempts[1].state, AttemptState::Succeeded);
    assert_eq!(details.checkpoints.len(), 1);
    assert!(details.events.iter().any(|event| event.what == "retried"), "{:?}", details.events);
    study.assert_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_jobs_end_never_stops_the_sweep() {
    let mut study = Study::new(8).await;
    study.order(0, &["diverge"]);
    study.order(1, &["fail", "fail"]);
    study.order(2, &["garble"]);
    study.order(3, &["damage"]);
    study.order(4, &["forget"]);
    let mut failures = Vec::new();
    let (_stopper, stop) = Stopper::new();
    let observe = |progress| {
        if let Progress::Finished { job, failure: Some((kind, text)), .. } = progress {
            failures.push((job, kind, text));
        }
    };
    let summary = study.run_until(stop, observe).await.expect("runs");
    assert_eq!((summary.succeeded, summary.failed), (6, 2));

    failures.sort_by_key(|(_, kind, _)| kind.name());
    assert!(
        matches!(&failures[..], [(bug, FailureKind::Bug, again), (nan, FailureKind::Diverged, _)]
            if *bug == study.jobs[1] && *nan == study.jobs[0] && again.contains("given up")),
        "{failures:?}"
    );
    assert_eq!(study.details(0).await.attempts.len(), 1, "divergence is not retried");
    assert_eq!(study.details(1).await.attempts.len(), 2);
    assert_eq!(study.details(2).await.attempts.len(), 1, "nonsense on the line does no harm");
    for (job, word) in [(3, "damaged"), (4, "journal.jsonl")] {
        let attempts = study.details(job).await.attempts;
        assert_eq!((attempts.len(), attempts[0].failure), (2, Some(FailureKind::Bug)));
        let message = attempts[0].message.as_deref().unwrap_or_default();
        assert!(message.contains(word), "{message}");
    }
    study.assert_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_hangs_is_killed_and_its_job_goes_on_elsewhere() {
    let mut study = Study::new(3).await;
    study.options.policy.heartbeat_timeout = Duration::from_millis(400);
    study.order(0, &["hang"]);
    let summary = study.run().await.expect("runs");
    assert_eq!((summary.succeeded, summary.failed), (3, 0));
    let attempts = study.details(0).await.attempts;
    assert_eq!(attempts[0].failure, Some(FailureKind::Timeout));
    study.assert_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_of_another_version_is_refused_with_both_named() {
    let mut study = Study::new(2).await;
    study.order_workers("version", "9.9.9");
    let error = study.run().await.expect_err("it is refused").to_string();
    assert!(error.contains("9.9.9") && error.contains(env!("CARGO_PKG_VERSION")), "{error}");
    assert_eq!((study.ran().len(), study.state(0).await), (0, JobState::Queued));
    study.assert_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_binary_is_an_error_that_says_how_to_build_it() {
    let mut study = Study::new(2).await;
    study.options.program = Some(study.root.join("no-such-worker"));
    let error = study.run().await.expect_err("there is none").to_string();
    assert!(error.contains("no-such-worker") && error.contains("scripts/build"), "{error}");
    assert_eq!(study.state(0).await, JobState::Queued);
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_that_never_say_hello_end_the_run_with_their_last_words() {
    let mut study = Study::new(2).await;
    study.order_workers("last_words", "libtorch_cpu.so: cannot open shared object file");
    let error = study.run().await.expect_err("no worker comes up").to_string();
    assert!(error.contains("cannot open shared object file"), "{error}");
    assert!(error.contains("exited with code 7"), "{error}");
    assert_eq!(study.state(0).await, JobState::Queued);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_checkpoints_and_the_next_run_completes() {
    let mut study = Study::new(5).await;
    (0..5).for_each(|job| study.order(job, &["work"]));
    let summary = study.run_and_stop_after(2, 1).await;
    assert!(summary.interrupted);
    assert_eq!((summary.succeeded, summary.left), (0, 5));
    assert!(summary.elapsed < Duration::from_secs(5), "{:?}", summary.elapsed);
    study.assert_quiet().await;
    let stopped = study.ran();
    assert_eq!(stopped.len(), 2);
    for job in 0..5 {
        let details = study.details(job).await;
        assert_eq!(details.state, JobState::Queued);
        assert!(details.attempts.iter().all(|attempt| attempt.state == AttemptState::Stopped));
    }

    (0..5).for_each(|job| study.order(job, &["succeed"]));
    let summary = study.run().await.expect("runs");
    assert_eq!((summary.succeeded, summary.left, summary.interrupted), (5, 0, false));
    study.assert_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_ignores_a_stop_is_killed_after_the_grace() {
    let mut study = Study::new(2).await;
    study.options.policy.stop_grace = Duration::from_millis(500);
    study.order(0, &["insist"]);
    study.order(1, &["insist"]);
    let summary = study.run_and_stop_after(2, 1).await;
    assert_eq!((summary.left, summary.interrupted), (2, true));
    assert!(summary.elapsed >= Duration::from_millis(500));
    let attempt = &study.details(0).await.attempts[0];
    assert_eq!(attempt.failure, Some(FailureKind::Preempted));
    study.assert_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_stop_ends_it_at_once() {
    let mut study = Study::new(2).await;
    study.options.policy.stop_grace = Duration::from_secs(50);
    study.order(0, &["insist"]);
    study.order(1, &["insist"]);
    let began = Instant::now();
    let summary = study.run_and_stop_after(2, 2).await;
    assert!(summary.interrupted && began.elapsed() < Duration::from_secs(10));
    study.assert_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_scheduler_is_refused_and_told_of_the_first() {
    let mut study = Study::new(1).await;
    study.order(0, &["work"]);
    let (stopper, stop) = Stopper::new();
    let (begun, mut beginning) = tokio::sync::mpsc::unbounded_channel();
    let first = study.run_until(stop, move |progress| {
        if matches!(progress, Progress::Started { .. }) {
            let _ = begun.send(());
        }
    });
    let second = async {
        beginning.recv().await.expect("the first begins");
        let error = StudyLock::take(&study.root).expect_err("it is refused");
        stopper.stop();
        error.to_string()
    };
    let (first, second) = tokio::join!(first, second);
    assert!(first.expect("runs").interrupted);
    assert!(second.contains(&format!("process {}", std::process::id())), "{second}");
}
