//! The lock on a study: at most one scheduler works on it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A study that could not be locked.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another scheduler has it.
    #[error(
        "another augreg works on this study: {holder} holds `{path}`; wait for it or stop it",
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
    /// [`LockError::Held`] if another process has it, [`LockError::Io`] if the file is not to be had.
    pub fn take(root: &Path) -> Result<Self, LockError> {
        let path = root.join("lock");
        let fail = |source| LockError::Io { path: path.clone(), source };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // The holder may be about to write it; that it holds the lock is certain.
                let _ = file.read_to_string(&mut holder);
                let holder = holder.trim();
                let holder = if holder.is_empty() { "an unknown process" } else { holder };
                return Err(LockError::Held { holder: holder.to_owned(), path });
            }
            Err(TryLockError::Error(source)) => return Err(fail(source)),
        }
        let holder = format!("process {} on host {}\n", std::process::id(), host());
        file.set_len(0).map_err(fail)?;
        file.rewind().map_err(fail)?;
        // A full disk must not keep a study from being worked on: the lock itself needs no room.
        let _ = file.write_all(holder.as_bytes());
        Ok(Self { _file: file })
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
