//! `augreg show` tells the whole story of a job.

use std::time::Duration;

use augreg_tests::{COMMON, HEAD, PAST_A_CHECKPOINT, Study, kill};
use insta::assert_snapshot;
use rustix::process::Signal;

fn sweep() -> String {
    format!(
        "{HEAD}\n[pretrain]\ndataset = \"fashion\"\naugmentation = \"light2\"\nepochs = 40\n{COMMON}"
    )
}

fn running(attempt: u32) -> String {
    format!("{PAST_A_CHECKPOINT} and a.number = {attempt}")
}

#[test]
fn a_job_that_was_killed_retried_cancelled_retried_again_and_finished_tells_all_of_it() {
    let study = Study::new();
    study.write("tiny.toml", &sweep());
    let flags = ["--workers", "1", "--checkpoint-seconds", "0.2"];
    let mut launch = study.start(&[&["launch", "tiny.toml"][..], &flags].concat());
    let pid = study.wait_for(&running(1))[0]["pid"].clone();
    kill(pid.parse().expect("a process id"), Signal::KILL);
    study.wait_for(&running(2));
    let job = study.query(&["--columns", "id"])[0]["id"].clone();
    study.expect(0, &["cancel", &job]);
    let (status, stderr) = launch.wait(Duration::from_mins(3));
    assert_eq!(status.code(), Some(0), "{stderr}");
    study.expect(0, &["retry", &job]);
    study.expect(0, &[&["resume"][..], &flags].concat());

    let shown = study.expect(0, &["show", &job]).stdout;
    let who = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    let who = who.unwrap_or_else(|_| format!("user {}", rustix::process::getuid().as_raw()));
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let shown = shown
        .replace(&study.root().canonicalize().expect("it is there").display().to_string(), "ROOT")
        .replace(&study.root().display().to_string(), "ROOT")
        .replace(&format!("by {who} on {host}"), "by WHO on HOST")
        .replace(&format!(" on {host}, pid"), " on HOST, pid");
    insta::with_settings!({filters => vec![
        (r"\b[0-9a-z]{26}\b", "JOB"),
        (r"\b[0-9a-f]{64}\b", "SHA256"),
        (r"\b[0-9a-f]{32}\b", "HASH"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME"),
        (r"pid \d+", "pid PID"),
        (r"\b\d+ threads", "N threads"),
        (r"augreg \d+\.\d+\.\d+", "augreg VERSION"),
        (r"for (\d+ min )?\d+ s\b", "for SECONDS"),
        (r"in \d+\.\d s\b", "in SECONDS"),
        (r"step [\d,]+", "step STEP"),
        (r"\d+ checkpoints", "N checkpoints"),
        (r"[\d.]+ [kMG]?B\b", "SIZE"),
        (r"[\d.]+ %", "ACCURACY"),
        (r"train loss [\d.]+", "train loss LOSS"),
        (r"\d+ images/s, (\d+ min )?\d+ s of device time", "SPEED, SECONDS of device time"),
        (r"(?m)^           .*\n", ""), // The lines of its log that an attempt quotes.
    ]}, { assert_snapshot!(shown) });
}
