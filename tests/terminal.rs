//! What a person sees who sits at a terminal: bars that move, failures as they come, and nothing that a file
//! name could make the terminal do. And what a program gets that reads instead.

use std::process::{Command, Stdio};

use augreg_tests::pty::Terminal;
use augreg_tests::{COMMON, HEAD, Study};
use rustix::process::Signal;

/// Two jobs that take seconds and one that diverges at once; it comes first because it would take longest.
fn study() -> Study {
    let study = Study::new();
    let long = format!("[[pretrain]]\ndataset = \"fashion\"\nseed = [0, 1]\nepochs = 20\n{COMMON}");
    let bad = COMMON.replace("4e-3", "1e6");
    let bad = format!("[[pretrain]]\ndataset = \"fashion\"\nepochs = 60\n{bad}");
    study.write("tiny.toml", &format!("{HEAD}\n{long}\n{bad}"));
    study
}

fn in_terminal(study: &Study, columns: u16, args: &[&str]) -> Terminal {
    let mut command = study.command(args);
    command.env_remove("NO_COLOR").env_remove("COLUMNS");
    Terminal::run(command, columns, 24)
}

/// Each screen has what is drawn anew at most once: what was drawn before is taken away.
fn is_drawn_once(frames: &[String], mark: &str) {
    for frame in frames {
        assert!(frame.matches(mark).count() <= 1, "`{mark}` is left behind in\n{frame}");
    }
}

/// A job that runs has a line with all of this.
fn has_bar(frames: &[String], said: &[&str]) -> bool {
    frames
        .iter()
        .flat_map(|frame| frame.lines())
        .any(|line| said.iter().all(|said| line.contains(said)))
}

#[test]
fn a_launch_at_a_terminal_has_bars_that_go_and_failures_that_stay() {
    let study = study();
    let mut launch = in_terminal(&study, 170, &["launch", "tiny.toml"]);
    launch.wait_for("failed");
    assert_eq!(launch.end(), Some(1), "{}", launch.screen());
    let frames = launch.frames();
    let bar = ["━", " %", "Na/7", "left", "loss ", "epoch ", " of 20", "step ", "images/s"];
    assert!(has_bar(&frames, &bar), "{}", frames.join("\n\n"));
    let total = ["/3 jobs", "of 2 workers busy", "about", "left", "1 failed", "cores ", " %"];
    assert!(has_bar(&frames, &total), "{}", frames.join("\n\n"));
    is_drawn_once(&frames, "workers busy");
    let last = launch.screen();
    assert!(last.contains("failed") && last.contains("diverged"), "{last}");
    assert!(last.contains("2 succeeded, 1 failed"), "{last}");
    assert!(!last.contains('━') && !last.contains("busy"), "bars are left behind:\n{last}");
}

#[test]
fn a_terminal_of_forty_columns_is_wide_enough() {
    let study = study();
    let mut launch = in_terminal(&study, 40, &["launch", "tiny.toml"]);
    let mut watch = in_terminal(&study, 40, &["status", "--watch", "--every", "0.2"]);
    // It is there before the study is.
    if watch.end() == Some(2) {
        launch.wait_for(" %");
        watch = in_terminal(&study, 40, &["status", "--watch", "--every", "0.2"]);
    }
    assert_eq!(
        (launch.end(), watch.end()),
        (Some(1), Some(0)),
        "{}\n{}",
        launch.screen(),
        watch.screen()
    );
    is_drawn_once(&launch.frames(), "workers busy");
    is_drawn_once(&launch.frames(), "/3 jobs");
    let id = study.query(&["--columns", "short_id", "state=succeeded"])[0]["short_id"].clone();
    let bar = [" %", &id, " left", "loss "];
    assert!(has_bar(&launch.frames(), &bar), "{}", launch.frames().join("\n\n"));
    is_drawn_once(&watch.frames(), "tiny: 3 jobs");
    for args in [
        &["status"][..],
        &["query"],
        &["query", "--pivot", "model,augmentation", "final_val"],
        &["query", "--group", "model,seed", "--show", "max(final_val)", "count"],
        &["plan", "tiny.toml"],
        &["ledger"],
        &["launch", "--help"],
    ] {
        let mut narrow = in_terminal(&study, 40, args);
        assert_eq!(narrow.end(), Some(0), "{args:?}: {}", narrow.screen());
    }
    let mut table = in_terminal(&study, 40, &["query"]);
    table.end();
    let bytes = table.bytes();
    let (rows, rest) = bytes.split_once("no room for ").expect("columns are left out, and named");
    assert!(rest.contains("final_val"), "{rest}");
    let widest = rows.lines().map(|line| line.trim_end().chars().count()).max();
    assert!(widest <= Some(40), "{bytes}");
}

#[test]
fn status_watch_has_a_bar_for_each_job_and_ends_with_the_last() {
    let study = study();
    let mut launch = study.start(&["launch", "tiny.toml"]);
    study.wait_for("select * from attempt where state = 'running'");
    let mut watch = in_terminal(&study, 160, &["status", "--watch", "--every", "0.2"]);
    assert_eq!(watch.end(), Some(0), "{}", watch.screen());
    launch.wait(std::time::Duration::from_mins(1));
    let frames = watch.frames();
    let bar = ["━", "Na/7", "epoch ", "step ", " of ", "loss ", "images/s", "left"];
    assert!(has_bar(&frames, &bar), "{}", frames.join("\n\n"));
    assert!(has_bar(&frames, &["this machine: cores ", " %"]), "{}", frames.join("\n\n"));
    is_drawn_once(&frames, "tiny: 3 jobs");
    is_drawn_once(&frames, "diverged");
    let last = watch.screen();
    assert!(last.contains("diverged: "), "a failure stays: {last}");
    assert!(last.contains("tiny: 3 jobs, 1 failed, 2 succeeded"), "{last}");
    assert!(!last.contains('━'), "{last}");
}

