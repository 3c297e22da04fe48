//! Opening a study's database.

use std::path::{Path, PathBuf};

use crate::StoreError;

/// The database of one study. Cheap to clone; all clones share one writer and one pool of readers.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// Opens the study at `root` for writing, creating folder and database where there are none.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the folder cannot be written, or its database is damaged, of a newer
    /// augreg or somebody else's.
    pub async fn create_or_open(root: &Path) -> Result<Self, StoreError> {
        let _ = root;
        todo!()
    }

    /// Opens an existing study for writing.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoStudy`], and those of [`Store::create_or_open`].
    pub async fn open(root: &Path) -> Result<Self, StoreError> {
        let _ = root;
        todo!()
    }

    /// Opens an existing study for reading. Creates and changes nothing; any number of readers may
    /// read while one process writes.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoStudy`], and those of [`Store::create_or_open`].
    pub async fn open_read_only(root: &Path) -> Result<Self, StoreError> {
        let _ = root;
        todo!()
    }

    /// The study's folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Closes all connections. What was written is on disk already; this only makes the end of
    /// the database's files orderly, as the end of the process does too.
    pub async fn close(self) {
        todo!()
    }
}
