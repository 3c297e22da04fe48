//! One worker process: its two pipes, its end, and what it says in between.
//!
//! Three tasks serve a worker. One writes its standard input, so that a worker that does not read
//! holds up nobody; one reads its standard output; one waits for its end, which is told last.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use augreg_protocol::{FromWorker, ToWorker};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::local::{WorkerEvent, WorkerReport};
use crate::log::tail_of_log;
use crate::slot::SlotId;

/// A longer line is no line of a worker.
const LONGEST_LINE: u64 = 1 << 20;
/// How long the rest of a dead worker's output is waited for. Only a process that it started and
/// that kept the pipe can make it last.
const DRAIN: Duration = Duration::from_secs(1);
/// How often the kernel's count of out-of-memory kills is looked at while a worker runs.
const MEMORY_WATCH: Duration = Duration::from_secs(1);

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

impl Listener {
    /// Passes on what the worker says until it closes its output or is refused.
    async fn listen(mut self, stdout: Option<ChildStdout>) -> Heard {
        let mut heard = Heard { kills_before: self.kills_before, ..Heard::default() };
        let Some(stdout) = stdout else { return heard };
        let mut reader = BufReader::new(stdout);
        let mut line = Vec::new();
        let mut looked = Instant::now();
        loop {
            line.clear();
            match (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut line).await {
                Ok(0) => return heard,
                Ok(_) => {}
                Err(error) => {
                    warn!(slot = %self.slot, %error, "failed to read from a worker");
                    return heard;
                }
            }
            if looked.elapsed() >= MEMORY_WATCH {
                looked = Instant::now();
                heard.kills_before = out_of_memory_kills();
            }
            match serde_json::from_slice(&line) {
                Ok(FromWorker::Hello { version, .. }) if version != env!("CARGO_PKG_VERSION") => {
                    let ours = env!("CARGO_PKG_VERSION");
                    let why = format!(
                        "the worker is version {version}, augreg is version {ours}; build both \
                         together with `scripts/build`"
                    );
                    heard.refused = Some(why);
                    self.kill.notify_one();
                    return heard;
                }
                Ok(FromWorker::Hello { pid, .. }) => {
                    heard.hello = true;
                    self.tell(WorkerReport::Ready { pid }).await;
                }
                Ok(FromWorker::Ended { attempt }) => {
                    self.tell(WorkerReport::Ended { attempt }).await;
                }
                Ok(FromWorker::Beat(beat)) => {
                    // A beat that finds the scheduler busy is worth less than the worker's time.
                    let report = WorkerReport::Beat(beat);
                    let _ = self.events.try_send(WorkerEvent { slot: self.slot, report });
                }
                Ok(FromWorker::NoRoom { attempt, why }) => {
                    let report = WorkerReport::NoRoom { attempt, why };
                    let _ = self.events.try_send(WorkerEvent { slot: self.slot, report });
                }
                Err(error) => {
                    let text = String::from_utf8_lossy(&line);
                    let text: String = text.trim_end().chars().take(200).collect();
                    warn!(slot = %self.slot, %error, text, "ignored what a worker said");
                }
            }
        }
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
    fn an_exit_status_reads_as_a_clause() {
        let words = |raw| in_words(ExitStatus::from_raw(raw));
        assert_eq!(words(0), "left by itself (code 0)");
        assert_eq!(words(3 << 8), "exited with code 3");
        assert_eq!(words(9), "was killed by signal 9 (SIGKILL)");
        assert_eq!(words(11), "was killed by signal 11 (SIGSEGV)");
        assert_eq!(words(40), "was killed by signal 40");
    }
}
