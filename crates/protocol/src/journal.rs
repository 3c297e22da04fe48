//! The journal of an attempt: the truth about what a worker did.
//!
//! One JSON object a line: `{"crc":…,"entry":{…}}`, where `crc` is the CRC-32 of the entry's bytes
//! as written. A line is the unit of truth: a last line that was torn by a crash is not there. What
//! a result or checkpoint rests on is fsynced, see [`Durability`]; all else is only written through
//! to the file.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::durability::Durability;
use crate::message::{AttemptKey, Device};

/// Version of the journal's format.
pub const JOURNAL_VERSION: u32 = 1;

/// Why an attempt failed, and hence what the scheduler does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// NaN or infinite loss. Recorded, not retried.
    Diverged,
    /// The device or the host ran out of memory.
    OutOfMemory,
    /// The worker is gone without a word.
    Lost,
    /// The worker was told to leave by its host.
    Preempted,
    /// A data set could not be read; the message names the file.
    Data,
    /// No sign of life or no step for the configured time.
    Timeout,
    /// Anything else.
    Bug,
}

impl FailureKind {
    /// Every kind with its name in columns and messages.
    pub const ALL: [(&'static str, Self); 7] = [
        ("diverged", Self::Diverged),
        ("out-of-memory", Self::OutOfMemory),
        ("lost", Self::Lost),
        ("preempted", Self::Preempted),
        ("data", Self::Data),
        ("timeout", Self::Timeout),
        ("bug", Self::Bug),
    ];

    /// The name in columns and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Diverged => "diverged",
            Self::OutOfMemory => "out-of-memory",
            Self::Lost => "lost",
            Self::Preempted => "preempted",
            Self::Data => "data",
            Self::Timeout => "timeout",
            Self::Bug => "bug",
        }
    }
}

/// What a finished job found out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Best validation accuracy of all evaluations, in [0, 1]; none without a validation split.
    pub best_val: Option<f64>,
    /// Validation accuracy at the end, in [0, 1].
    pub final_val: Option<f64>,
    /// Test accuracy at the end, in [0, 1]; none without a test split.
    pub final_test: Option<f64>,
    /// Training loss at the end, mean over the last epoch's worth of steps (at most 100); none where
    /// nothing was trained.
    pub train_loss: Option<f64>,
    /// SHA-256 (hex) over the final parameters: name, shape and bytes of each, in name order.
    pub parameters_sha256: String,
    /// Optimizer steps.
    pub steps: u64,
    /// Seconds of training and evaluation, all attempts together.
    pub seconds: f64,
    /// Training images a second, evaluation left out, this attempt only.
    pub images_per_second: f64,
    /// Bytes at the peak: what tensors held on a GPU, else what was resident of the worker.
    pub peak_memory: u64,
    /// What else a repetition must reproduce; none from a worker that did not know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
}

/// Hashes (hex) that every repetition of a job reproduces, however often it is interrupted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// SHA-256 over both moments of the optimizer at the end, in the layout of the parameters.
    pub optimizer_sha256: String,
    /// Over all examples in the order in which they were trained on.
    pub order: String,
    /// The same for each epoch begun; empty if there are more than 1,000.
    pub epoch_orders: Vec<String>,
}

