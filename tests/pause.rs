//! A person pauses a sweep, or the study, from another process, and lets it go on.

use std::time::{Duration, Instant};

use augreg_tests::{COMMON, HEAD, PAST_A_CHECKPOINT, Running, Study};
use rustix::process::Signal;

const RUNNING: &str = "select * from attempt where state = 'running'";

/// Jobs long enough that a pause, of which the scheduler reads once a second, finds them at work.
fn sweep(name: &str, seeds: &str) -> String {
    let head = HEAD.replace("\"tiny\"", &format!("\"{name}\""));
    format!("{head}\n[pretrain]\ndataset = \"fashion\"\nseed = {seeds}\nepochs = 24\n{COMMON}")
}

fn launch(study: &Study, file: &str) -> Running {
    study.start(&["launch", file, "--checkpoint-seconds", "0.2"])
}

#[test]
fn a_pause_empties_the_devices_outlives_the_scheduler_and_changes_no_bit() {
    let file = sweep("tiny", "[0, 1]").replace("epochs = 24", "epochs = 40");
    let study = Study::new();
    study.write("tiny.toml", &file);
    study.expect(0, &["launch", "tiny.toml"]);
    let expected = study.hashes();

    let study = Study::new();
    study.write("tiny.toml", &file);
    let mut augreg = launch(&study, "tiny.toml");
    study.wait_for(PAST_A_CHECKPOINT);
    let paused = study.expect(0, &["pause"]);
    assert!(paused.stderr.contains("the study is paused; nothing of it runs"), "{}", paused.stderr);
    assert!(study.query(&[RUNNING]).is_empty());
    std::thread::sleep(Duration::from_millis(500));
    assert!(augreg.is_running() && study.workers().is_empty(), "it waits, the devices are free");
    let status = study.expect(0, &["status"]).stdout;
    assert!(status.contains("the study is paused since 20"), "{status}");
    assert!(status.contains("with `augreg pause`: `augreg unpause` lets it go on"), "{status}");

    augreg.signal(Signal::INT);
    assert_eq!(augreg.wait(Duration::from_mins(3)).0.code(), Some(130));
    let mut augreg = study.start(&["resume"]);
    std::thread::sleep(Duration::from_secs(2));
    assert!(augreg.is_running() && study.query(&[RUNNING]).is_empty(), "the next waits as well");

    let ended = study.expect(0, &["unpause"]);
    assert!(ended.stderr.contains("the study goes on"), "{}", ended.stderr);
    let (status, stderr) = augreg.wait(Duration::from_mins(3));
    assert_eq!(status.code(), Some(0), "{stderr}");
    assert!(stderr.contains("the study is paused since"), "resume says so: {stderr}");
    assert_eq!(study.hashes(), expected);
    let failed = study.query(&["select * from attempt where state = 'failed'"]);
    assert!(failed.is_empty(), "{failed:?}");
    let again = study.expect(0, &["unpause"]);
    assert!(again.stderr.contains("nothing is paused"), "{}", again.stderr);
    assert!(!study.expect(0, &["status"]).stdout.contains("paused"));
}

#[test]
fn a_draining_pause_lets_attempts_end_and_starts_nothing_more() {
    let study = Study::new();
    study.write("tiny.toml", &sweep("tiny", "[0, 1, 2]"));
    let mut augreg = study.start(&["launch", "tiny.toml", "--workers", "1"]);
    study.wait_for(RUNNING);
    study.expect(0, &["pause", "tiny", "--drain"]);
    study.wait_for("select * from job where state = 'succeeded'");
    std::thread::sleep(Duration::from_secs(2));
    assert!(augreg.is_running() && study.query(&[RUNNING]).is_empty());
    let attempts = study.query(&["select state from attempt"]);
    assert!(attempts.len() < 3 && attempts.iter().all(|row| row["state"] == "succeeded"));
    study.expect(0, &["unpause", "tiny"]);
    assert_eq!(augreg.wait(Duration::from_mins(3)).0.code(), Some(0));
}

