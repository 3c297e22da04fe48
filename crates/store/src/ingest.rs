//! Journals enter the database, each entry exactly once.

use augreg_protocol::{AttemptKey, Entry};

use crate::{Change, Store, StoreError};

/// What became of a batch of journal entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ingested {
    /// Entries that were new.
    pub new: u64,
    /// Entries that had been ingested before and were skipped.
    pub skipped: u64,
}

impl Store {
    /// Applies `changes` in one transaction: all or none.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownAttempt`]; [`StoreError::Database`] if a constraint of the schema
    /// speaks against it, such as a second running attempt of a job.
    pub async fn apply(&self, changes: &[Change]) -> Result<(), StoreError> {
        let _ = changes;
        todo!()
    }

    /// Ingests the next entries of an attempt's journal and applies `changes`, in one transaction.
    ///
    /// Entries are identified by (attempt, seq): those already ingested are skipped. Metrics,
    /// checkpoints, the result and what the journal says of the attempt are stored; an entry that
    /// ends the attempt ends it in the database too, whatever was thought of it before. The state
    /// of the *job* is the caller's to change. `offset` is where the next reading begins.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownAttempt`], [`StoreError::Gap`], [`StoreError::Stray`], and those of
    /// [`Store::apply`]. Nothing is stored then.
    pub async fn ingest(
        &self,
        attempt: AttemptKey,
        entries: &[Entry],
        offset: u64,
        changes: &[Change],
    ) -> Result<Ingested, StoreError> {
        let _ = (attempt, entries, offset, changes);
        todo!()
    }

    /// The byte of the attempt's journal where the next reading begins; 0 if nothing was ingested.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownAttempt`].
    pub async fn journal_offset(&self, attempt: AttemptKey) -> Result<u64, StoreError> {
        let _ = attempt;
        todo!()
    }
}