/// A place that a batch system has given a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The task, as Slurm names it: `4711_3` in an array, else `4711`.
    pub task: String,
    /// Slurm's number of this very task: it has one of its own in an array.
    pub job: String,
    /// The node.
    pub node: String,
    /// How often the task was started again before.
    pub restarts: u32,
    /// The GPUs that are the task's, as Slurm counts them on the node; empty if it has none.
    pub gpus: String,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum JournalEvent {
    /// The attempt began.
    Started {
        /// Version of the worker.
        version: String,
        /// Host name.
        host: String,
        /// Process id.
        pid: u32,
        /// Device.
        device: Device,
        /// Threads.
        threads: u32,
        /// The step it goes on from; 0 from the start.
        step: u64,
    },
    /// Numbers measured at a step: `train_loss`, `learning_rate`, `val_accuracy`, …
    Metrics {
        /// Steps done when they were measured.
        step: u64,
        /// Name and value; all finite.
        values: BTreeMap<String, f64>,
    },
    /// A number measured at every one of consecutive steps, such as `train_loss`.
    Series {
        /// Its name.
        name: String,
        /// Steps done when the first value was measured.
        first: u64,
        /// The values; all finite, at least one.
        values: Vec<f32>,
    },
    /// `latest.safetensors` holds this step, on disk.
    Checkpoint {
        /// The step.
        step: u64,
    },
    /// From here on so many images of a batch go through the network at once. Sums of floats depend on
    /// it in their last digits.
    MicroBatch {
        /// How many; the whole batch if it fits.
        images: NonZeroU32,
    },
    /// What the attempt's device has taken since the attempt began, written before checkpoints and ends
    /// where the device counts it. The last one stands.
    Energy {
        /// Joules of the whole device.
        joules: f64,
    },
    /// What the device is called, such as `NVIDIA H100 80GB HBM3`: speeds mean nothing without it.
    DeviceName {
        /// Its name.
        name: String,
    },
    /// Where a batch system has put the attempt.
    Placed(Placement),
    /// Something a person should know that changes no state, such as a damaged checkpoint.
    Note {
        /// What it is.
        text: String,
    },
    /// The job is done. Terminal.
    Succeeded(Outcome),
    /// The attempt failed. Terminal.
    Failed {
        /// The kind.
        kind: FailureKind,
        /// What went wrong, where, and what to do, for a person.
        message: String,
        /// Steps done.
        step: u64,
    },
    /// The attempt was told to stop, wrote a checkpoint and left. Terminal, but not the job's end.
    Stopped {
        /// The step of the checkpoint.
        step: u64,
    },
}

impl JournalEvent {
    /// Whether no entry follows this one.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::Succeeded(_) | Self::Failed { .. } | Self::Stopped { .. })
    }

    /// Whether the entry is a result or a checkpoint: it, and all before it, must survive a power cut
    /// before the worker goes on, unless the attempt was brief, see [`Durability`].
    #[must_use]
    pub fn is_durable(&self) -> bool {
        self.is_terminal() || matches!(self, Self::Checkpoint { .. })
    }
}

/// One entry of a journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// [`JOURNAL_VERSION`] of the writer.
    pub v: u32,
    /// The attempt.
    pub attempt: AttemptKey,
    /// Counts from 0 without gaps. With the attempt it is the key of exactly-once ingestion.
    pub seq: u64,
    /// Milliseconds since 1970, by the worker's clock. Shown, never decided upon.
    pub at: u64,
    /// What happened.
    pub event: JournalEvent,
}

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    crc: u32,
    #[serde(borrow)]
    entry: &'a RawValue,
}

/// A journal that cannot be written or read.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The file could not be created, written, synced or read.
    #[error("failed to {action} the journal `{path}`", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A whole line that is not what a worker wrote.
    #[error("the journal `{path}` is damaged at byte {offset}: {reason}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the line begins.
        offset: u64,
        /// What is wrong with it.
        reason: String,
    },
}

impl JournalError {
    /// Whether there is no room on the disk: the same may succeed later.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_disk_full(source))
    }
}

/// Whether the system refused because a disk, or somebody's share of it, is full.
#[must_use]
pub fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Appends to the journal of one attempt.
#[derive(Debug)]
pub struct JournalWriter {
    path: PathBuf,
    file: File,
    attempt: AttemptKey,
    created: Instant,
    durability: Durability,
    next: u64,
    /// Bytes of whole lines.
    length: u64,
    /// The last line, should it not be written yet.
    line: Vec<u8>,
    /// Whether what is written must be synced.
    unsynced: bool,
    /// Whether half a line may follow the whole ones.
    torn: bool,
}