#[test]
fn a_paused_sweep_waits_while_the_others_of_a_run_and_shared_jobs_go_on() {
    let study = Study::new();
    study.write("a.toml", &sweep("a", "[0, 1, 2]"));
    study.write("b.toml", &sweep("b", "[2, 3]").replace("epochs = 24", "epochs = [2, 24]"));
    for (file, name) in [("a.toml", "a"), ("b.toml", "b")] {
        let mut augreg = launch(&study, file);
        study.wait_for(&format!("select * from sweep where name = '{name}'"));
        augreg.signal(Signal::INT);
        augreg.wait(Duration::from_mins(3));
    }
    study.expect(0, &["pause", "a"]);
    let mut augreg = study.start(&["resume"]);
    let open_of_b = "select 1 as n where not exists (select * from v_jobs join sweep_job on \
         job_id = v_jobs.id join sweep on sweep.id = sweep_id where name = 'b' and state <> 'succeeded')";
    study.wait_for(open_of_b);
    std::thread::sleep(Duration::from_secs(1));
    assert!(augreg.is_running(), "it waits for the paused sweep");
    let left =
        study.query(&["select seed, state from v_jobs where state <> 'succeeded' order by 1"]);
    let left: Vec<_> = left.iter().map(|row| (&*row["seed"], &*row["state"])).collect();
    assert_eq!(left, [("0", "queued"), ("1", "queued")], "the shared job is done");

    study.expect(0, &["unpause"]);
    let (status, stderr) = augreg.wait(Duration::from_mins(3));
    assert_eq!(status.code(), Some(0), "{stderr}");
}

#[test]
fn an_idle_study_can_be_paused_and_unknown_sweeps_are_refused() {
    let study = Study::new();
    study.write("idle.toml", "name = \"idle\"\n[noop]\ncount = 3\n");
    study.expect(2, &["pause"]);
    study.expect(0, &["launch", "idle.toml"]);
    let refused = study.expect(2, &["pause", "idel"]);
    assert!(refused.stderr.contains("did you mean `idle`"), "{}", refused.stderr);
    let paused = study.expect(0, &["pause", "idle"]);
    assert!(paused.stderr.contains("nothing runs"), "{}", paused.stderr);

    study.write("idle.toml", "name = \"idle\"\n[noop]\ncount = 5\n");
    let mut augreg = study.start(&["launch", "idle.toml"]);
    let began = Instant::now();
    study.wait_for("select * from job where state = 'queued'");
    while began.elapsed() < Duration::from_secs(2) {
        assert!(augreg.is_running());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(study.query(&["select * from attempt"]).len(), 3);
    study.expect(0, &["unpause", "idle"]);
    assert_eq!(augreg.wait(Duration::from_mins(3)).0.code(), Some(0));
    assert_eq!(study.query(&["select * from attempt"]).len(), 5);
}

#[test]
fn a_retry_beside_a_running_sweep_is_taken_up_by_it() {
    let study = Study::new();
    let job =
        |epochs: u32| format!("[[pretrain]]\ndataset = \"fashion\"\nepochs = {epochs}\n{COMMON}\n");
    study.write("tiny.toml", &format!("{HEAD}\n{}{}", job(40), job(1)));
    let mut launch = study.start(&["launch", "tiny.toml", "--workers", "1"]);
    study.wait_for("select * from attempt where state = 'running'");
    let short = study.query(&["--columns", "id", "epochs=1"])[0]["id"].clone();
    study.expect(0, &["cancel", &short]);
    study.wait_for(&format!("select id from job where id = '{short}' and state = 'cancelled'"));
    let retried = study.expect(0, &["retry", &short]);
    assert!(
        retried.stderr.contains("the scheduler that is at work takes them up"),
        "{}",
        retried.stderr
    );
    let (status, said) = launch.wait(Duration::from_mins(2));
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("2 succeeded in"), "{said}");
    let ended = study.query(&["--columns", "state"]);
    assert!(ended.len() == 2 && ended.iter().all(|row| row["state"] == "succeeded"), "{ended:?}");
    // With nobody at work it is left to the next.
    let idle = study.expect(0, &["retry", &short]);
    assert!(
        idle.stderr.contains("0 of 1 jobs queued again; `augreg resume` runs them"),
        "{}",
        idle.stderr
    );
}
