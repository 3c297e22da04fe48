//! What an earlier scheduler left behind: every attempt is taken for what its journal says.

use std::collections::BTreeMap;
use std::fs::File;
use std::time::Duration;

use augreg_protocol::{
    AttemptKey, AttemptState, Device, FailureKind, JobState, JournalEvent, JournalWriter, Outcome,
};
use augreg_scheduler::runtime::{Progress, Stopper};
use augreg_store::Change;

use crate::study::Study;

/// The database as a scheduler that died left it: this attempt runs.
async fn left_running(study: &Study, attempt: AttemptKey) -> JournalWriter {
    let started = Change::AttemptStarted {
        attempt,
        executor: "local".to_owned(),
        slot: "0".to_owned(),
        device: Device::Cpu,
        at: 1,
    };
    study.store.apply(&[started]).await.expect("applies");
    let folder = augreg_protocol::RunFolder::new(&study.root, attempt.job);
    let mut journal = JournalWriter::create(&folder.journal(attempt.number), attempt).expect("new");
    journal
        .append(JournalEvent::Started {
            version: "0".to_owned(),
            host: "elsewhere".to_owned(),
            pid: 1,
            device: Device::Cpu,
            threads: 1,
            step: 0,
        })
        .expect("appends");
    let values = BTreeMap::from([("train_loss".to_owned(), 0.25)]);
    journal.append(JournalEvent::Metrics { step: 3, values }).expect("appends");
    journal
}