impl JournalWriter {
    /// Creates the journal of a new attempt, and its folder.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`], also if the journal exists: an attempt is executed once.
    pub fn create(path: &Path, attempt: AttemptKey) -> Result<Self, JournalError> {
        let fail = |source| JournalError::Io { action: "create", path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(fail)?;
        }
        let file = OpenOptions::new().append(true).create_new(true).open(path).map_err(fail)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            attempt,
            created: Instant::now(),
            durability: Durability::default(),
            next: 0,
            length: 0,
            line: Vec::new(),
            unsynced: false,
            torn: false,
        })
    }

    /// Appends one entry; synced to disk, with all before it, if it is a result or a checkpoint of an
    /// attempt that is not [brief](crate::BRIEF).
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`], for instance on a full disk. The entry is not there then, or not synced;
    /// [`Self::retry`] tries to bring it there, and the next append gives it up.
    pub fn append(&mut self, event: JournalEvent) -> Result<(), JournalError> {
        let unsynced = self.durability.needs_sync(&event, self.created.elapsed());
        let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
        let entry = Entry { v: JOURNAL_VERSION, attempt: self.attempt, seq: self.next, at, event };
        self.line = encode(&entry).map_err(|e| self.fail("encode", e.into()))?;
        self.unsynced = unsynced;
        self.retry()
    }

    /// Syncs all entries to disk.
    ///
    /// # Errors
    ///
    /// [`JournalError::Io`]; [`Self::retry`] tries again.
    pub fn sync(&mut self) -> Result<(), JournalError> {
        self.unsynced = true;
        self.retry()
    }

    /// Tries again what [`Self::append`] or [`Self::sync`] could not do; nothing if they could.
    ///
    /// # Errors
    ///
    /// As theirs.
    pub fn retry(&mut self) -> Result<(), JournalError> {
        if !self.line.is_empty() {
            self.write().map_err(|source| self.fail("append to", source))?;
            self.length += self.line.len() as u64;
            self.next += 1;
            self.line.clear();
        }
        if self.unsynced {
            self.file.sync_data().map_err(|source| self.fail("sync", source))?;
            self.unsynced = false;
        }
        Ok(())
    }

    /// Writes the line. A full disk may take half of it, which is cut off: the next would be torn too.
    fn write(&mut self) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.length)?;
        }
        let written = self.file.write_all(&self.line);
        self.torn = written.is_err() && self.file.set_len(self.length).is_err();
        written
    }

    fn fail(&self, action: &'static str, source: io::Error) -> JournalError {
        JournalError::Io { action, path: self.path.clone(), source }
    }
}

fn encode(entry: &Entry) -> serde_json::Result<Vec<u8>> {
    let entry = serde_json::value::to_raw_value(entry)?;
    let crc = crc32fast::hash(entry.get().as_bytes());
    let mut line = serde_json::to_vec(&Line { crc, entry: &entry })?;
    line.push(b'\n');
    Ok(line)
}

/// Reads a journal from where the last reading ended, also while it is being written.
#[derive(Debug)]
pub struct JournalReader {
    path: PathBuf,
    offset: u64,
    halted: bool,
}

impl JournalReader {
    /// Reads `path` from byte `offset`, 0 for the beginning. The file need not exist yet.
    #[must_use]
    pub fn new(path: PathBuf, offset: u64) -> Self {
        Self { path, offset, halted: false }
    }

    /// Where the next reading begins: after the last whole line.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether the last reading stopped before a whole line that does not hold up: the next names it.
    #[must_use]
    pub fn is_halted(&self) -> bool {
        self.halted
    }

    /// The whole entries written since the last call. A torn last line waits for its rest.
    ///
    /// # Errors
    ///
    /// [`JournalError::Damaged`] if a whole line does not hold up; entries before it were
    /// returned by earlier calls or are returned by calling again after the error is dealt with.
    pub fn read(&mut self) -> Result<Vec<Entry>, JournalError> {
        self.halted = false;
        let mut entries = Vec::new();
        let written = self.written().map_err(|source| JournalError::Io {
            action: "read",
            path: self.path.clone(),
            source,
        })?;
        for line in written.split_inclusive(|byte| *byte == b'\n') {
            if line.last() != Some(&b'\n') {
                break;
            }
            match decode(line) {
                Ok(entry) => entries.push(entry),
                Err(_) if !entries.is_empty() => {
                    self.halted = true;
                    break;
                }
                Err(reason) => {
                    let (path, offset) = (self.path.clone(), self.offset);
                    return Err(JournalError::Damaged { path, offset, reason });
                }
            }
            self.offset += line.len() as u64;
        }
        Ok(entries)
    }

    /// All that follows the offset; nothing if there is no file.
    fn written(&self) -> io::Result<Vec<u8>> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        if self.offset > 0 {
            file.seek(SeekFrom::Start(self.offset))?;
        }
        let mut written = Vec::new();
        file.read_to_end(&mut written)?;
        Ok(written)
    }
}

fn decode(line: &[u8]) -> Result<Entry, String> {
    let text = std::str::from_utf8(line).map_err(|e| e.to_string())?;
    let line: Line<'_> = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let crc = crc32fast::hash(line.entry.get().as_bytes());
    if crc != line.crc {
        return Err(format!("its checksum is {crc}, the line says {}", line.crc));
    }
    let entry: Entry = serde_json::from_str(line.entry.get()).map_err(|e| e.to_string())?;
    if entry.v > JOURNAL_VERSION {
        return Err(format!("version {} is newer than this augreg's {JOURNAL_VERSION}", entry.v));
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use augreg_spec::JobId;
    use proptest::prelude::*;

    fn key() -> AttemptKey {
        AttemptKey { job: JobId::of("a job"), number: 1 }
    }

    fn written(entries: u64) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("attempt-1/journal.jsonl");
        let mut journal = JournalWriter::create(&path, key()).expect("creates");
        for step in 0..entries {
            let values = BTreeMap::from([("train_loss".to_owned(), 0.1 * step as f64)]);
            journal.append(JournalEvent::Metrics { step, values }).expect("appends");
        }
        (folder, path)
    }

    #[test]
    fn an_attempt_has_one_journal() {
        let (_folder, path) = written(1);
        assert!(matches!(
            JournalWriter::create(&path, key()),
            Err(JournalError::Io { action: "create", .. })
        ));
    }

    #[test]
    fn a_flipped_bit_is_named_by_file_and_byte() {
        let (_folder, path) = written(2);
        let mut bytes = std::fs::read(&path).expect("reads");
        let at = bytes.iter().position(|b| *b == b'\n').expect("two lines") + 30;
        bytes[at] ^= 1;
        std::fs::write(&path, bytes).expect("writes");

        let mut reader = JournalReader::new(path, 0);
        assert_eq!(reader.read().expect("the first line is whole").len(), 1);
        assert!(matches!(reader.read(), Err(JournalError::Damaged { offset, .. }) if offset > 0));
    }

    proptest! {
        #[test]
        fn a_journal_cut_anywhere_reads_as_its_whole_lines(cut in 0.0f64..1.0) {
            let (_folder, path) = written(5);
            let bytes = std::fs::read(&path).expect("reads");
            let cut = (cut * bytes.len() as f64) as usize;
            let whole = bytes[..cut].split(|b| *b == b'\n').count() - 1;
            std::fs::write(&path, &bytes[..cut]).expect("writes");

            let mut reader = JournalReader::new(path.clone(), 0);
            let first = reader.read().expect("a torn line is no error");
            prop_assert_eq!(first.len(), whole);

            std::fs::write(&path, &bytes).expect("writes");
            let rest = reader.read().expect("the rest arrives");
            let seqs: Vec<_> = first.iter().chain(&rest).map(|entry| entry.seq).collect();
            prop_assert_eq!(seqs, (0..5).collect::<Vec<_>>());
        }
    }
}
