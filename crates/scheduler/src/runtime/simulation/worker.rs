//! Workers as the simulator has them: they write real journals, hold real locks, and die.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write;

use augreg_executor::SlotId;
use augreg_protocol::{
    AttemptKey, Device, FailureKind, JournalEvent, JournalWriter, Outcome, RunFolder,
};
use augreg_spec::JobId;

/// What befalls a job whenever, or the first time, it is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    Sound,
    Always(FailureKind),
    Once(FailureKind),
}

/// What workers have done of a job: the truth that the database is held against.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) nature: Nature,
    /// Steps in all.
    pub(super) steps: u64,
    /// The step of its checkpoint on disk.
    pub(super) checkpoint: u64,
    /// Entries in the journal of each attempt.
    pub(super) entries: BTreeMap<u32, u64>,
    /// Notes in all journals.
    pub(super) notes: u64,
    /// Attempts whose journal says that they succeeded.
    pub(super) succeeded: BTreeSet<u32>,
    /// Attempts that ended when the database had them as over.
    pub(super) late: BTreeSet<u32>,
    /// How often a person had it tried again.
    pub(super) requeued: usize,
}

impl Done {
    pub(super) fn new(nature: Nature, steps: u64) -> Self {
        Self {
            nature,
            steps,
            checkpoint: 0,
            entries: BTreeMap::new(),
            notes: 0,
            succeeded: BTreeSet::new(),
            late: BTreeSet::new(),
            requeued: 0,
        }
    }
}

/// An attempt in a worker.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) attempt: AttemptKey,
    journal: JournalWriter,
    /// Held once it is had.
    lock: Option<File>,
    /// When it began to wait for the lock.
    pub(super) since: u64,
    pub(super) step: u64,
}

/// How alive a worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// It has not said hello.
    Rising,
    Up,
    /// It does nothing any more, not even leave.
    Hung,
}

/// What the executor knows of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    Well,
    /// Its end is never told, and it cannot be killed.
    Forgotten,
    /// It was said to be gone: nothing more is heard of it.
    CutOff,
}

/// A worker process.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) slot: SlotId,
    /// The scheduler that started it.
    pub(super) scheduler: u32,
    pub(super) life: Life,
    pub(super) task: Option<Task>,
    /// What was sent to it and not begun.
    pub(super) inbox: Vec<AttemptKey>,
    /// It was told to stop, or has seen that its scheduler is gone.
    pub(super) leaving: bool,
    pub(super) known: Known,
    /// It was to be killed: whoever does not die of it has lost its slot.
    pub(super) given_up: bool,
    /// When its last word arrives: the next cannot overtake it.
    pub(super) heard: u64,
    /// When the last line to it arrives; only a signal overtakes it.
    pub(super) sent: u64,
}

impl Worker {
    pub(super) fn new(slot: SlotId, scheduler: u32, known: Known) -> Self {
        Self {
            slot,
            scheduler,
            life: Life::Rising,
            task: None,
            inbox: Vec::new(),
            leaving: false,
            known,
            given_up: false,
            heard: 0,
            sent: 0,
        }
    }
}

impl Worker {
    /// Whether it may write anything yet.
    pub(super) fn is_at_work(&self) -> bool {
        self.life != Life::Hung && (self.task.is_some() || !self.inbox.is_empty())
    }
}

impl Task {
    /// Opens the journal of a new attempt; none on a full disk, or if it was begun before.
    pub(super) fn begin(folder: &RunFolder, attempt: AttemptKey, now: u64) -> Option<Self> {
        let journal = JournalWriter::create(&folder.journal(attempt.number), attempt).ok()?;
        Some(Self { attempt, journal, lock: None, since: now, step: 0 })
    }

    pub(super) fn is_locked(&self) -> bool {
        self.lock.is_some()
    }

    /// Whether it holds the lock of its job, by now at the latest.
    pub(super) fn lock(&mut self, folder: &RunFolder) -> bool {
        if self.lock.is_none() {
            let file = OpenOptions::new().create(true).append(true).open(folder.lock());
            self.lock = file.ok().filter(|file| file.try_lock().is_ok());
        }
        self.lock.is_some()
    }

    pub(super) fn append(&mut self, event: JournalEvent, done: &mut Done) {
        match &event {
            JournalEvent::Note { .. } => done.notes += 1,
            JournalEvent::Checkpoint { step } | JournalEvent::Stopped { step } => {
                done.checkpoint = done.checkpoint.max(*step);
            }
            JournalEvent::Succeeded(_) => _ = done.succeeded.insert(self.attempt.number),
            _ => {}
        }
        *done.entries.entry(self.attempt.number).or_default() += 1;
        self.journal.append(event).expect("the simulator's folder can be written");
    }
}

/// Leaves half a line at the end of a journal, as a worker that dies in the middle of one.
pub(super) fn tear(folder: &RunFolder, number: u32) {
    if let Ok(mut file) = OpenOptions::new().append(true).open(folder.journal(number)) {
        let _ = file.write_all(b"{\"crc\":12,\"entry\":{\"v\":1,\"att");
    }
}

/// Takes away the entries at the end of a journal that no sync has put on disk. Returns how many
/// that were.
pub(super) fn lose_unsynced(folder: &RunFolder, number: u32) -> u64 {
    let path = folder.journal(number);
    let Ok(text) = fs::read_to_string(&path) else { return 0 };
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut lost = 0;
    let durable = ["checkpoint", "succeeded", "failed", "stopped"];
    let durable = durable.map(|name| format!("\"type\":\"{name}\""));
    let synced = |line: &str| line.ends_with('\n') && durable.iter().any(|d| line.contains(d));
    while lines.last().is_some_and(|line| !synced(line)) {
        lost += u64::from(lines.pop().is_some_and(|line| line.ends_with('\n')));
    }
    let _ = fs::write(path, lines.concat());
    lost
}

pub(super) fn started(step: u64) -> JournalEvent {
    JournalEvent::Started {
        version: "0".to_owned(),
        // No real host: nobody looks for this process.
        host: "a simulated host".to_owned(),
        pid: 1,
        device: Device::Cpu,
        threads: 1,
        step,
    }
}

pub(super) fn metrics(step: u64) -> JournalEvent {
    let values = BTreeMap::from([("train_loss".to_owned(), 1.0 / (step + 1) as f64)]);
    JournalEvent::Metrics { step, values }
}

pub(super) fn succeeded(job: JobId, steps: u64) -> JournalEvent {
    JournalEvent::Succeeded(Outcome {
        best_val: Some(0.5),
        final_val: Some(0.5),
        final_test: None,
        train_loss: 0.1,
        parameters_sha256: format!("the parameters of {job}"),
        steps,
        seconds: 1.0,
        images_per_second: 1.0,
        peak_memory: 1,
        proof: None,
    })
}
