//! A sweep that is struck again and again at random moments ends as an undisturbed one does: every
//! parameter, every metric of every step, and nothing that was finished runs again.
//!
//! The moments are drawn from a seed, which is printed; `AUGREG_MOMENTS_SEED=<seed>` draws the same
//! blows again. (When exactly a process dies is the machine's business, so a replay is close, not equal.)

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use augreg_spec::random::{Purpose, Stream, named_stream};
use augreg_tests::{COMMON, HEAD, Running, Study, kill};
use rustix::process::Signal;
use serde_json::Value;

const SEED: &str = "AUGREG_MOMENTS_SEED";

/// The most that journals grow, in bytes, between a recovery and the next blow: some 90 steps.
const PROGRESS: f64 = 5000.0;

/// The longest pause, in seconds, before a blow that does not wait for progress.
const PAUSE: f64 = 0.5;

/// What a machine or a person does to a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    KillWorker,
    KillScheduler,
    KillBoth,
    /// The host asks a worker to leave.
    TerminateWorker,
    TerminateScheduler,
    /// All processes die, and what was not synced is lost, or half written.
    PowerCut,
}

/// How often each. The first three are the twenty of `kill -9`.
const BLOWS: [(Blow, usize); 6] = [
    (Blow::KillWorker, 8),
    (Blow::KillScheduler, 6),
    (Blow::KillBoth, 6),
    (Blow::TerminateWorker, 3),
    (Blow::TerminateScheduler, 3),
    (Blow::PowerCut, 5),
];

/// Everything that draws at random is on, and there are many evaluations to be struck in.
fn sweep() -> String {
    let common = COMMON.replace("evaluations = 2", "evaluations = 12");
    format!(
        "{HEAD}\n[pretrain]\ndataset = \"fashion\"\naugmentation = \"medium1\"\n\
         regularization = 0.1\nseed = [0, 1]\nepochs = 60\n{common}"
    )
}

const FLAGS: [&str; 4] = ["--checkpoint-seconds", "0.15", "--workers", "2"];

/// What must be equal, line by line. How fast a job was is not among it.
fn findings(study: &Study) -> Vec<String> {
    let rows = [
        "select job_id, parameters_sha256, optimizer_sha256, order_hash, epoch_order_hashes, steps, \
         best_val, final_val, final_test, printf('%!.17g', train_loss) from result order by 1",
        "select job_id, name, step, printf('%!.17g', value) from v_curves \
         where name <> 'images_per_second' and name not like '%_seconds' order by 1, 2, 3",
    ]
    .map(|sql| study.expect(0, &["query", "--format", "csv", sql]).stdout);
    rows.iter().flat_map(|rows| rows.lines()).map(str::to_owned).collect()
}

struct Sweep {
    study: Study,
    draws: Stream,
    /// The scheduler, if one was started and not seen to end.
    scheduler: Option<Running>,
    /// Workers that an earlier scheduler had left, which was killed, when this one was started: they
    /// leave by themselves.
    left: Vec<i32>,
    began: Instant,
}

impl Sweep {
    fn tell(&self, text: &str) {
        let at = self.began.elapsed().as_secs_f64();
        let _ = writeln!(std::io::stderr(), "{at:6.2} s  {text}");
    }

    /// A number below `n`, which is not 0.
    fn below(&mut self, n: usize) -> usize {
        (self.draws.unit() * n as f64) as usize
    }

    /// The blows in an order of chance.
    fn blows(&mut self) -> Vec<Blow> {
        let all = BLOWS.iter().flat_map(|(blow, times)| std::iter::repeat_n(*blow, *times));
        let mut all: Vec<_> = all.collect();
        for last in (1..all.len()).rev() {
            let other = self.below(last + 1);
            all.swap(last, other);
        }
        all
    }