#[test]
fn status_watch_into_a_pipe_is_plain_lines_of_what_has_changed() {
    let study = study();
    let mut launch = study.start(&["launch", "tiny.toml"]);
    study.wait_for("select * from attempt where state = 'running'");
    let watch = study.expect(0, &["status", "tiny", "--watch", "--every", "0.2"]).stdout;
    launch.wait(std::time::Duration::from_mins(1));
    assert!(!watch.contains('\u{1b}') && !watch.contains('━'), "{watch}");
    let lines: Vec<_> = watch.lines().collect();
    assert_eq!(lines.iter().filter(|line| line.contains("diverged: ")).count(), 1, "{watch}");
    assert_eq!(lines.last(), Some(&"tiny: 3 jobs, 1 failed, 2 succeeded"), "{watch}");
    assert!(lines.iter().any(|line| line.contains("running")), "{watch}");
    assert!(lines.windows(2).all(|two| two[0] != two[1]), "only changes are told:\n{watch}");
}

#[test]
fn ctrl_c_leaves_status_watch_and_disturbs_nobody() {
    let study = study();
    let mut launch = study.start(&["launch", "tiny.toml"]);
    study.wait_for("select * from attempt where state = 'running'");
    let mut watch = in_terminal(&study, 120, &["status", "--watch", "--every", "0.2"]);
    watch.wait_for("this machine: cores");
    watch.signal(Signal::INT);
    watch.end();
    assert!(launch.is_running());
    let (status, _) = launch.wait(std::time::Duration::from_mins(1));
    assert_eq!(status.code(), Some(1), "one job diverges, as it would have");
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let study = Study::new();
    let run = format!("[pretrain]\ndataset = \"fashion\"\nseed = [0, 1]\nepochs = 0.1\n{COMMON}");
    study.write("tiny.toml", &format!("{HEAD}\n{run}"));
    study.expect(0, &["launch", "tiny.toml"]);
    let pivot = ["query", "--pivot", "model,seed", "final_val"];
    let mut coloured = in_terminal(&study, 80, &pivot);
    assert_eq!(coloured.end(), Some(0));
    assert!(coloured.bytes().contains("\u{1b}["), "{:?}", coloured.bytes());
    for args in [&pivot[..], &["launch", "tiny.toml"], &["show", "nothing"], &["status"]] {
        let mut command = study.command(args);
        command.env("NO_COLOR", "1").env_remove("COLUMNS");
        let mut plain = Terminal::run(command, 80, 24);
        plain.end();
        let bytes = plain.bytes();
        let coloured = bytes.split("\u{1b}[").skip(1).any(|after| {
            let end = after.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(0);
            after[end..].starts_with('m') && !matches!(&after[..end], "" | "0")
        });
        assert!(!coloured, "{args:?}: {bytes:?}");
    }
}

/// A file name may hold anything but `/` and 0, and what cannot be decoded is named.
#[test]
fn a_file_name_cannot_give_orders_to_the_terminal() {
    let study = Study::new();
    let name = "\u{1b}]0;owned\u{7}\u{1b}[2Jpicture.png";
    for split in ["train", "val"] {
        for class in ["a", "b"] {
            let folder = study.path("pictures").join(split).join(class);
            std::fs::create_dir_all(&folder).expect("creates");
            std::fs::write(folder.join(name), "no picture").expect("writes");
        }
    }
    let dataset = "[dataset.pictures]\nformat = \"image-folder\"\npath = \"pictures\"\n\
                   splits = { train = \"train\", val = \"val\" }\n";
    let run = format!("[pretrain]\ndataset = \"pictures\"\nepochs = 1\n{COMMON}");
    study.write("tiny.toml", &format!("{HEAD}\n{dataset}\n{run}"));
    for args in [
        &["data", "check", "tiny.toml"][..],
        &["doctor", "tiny.toml"],
        &["launch", "tiny.toml"],
        &["status"],
        &["query", "--columns", "state,message"],
        &["query", "--columns", "state,message", "--format", "csv"],
        &["logs", "--", ""],
    ] {
        let mut terminal = in_terminal(&study, 120, args);
        terminal.end();
        let bytes = terminal.bytes();
        assert!(!bytes.contains("\u{1b}]") && !bytes.contains("\u{1b}[2J"), "{args:?}: {bytes:?}");
        if args[0] != "query" && args[0] != "logs" {
            assert!(bytes.contains("owned"), "{args:?} names it: {bytes}");
        }
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let study = Study::new();
    let run = format!("[pretrain]\ndataset = \"fashion\"\nseed = [0, 1]\nepochs = 0.1\n{COMMON}");
    study.write("tiny.toml", &format!("{HEAD}\n{run}"));
    study.expect(0, &["launch", "tiny.toml"]);
    for args in [
        &["plan", "tiny.toml", "--jobs"][..],
        &["status"],
        &["query"],
        &["ledger"],
        &["schema"],
        &["paper", "table3"],
        &["completions", "bash"],
        &["launch", "--help"],
    ] {
        let mut command: Command = study.command(args);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        drop(child.stdout.take());
        let ended = child.wait_with_output().expect("ends");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(!said.contains("panicked"), "{args:?}: {said}");
        assert_eq!(ended.status.code(), Some(0), "{args:?}: {said}");
    }
}
