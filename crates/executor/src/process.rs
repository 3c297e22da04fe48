//! One worker process: its two pipes, its end, and what it says in between.
//!
//! Three tasks serve a worker. One writes its standard input, so that a worker that does not read
//! holds up nobody; one reads its standard output; one waits for its end, which is told last.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use augreg_protocol::{FromWorker, ToWorker};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::{Notify, mpsc};
use tokio::time::{timeout, timeout_at};
use tracing::{debug, warn};

use crate::local::{WorkerEvent, WorkerReport};
use crate::log::tail_of_log;
use crate::slot::SlotId;

/// A longer line is no line of a worker.
const LONGEST_LINE: u64 = 1 << 20;
/// How long the rest of a dead worker's output is waited for. Only a process that it started and
/// that kept the pipe can make it last.
const DRAIN: Duration = Duration::from_secs(1);
/// How often the kernel's count of out-of-memory kills is looked at while workers run.
const MEMORY_WATCH: Duration = Duration::from_secs(1);
/// How often a worker's beats are passed on: of those in between, the newest.
const BEATS: Duration = Duration::from_millis(500);
/// How a beat begins. One that begins otherwise is passed on as it comes.
const BEAT: &[u8] = b"{\"type\":\"beat\"";

/// A running worker, or one that was. Dropping it closes the worker's standard input.
#[derive(Debug)]
pub(crate) struct Handle {
    /// Emptied by the writing task; holds a few assignments and a stop at most.
    lines: mpsc::UnboundedSender<ToWorker>,
    kill: Arc<Notify>,
    /// None if it was gone before it could be asked.
    pid: Option<u32>,
}

impl Handle {
    pub(crate) fn send(&self, line: ToWorker) {
        // A worker that is gone reads nothing; its end is an event of its own.
        let _ = self.lines.send(line);
    }

    pub(crate) fn kill(&self) {
        self.kill.notify_one();
    }

    /// Bytes of its memory that are resident; none if it is gone, or the system does not say.
    pub(crate) fn resident(&self) -> Option<u64> {
        resident(self.pid?)
    }
}

/// Serves a worker until its end.
///
/// `log` is the file of its standard error, and where in it the worker's words begin.
pub(crate) fn supervise(
    slot: SlotId,
    child: Child,
    log: (PathBuf, u64),
    events: mpsc::Sender<WorkerEvent>,
) -> Handle {
    let (lines, receiver) = mpsc::unbounded_channel();
    let kill = Arc::new(Notify::new());
    let pid = child.id();
    tokio::spawn(watch(slot, child, log, receiver, Arc::clone(&kill), events));
    Handle { lines, kill, pid }
}

async fn watch(
    slot: SlotId,
    mut child: Child,
    (log, log_from): (PathBuf, u64),
    lines: mpsc::UnboundedReceiver<ToWorker>,
    kill: Arc<Notify>,
    events: mpsc::Sender<WorkerEvent>,
) {
    let pid = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
    if let Some(stdin) = child.stdin.take() {
        tokio::spawn(write(slot, stdin, lines));
    }
    let kills_before = out_of_memory_kills();
    let listener = Listener { slot, events: events.clone(), kill: Arc::clone(&kill), kills_before };
    let mut reader = tokio::spawn(listener.listen(child.stdout.take()));

    let mut killed = false;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            () = kill.notified() => {
                killed = true;
                // The child is not reaped yet, so the id is still its own.
                if let Some(pid) = pid && let Err(error) = kill_process_group(pid, Signal::KILL) {
                    warn!(%slot, %error, "failed to kill a worker");
                }
            }
        }
    };
    let heard = if let Ok(heard) = timeout(DRAIN, &mut reader).await {
        heard.unwrap_or_default()
    } else {
        reader.abort();
        Heard::default()
    };
    let report = match (heard.refused, status) {
        (Some(why), _) => WorkerReport::Refused { why },
        (None, Ok(status)) => {
            let memory = !killed
                && status.signal() == Some(Signal::KILL.as_raw())
                && out_of_memory_kills() > heard.kills_before.or(kills_before);
            let cause = if memory { ": the system ran out of memory" } else { "" };
            let mut why = format!("the worker {}{cause}", in_words(status));
            if !heard.hello
                && let Some(tail) = tail_of_log(&log, log_from)
            {
                why = format!("{why}; it said:\n{tail}");
            }
            WorkerReport::Gone { why, out_of_memory: memory }
        }
        (None, Err(error)) => {
            let why = format!("the worker's end could not be learned: {error}");
            WorkerReport::Gone { why, out_of_memory: false }
        }
    };
    // Nobody listens any more if the scheduler is gone.
    let _ = events.send(WorkerEvent { slot, report }).await;
}

