//! The lock of a job: one worker at a time writes its checkpoints.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// How long a worker of a scheduler that died is given to finish.
const PATIENCE: Duration = Duration::from_mins(1);

/// Why the lock was not had.
pub(crate) enum Refused {
    /// Somebody held it all the time.
    Held,
    /// The worker was told to leave meanwhile.
    Leaving,
    /// The file system refused.
    Io(io::Error),
}

/// Takes the lock, waiting for whoever holds it. Dropping the file releases it, as does dying.
pub(crate) fn acquire(path: &Path, leaving: impl Fn() -> bool) -> Result<File, Refused> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Refused::Io)?;
    }
    let mut options = OpenOptions::new();
    let file = options.create(true).append(true).open(path).map_err(Refused::Io)?;
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(Refused::Io(error)),
            Err(TryLockError::WouldBlock) if leaving() => return Err(Refused::Leaving),
            Err(TryLockError::WouldBlock) if began.elapsed() > PATIENCE => {
                return Err(Refused::Held);
            }
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(50)),
        }
    }
}
