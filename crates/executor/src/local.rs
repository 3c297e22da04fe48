//! The `local` executor: worker processes on this machine, one a slot.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use augreg_protocol::{AttemptKey, Beat, ENERGY_OF, ToWorker, is_disk_full};
use thiserror::Error;
use tokio::process::Command;
use tokio::sync::mpsc;

use crate::process::{Handle, supervise};
use crate::slot::{Slot, SlotId};

/// How many events may wait for the scheduler before beats are dropped and workers' other words
/// wait: enough for a burst from hundreds of workers.
const EVENTS: usize = 4096;

/// What a local executor needs to know.
#[derive(Debug, Clone)]
pub struct LocalOptions {
    /// The worker binary, see [`program`](crate::program()).
    pub program: PathBuf,
    /// The study's root, absolute: workers' working directory, and where their logs lie.
    pub root: PathBuf,
    /// The slots, see [`detect`](crate::detect).
    pub slots: Vec<Slot>,
}

/// Something that happened to the worker on a slot.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerEvent {
    /// The slot.
    pub slot: SlotId,
    /// What happened.
    pub report: WorkerReport,
}

/// What happened to a worker. For one worker: at most one `Ready`, then beats and ends, and last
/// of all, exactly once, `Refused` or `Gone`.
#[derive(Debug, Clone, PartialEq)]
pub enum WorkerReport {
    /// It is up, and of this version.
    Ready {
        /// Its process id.
        pid: u32,
    },
    /// Progress.
    Beat(Beat),
    /// It waits for room on the disk.
    NoRoom {
        /// The attempt that has something to write.
        attempt: AttemptKey,
        /// What could not be written, for a person.
        why: String,
    },
    /// It says that an attempt is over and that it is free.
    Ended {
        /// The attempt.
        attempt: AttemptKey,
    },
    /// It was of another version and has been killed.
    Refused {
        /// Both versions, for a person.
        why: String,
    },
    /// Its process is no more.
    Gone {
        /// How it went, for a person.
        why: String,
        /// Whether the kernel killed it for want of memory.
        out_of_memory: bool,
    },
}

/// A worker that could not be started.
#[derive(Debug, Error)]
pub enum StartError {
    /// The file for the worker's standard error could not be opened.
    #[error("failed to open the worker's log `{path}`", path = path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system did not start the program.
    #[error(
        "failed to start the worker `{program}`; `scripts/build` builds it",
        program = program.display()
    )]
    Spawn {
        /// The binary.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl StartError {
    /// Whether trying again is pointless: the program is missing or cannot be executed.
    #[must_use]
    pub fn is_hopeless(&self) -> bool {
        use io::ErrorKind::{NotFound, PermissionDenied};
        match self {
            Self::Log { .. } => false,
            Self::Spawn { source, .. } => {
                matches!(source.kind(), NotFound | PermissionDenied)
                    || source.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error())
            }
        }
    }
}

/// Worker processes on this machine.
///
/// Dropping it closes the workers' standard input, at which they write a checkpoint and leave.
#[derive(Debug)]
pub struct Local {
    options: LocalOptions,
    /// The last worker started on each slot; stale once it is gone, until the next start.
    workers: BTreeMap<SlotId, Handle>,
    events: mpsc::Sender<WorkerEvent>,
}

impl Local {
    /// An executor without workers, and where their events arrive.
    #[must_use]
    pub fn new(options: LocalOptions) -> (Self, mpsc::Receiver<WorkerEvent>) {
        let (events, receiver) = mpsc::channel(EVENTS);
        (Self { options, workers: BTreeMap::new(), events }, receiver)
    }