async fn write(slot: SlotId, mut stdin: ChildStdin, mut lines: mpsc::UnboundedReceiver<ToWorker>) {
    while let Some(line) = lines.recv().await {
        let mut text = match serde_json::to_vec(&line) {
            Ok(text) => text,
            Err(error) => {
                warn!(%slot, %error, "failed to encode a line to a worker");
                continue;
            }
        };
        text.push(b'\n');
        if let Err(error) = stdin.write_all(&text).await {
            debug!(%slot, %error, "a worker closed its standard input");
            return;
        }
    }
}

/// What the reading task knows when the output ends.
#[derive(Debug, Default)]
struct Heard {
    hello: bool,
    refused: Option<String>,
    kills_before: Option<u64>,
}

struct Listener {
    slot: SlotId,
    events: mpsc::Sender<WorkerEvent>,
    kill: Arc<Notify>,
    kills_before: Option<u64>,
}

/// A worker's beats, which it may send far more often than anybody wants to know.
#[derive(Default)]
struct Beats {
    /// The newest line that was not passed on; empty if there is none.
    kept: Vec<u8>,
    /// When one was passed on last.
    passed: Option<Instant>,
}

impl Beats {
    /// When the one that is kept is to be passed on; none if there is none.
    fn due(&self) -> Option<Instant> {
        self.passed.filter(|_| !self.kept.is_empty()).map(|passed| passed + BEATS)
    }

    /// Takes a line, and gives back the one that is to be passed on now, if any.
    fn take(&mut self, line: &mut Vec<u8>) -> Option<Vec<u8>> {
        std::mem::swap(&mut self.kept, line);
        let due = self.passed.is_none_or(|passed| passed.elapsed() >= BEATS);
        if due { self.pass() } else { None }
    }

    /// The one that is kept, to be passed on.
    fn pass(&mut self) -> Option<Vec<u8>> {
        self.passed = Some(Instant::now());
        Some(std::mem::take(&mut self.kept)).filter(|kept| !kept.is_empty())
    }
}

impl Listener {
    /// Passes on what the worker says until it closes its output or is refused.
    async fn listen(mut self, stdout: Option<ChildStdout>) -> Heard {
        let mut heard = Heard { kills_before: self.kills_before, ..Heard::default() };
        let Some(stdout) = stdout else { return heard };
        let mut reader = BufReader::new(stdout);
        let mut line = Vec::new();
        let mut beats = Beats::default();
        loop {
            let mut limited = (&mut reader).take(LONGEST_LINE);
            let read = limited.read_until(b'\n', &mut line);
            let read = match beats.due() {
                None => read.await,
                Some(due) => {
                    if let Ok(read) = timeout_at(due.into(), read).await {
                        read
                    } else {
                        // What was read of a line stays in it.
                        self.pass(beats.pass().as_deref());
                        continue;
                    }
                }
            };
            match read {
                Ok(0) if line.is_empty() => break,
                Ok(_) => {}
                Err(error) => {
                    warn!(slot = %self.slot, %error, "failed to read from a worker");
                    break;
                }
            }
            heard.kills_before = recent_out_of_memory_kills();
            if line.starts_with(BEAT) {
                self.pass(beats.take(&mut line).as_deref());
            } else {
                // What it says now comes after what it said before.
                self.pass(beats.pass().as_deref());
                if !self.hear(&line, &mut heard).await {
                    return heard;
                }
            }
            line.clear();
        }
        self.pass(beats.pass().as_deref());
        heard
    }

    /// Passes a beat on.
    fn pass(&self, line: Option<&[u8]>) {
        let Some(line) = line else { return };
        match serde_json::from_slice(line) {
            Ok(FromWorker::Beat(beat)) => self.mention(WorkerReport::Beat(beat)),
            Ok(_) => {}
            Err(error) => self.ignore(line, &error),
        }
    }

    /// Passes on what is no beat. False if the worker is not to be listened to any more.
    async fn hear(&mut self, line: &[u8], heard: &mut Heard) -> bool {
        match serde_json::from_slice(line) {
            Ok(FromWorker::Hello { version, .. }) if version != env!("CARGO_PKG_VERSION") => {
                let ours = env!("CARGO_PKG_VERSION");
                let why = format!(
                    "the worker is version {version}, augreg is version {ours}; build both \
                     together with `scripts/build`"
                );
                heard.refused = Some(why);
                self.kill.notify_one();
                return false;
            }
            Ok(FromWorker::Hello { pid, .. }) => {
                heard.hello = true;
                self.tell(WorkerReport::Ready { pid }).await;
            }
            Ok(FromWorker::Ended { attempt }) => self.tell(WorkerReport::Ended { attempt }).await,
            Ok(FromWorker::Beat(beat)) => self.mention(WorkerReport::Beat(beat)),
            Ok(FromWorker::NoRoom { attempt, why }) => {
                self.mention(WorkerReport::NoRoom { attempt, why });
            }
            Err(error) => self.ignore(line, &error),
        }
        true
    }

