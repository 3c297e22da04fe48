//! Workers as the simulator has them: they write real journals, hold real locks, and die.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use augreg_executor::SlotId;
use augreg_protocol::{
    AttemptKey, Device, Durability, FailureKind, JournalEvent, JournalWriter, Outcome, RunFolder,
};
use augreg_spec::JobId;

/// What befalls a job whenever, or the first time, it is executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    Sound,
    Always(FailureKind),
    Once(FailureKind),
}

/// What an entry of a journal comes to in the database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Written {
    /// A row of numbers: name, first step, how many.
    Numbers(String, u64, u64),
    Checkpoint(u64),
    Note,
    /// What the attempt itself is told by.
    Other,
}

impl Written {
    fn of(event: &JournalEvent) -> Self {
        match event {
            JournalEvent::Metrics { step, values } => {
                let name = values.keys().next().map_or("", String::as_str);
                Self::Numbers(name.to_owned(), *step, 1)
            }
            JournalEvent::Series { name, first, values } => {
                Self::Numbers(name.clone(), *first, values.len() as u64)
            }
            JournalEvent::Checkpoint { step } => Self::Checkpoint(*step),
            JournalEvent::Note { .. } => Self::Note,
            _ => Self::Other,
        }
    }
}

/// What workers have done of a job: the truth that the database is held against.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) nature: Nature,
    /// Steps in all.
    pub(super) steps: u64,
    /// All of them take milliseconds.
    pub(super) brief: bool,
    /// The step of its checkpoint.
    pub(super) checkpoint: u64,
    /// The same, as a power cut would leave it.
    pub(super) synced_checkpoint: u64,
    /// The entries that the journal of each attempt ever had.
    pub(super) journals: BTreeMap<u32, Vec<Written>>,
    /// Attempts whose journal says that they succeeded.
    pub(super) succeeded: BTreeSet<u32>,
    /// Attempts that ended when the database had them as over.
    pub(super) late: BTreeSet<u32>,
    /// How often a person had it tried again.
    pub(super) requeued: usize,
}

impl Done {
    pub(super) fn new(nature: Nature, steps: u64, brief: bool) -> Self {
        Self {
            nature,
            steps,
            brief,
            checkpoint: 0,
            synced_checkpoint: 0,
            journals: BTreeMap::new(),
            succeeded: BTreeSet::new(),
            late: BTreeSet::new(),
            requeued: 0,
        }
    }

    /// How many entries the journal of an attempt ever had.
    pub(super) fn written(&self, number: u32) -> u64 {
        self.journals.get(&number).map_or(0, |entries| entries.len() as u64)
    }

    /// The first `count` entries of the journal of an attempt.
    pub(super) fn entries(&self, number: u32, count: u64) -> &[Written] {
        let entries = self.journals.get(&number).map_or(&[][..], Vec::as_slice);
        &entries[..entries.len().min(count as usize)]
    }
}

/// An attempt in a worker.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) attempt: AttemptKey,
    journal: JournalWriter,
    path: PathBuf,
    durability: Durability,
    /// There is something to go on from: what the attempt comes to must survive a power cut.
    has_checkpoint: bool,
    /// Bytes of the journal that a power cut leaves alone.
    pub(super) synced: u64,
    /// Held once it is had.
    lock: Option<File>,
    /// When it began, to wait for the lock at first.
    pub(super) since: u64,
    pub(super) step: u64,
    /// Losses that are not in the journal yet: of so many steps up to this one.
    pub(super) losses: u64,
    /// Nothing that follows in the journal can be read.
    pub(super) damaged: bool,
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
    /// It writes a checkpoint and leaves: it was told to, or has seen that its scheduler is gone.
    pub(super) leaving: bool,
    /// It leaves after the attempt that it is at: its scheduler is gone.
    pub(super) finishing: bool,
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
            finishing: false,
            known,
            given_up: false,
            heard: 0,
            sent: 0,
        }
    }

    /// Whether it may write anything yet.
    pub(super) fn is_at_work(&self) -> bool {
        self.life != Life::Hung && (self.task.is_some() || !self.inbox.is_empty())
    }
}

impl Task {
    /// Opens the journal of a new attempt; none if it was begun before.
    pub(super) fn begin(folder: &RunFolder, attempt: AttemptKey, now: u64) -> Option<Self> {
        let path = folder.journal(attempt.number);
        let journal = JournalWriter::create(&path, attempt).ok()?;
        let (synced, lock, since, step) = (0, None, now, 0);
        let (durability, has_checkpoint) = (Durability::default(), false);
        let (losses, damaged) = (0, false);
        Some(Self {
            attempt,
            journal,
            path,
            durability,
            has_checkpoint,
            synced,
            lock,
            since,
            step,
            losses,
            damaged,
        })
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

    /// Writes an entry at `now`. Returns whether it is an end that is left to the system to put on disk.
    pub(super) fn append(&mut self, event: JournalEvent, now: u64, done: &mut Done) -> bool {
        let AttemptKey { number, .. } = self.attempt;
        let age = Duration::from_millis(now - self.since);
        let syncs = self.durability.needs_sync(&event, age);
        let unsynced_end = event.is_terminal() && !syncs;
        self.has_checkpoint |= match &event {
            JournalEvent::Started { step, .. } | JournalEvent::Stopped { step } => *step > 0,
            event => matches!(event, JournalEvent::Checkpoint { .. }),
        };
        let brief = age < Duration::from_millis(100) && !self.has_checkpoint;
        assert!(brief || syncs || !event.is_durable(), "the end of a long attempt is not synced");
        if !self.damaged {
            done.journals.entry(number).or_default().push(Written::of(&event));
            if matches!(event, JournalEvent::Succeeded(_)) {
                done.succeeded.insert(number);
            }
        }
        self.journal.append(event).expect("the simulator's folder can be written");
        if syncs {
            self.synced = fs::metadata(&self.path).map_or(0, |file| file.len());
        }
        unsynced_end
    }

    /// Leaves nonsense in the journal.
    pub(super) fn damage(&mut self) {
        self.damaged = true;
        leave(&self.path, b"{\"crc\":1,\"entry\":{}}\n");
    }
}

/// Leaves half a line at the end of a journal, as a worker that dies in the middle of one.
pub(super) fn tear(folder: &RunFolder, number: u32) {
    leave(&folder.journal(number), b"{\"crc\":12,\"entry\":{\"v\":1,\"att");
}

fn leave(path: &Path, bytes: &[u8]) {
    if let Ok(mut file) = OpenOptions::new().append(true).open(path) {
        file.write_all(bytes).expect("the simulator's folder can be written");
    }
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
    let values = BTreeMap::from([("val_accuracy".to_owned(), 1.0 / (step + 1) as f64)]);
    JournalEvent::Metrics { step, values }
}

/// The losses of `count` steps, the last of which is `last`.
pub(super) fn losses(last: u64, count: u64) -> JournalEvent {
    let first = last + 1 - count;
    let values = (first..=last).map(|step| 1.0 / step as f32).collect();
    JournalEvent::Series { name: "train_loss".to_owned(), first, values }
}

pub(super) fn succeeded(job: JobId, steps: u64) -> JournalEvent {
    JournalEvent::Succeeded(Outcome {
        best_val: Some(0.5),
        final_val: Some(0.5),
        final_test: None,
        train_loss: Some(0.1),
        parameters_sha256: format!("the parameters of {job}"),
        steps,
        seconds: 1.0,
        images_per_second: 1.0,
        peak_memory: 1,
        proof: None,
    })
}