    /// The slots.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        &self.options.slots
    }

    /// Starts a worker on a slot that has none. Must be called within a tokio runtime.
    ///
    /// It is the head of its own process group, so that the terminal's Ctrl-C reaches only the
    /// scheduler. Its standard error goes to `ROOT/worker-<slot>.log` until it opens its own logs.
    ///
    /// # Errors
    ///
    /// [`StartError`]; then there is no process, and no event will come of it.
    pub fn start(&mut self, id: SlotId) -> Result<(), StartError> {
        let Some(slot) = self.options.slots.iter().find(|slot| slot.id == id) else {
            let source = io::Error::other(format!("{id} does not exist"));
            return Err(StartError::Spawn { program: self.options.program.clone(), source });
        };
        let log = Log::open(self.options.root.join(format!("worker-{}.log", id.0)))?;
        let (path, from) = (log.path, log.length);
        let mut command = command(&self.options.program, &self.options.root, slot, log.file);
        // What a GPU takes cannot be told apart by who made it.
        match slot.gpu.as_ref().filter(|_| is_alone(slot, &self.options.slots)) {
            Some(uuid) => command.env(ENERGY_OF, uuid),
            None => command.env_remove(ENERGY_OF),
        };
        let child = command.spawn().map_err(|source| StartError::Spawn {
            program: self.options.program.clone(),
            source,
        })?;
        self.workers.insert(id, supervise(id, child, (path, from), self.events.clone()));
        Ok(())
    }

    /// Sends a line to the worker on a slot. If there is none, nothing happens: that it is gone
    /// has been or will be told as an event.
    pub fn send(&self, id: SlotId, line: ToWorker) {
        if let Some(worker) = self.workers.get(&id) {
            worker.send(line);
        }
    }

    /// Bytes of memory that the worker on a slot holds; none if there is none, or the system does not
    /// say.
    #[must_use]
    pub fn resident(&self, id: SlotId) -> Option<u64> {
        self.workers.get(&id)?.resident()
    }

    /// Kills the worker on a slot, and whatever it started. [`WorkerReport::Gone`] follows.
    pub fn kill(&self, id: SlotId) {
        if let Some(worker) = self.workers.get(&id) {
            worker.kill();
        }
    }
}

/// Whether no other slot is on the same GPU.
fn is_alone(slot: &Slot, slots: &[Slot]) -> bool {
    slots.iter().filter(|other| other.gpu == slot.gpu).count() == 1
}

/// The file for a worker's standard error, and how much others wrote to it before.
struct Log {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Log {
    fn open(path: PathBuf) -> Result<Self, StartError> {
        let open = |path: &Path| OpenOptions::new().append(true).create(true).open(path);
        let file = match open(&path) {
            // Without a log a worker can work; with no workers nothing can.
            Err(error) if is_disk_full(&error) => open(Path::new("/dev/null")),
            opened => opened,
        };
        match file.and_then(|file| Ok((file.metadata()?.len(), file))) {
            Ok((length, file)) => Ok(Self { path, file, length }),
            Err(source) => Err(StartError::Log { path, source }),
        }
    }
}

fn command(program: &Path, root: &Path, slot: &Slot, log: File) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .process_group(0)
        .env("OMP_NUM_THREADS", slot.threads.to_string())
        .env("MKL_NUM_THREADS", slot.threads.to_string());
    // OpenMP's threads spin at every barrier unless told to sleep. Where anything else wants a core
    // that multiplies the time of a step: 540 against 11,500 images/s measured for a micro model
    // with two threads beside one busy process.
    if std::env::var_os("OMP_WAIT_POLICY").is_none() {
        command.env("OMP_WAIT_POLICY", "passive");
    }
    if let Some(uuid) = &slot.gpu {
        command.env("CUDA_VISIBLE_DEVICES", uuid);
    }
    command
}

#[cfg(test)]
mod tests {
    use augreg_protocol::Device;

    use super::*;

    #[test]
    fn a_gpu_is_a_workers_alone_if_no_other_slot_has_it() {
        let slot = |id, uuid: &str| Slot {
            id: SlotId(id),
            device: Device::Cuda(0),
            gpu: Some(uuid.to_owned()),
            threads: 1,
        };
        let slots = [slot(0, "GPU-a"), slot(1, "GPU-b"), slot(2, "GPU-a")];
        assert_eq!(slots.each_ref().map(|slot| is_alone(slot, &slots)), [false, true, false]);
    }
}
