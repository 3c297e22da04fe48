//! The worker process: its protocol, and every way it can be made to leave.

mod common;

use std::fs::{self, File};
use std::process::Command;

use augreg_protocol::{FailureKind, JournalEvent, ToWorker, WhenAbandoned};
use common::{Study, Worker, log};
use rustix::process::Signal;

/// Steps of a job that is still running when a test gets to it.
const LONG: u32 = 400;

#[test]
fn a_warm_worker_runs_one_job_after_the_other() {
    let (mut first, mut second) = (Study::of(20), Study::of(10));
    let mut worker = Worker::start();
    for study in [&mut first, &mut second] {
        worker.send(&study.next());
        worker.ended();
    }
    assert_eq!((first.outcome().steps, second.outcome().steps), (20, 10));
    assert!(log(&first, 1).contains("training"), "{}", log(&first, 1));

    let folder = first.run_folder();
    assert!(folder.last().exists() && folder.best().exists());
    assert!(!folder.latest().exists(), "a finished job needs nothing to resume from");

    worker.send(&ToWorker::Stop);
    assert!(worker.exit().success());
}

#[test]
fn a_stopped_job_goes_on_in_another_process_to_the_same_bytes() {
    let straight = Study::of(LONG).finish();
    let mut study = Study::of(LONG);
    let mut worker = Worker::start();
    worker.send(&study.next());
    study.wait_for_step(30);
    worker.send(&ToWorker::Stop);
    worker.ended();
    assert!(worker.exit().success());
    let JournalEvent::Stopped { step } = study.last_event() else {
        panic!("{:?}", study.last_event())
    };

    let resumed = study.finish();
    assert_eq!(study.began_at(), step);
    assert_eq!(resumed.parameters_sha256, straight.parameters_sha256);
    assert_eq!(resumed.final_test, straight.final_test);
}

#[test]
fn a_killed_worker_costs_the_steps_since_the_checkpoint_and_no_byte() {
    let straight = Study::of(LONG).finish();
    let mut study = Study::of(LONG);
    study.checkpoint_every(0.05);
    let mut worker = Worker::start();
    worker.send(&study.next());
    study.wait_for(|event| matches!(event, JournalEvent::Checkpoint { .. }));
    worker.signal(Signal::KILL);
    assert!(!worker.exit().success());

    let resumed = study.finish();
    assert!(study.began_at() > 0);
    assert_eq!(resumed.parameters_sha256, straight.parameters_sha256);
}

#[test]
fn a_worker_whose_scheduler_died_writes_a_checkpoint_and_leaves() {
    for also_stdout in [false, true] {
        let mut study = Study::of(LONG);
        let mut worker = Worker::start();
        worker.send(&study.next());
        study.wait_for_step(5);
        worker.hang_up(also_stdout);
        assert!(worker.exit().success());
        let JournalEvent::Stopped { step } = study.last_event() else {
            panic!("{:?}", study.last_event())
        };
        let checkpoint = |event: &JournalEvent| *event == JournalEvent::Checkpoint { step };
        assert!(study.journal().iter().any(|entry| checkpoint(&entry.event)));
    }
}

#[test]
fn a_worker_told_to_finish_when_abandoned_does_and_then_leaves() {
    let straight = Study::of(400).finish();
    let mut study = Study::of(400);
    study.when_abandoned(WhenAbandoned::Finish);
    let mut worker = Worker::start();
    worker.send(&study.next());
    study.wait_for_step(5);
    worker.hang_up(true);
    assert!(worker.exit().success());
    assert_eq!(study.outcome().parameters_sha256, straight.parameters_sha256);
}

#[test]
fn a_worker_nobody_listens_to_still_finishes() {
    let mut study = Study::of(20);
    let mut worker = Worker::start();
    worker.stop_listening();
    worker.send(&study.next());
    study.wait_for(JournalEvent::is_terminal);
    assert_eq!(study.outcome().steps, 20);
}

#[test]
fn the_hosts_sigterm_is_a_preemption_and_sigint_is_not_for_workers() {
    let mut study = Study::of(LONG);
    let mut worker = Worker::start();
    worker.send(&study.next());
    study.wait_for_step(5);
    worker.signal(Signal::INT);
    study.wait_for_step(25);
    worker.signal(Signal::TERM);
    worker.ended();
    assert!(worker.exit().success());
    let JournalEvent::Failed { kind: FailureKind::Preempted, step, .. } = study.last_event() else {
        panic!("{:?}", study.last_event())
    };
    let journal = study.journal();
    assert_eq!(journal[journal.len() - 2].event, JournalEvent::Checkpoint { step });
}

