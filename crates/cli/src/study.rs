//! Opening a study in the order that keeps it whole: first its lock, then its database.

use std::path::{Path, PathBuf};

use augreg_scheduler::runtime::{LockError, StudyLock};
use augreg_store::{Difference, NewSweep, Store, StoreError};
use rustix::fs::Access;
use rustix::io::Errno;
use thiserror::Error;

use crate::failure::{Failure, advice};

/// A study that no other scheduler works on. Whoever is refused has changed nothing in it.
pub(crate) struct Owned {
    pub(crate) store: Store,
    pub(crate) lock: StudyLock,
}

/// Takes a study, or makes one, and registers a sweep in it.
pub(crate) async fn create(
    root: &Path,
    sweep: NewSweep<'_>,
) -> Result<(Owned, Difference), Failure> {
    match look(root).await {
        // An empty one learns from the journals.
        Ok(()) | Err(StoreError::NoStudy { .. } | StoreError::Emptied { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    std::fs::create_dir_all(root)
        .map_err(|source| StoreError::CreateFolder { path: root.to_owned(), source })?;
    let lock = lock(root)?;
    let (store, difference) = Store::create_or_open_with(root, sweep).await?;
    Ok((Owned { store, lock }, difference))
}

/// Brings a study of an older augreg up to date, if there is one: what it knows is asked before it is taken.
pub(crate) async fn bring_up_to_date(root: &Path) -> Result<(), Failure> {
    match Store::open_read_only(root).await {
        Err(StoreError::Older { .. }) => own(root).await?.store.close().await,
        Ok(store) => store.close().await,
        // Whatever else is wrong with it is said by whoever takes it.
        Err(_) => {}
    }
    Ok(())
}

/// Takes a study that there is.
pub(crate) async fn own(root: &Path) -> Result<Owned, Failure> {
    look(root).await?;
    let lock = lock(root)?;
    Ok(Owned { store: Store::open(root).await?, lock })
}

/// Opens a study for a small change, beside a scheduler or without one. If nobody works on it, it is
/// looked over and brought up to date as by a scheduler; else it is left as it is.
pub(crate) async fn beside(root: &Path) -> Result<Store, Failure> {
    look(root).await?;
    writable(root)?;
    match StudyLock::take(root) {
        Ok(_lock) => Ok(Store::open(root).await?),
        Err(LockError::Held { holder, .. }) => match Store::open_beside(root).await {
            Err(error @ StoreError::Older { .. }) => {
                let help = format!("{holder} is an older augreg: ask that one, or wait for it");
                Err(Failure::refused(error, &help))
            }
            opened => Ok(opened?),
        },
        Err(error) => Err(error.into()),
    }
}

/// [`beside`], or a new study where there is none.
pub(crate) async fn beside_or_new(root: &Path) -> Result<Store, Failure> {
    if !matches!(look(root).await, Err(StoreError::NoStudy { .. })) {
        return beside(root).await;
    }
    std::fs::create_dir_all(root)
        .map_err(|source| StoreError::CreateFolder { path: root.to_owned(), source })?;
    let _lock = lock(root)?;
    Ok(Store::create_or_open(root).await?)
}

/// Takes the lock of a study in which all can be written that a run writes.
fn lock(root: &Path) -> Result<StudyLock, Failure> {
    writable(root)?;
    Ok(StudyLock::take(root)?)
}

/// A part of a study that cannot be written.
#[derive(Debug, Error)]
#[error("`{path}` cannot be written", path = path.display())]
struct Unwritable {
    path: PathBuf,
    source: std::io::Error,
}

/// Looks whether the folder and what is in it can be written: else a run would begin and fail.
fn writable(root: &Path) -> Result<(), Failure> {
    for path in [root.to_owned(), root.join("augreg.db"), root.join("runs")] {
        match rustix::fs::access(&path, Access::WRITE_OK) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => {
                let source = std::io::Error::from(error);
                let help = advice(source.kind());
                return Err(Failure::refused(Unwritable { path, source }, help));
            }
        }
    }
    Ok(())
}

/// Keeps what is no study of ours from getting a lock file.
async fn look(root: &Path) -> Result<(), StoreError> {
    match Store::look(root).await {
        // One that is being made looks odd, but has its lock already: that says what to think of it.
        Err(error) if !root.join("lock").exists() => Err(error),
        Err(error @ (StoreError::NoStudy { .. } | StoreError::Unreadable { .. })) => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
