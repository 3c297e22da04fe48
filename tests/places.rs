//! Places where a study cannot be, or cannot be written: one clear error each, and nothing left behind.

use std::path::Path;
use std::process::{Command, Stdio};

use augreg_tests::small_disk::{SmallDisk, in_namespace};
use augreg_tests::{Ran, Study, kill};
use rustix::process::Signal;

const IDLE: &str = "name = \"idle\"\n[noop]\ncount = 3\n";
const READERS: [&[&str]; 5] = [
    &["status"],
    &["query"],
    &["query", "select * from v_jobs"],
    &["ledger"],
    &["plan", "idle.toml"],
];
const WRITERS: [&[&str]; 5] = [
    &["launch", "more.toml"],
    &["resume"],
    &["pause"],
    &["unpause"],
    &["retry", "--sweep", "idle"],
];

/// A finished study, and a file that would add to it.
fn finished() -> Study {
    let study = Study::new();
    study.write("idle.toml", IDLE);
    study.write("more.toml", &IDLE.replace("count = 3", "count = 9"));
    study.expect(0, &["launch", "idle.toml"]);
    study
}

/// One error with a mend, and no panic.
fn is_clear(ran: &Ran, said: &[&str]) {
    assert!(ran.stdout.is_empty(), "{}", ran.stdout);
    for said in said.iter().chain(&["help: "]) {
        assert!(ran.stderr.contains(said), "no `{said}` in\n{}", ran.stderr);
    }
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("reads").flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_file_where_the_folder_should_be_is_named_and_left_as_it_is() {
    let study = Study::new();
    study.write("idle.toml", IDLE);
    study.write("study", "not a folder");
    for command in [&["launch", "idle.toml"][..], &["resume"], &["status"], &["pause"]] {
        let refused = study.expect(2, command);
        is_clear(&refused, &["study", "Not a directory", "a study is a folder"]);
    }
    assert_eq!(std::fs::read_to_string(study.root()).expect("reads"), "not a folder");
}

#[test]
fn a_study_on_a_read_only_disk_can_be_read_and_says_why_it_cannot_be_run() {
    if !in_namespace("a_study_on_a_read_only_disk_can_be_read_and_says_why_it_cannot_be_run") {
        return;
    }
    let study = Study::new();
    study.write("idle.toml", IDLE);
    study.write("more.toml", &IDLE.replace("count = 3", "count = 9"));
    let disk = SmallDisk::mount(study.root(), 512);
    study.expect(0, &["launch", "idle.toml", "--reserve", "1MB"]);
    disk.make_read_only();
    let before = names(&study.root());
    for command in READERS {
        study.expect(0, command);
    }
    let job = study.query(&["--columns", "id"])[0]["id"].clone();
    let shown = study.expect(0, &["show", &job]).stdout;
    assert!(shown.contains("succeeded"), "{shown}");
    study.expect(0, &["logs", &job]);
    for command in WRITERS {
        let refused = study.expect(2, command);
        let root = study.root().display().to_string();
        is_clear(&refused, &[&root, "Read-only file system", "`augreg status`"]);
    }
    assert_eq!(names(&study.root()), before);

    let elsewhere = study.path("study/new").display().to_string();
    let refused = study.expect(2, &["--root", &elsewhere, "launch", "idle.toml", "--force"]);
    is_clear(&refused, &[&elsewhere, "Read-only file system"]);
}

/// A study whose scheduler was killed has logs beside its database; they are read all the same.
#[test]
fn a_killed_study_on_a_read_only_disk_can_be_read() {
    if !in_namespace("a_killed_study_on_a_read_only_disk_can_be_read") {
        return;
    }
    let study = Study::new();
    study.write("idle.toml", &IDLE.replace("count = 3", "count = 100000"));
    let disk = SmallDisk::mount(study.root(), 512);
    let mut launch =
        study.start(&["--quiet", "launch", "idle.toml", "--reserve", "1MB", "--force"]);
    study.wait_for("select * from result");
    kill(launch.id() as i32, Signal::KILL);
    launch.wait(std::time::Duration::from_secs(10));
    assert!(names(&study.root()).contains(&"augreg.db-wal".to_owned()));
    disk.make_read_only();
    let status = study.expect(0, &["status"]).stdout;
    assert!(status.contains("idle: 100,000 jobs"), "{status}");
    study.expect(0, &["query", "select count(*) from result"]);
}

/// Runs `augreg` as a user without rights: root's own are too many for this test.
fn as_nobody(study: &Study, args: &[&str]) -> Ran {
    let augreg = augreg_tests::binary("augreg");
    let mut command = if rustix::process::getuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(augreg);
        command
    } else {
        Command::new(augreg)
    };
    command
        .args(args)
        .current_dir(study.path("."))
        .env("AUGREG_ROOT", study.root())
        .stdin(Stdio::null())
        .output()
        .expect("setpriv (util-linux) and augreg are there")
        .into()
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(path, permissions).expect("it is ours");
}

#[test]
fn what_permissions_forbid_is_named_by_file_and_leaves_nothing_behind() {
    let study = finished();
    let root = study.root();
    set_mode(&study.path("."), 0o755);
    let mine = as_nobody(&study, &["--version"]);
    assert_eq!(mine.code, Some(0), "nobody can run it: {}", mine.stderr);
    let before = names(&root);

    // The folder: neither listed nor entered.
    set_mode(&root, 0o000);
    for command in [&["status"][..], &["resume"], &["launch", "more.toml"], &["pause"]] {
        let refused = as_nobody(&study, command);
        assert_eq!(refused.code, Some(2), "{command:?}: {}", refused.stderr);
        is_clear(&refused, &["augreg.db", "Permission denied", "--root DIR"]);
    }
    // The database: there, but not for us.
    set_mode(&root, 0o755);
    set_mode(&root.join("augreg.db"), 0o000);
    for command in [&["status"][..], &["query"], &["resume"], &["launch", "more.toml"]] {
        let refused = as_nobody(&study, command);
        assert_eq!(refused.code, Some(2), "{command:?}: {}", refused.stderr);
        is_clear(&refused, &["augreg.db", "Permission denied"]);
    }
    // Somebody else's study: to be read, not to be run.
    set_mode(&root.join("augreg.db"), 0o444);
    set_mode(&root, 0o555);
    for command in [&["status"][..], &["query"], &["plan", "more.toml"]] {
        let read = as_nobody(&study, command);
        assert_eq!(read.code, Some(0), "{command:?}: {}", read.stderr);
    }
    for command in WRITERS {
        let refused = as_nobody(&study, command);
        assert_eq!(refused.code, Some(2), "{command:?}: {}", refused.stderr);
        is_clear(&refused, &["cannot be written", "Permission denied"]);
    }
    // No study yet, and no right to make one.
    set_mode(&study.path("."), 0o555);
    let new = study.path("new").display().to_string();
    let refused = as_nobody(&study, &["--root", &new, "launch", "idle.toml"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    is_clear(&refused, &[&new, "Permission denied"]);

    set_mode(&study.path("."), 0o755);
    set_mode(&root, 0o755);
    assert!(!Path::new(&new).exists());
    assert_eq!(names(&root), before);
}
