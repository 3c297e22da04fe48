//! A worker that trains nothing: it speaks the protocol, keeps a journal, and misbehaves on order.
//!
//! A real process with real pipes, signals and files, for tests of whoever runs workers. Its orders
//! lie in `fake-worker.json` in its working directory, the study's root. What it begins it writes
//! to `ran.log` there: a witness that the scheduler does not own.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::Duration;

use augreg_protocol::{
    Assignment, Beat, FailureKind, FromWorker, JournalError, JournalEvent, JournalWriter, Outcome,
    RunFolder, ToWorker,
};
use serde::Deserialize;

/// What to do wrong. Nothing, if there is no such file.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Orders {
    /// The version to claim instead of the true one.
    version: Option<String>,
    /// Leave before the hello with these last words.
    last_words: Option<String>,
    /// What to do in a job's first, second, … attempt.
    jobs: BTreeMap<String, Vec<Act>>,
    /// What to do in all others.
    otherwise: Act,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Act {
    #[default]
    Succeed,
    /// Write a checkpoint, then die by SIGKILL.
    Crash,
    /// Go silent.
    Hang,
    /// Beat until told to leave, then checkpoint.
    Work,
    /// Beat for ever, whatever is said.
    Insist,
    /// Report like one that trains, but ten times a second, until told to leave.
    Train,
    /// Talk nonsense, then succeed.
    Garble,
    /// Leave nonsense in the journal.
    Damage,
    /// Say that it is over and journal no end.
    Forget,
    /// Fail with a NaN loss.
    Diverge,
    /// Fail for no known reason.
    Fail,
}

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "fake worker: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let orders: Orders = match fs::read("fake-worker.json") {
        Ok(text) => serde_json::from_slice(&text)?,
        Err(_) => Orders::default(),
    };
    if let Some(words) = &orders.last_words {
        writeln!(io::stderr(), "{words}")?;
        return Ok(ExitCode::from(7));
    }
    let version = orders.version.clone().unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned());
    say(&FromWorker::Hello { version, pid: std::process::id() })?;

    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if serde_json::from_str(&line).is_ok_and(|line| sender.send(line).is_err()) {
                return;
            }
        }
    });
    while let Ok(ToWorker::Run(assignment)) = lines.recv() {
        let acts = orders.jobs.get(&assignment.attempt.job.to_string());
        let act = acts.and_then(|acts| acts.get(assignment.attempt.number as usize - 1));
        let act = act.copied().unwrap_or(orders.otherwise);
        let leave = attempt(&assignment, act, &lines)?;
        say(&FromWorker::Ended { attempt: assignment.attempt })?;
        if leave {
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns whether to leave.
fn attempt(
    assignment: &Assignment,
    act: Act,
    lines: &Receiver<ToWorker>,
) -> Result<bool, Box<dyn std::error::Error>> {
    let key = assignment.attempt;
    let folder = RunFolder::new(&assignment.root, key.job);
    let mut journal = JournalWriter::create(&folder.journal(key.number), key)?;
    let lock = File::create(folder.lock())?;
    lock.lock()?;
    let mut witness = OpenOptions::new().create(true).append(true).open("ran.log")?;
    // In one write: two workers append to this file, and a formatter writes part by part.
    witness.write_all(format!("{key}\n").as_bytes())?;
    journal.append(JournalEvent::Started {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        pid: std::process::id(),
        device: assignment.device,
        threads: assignment.threads,
        step: 0,
    })?;
    measure(&mut journal, 1)?;
    match act {
        Act::Succeed => {}
        Act::Crash => {
            fs::write(folder.log(key.number), "about to crash\n")?;
            journal.append(JournalEvent::Checkpoint { step: u64::from(key.number) })?;
            beat(assignment, 1)?;
            rustix::process::kill_process(
                rustix::process::getpid(),
                rustix::process::Signal::KILL,
            )?;
        }
        Act::Hang => loop {
            thread::park();
        },
        Act::Work | Act::Insist => {
            for step in 1.. {
                beat(assignment, step)?;
                thread::sleep(Duration::from_millis(10));
                let told = !matches!(lines.try_recv(), Err(TryRecvError::Empty));
                if told && matches!(act, Act::Work) {
                    journal.append(JournalEvent::Checkpoint { step })?;
                    journal.append(JournalEvent::Stopped { step })?;
                    return Ok(true);
                }
            }
        }
        Act::Train => return train(&mut journal, assignment, lines),
        Act::Garble => {
            let mut out = io::stdout().lock();
            out.write_all(b"nonsense\n\xff\xfe\n{\"type\":\"unheard-of\"}\n")?;
            out.write_all(&vec![b'x'; 3 << 20])?;
            out.write_all(b"\n")?;
            out.flush()?;
        }
        Act::Damage => {
            let path = folder.journal(key.number);
            let mut file = OpenOptions::new().append(true).open(path)?;
            file.write_all(b"{\"crc\":1,\"entry\":{}}\n")?;
            return Ok(false);
        }
        Act::Forget => return Ok(false),
        Act::Diverge => return fail(&mut journal, FailureKind::Diverged, "the loss is NaN"),
        Act::Fail => return fail(&mut journal, FailureKind::Bug, "it broke"),
    }
    beat(assignment, assignment.spec.steps())?;
    journal.append(JournalEvent::Succeeded(Outcome {
        best_val: Some(0.5),
        final_val: Some(0.5),
        final_test: Some(0.5),
        train_loss: Some(0.1),
        parameters_sha256: "0".repeat(64),
        steps: assignment.spec.steps(),
        seconds: 0.1,
        images_per_second: 10.0,
        peak_memory: 1 << 20,
        proof: None,
    }))?;
    Ok(false)
}

/// Ten steps a second: a beat each, and once a second what was measured at them. Begins at some moment
/// of its own, so that many of them do not speak in chorus.
fn train(
    journal: &mut JournalWriter,
    assignment: &Assignment,
    lines: &Receiver<ToWorker>,
) -> Result<bool, Box<dyn std::error::Error>> {
    const STEP: Duration = Duration::from_millis(100);
    const STEPS: u64 = 1_000_000;
    let attempt = assignment.attempt;
    thread::sleep(STEP * (std::process::id() % 100) / 100);
    for step in 2.. {
        thread::sleep(STEP);
        if !matches!(lines.try_recv(), Err(TryRecvError::Empty)) {
            journal.append(JournalEvent::Checkpoint { step })?;
            journal.append(JournalEvent::Stopped { step })?;
            return Ok(true);
        }
        let (loss, images_per_second) = (Some(1.0 / step as f64), 1000.0);
        say(&FromWorker::Beat(Beat { attempt, step, steps: STEPS, loss, images_per_second }))?;
        if step % 10 == 1 {
            let values: Vec<_> = (step - 9..=step).map(|step| 1.0 / step as f32).collect();
            let name = "train_loss".to_owned();
            journal.append(JournalEvent::Series { name, first: step - 9, values })?;
        }
    }
    Ok(true)
}

fn fail(
    journal: &mut JournalWriter,
    kind: FailureKind,
    message: &str,
) -> Result<bool, Box<dyn std::error::Error>> {
    journal.append(JournalEvent::Failed { kind, message: message.to_owned(), step: 1 })?;
    Ok(false)
}

fn measure(journal: &mut JournalWriter, step: u64) -> Result<(), JournalError> {
    let values = BTreeMap::from([("train_loss".to_owned(), 0.5)]);
    journal.append(JournalEvent::Metrics { step, values })
}

fn beat(assignment: &Assignment, step: u64) -> io::Result<()> {
    let (attempt, steps) = (assignment.attempt, assignment.spec.steps());
    say(&FromWorker::Beat(Beat { attempt, step, steps, loss: None, images_per_second: 1.0 }))
}

fn say(message: &FromWorker) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, message)?;
    out.write_all(b"\n")?;
    out.flush()
}