#[test]
fn an_idle_worker_leaves_on_stop_on_sigterm_at_the_end_of_input_and_on_nonsense() {
    let leave: [fn(&mut Worker); 4] = [
        |worker| worker.send(&ToWorker::Stop),
        |worker| worker.signal(Signal::TERM),
        |worker| worker.hang_up(false),
        |worker| worker.send_line("nonsense"),
    ];
    for leave in leave {
        let mut worker = Worker::start();
        leave(&mut worker);
        assert!(worker.exit().success());
    }
}

#[test]
fn a_worker_waits_for_the_one_that_holds_the_job() {
    let mut study = Study::of(10);
    let lock = study.run_folder().lock();
    fs::create_dir_all(study.run_folder().path()).expect("creates");
    let held = File::create(&lock).expect("creates");
    held.lock().expect("locks");

    let mut worker = Worker::start();
    worker.send(&study.next());
    common::wait_until(|| study.run_folder().log(1).exists());
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert!(study.journal().is_empty(), "nothing is done without the lock");
    drop(held);
    worker.ended();
    assert_eq!(study.outcome().steps, 10);
}

#[test]
fn a_worker_told_to_leave_while_it_waits_for_a_job_leaves() {
    let mut study = Study::of(10);
    fs::create_dir_all(study.run_folder().path()).expect("creates");
    let held = File::create(study.run_folder().lock()).expect("creates");
    held.lock().expect("locks");
    let mut worker = Worker::start();
    worker.send(&study.next());
    worker.send(&ToWorker::Stop);
    worker.ended();
    assert_eq!(study.last_event(), JournalEvent::Stopped { step: 0 });
    assert!(worker.exit().success());
}

#[test]
fn a_checkpoint_that_finds_the_disk_full_fails_the_attempt_and_not_the_worker() {
    let mut study = Study::of(20);
    let mut worker = Worker::start_with_files_of(16);
    worker.send(&study.next());
    worker.ended();
    let JournalEvent::Failed { kind: FailureKind::Bug, message, step: 10 } = study.last_event()
    else {
        panic!("{:?}", study.last_event())
    };
    assert!(message.contains("best.safetensors") && message.contains("too large"), "{message}");
    let left =
        fs::read_dir(study.run_folder().path().join("checkpoint")).expect("a folder").count();
    assert_eq!(left, 0, "no half file holds on to the space");

    study.checkpoint_every(0.0);
    worker.send(&study.next());
    worker.ended();
    let JournalEvent::Failed { message, step: 0, .. } = study.last_event() else {
        panic!("{:?}", study.last_event())
    };
    assert!(message.contains("latest.safetensors"), "{message}");
}

#[test]
fn a_journal_that_finds_the_disk_full_stays_readable_and_the_worker_alive() {
    let mut study = Study::of(60);
    let mut worker = Worker::start_with_files_of(2);
    worker.send(&study.next());
    worker.ended();
    let journal = study.journal();
    assert!(journal.len() > 2 && !journal.iter().any(|entry| entry.event.is_terminal()));
    worker.send(&ToWorker::Stop);
    assert!(worker.exit().success());
}

#[test]
fn an_attempt_is_executed_once() {
    let mut study = Study::of(10);
    let mut worker = Worker::start();
    worker.send(&study.next());
    worker.ended();
    let journal = study.journal();
    worker.send(&study.again());
    worker.ended();
    assert_eq!(study.journal(), journal, "nothing was appended");
}

#[test]
fn its_version_is_shown_and_arguments_are_refused() {
    let worker = env!("CARGO_BIN_EXE_augreg-worker");
    let shown = Command::new(worker).arg("--version").output().expect("runs");
    let text = String::from_utf8(shown.stdout).expect("text");
    assert_eq!(text, concat!("augreg-worker ", env!("CARGO_PKG_VERSION"), "\n"));
    let refused = Command::new(worker).arg("job.json").output().expect("runs");
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("takes no arguments"));
}