    /// Tells what is worth less than the worker's time, should the scheduler be busy.
    fn mention(&self, report: WorkerReport) {
        let _ = self.events.try_send(WorkerEvent { slot: self.slot, report });
    }

    fn ignore(&self, line: &[u8], error: &serde_json::Error) {
        let text = String::from_utf8_lossy(line);
        let text: String = text.trim_end().chars().take(200).collect();
        warn!(slot = %self.slot, %error, text, "ignored what a worker said");
    }

    async fn tell(&mut self, report: WorkerReport) {
        let _ = self.events.send(WorkerEvent { slot: self.slot, report }).await;
    }
}

/// How many processes the kernel has killed for want of memory since it started, this machine
/// over; none where it does not say.
fn out_of_memory_kills() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/vmstat").ok()?;
    text.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}

/// The same, as it was a moment ago: to ask the kernel takes it a while.
fn recent_out_of_memory_kills() -> Option<u64> {
    static LAST: Mutex<Option<(Instant, Option<u64>)>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    match *last {
        Some((at, kills)) if at.elapsed() < MEMORY_WATCH => kills,
        _ => {
            let kills = out_of_memory_kills();
            *last = Some((Instant::now(), kills));
            kills
        }
    }
}

/// Bytes of a process's memory that are resident.
fn resident(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// An exit status as a clause: `exited with code 3`, `was killed by signal 9 (SIGKILL)`.
fn in_words(status: ExitStatus) -> String {
    let names = BTreeMap::from(
        [
            (Signal::ABORT, "SIGABRT"),
            (Signal::BUS, "SIGBUS"),
            (Signal::FPE, "SIGFPE"),
            (Signal::HUP, "SIGHUP"),
            (Signal::ILL, "SIGILL"),
            (Signal::INT, "SIGINT"),
            (Signal::KILL, "SIGKILL"),
            (Signal::PIPE, "SIGPIPE"),
            (Signal::QUIT, "SIGQUIT"),
            (Signal::SEGV, "SIGSEGV"),
            (Signal::TERM, "SIGTERM"),
            (Signal::XCPU, "SIGXCPU"),
        ]
        .map(|(signal, name)| (signal.as_raw(), name)),
    );
    match (status.code(), status.signal()) {
        (Some(0), _) => "left by itself (code 0)".to_owned(),
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(signal)) => {
            let name = names.get(&signal).map(|name| format!(" ({name})")).unwrap_or_default();
            format!("was killed by signal {signal}{name}")
        }
        (None, None) => format!("ended with {status}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_of_a_process_is_what_it_has_touched() {
        let me = std::process::id();
        let before = resident(me).expect("Linux tells");
        let held = vec![1u8; 64 << 20];
        let after = resident(me).expect("Linux tells");
        assert!(after >= before + (60 << 20), "{before} {after} {}", held.len());
        assert_eq!(resident(u32::MAX), None);
    }

    #[test]
    fn of_many_beats_the_first_and_then_the_newest_are_passed_on() {
        let mut beats = Beats::default();
        let mut take = |text: &str| beats.take(&mut text.as_bytes().to_vec());
        assert_eq!(take("1").as_deref(), Some(b"1".as_slice()));
        assert_eq!([take("2"), take("3")], [None, None]);
        assert!(beats.due().is_some_and(|due| due <= Instant::now() + BEATS));
        assert_eq!(beats.pass().as_deref(), Some(b"3".as_slice()));
        assert_eq!((beats.due(), beats.pass()), (None, None));
    }

    #[test]
    fn an_exit_status_reads_as_a_clause() {
        let words = |raw| in_words(ExitStatus::from_raw(raw));
        assert_eq!(words(0), "left by itself (code 0)");
        assert_eq!(words(3 << 8), "exited with code 3");
        assert_eq!(words(9), "was killed by signal 9 (SIGKILL)");
        assert_eq!(words(11), "was killed by signal 11 (SIGSEGV)");
        assert_eq!(words(40), "was killed by signal 40");
    }
}
