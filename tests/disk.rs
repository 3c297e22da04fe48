//! A disk that fills up: the run pauses, says so, loses nothing, and goes on when there is room.

use std::collections::BTreeMap;
use std::time::Duration;

use augreg_tests::small_disk::{SmallDisk, in_namespace};
use augreg_tests::{COMMON, HEAD, PAST_A_CHECKPOINT, Study};
use rustix::process::Signal;

const LAUNCH: [&str; 6] =
    ["launch", "tiny.toml", "--checkpoint-seconds", "0.2", "--reserve", "6MB"];

fn sweep() -> String {
    format!(
        "{HEAD}\n[pretrain]\ndataset = \"fashion\"\naugmentation = \"medium1\"\n\
         regularization = 0.1\nseed = [0, 1, 2]\nepochs = 20\n{COMMON}"
    )
}

fn undisturbed() -> BTreeMap<String, String> {
    let study = Study::new();
    study.write("tiny.toml", &sweep());
    study.expect(0, &LAUNCH);
    study.hashes()
}

/// A study whose folder is a file system of 32 MB.
fn small() -> (Study, SmallDisk) {
    let study = Study::new();
    study.write("tiny.toml", &sweep());
    let disk = SmallDisk::mount(study.root(), 32);
    (study, disk)
}

/// What the workers wrote to their logs.
fn logs(study: &Study) -> String {
    let jobs = std::fs::read_dir(study.root().join("runs")).expect("jobs have run");
    let logs = jobs.flatten().map(|job| job.path().join("attempt-1/worker.log"));
    logs.filter_map(|log| std::fs::read_to_string(log).ok()).collect()
}

/// Threads: bghira/SimpleTuner#2353 (pause instead of ending when the disk is full),
/// ray-project/ray#32481 (a full disk fails trials), microsoft/nni#2317 (and nobody is told).
#[test]
fn simpletuner_2353_a_full_disk_pauses_the_run_and_costs_no_attempt_and_no_bit() {
    if !in_namespace("simpletuner_2353_a_full_disk_pauses_the_run_and_costs_no_attempt_and_no_bit")
    {
        return;
    }
    let expected = undisturbed();
    let (study, disk) = small();
    let mut augreg = study.start(&LAUNCH);
    study.wait_for(PAST_A_CHECKPOINT);

    disk.fill(4_000_000);
    let status = study.wait_for_status("paused by the disk since");
    let root = study.root().display().to_string();
    for said in [&*root, "MB left", "6.0 MB are to be kept free", "work goes on at 7.5 MB"] {
        assert!(status.contains(said), "no `{said}` in\n{status}");
    }
    disk.fill(0);
    std::thread::sleep(Duration::from_secs(4));
    assert!(augreg.is_running(), "it waits");
    assert_eq!(study.query(&["select * from job where state = 'failed'"]).len(), 0);
    assert!(study.query(&["select * from job where state <> 'succeeded'"]).len() > 1);

    disk.relieve();
    let (status, stderr) = augreg.wait(Duration::from_mins(2));
    assert_eq!(status.code(), Some(0), "{stderr}");
    for said in [&*root, "are to be kept free", "the disk has room again"] {
        assert!(stderr.contains(said), "no `{said}` in\n{stderr}");
    }
    assert!(logs(&study).contains("waiting for room"), "workers found no room:\n{}", logs(&study));
    assert_eq!(study.hashes(), expected);
    let attempts = study.query(&["select state, number from attempt"]);
    assert!(
        attempts.len() == 3 && attempts.iter().all(|row| row["state"] == "succeeded"),
        "no attempt was lost: {attempts:?}"
    );
    let told = "select what from event where what in ('disk-full', 'disk-has-room') order by id";
    let told: Vec<_> = study.query(&[told]).into_iter().map(|row| row["what"].clone()).collect();
    assert_eq!(told, ["disk-full", "disk-has-room"]);
    assert!(!study.expect(0, &["status"]).stdout.contains("paused"));
}

#[test]
fn a_disk_that_is_full_at_once_stops_the_database_too_and_a_stop_or_a_kill_loses_nothing() {
    if !in_namespace(
        "a_disk_that_is_full_at_once_stops_the_database_too_and_a_stop_or_a_kill_loses_nothing",
    ) {
        return;
    }
    let expected = undisturbed();
    for signal in [Signal::INT, Signal::KILL] {
        let (study, disk) = small();
        let mut augreg = study.start(&LAUNCH);
        study.wait_for(PAST_A_CHECKPOINT);
        disk.fill(0);
        study.wait_for_status("is full");
        std::thread::sleep(Duration::from_secs(2));
        augreg.signal(signal);
        let (_, stderr) = augreg.wait(Duration::from_mins(3));
        assert!(stderr.contains("full"), "{signal:?}: {stderr}");

        disk.relieve();
        let ran = study.expect(0, &["resume", "--reserve", "6MB"]);
        assert_eq!(study.hashes(), expected, "{signal:?}: {}", ran.stderr);
        let failed = "select * from attempt where failure in ('bug', 'lost', 'timeout')";
        assert!(study.query(&[failed]).is_empty(), "{signal:?}: {:?}", study.query(&[failed]));
    }
}

/// Thread: `mlfoundations/open_lm#154` (say early that the disk is too small).
#[test]
fn open_lm_154_a_sweep_too_large_for_the_disk_is_refused_before_anything_is_made() {
    if !in_namespace(
        "open_lm_154_a_sweep_too_large_for_the_disk_is_refused_before_anything_is_made",
    ) {
        return;
    }
    let study = Study::new();
    study.write("tiny.toml", &sweep().replace("epochs = 20", "epochs = 1"));
    let disk = SmallDisk::mount(study.path("small"), 8);
    let root = study.path("small/study").display().to_string();
    let refused = study.expect(2, &["--root", &root, "launch", "tiny.toml"]);
    for said in [&*root, "8.39 MB free", "200 MB to be kept free", "--keep", "--force"] {
        assert!(refused.stderr.contains(said), "no `{said}` in\n{}", refused.stderr);
    }
    let left = || std::fs::read_dir(study.path("small")).expect("reads").count();
    assert_eq!(left(), 0, "nothing is made");
    let plan = study.expect(0, &["--root", &root, "plan", "tiny.toml"]);
    assert!(plan.stdout.contains("8.39 MB free"), "{}", plan.stdout);

    // Told to go ahead, it begins, waits for room, and can be stopped.
    let mut augreg = study.start(&["--root", &root, "launch", "tiny.toml", "--force"]);
    study.wait_for_in(&root, "select * from event where what = 'disk-full'");
    augreg.signal(Signal::INT);
    assert_eq!(augreg.wait(Duration::from_mins(3)).0.code(), Some(130));
    let ran = study.expect(0, &["--root", &root, "resume", "--reserve", "500kB"]);
    assert!(ran.stderr.contains("3 succeeded"), "{}", ran.stderr);
    drop(disk);
}
