//! Kills the worker of a job again and again, once it has done certain steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use augreg_protocol::{JournalEvent, JournalReader, RunFolder};
use rustix::process::{Pid, Signal, kill_process};

/// How often the journal is looked at.
const PAUSE: Duration = Duration::from_millis(5);

/// One worker that was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kill {
    /// The number of the attempt it was at.
    pub(crate) attempt: u32,
    /// The step that its journal had come to.
    pub(crate) step: u64,
}

/// A thread that follows a job's journals and kills.
pub(crate) struct Killer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Kill>>,
}

impl Killer {
    /// Begins to follow the job in `folder`, and kills its worker after each of `steps`, ascending.
    pub(crate) fn start(folder: RunFolder, steps: Vec<u64>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || follow(&folder, &steps, &stopped));
        Self { stop, thread }
    }

    /// Ends the following. Returns who was killed.
    pub(crate) fn finish(self) -> Vec<Kill> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_default()
    }
}

fn follow(folder: &RunFolder, steps: &[u64], stop: &AtomicBool) -> Vec<Kill> {
    let mut killed = Vec::new();
    let mut attempt = 1;
    let mut watched = Watched::new(folder, attempt);
    let mut steps = steps.iter().peekable();
    while let Some(&&step) = steps.peek()
        && !stop.load(Ordering::Relaxed)
    {
        watched.read();
        if watched.ended || folder.journal(attempt + 1).exists() {
            attempt += 1;
            watched = Watched::new(folder, attempt);
        } else if watched.step >= step
            && let Some(pid) = watched.pid.take()
        {
            // Fails if it has just left by itself, which its journal will say.
            if kill_process(pid, Signal::KILL).is_ok() {
                killed.push(Kill { attempt, step: watched.step });
                steps.next();
            }
        }
        thread::sleep(PAUSE);
    }
    killed
}

/// What the journal of an attempt says so far.
struct Watched {
    journal: JournalReader,
    pid: Option<Pid>,
    step: u64,
    ended: bool,
}

impl Watched {
    fn new(folder: &RunFolder, attempt: u32) -> Self {
        let journal = JournalReader::new(folder.journal(attempt), 0);
        Self { journal, pid: None, step: 0, ended: false }
    }

    fn read(&mut self) {
        // A journal that cannot be read is the scheduler's to complain about.
        for entry in self.journal.read().unwrap_or_default() {
            self.ended |= entry.event.is_terminal();
            match entry.event {
                JournalEvent::Started { pid, step, .. } => {
                    self.pid = Pid::from_raw(pid.cast_signed());
                    self.step = step;
                }
                JournalEvent::Metrics { step, .. } | JournalEvent::Checkpoint { step } => {
                    self.step = self.step.max(step);
                }
                _ => {}
            }
        }
    }
}
