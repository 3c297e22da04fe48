//! At most one scheduler works on a study, and whoever is refused has changed nothing.

use std::time::Duration;

use augreg_tests::{Running, Study, kill};
use rustix::process::Signal;

fn idle(name: &str, jobs: u32) -> String {
    format!("name = \"{name}\"\n[noop]\ncount = {jobs}\n")
}

fn count(study: &Study, what: &str) -> u32 {
    let rows = study.query(&[&format!("select count(*) as n from {what}")]);
    rows[0]["n"].parse().expect("a number")
}

fn holder(running: &Running) -> String {
    format!("process {} on host", running.id())
}

/// Threads: optuna/optuna#4994 (locked databases), ray-project/ray#8647 (configurations train again).
#[test]
fn of_two_launches_of_one_file_at_the_same_moment_one_runs_and_the_other_is_refused_by_name() {
    const JOBS: u32 = 1000;
    for time in 1..=10 {
        let study = Study::new();
        study.write("idle.toml", &idle("idle", JOBS));
        let both =
            [(); 2].map(|()| study.start(&["--quiet", "launch", "idle.toml", "--workers", "1"]));
        let names = [holder(&both[0]), holder(&both[1])];
        let mut ended = both.map(|mut launch| launch.wait(Duration::from_mins(2)));
        let mut winner = 0;
        if ended[0].0.code() != Some(0) {
            ended.swap(0, 1);
            winner = 1;
        }
        let [(ran, _), (refused, why)] = &ended;
        assert_eq!((ran.code(), refused.code()), (Some(0), Some(2)), "time {time}: {why}");
        assert!(why.contains(&names[winner]), "time {time}: {why}");
        assert_eq!(
            [count(&study, "attempt"), count(&study, "result"), count(&study, "sweep")],
            [JOBS, JOBS, 1],
            "time {time}: nothing ran twice"
        );
        let again = study.expect(0, &["launch", "idle.toml"]);
        assert!(again.stderr.contains("nothing to run"), "{}", again.stderr);
        assert_eq!(count(&study, "attempt"), JOBS);
    }
}

#[test]
fn a_launch_beside_a_running_one_registers_nothing_and_small_commands_work() {
    let study = Study::new();
    study.write("idle.toml", &idle("idle", 50_000));
    study.write("other.toml", &idle("other", 10));
    let launch = study.start(&["--quiet", "launch", "idle.toml", "--workers", "1"]);
    study.wait_for("select * from attempt");
    for refused in [&["launch", "other.toml"][..], &["resume"], &["resume", "idle"]] {
        let ran = study.expect(2, refused);
        assert!(ran.stderr.contains(&holder(&launch)), "{}", ran.stderr);
        assert!(ran.stderr.contains("nothing was changed"), "{}", ran.stderr);
    }
    assert_eq!(count(&study, "sweep"), 1);

    let last = "select id from job where state = 'queued' order by ordinal desc limit 1";
    let job = study.query(&[last])[0]["id"].clone();
    study.expect(0, &["cancel", &job]);
    let state = format!("select state from job where id = '{job}'");
    assert_eq!(study.query(&[&state])[0]["state"], "cancelled");
    study.expect(0, &["retry", &job]);
    assert_eq!(study.query(&[&state])[0]["state"], "queued");
    launch.signal(Signal::KILL);
}

#[test]
fn a_lock_of_a_dead_scheduler_is_taken_over_without_a_word() {
    let study = Study::new();
    study.write("idle.toml", &idle("idle", 50_000));
    let mut launch = study.start(&["--quiet", "launch", "idle.toml", "--workers", "1"]);
    study.wait_for("select * from result");
    kill(launch.id() as i32, Signal::KILL);
    launch.wait(Duration::from_mins(3));
    let left = std::fs::read_to_string(study.root().join("lock")).expect("the file is left");
    assert!(left.contains(&holder(&launch)), "{left}");

    study.write("few.toml", &idle("few", 5));
    let ran = study.expect(0, &["launch", "few.toml"]);
    assert!(!ran.stderr.contains("lock"), "{}", ran.stderr);
}