    /// Makes sure that a scheduler runs. A job that was struck three times in a row before it could
    /// write a checkpoint has failed by the rules, and a person gives it another chance.
    fn run(&mut self) {
        if let Some(scheduler) = &mut self.scheduler {
            if scheduler.is_running() {
                return;
            }
            let (status, stderr) = scheduler.wait(Duration::ZERO);
            assert_eq!(status.code(), Some(1), "the sweep is too short for all blows\n{stderr}");
            self.tell("a job was given up; retried");
            self.study.expect(0, &["retry", "--sweep", "tiny"]);
        }
        self.left = self.study.workers();
        self.scheduler = Some(self.study.start(&[&["resume"][..], &FLAGS].concat()));
    }

    /// The workers; waits for one if there is none just now.
    fn workers(&mut self) -> Vec<i32> {
        let deadline = Instant::now() + Duration::from_secs(45);
        loop {
            self.run();
            let workers = self.study.workers();
            if !workers.is_empty() {
                return workers;
            }
            assert!(Instant::now() < deadline, "no worker comes up");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn strike(&mut self, blow: Blow) {
        self.run();
        // Most of them while there is work, the others whenever: while nobody is up, say.
        if self.draws.unit() < 0.7 {
            let growth = (self.draws.unit() * PROGRESS) as u64;
            self.wait_for_progress(growth);
        } else {
            std::thread::sleep(Duration::from_secs_f64(self.draws.unit() * PAUSE));
        }
        match blow {
            Blow::KillWorker | Blow::TerminateWorker => {
                let workers = self.workers();
                let victim = workers[self.below(workers.len())];
                let term = blow == Blow::TerminateWorker;
                // One that has just left by itself is none the worse for it.
                hit(victim, if term { Signal::TERM } else { Signal::KILL });
            }
            Blow::KillScheduler => self.end_scheduler(Signal::KILL),
            Blow::TerminateScheduler => self.end_scheduler(Signal::TERM),
            Blow::KillBoth => {
                self.workers();
                self.end_scheduler(Signal::KILL);
                self.study.workers().into_iter().for_each(|pid| hit(pid, Signal::KILL));
            }
            Blow::PowerCut => {
                self.workers();
                self.end_scheduler(Signal::KILL);
                self.lose_what_was_not_synced();
            }
        }
    }

    /// Waits until journals have grown by so many bytes.
    fn wait_for_progress(&mut self, growth: u64) {
        let (enough, deadline) = (self.written() + growth, Instant::now() + Duration::from_mins(1));
        while self.written() <= enough {
            self.run();
            assert!(Instant::now() < deadline, "nobody works");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The length of all journals together.
    fn written(&self) -> u64 {
        let jobs = folders(&self.study.root().join("runs")).into_iter();
        let journals =
            jobs.flat_map(|job| folders(&job)).map(|attempt| attempt.join("journal.jsonl"));
        journals.filter_map(|journal| Some(std::fs::metadata(journal).ok()?.len())).sum()
    }

    fn end_scheduler(&mut self, signal: Signal) {
        self.run();
        let Some(mut scheduler) = self.scheduler.take() else { return };
        scheduler.signal(signal);
        let (status, stderr) = scheduler.wait(Duration::from_mins(3));
        if signal == Signal::TERM {
            // One that had not begun to listen had not begun anything.
            let at_once = status.signal() == Some(Signal::TERM.as_raw());
            assert!(at_once || status.code() == Some(130), "{status}: {stderr}");
            let mut workers = self.study.workers();
            workers.retain(|worker| !self.left.contains(worker));
            assert_eq!(workers, Vec::<i32>::new(), "nobody is left behind");
        }
    }

    /// Kills the workers, then takes from the disk what a machine that died could have lost.
    fn lose_what_was_not_synced(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let left = self.study.workers();
            if left.is_empty() {
                break;
            }
            for pid in left {
                hit(pid, Signal::KILL);
            }
            assert!(Instant::now() < deadline, "a worker does not die");
        }
        let runs = self.study.root().join("runs");
        for job in folders(&runs) {
            let mut attempts = folders(&job);
            attempts.retain(|path| number(path).is_some());
            attempts.sort_by_key(|path| number(path));
            let mut next = checkpointed(&job.join("checkpoint/latest.safetensors"));
            for attempt in attempts.iter().rev() {
                let began = self.tear_journal(&attempt.join("journal.jsonl"), next);
                next = began.or(next);
            }
            self.tear_checkpoint(&job.join("checkpoint"));
        }
        self.tear_database();
    }

    /// Cuts a journal at a random byte of what need not have been on disk, or leaves zeros from there
    /// on. If the last that had to be there is a checkpoint, its line counts too: the machine may
    /// have died between the two syncs, that of the checkpoint and that of the line which speaks of it.
    /// `next` is the step that was gone on from afterwards. Returns the one it went on from itself.
    fn tear_journal(&mut self, path: &Path, next: Option<u64>) -> Option<u64> {
        let mut bytes = std::fs::read(path).ok()?;
        let Synced { began, mut length, checkpoint } = Synced::of(&bytes);
        if next > checkpoint.or(began) {
            // Its last checkpoint is there without a line: all lines had been synced before.
            length = bytes.len();
        }
        let all = bytes.len();
        let cut = length + self.below(all - length + 1);
        if cut == all {
            return began;
        }
        let zeros = self.draws.unit() < 0.3;
        if zeros {
            bytes[cut..].fill(0);
        } else {
            bytes.truncate(cut);
        }
        let then = if zeros { ", then zeros" } else { "" };
        self.tell(&format!("  {cut} of {all} bytes of {}{then}", name(path)));
        std::fs::write(path, &bytes).expect("writes");
        began
    }

    /// A checkpoint that was being written: there, with any part of its bytes, or not at all.
    fn tear_checkpoint(&mut self, folder: &Path) {
        let latest = folder.join("latest.safetensors");
        let Ok(mut bytes) = std::fs::read(&latest) else { return };
        bytes.truncate(self.below(bytes.len()));
        for unfinished in ["latest.new", "best.new"].map(|name| folder.join(name)) {
            if self.draws.unit() < 0.7 {
                std::fs::write(unfinished, &bytes).expect("writes");
            } else {
                let _ = std::fs::remove_file(unfinished);
            }
        }
    }

    /// Frames of a transaction that was not committed, and no index of the log: that is in memory.
    fn tear_database(&mut self) {
        let wal = self.study.root().join("augreg.db-wal");
        let length = self.below(5000);
        let noise: Vec<_> = (0..length).map(|_| self.draws.bits() as u8).collect();
        let mut log =
            std::fs::OpenOptions::new().append(true).create(true).open(wal).expect("opens");
        log.write_all(&noise).expect("writes");
        let _ = std::fs::remove_file(self.study.root().join("augreg.db-shm"));
    }

    /// Lets the sweep come to its end.
    fn finish(&mut self) {
        for _ in 0..5 {
            self.run();
            let Some(mut scheduler) = self.scheduler.take() else { continue };
            let (status, stderr) = scheduler.wait(Duration::from_mins(4));
            match status.code() {
                Some(0) => return,
                Some(1) => _ = self.study.expect(0, &["retry", "--sweep", "tiny"]),
                _ => panic!("{status}: {stderr}"),
            }
        }
        panic!("jobs fail though nothing happens to them");
    }
}

fn hit(pid: i32, signal: Signal) {
    if Path::new(&format!("/proc/{pid}")).exists() {
        let _ = std::panic::catch_unwind(|| kill(pid, signal));
    }
}

fn folders(of: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(of).into_iter().flatten().flatten();
    let mut folders: Vec<_> =
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// The number of the attempt whose folder this is.
fn number(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.strip_prefix("attempt-")?.parse().ok()
}

fn name(path: &Path) -> String {
    let parts: Vec<_> = path.iter().rev().take(3).map(|part| part.to_string_lossy()).collect();
    parts.into_iter().rev().collect::<Vec<_>>().join("/")
}

/// What a machine that dies cannot take of a journal.
#[derive(Default)]
struct Synced {
    /// The step it goes on from.
    began: Option<u64>,
    /// Bytes that must be there.
    length: usize,
    /// The step of the last checkpoint that it speaks of.
    checkpoint: Option<u64>,
}

impl Synced {
    fn of(journal: &[u8]) -> Self {
        let (mut synced, mut at) = (Self::default(), 0);
        for line in journal.split_inclusive(|byte| *byte == b'\n') {
            let entry: Value = serde_json::from_slice(line).unwrap_or_default();
            let event = &entry["entry"]["event"];
            match event["type"].as_str() {
                Some("started") => synced.began = event["step"].as_u64(),
                Some("checkpoint") => {
                    synced.length = at;
                    synced.checkpoint = event["step"].as_u64();
                }
                Some("succeeded" | "failed" | "stopped") => synced.length = at + line.len(),
                _ => {}
            }
            at += line.len();
        }
        synced
    }
}

/// The step that a checkpoint holds.
fn checkpointed(path: &Path) -> Option<u64> {
    let bytes = std::fs::read(path).ok()?;
    let length = u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?) as usize;
    let header: Value = serde_json::from_slice(bytes.get(8..8 + length)?).ok()?;
    header["__metadata__"]["step"].as_str()?.parse().ok()
}

fn seed() -> u64 {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
    std::env::var(SEED).map_or(clock, |text| text.parse().expect("a seed is a number"))
}

/// What differs between two lists, the first few lines of it.
fn differences(expected: &[String], found: &[String]) -> String {
    let mut text = format!("{} lines expected, {} found\n", expected.len(), found.len());
    let missing = expected.iter().filter(|line| found.binary_search(line).is_err()).take(5);
    missing.for_each(|line| _ = writeln!(text, "- {line}"));
    let new = found.iter().filter(|line| expected.binary_search(line).is_err()).take(5);
    new.for_each(|line| _ = writeln!(text, "+ {line}"));
    text
}

/// Threads: huggingface/transformers#46628, huggingface/accelerate#4071 (resumed runs draw other
/// numbers), It4innovations/hyperqueue#1059 (a journal with blocks of zeros keeps the server from
/// starting).
#[test]
fn a_sweep_struck_at_random_moments_ends_with_the_bits_of_an_undisturbed_one() {
    let undisturbed = Study::new();
    undisturbed.write("tiny.toml", &sweep());
    undisturbed.expect(0, &[&["launch", "tiny.toml"][..], &FLAGS].concat());
    let mut expected = findings(&undisturbed);
    expected.sort();

    let seed = seed();
    let study = Study::new();
    study.write("tiny.toml", &sweep());
    study.expect(0, &["launch", "tiny.toml", "--register-only"]);
    let draws = named_stream(seed, Purpose::Interruption, "random moments");
    let mut sweep =
        Sweep { study, draws, scheduler: None, left: Vec::new(), began: Instant::now() };
    sweep.tell(&format!("{SEED}={seed}"));
    for blow in sweep.blows() {
        sweep.strike(blow);
        sweep.tell(&format!("{blow:?}"));
    }
    sweep.finish();
    sweep.tell("finished");

    let study = sweep.study;
    let mut found = findings(&study);
    found.sort();
    assert!(found == expected, "{SEED}={seed}: {}", differences(&expected, &found));
    let again = study.query(&["select sum(ran_again) as n from v_ledger where sweep is null"]);
    assert_eq!(again[0]["n"], "0", "{SEED}={seed}: a finished job ran again");
    let inexact = study.query(&["select * from v_boundaries where not exact"]);
    assert!(inexact.is_empty(), "{SEED}={seed}: {inexact:?}");
    let resumed = study.query(&["select count(*) as n from attempt where from_step > 0"]);
    let resumed: usize = resumed[0]["n"].parse().expect("a number");
    assert!(resumed >= 15, "{SEED}={seed}: only {resumed} attempts went on from a checkpoint");
    let lost = study.query(&["select count(*) as n from attempt where failure = 'lost'"]);
    assert_ne!(lost[0]["n"], "0", "{SEED}={seed}: workers were killed at work");
}