fn outcome() -> Outcome {
    Outcome {
        best_val: Some(0.75),
        final_val: Some(0.75),
        final_test: None,
        train_loss: Some(0.1),
        parameters_sha256: "1".repeat(64),
        steps: 10,
        seconds: 1.0,
        images_per_second: 100.0,
        peak_memory: 1,
        proof: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_nobody_read_is_taken_once_and_not_run_again() {
    let study = Study::new(3).await;
    let mut journal = left_running(&study, study.key(0, 1)).await;
    journal.append(JournalEvent::Succeeded(outcome())).expect("appends");

    let summary = study.run().await.expect("runs");
    assert_eq!((summary.succeeded, study.ran().len()), (3, 2));
    let details = study.details(0).await;
    assert_eq!((details.state, details.result), (JobState::Succeeded, Some(outcome())));
    assert_eq!(details.attempts.len(), 1);
    let curve = study.store.curve(study.jobs[0], "train_loss").await.expect("reads");
    assert_eq!(curve, [(3, 0.25)]);

    study.run().await.expect("runs");
    assert_eq!((study.ran().len(), study.details(0).await.attempts.len()), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_without_an_end_goes_on_from_its_checkpoint_in_a_new_one() {
    let study = Study::new(1).await;
    let mut journal = left_running(&study, study.key(0, 1)).await;
    journal.append(JournalEvent::Checkpoint { step: 4 }).expect("appends");

    let summary = study.run().await.expect("runs");
    assert_eq!(summary.succeeded, 1);
    assert_eq!(study.ran(), [study.key(0, 2).to_string()]);
    let details = study.details(0).await;
    assert_eq!(details.attempts[0].state, AttemptState::Failed);
    assert_eq!(details.attempts[0].failure, Some(FailureKind::Preempted));
    assert_eq!(details.checkpoints.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_outlives_its_scheduler_is_waited_for_and_its_result_taken() {
    let study = Study::new(2).await;
    let mut journal = left_running(&study, study.key(0, 1)).await;
    let lock = File::create(study.folder(0).lock()).expect("creates");
    lock.lock().expect("nobody has it");

    let finish = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!(study.state(1).await, JobState::Succeeded, "others do not wait");
        assert_eq!(study.state(0).await, JobState::Running);
        journal.append(JournalEvent::Succeeded(outcome())).expect("appends");
        drop(lock);
    };
    let (summary, ()) = tokio::join!(study.run(), finish);
    assert_eq!(summary.expect("runs").succeeded, 2);
    assert_eq!(study.ran(), [study.key(1, 1).to_string()]);
    assert_eq!(study.details(0).await.result, Some(outcome()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_sweep_left_running_is_put_right_but_not_run() {
    let mut study = Study::new(1).await;
    study.jobs.extend(study.register("other", 50..51).await);
    left_running(&study, study.key(1, 1)).await;

    let summary = study.run().await.expect("runs");
    assert_eq!((summary.succeeded, summary.left), (1, 0));
    assert_eq!(study.state(1).await, JobState::Queued);
    assert_eq!(study.ran(), [study.key(0, 1).to_string()]);
    study.assert_quiet().await;
}

/// An attempt that its scheduler gave up for lost, and the journal that its worker still writes.
async fn given_up(study: &Study, job: usize, state: JobState) -> JournalWriter {
    let attempt = study.key(job, 1);
    let journal = left_running(study, attempt).await;
    let lost = Change::AttemptEnded {
        attempt,
        state: AttemptState::Failed,
        failure: Some((FailureKind::Lost, "its host does not answer".to_owned())),
        at: 2,
    };
    let state = Change::JobState { job: attempt.job, state };
    study.store.apply(&[lost, state]).await.expect("applies");
    journal
}

/// optuna/optuna#4234: a live trial was declared failed, and its result then rejected.
#[tokio::test(flavor = "multi_thread")]
async fn a_result_reported_after_its_attempt_was_given_up_is_taken_by_the_next_run() {
    let study = Study::new(3).await;
    for (job, state) in [(0, JobState::Queued), (1, JobState::Failed)] {
        let mut journal = given_up(&study, job, state).await;
        journal.append(JournalEvent::Succeeded(outcome())).expect("appends");
    }
    let summary = study.run().await.expect("runs");
    assert_eq!((summary.succeeded, summary.failed), (3, 0));
    assert_eq!(study.ran(), [study.key(2, 1).to_string()], "nothing runs again");
    for job in 0..2 {
        let details = study.details(job).await;
        assert_eq!((details.state, details.result), (JobState::Succeeded, Some(outcome())));
        assert_eq!(details.attempts[0].state, AttemptState::Succeeded);
        let why = details.events.last().map(|event| event.reason.as_str()).unwrap_or_default();
        assert!(why.contains("given up"), "{why}");
    }
    let again = study.run().await.expect("runs");
    assert_eq!((again.succeeded, study.ran().len()), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_reported_during_the_run_ends_the_job_and_the_attempt_that_took_its_place() {
    let mut study = Study::new(2).await;
    let mut journal = given_up(&study, 0, JobState::Queued).await;
    // Its first attempt is not a worker's of this run; its second works until told to leave.
    study.order(0, &["succeed", "work"]);
    let (_stopper, stop) = Stopper::new();
    let second = study.key(0, 2);
    let observe = move |progress| {
        if matches!(progress, Progress::Started { attempt, .. } if attempt == second) {
            journal.append(JournalEvent::Succeeded(outcome())).expect("appends");
        }
    };
    let summary = study.run_until(stop, observe).await.expect("runs");
    assert_eq!((summary.succeeded, summary.failed, summary.left), (2, 0, 0));
    let details = study.details(0).await;
    assert_eq!((details.state, details.result), (JobState::Succeeded, Some(outcome())));
    let states: Vec<_> = details.attempts.iter().map(|attempt| attempt.state).collect();
    assert_eq!(states, [AttemptState::Succeeded, AttemptState::Stopped]);
    study.assert_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_journal_of_an_attempt_that_was_given_up_is_looked_at_once() {
    let study = Study::new(1).await;
    drop(given_up(&study, 0, JobState::Failed).await);
    let path = study.folder(0).journal(1);
    let mut bytes = std::fs::read(&path).expect("reads");
    bytes.extend_from_slice(b"{\"crc\":1,\"entry\":{}}\n");
    std::fs::write(&path, bytes).expect("writes");
    for _ in 0..2 {
        assert_eq!(study.run().await.expect("runs").succeeded, 0);
    }
    let details = study.details(0).await;
    assert_eq!(details.state, JobState::Failed);
    let ignored = details.events.iter().filter(|event| event.what == "ignored").count();
    assert_eq!(ignored, 1, "{:?}", details.events);
    assert_eq!(study.store.given_up(None, 9).await.expect("reads"), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_a_dead_scheduler_was_to_cancel_is_cancelled_by_a_run_that_has_nothing_to_do() {
    let mut study = Study::new(1).await;
    study.run().await.expect("runs");
    study.jobs.extend(study.register("other", 50..51).await);
    study.store.request_cancel(&study.jobs[1..], "by ada").await.expect("asks");
    let summary = study.run().await.expect("runs");
    assert_eq!((summary.succeeded, summary.left), (0, 0));
    assert_eq!(study.state(1).await, JobState::Cancelled);
    assert_eq!(study.store.cancel_requests().await.expect("reads"), []);
}
