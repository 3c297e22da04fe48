//! The lock on a study: at most one scheduler works on it.
//!
//! It is taken before the database is opened, so that whoever is refused has changed nothing. The
//! system lets go of it when its holder dies: a file that is left behind locks nobody out.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use thiserror::Error;

/// Small commands hold the lock for moments; whoever holds it longer is a scheduler.
const MOMENT: Duration = Duration::from_millis(200);

/// A study that could not be locked.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another scheduler has it.
    #[error(
        "another augreg works on this study: {holder} holds `{path}`",
        path = path.display()
    )]
    Held {
        /// The lock file.
        path: PathBuf,
        /// Process and host, as the other wrote them.
        holder: String,
    },
    /// The lock file could not be opened, locked or written.
    #[error("failed to lock the study with `{path}`", path = path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The lock, held until dropped or until the process ends, however it ends.
#[derive(Debug)]
pub struct StudyLock {
    _file: File,
}

impl StudyLock {
    /// Takes the lock of the study at `root` and writes this process and host into it.
    ///
    /// # Errors
    ///
    /// [`LockError::Held`] if another process has it for longer than a moment, [`LockError::Io`] if
    /// the file is not to be had.
    pub fn take(root: &Path) -> Result<Self, LockError> {
        let path = root.join("lock");
        let fail = |source| LockError::Io { path: path.clone(), source };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(fail)?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if began.elapsed() < MOMENT => {
                    thread::sleep(MOMENT / 20);
                }
                Err(TryLockError::WouldBlock) => {
                    let mut holder = String::new();
                    // That it is held is certain; by whom is said by whoever holds it.
                    let _ = file.read_to_string(&mut holder);
                    let holder = holder.trim();
                    let holder = if holder.is_empty() { "an unknown process" } else { holder };
                    return Err(LockError::Held { holder: holder.to_owned(), path });
                }
                Err(TryLockError::Error(source)) => return Err(fail(source)),
            }
        }
        let holder = format!("process {} on host {}\n", std::process::id(), host());
        file.set_len(0).map_err(fail)?;
        file.rewind().map_err(fail)?;
        // A full disk must not keep a study from being worked on: the lock itself needs no room.
        let _ = file.write_all(holder.as_bytes());
        Ok(Self { _file: file })
    }
}

/// Who holds a study's lock, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Process and host, as it wrote them.
    pub name: String,
    /// When it took the lock, milliseconds since 1970; 0 if that is not to be learned.
    pub since: u64,
}

impl StudyLock {
    /// Who holds the lock of the study at `root`, if anybody does. Changes nothing.
    #[must_use]
    pub fn holder(root: &Path) -> Option<Holder> {
        let path = root.join("lock");
        let mut file = File::open(path).ok()?;
        if !matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            return None;
        }
        let mut name = String::new();
        let _ = file.read_to_string(&mut name);
        let written = file.metadata().and_then(|file| file.modified()).ok();
        let since = written.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let since = since.map_or(0, |since| since.as_millis() as u64);
        Some(Holder { name: name.trim().to_owned(), since })
    }
}

/// Whether some process holds the lock file at `path`; one that cannot be opened is held by none.
pub(super) fn is_held(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// The name of this host.
pub(super) fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_is_told_who_has_the_lock_until_it_is_dropped() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert!(!is_held(&folder.path().join("lock")));
        let first = StudyLock::take(folder.path()).expect("nobody has it");
        assert!(is_held(&folder.path().join("lock")));

        let error = StudyLock::take(folder.path()).expect_err("it is held").to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        assert!(error.contains(&host()), "{error}");

        drop(first);
        assert!(!is_held(&folder.path().join("lock")));
        StudyLock::take(folder.path()).expect("nobody has it any more");
    }
}
