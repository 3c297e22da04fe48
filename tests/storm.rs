//! A fault that fails every job at once: a hundred thousand jobs, and their data set is gone.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use augreg_tests::{COMMON, HEAD, Study, data};
use rustix::process::Signal;

const JOBS: u64 = 100_000;

/// What the scheduler may take beside its jobs, in KiB, and what a job may cost it, in bytes.
const BASE: u64 = 64 * 1024;
const A_JOB: u64 = 1024;

fn sweep(data: &str) -> String {
    let head = HEAD.replace("${AUGREG_DATA}/fashion-mnist", data);
    let mut axes = String::new();
    for (name, count) in [("learning_rate", 10), ("weight_decay", 10), ("seed", JOBS / 100)] {
        let values: Vec<_> = (0..count)
            .map(|at| if name == "seed" { at.to_string() } else { format!("{}e-4", at + 1) })
            .collect();
        let _ = writeln!(axes, "{name} = [{}]", values.join(", "));
    }
    let common = COMMON.replace("learning_rate = 4e-3\n", "");
    format!("{head}\n[pretrain]\ndataset = \"fashion\"\nepochs = 0.02\n{common}{axes}")
}

fn number(study: &Study, sql: &str) -> u64 {
    let row = study.query(&[sql]).remove(0);
    row.into_values().next().and_then(|value| value.parse().ok()).expect("a number")
}

/// The most memory that a process has had, in KiB.
fn high_water(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it is there");
    line.trim().trim_end_matches("kB").trim().parse().expect("a number")
}

#[test]
fn a_hundred_thousand_jobs_whose_data_are_gone_are_not_all_failed_and_go_on_when_they_are_back() {
    let study = Study::new();
    let folder = study.path("fashion");
    symlink(data().join("fashion-mnist"), &folder).expect("links");
    study.write("storm.toml", &sweep(&folder.display().to_string()));
    study.expect(0, &["launch", "--register-only", "storm.toml"]);
    assert_eq!(number(&study, "select count(*) from job where state = 'queued'"), JOBS);

    fs::remove_file(&folder).expect("the data are gone");
    let began = Instant::now();
    let mut augreg = study.start(&["resume", "--workers", "2"]);
    study.wait_for("select * from event where what = 'slowed-down'");
    let slowed = began.elapsed();
    // Two trials are made in the next three seconds, no more.
    std::thread::sleep(Duration::from_secs(3));
    let memory = high_water(augreg.id());
    let attempts = number(&study, "select count(*) from attempt");
    augreg.signal(Signal::INT);
    let (status, stderr) = augreg.wait(Duration::from_mins(3));
    eprintln!(
        "slowed down after {slowed:?}; {attempts} attempts, {} MiB at most; it said:\n{stderr}",
        memory / 1024
    );
    assert_eq!(status.code(), Some(130), "{stderr}");
    assert!((32..=80).contains(&attempts), "{attempts} attempts");
    assert!(memory < BASE + JOBS * A_JOB / 1024, "{memory} KiB");
    for said in ["failed alike", "one at a time", &folder.display().to_string()] {
        assert!(stderr.contains(said), "{stderr}");
    }
    let failed = number(&study, "select count(*) from job where state = 'failed'");
    assert_eq!(failed, number(&study, "select count(*) from attempt where failure = 'data'"));
    assert_eq!(number(&study, "select count(*) from job where state = 'queued'"), JOBS - failed);

    symlink(data().join("fashion-mnist"), &folder).expect("links");
    study.expect(0, &["retry", "--sweep", "tiny"]);
    let mut augreg = study.start(&["resume", "--workers", "2"]);
    study.wait_for("select 1 from result group by 1 having count(*) >= 50");
    augreg.signal(Signal::INT);
    assert_eq!(augreg.wait(Duration::from_mins(3)).0.code(), Some(130));
    assert_eq!(number(&study, "select count(*) from job where state = 'failed'"), 0);
}
