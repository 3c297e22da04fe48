//! Whether anything was written since one looked last, at the price of asking the system for two files.
//!
//! SQLite's own counter belongs to a connection, and readers here have several or a new one each time.
//! What is compared instead are length and time of change of the database and of its log: every commit
//! appends to the log. A pulse that has changed may mean nothing (a checkpoint of the log); one that has
//! not means that nothing was written.

use std::path::Path;
use std::time::SystemTime;

use crate::Store;

/// What a study's files looked like. Two that differ have a write between them, or none that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pulse([Option<(u64, SystemTime)>; 2]);

impl Store {
    /// How the study's files look now.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        let database = self.root().join("augreg.db");
        Pulse([look(&database), look(&database.with_extension("db-wal"))])
    }
}

fn look(path: &Path) -> Option<(u64, SystemTime)> {
    let file = std::fs::metadata(path).ok()?;
    Some((file.len(), file.modified().ok()?))
}
