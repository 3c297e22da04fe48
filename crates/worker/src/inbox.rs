//! What reaches a worker from outside: lines from its scheduler, and signals.
//!
//! Two threads wait, one on standard input and one for signals; a task of a batch system has only the latter. They raise the [`Leave`] flag at
//! once, for an attempt in progress to see, and queue what the main thread does next.

use std::io::{self, BufRead};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use augreg_protocol::{Assignment, ToWorker, WhenAbandoned};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

/// What the main thread does next.
pub(crate) enum Wake {
    /// Execute this attempt.
    Run(Box<Assignment>),
    /// Leave; why is in [`Leave`].
    Leave,
}

/// Why a worker leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Its scheduler said so, or is gone.
    Scheduler = 1,
    /// Its host said so, by SIGTERM or SIGHUP.
    Host = 2,
    /// A batch system will say so before long, and warns by SIGUSR1.
    Warned = 3,
}

/// Whether to leave. Raised once; the first reason stands. Apart from that, whether to leave the attempt
/// under way, and no more.
#[derive(Debug, Clone, Default)]
pub(crate) struct Leave {
    worker: Arc<AtomicU8>,
    attempt: Arc<AtomicBool>,
}

impl Leave {
    fn raise(&self, reason: Reason) {
        let _ = self.worker.compare_exchange(0, reason as u8, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// The attempt under way is to be left.
    pub(crate) fn raise_for_attempt(&self) {
        self.attempt.store(true, Ordering::SeqCst);
    }

    /// Another attempt begins, or none.
    pub(crate) fn next_attempt(&self) {
        self.attempt.store(false, Ordering::SeqCst);
    }

    /// Whether to leave what is under way.
    pub(crate) fn requested(&self) -> bool {
        self.worker.load(Ordering::SeqCst) != 0 || self.attempt.load(Ordering::SeqCst)
    }

    /// Whether the host, not the scheduler, said so.
    pub(crate) fn by_host(&self) -> bool {
        let reason = self.worker.load(Ordering::SeqCst);
        reason == Reason::Host as u8 || reason == Reason::Warned as u8
    }

    /// Whether a batch system has warned before it said anything else.
    pub(crate) fn warned(&self) -> bool {
        self.worker.load(Ordering::SeqCst) == Reason::Warned as u8
    }
}

/// Begins to listen for signals where there is no scheduler to talk to. A terminal's SIGINT means what
/// SIGTERM does.
pub(crate) fn signals_alone() -> io::Result<Leave> {
    let leave = Leave::default();
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGUSR1])?;
    let flag = leave.clone();
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            tracing::info!(signal, "told to leave");
            flag.raise(if signal == SIGUSR1 { Reason::Warned } else { Reason::Host });
        }
    })?;
    Ok(leave)
}

/// The queue of wakes.
pub(crate) struct Inbox {
    wakes: Receiver<Wake>,
    leave: Leave,
    /// The scheduler is gone: what was not begun by now is not begun, for the next scheduler cannot
    /// know of it.
    abandoned: Arc<AtomicBool>,
}

impl Inbox {
    /// Begins to listen. SIGINT is heard and ignored: a terminal sends it to the whole process
    /// group, and the scheduler decides what it means.
    pub(crate) fn open() -> io::Result<Self> {
        let (sender, wakes) = mpsc::channel();
        let leave = Leave::default();
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let (flag, queue) = (leave.clone(), sender.clone());
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for _ in signals.forever().filter(|&signal| signal != SIGINT) {
                flag.raise(Reason::Host);
                let _ = queue.send(Wake::Leave); // Fails only when the main thread has left.
            }
        })?;
        let flag = leave.clone();
        let abandoned = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&abandoned);
        thread::Builder::new().name("stdin".to_owned()).spawn(move || {
            match read_lines(io::stdin().lock(), &sender) {
                Said::Leave => flag.raise(Reason::Scheduler),
                Said::Finish => end.store(true, Ordering::SeqCst),
            }
            let _ = sender.send(Wake::Leave);
        })?;
        Ok(Self { wakes, leave, abandoned })
    }

    /// Waits for what to do next.
    pub(crate) fn next(&self) -> Wake {
        match self.wakes.recv() {
            Ok(wake) if !self.abandoned.load(Ordering::SeqCst) => wake,
            _ => Wake::Leave,
        }
    }

    /// Whether to leave.
    pub(crate) fn leave(&self) -> &Leave {
        &self.leave
    }
}

/// What the end of the scheduler's lines means to an attempt in progress.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    /// It checkpoints and leaves.
    Leave,
    /// It is finished first.
    Finish,
}

/// Queues assignments until the scheduler says stop, is gone, or cannot be understood.
fn read_lines(lines: impl BufRead, queue: &Sender<Wake>) -> Said {
    let mut when_abandoned = WhenAbandoned::Checkpoint;
    for line in lines.lines() {
        let Ok(line) = line else { break };
        match serde_json::from_str(&line) {
            Ok(ToWorker::Run(assignment)) => {
                when_abandoned = assignment.when_abandoned;
                if queue.send(Wake::Run(assignment)).is_err() {
                    return Said::Leave;
                }
            }
            Ok(ToWorker::Stop) => return Said::Leave,
            Err(error) => {
                tracing::error!("leaving: the scheduler sent a line that is no message: {error}");
                return Said::Leave;
            }
        }
    }
    match when_abandoned {
        WhenAbandoned::Checkpoint => Said::Leave,
        WhenAbandoned::Finish => Said::Finish,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_an_end_and_nonsense_all_end_the_reading() {
        for text in ["{\"type\":\"stop\"}\n{\"type\":\"stop\"}\n", "", "nonsense\n"] {
            let (sender, wakes) = mpsc::channel();
            assert_eq!(read_lines(text.as_bytes(), &sender), Said::Leave);
            assert!(wakes.try_recv().is_err(), "nothing is queued by {text:?}");
        }
    }

    #[test]
    fn the_first_reason_to_leave_stands() {
        let leave = Leave::default();
        assert!(!leave.requested());
        leave.raise(Reason::Host);
        leave.raise(Reason::Scheduler);
        assert!(leave.requested() && leave.by_host() && !leave.warned());
    }

    #[test]
    fn a_warning_is_told_from_an_end_and_an_attempt_is_left_without_the_worker() {
        let leave = Leave::default();
        leave.raise_for_attempt();
        assert!(leave.requested() && !leave.by_host());
        leave.next_attempt();
        assert!(!leave.requested());
        leave.raise(Reason::Warned);
        leave.raise(Reason::Host);
        assert!(leave.by_host() && leave.warned());
    }
}
