//! What stays on disk of jobs that are done, and of those that are not.

use std::collections::BTreeSet;
use std::time::Duration;

use augreg_tests::{COMMON, HEAD, Study};
use rustix::process::Signal;

fn sweep(name: &str, keep: &str, seeds: &str) -> String {
    let head = HEAD.replace("\"tiny\"", &format!("\"{name}\""));
    format!(
        "{head}\n[executor]\nkeep = \"{keep}\"\n\n[pretrain]\ndataset = \"fashion\"\n\
         seed = {seeds}\nepochs = 2\n{COMMON}"
    )
}

/// The files in a job's checkpoint folder.
fn files(study: &Study, job: &str) -> BTreeSet<String> {
    let folder = study.root().join("runs").join(job).join("checkpoint");
    let names = std::fs::read_dir(folder).expect("the job has run").flatten();
    names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn job(study: &Study, seed: u32) -> String {
    let seed = format!("seed={seed}");
    study.query(&["--where", &seed, "--where", "model=Na/7", "--columns", "id"])[0]["id"].clone()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| format!("{name}.safetensors")).collect()
}

#[test]
fn finished_jobs_keep_what_the_file_or_the_command_says_and_the_same_result() {
    let expected = {
        let study = Study::new();
        study.write("tiny.toml", &sweep("tiny", "best-and-final", "0"));
        study.expect(0, &["launch", "tiny.toml"]);
        assert_eq!(files(&study, &job(&study, 0)), names(&["best", "final"]));
        study.hashes()
    };
    for (file, flag, left) in [
        ("final", None, &["final"][..]),
        ("best", None, &["best"]),
        ("none", None, &[]),
        ("none", Some("best"), &["best"]),
    ] {
        let study = Study::new();
        study.write("tiny.toml", &sweep("tiny", file, "0"));
        let said = flag.map_or(Vec::new(), |flag| vec!["--keep", flag]);
        study.expect(0, &[&["launch", "tiny.toml"][..], &said].concat());
        let job = job(&study, 0);
        assert_eq!(files(&study, &job), names(left), "{file} {flag:?}");
        assert_eq!(study.hashes(), expected, "no identity and no result depends on it");
        let shown = study.expect(0, &["show", &job]).stdout;
        for name in ["latest", "best", "final"] {
            let named = shown.contains(&format!("{name}.safetensors"));
            assert_eq!(named, left.contains(&name), "{shown}");
        }
    }
}

#[test]
fn a_job_that_two_sweeps_share_keeps_what_either_wants() {
    let study = Study::new();
    study.write("a.toml", &sweep("a", "final", "[0, 1]"));
    study.write("b.toml", &sweep("b", "none", "[1, 2]"));
    study.write("idle.toml", "name = \"idle\"\n[noop]\ncount = 1\n");
    // Paused, so that both are registered before anything runs.
    study.expect(0, &["launch", "idle.toml"]);
    study.expect(0, &["pause"]);
    for (file, jobs) in [("a.toml", 3), ("b.toml", 4)] {
        let mut augreg = study.start(&["launch", file]);
        study.wait_for(&format!("select 1 as n where (select count(*) from job) = {jobs}"));
        augreg.signal(Signal::INT);
        augreg.wait(Duration::from_mins(3));
    }
    study.expect(0, &["unpause"]);
    study.expect(0, &["launch", "b.toml"]);
    assert_eq!(files(&study, &job(&study, 1)), names(&["final"]), "a wants it");
    assert_eq!(files(&study, &job(&study, 2)), names(&[]));
    study.expect(0, &["resume"]);
    assert_eq!(files(&study, &job(&study, 0)), names(&["final"]));
}

#[test]
fn a_cancelled_job_keeps_its_state_and_the_next_attempt_clears_half_written_files() {
    let study = Study::new();
    study.write("tiny.toml", &sweep("tiny", "none", "0").replace("epochs = 2", "epochs = 40"));
    let mut augreg = study.start(&["launch", "tiny.toml", "--checkpoint-seconds", "0.2"]);
    study.wait_for("select * from checkpoint");
    let job = job(&study, 0);
    study.expect(0, &["cancel", &job]);
    augreg.wait(Duration::from_mins(3));
    assert!(files(&study, &job).contains("latest.safetensors"), "a retry goes on from it");
    let shown = study.expect(0, &["show", &job]).stdout;
    assert!(shown.contains("latest.safetensors"), "{shown}");

    let folder = study.root().join("runs").join(&job).join("checkpoint");
    for half in ["latest.new", "best.new", "final.new"] {
        std::fs::write(folder.join(half), "half of a checkpoint").expect("writes");
    }
    study.expect(0, &["retry", &job]);
    study.expect(0, &["resume"]);
    assert_eq!(files(&study, &job), names(&[]));
    let resumed = study.query(&["select from_step from attempt where number = 2"]);
    assert_ne!(resumed[0]["from_step"], "0");
}

#[test]
fn an_unknown_retention_is_named_with_the_nearest() {
    let study = Study::new();
    study.write("tiny.toml", &sweep("tiny", "finale", "0"));
    let refused = study.expect(2, &["launch", "tiny.toml"]);
    assert!(refused.stderr.contains("unknown retention `finale`"), "{}", refused.stderr);
    assert!(refused.stderr.contains("did you mean `final`"), "{}", refused.stderr);
    let refused = study.expect(2, &["resume", "--keep", "everything"]);
    assert!(refused.stderr.contains("best-and-final"), "{}", refused.stderr);
}
