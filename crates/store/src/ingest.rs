//! Journals enter the database, each entry exactly once.

use augreg_protocol::{AttemptKey, Entry};
use sqlx::SqliteConnection;
use std::collections::{HashMap, HashSet};

use crate::batch::Batch;
use crate::error::database;
use crate::rows::{job_id, json_text};
use crate::writer::Write;
use crate::{Change, Store, StoreError, change, entries};

/// Part of an attempt's journal, as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct JournalPart {
    /// The attempt.
    pub attempt: AttemptKey,
    /// Consecutive entries.
    pub entries: Vec<Entry>,
    /// The byte of the journal where the next reading begins.
    pub offset: u64,
}

/// What became of a batch of journal entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ingested {
    /// Entries that were new.
    pub new: u64,
    /// Entries that had been ingested before and were skipped.
    pub skipped: u64,
}

impl Store {
    /// Applies `changes` in one transaction: all or none, in their order. Returns when they are on
    /// disk. Changes that were asked for are made even if the caller stops waiting.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownAttempt`]; [`StoreError::Database`] if a constraint of the schema
    /// speaks against it, such as a second running attempt of a job.
    pub async fn apply(&self, changes: &[Change]) -> Result<(), StoreError> {
        self.record(Vec::new(), changes.to_vec()).await.map(|_| ())
    }

    /// [`Store::record`] of one journal: `entries`, and the `offset` where the next reading begins.
    ///
    /// # Errors
    ///
    /// Those of [`Store::record`].
    pub async fn ingest(
        &self,
        attempt: AttemptKey,
        entries: &[Entry],
        offset: u64,
        changes: &[Change],
    ) -> Result<Ingested, StoreError> {
        let part = JournalPart { attempt, entries: entries.to_vec(), offset };
        self.record(vec![part], changes.to_vec()).await
    }

    /// Ingests the next entries of attempts' journals, then applies `changes`, all in one
    /// transaction.
    ///
    /// Entries are identified by (attempt, seq): those already ingested are skipped. Metrics,
    /// checkpoints, the result and what the journal says of the attempt are stored; an entry that
    /// ends the attempt ends it in the database too, whatever was thought of it before. The state
    /// of the *job* is the caller's to change.
    ///
    /// Should two attempts both finish a job, the first result stands, and the audit says so if
    /// the parameters differ.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownAttempt`], [`StoreError::Gap`], [`StoreError::Stray`], and those of
    /// [`Store::apply`]. Nothing is stored then.
    pub async fn record(
        &self,
        journals: Vec<JournalPart>,
        changes: Vec<Change>,
    ) -> Result<Ingested, StoreError> {
        self.writer()?.write(Write { journals, changes }).await
    }

    /// The byte of the attempt's journal where the next reading begins; 0 if nothing was ingested.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownAttempt`].
    pub async fn journal_offset(&self, attempt: AttemptKey) -> Result<u64, StoreError> {
        let job = attempt.job.to_string();
        sqlx::query_scalar!(
            "SELECT journal_offset FROM attempt WHERE job_id = ? AND number = ?",
            job,
            attempt.number
        )
        .fetch_optional(self.readers())
        .await
        .map_err(database("read a journal's offset"))?
        .map(|offset| offset as u64)
        .ok_or(StoreError::UnknownAttempt { attempt })
    }
}

/// The sequence number of the entry that comes next, of attempts that have not ended.
pub(crate) type Expected = HashMap<AttemptKey, u64>;

/// Completes what is expected of the journals in `writes`. Attempts that do not exist stay missing.
pub(crate) async fn look_up(
    connection: &mut SqliteConnection,
    writes: &[Write],
    expected: &mut Expected,
) -> Result<(), StoreError> {
    let parts = writes.iter().flat_map(|write| &write.journals).map(|part| part.attempt);
    let unknown: Vec<_> = parts
        .filter(|attempt| !expected.contains_key(attempt))
        .map(|attempt| (attempt.job, attempt.number))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let unknown = json_text("attempts", "a write", &unknown)?;
    let rows = sqlx::query!(
        r#"SELECT job_id, number AS "number!: u32", next_seq FROM json_each(?) AS part
           CROSS JOIN attempt ON job_id = part.value ->> 0 AND number = part.value ->> 1"#,
        unknown
    )
    .fetch_all(connection)
    .await
    .map_err(database("find attempts"))?;
    for row in &rows {
        let attempt = AttemptKey { job: job_id(&row.job_id)?, number: row.number };
        expected.insert(attempt, row.next_seq as u64);
    }
    Ok(())
}

/// Adds the rows of a write, or none if it makes no sense.
pub(crate) fn plan(
    write: &Write,
    expected: &mut Expected,
    batch: &mut Batch,
) -> Result<Ingested, StoreError> {
    let mut ingested = Ingested::default();
    let mut reached = Expected::new();
    let mut parts = Vec::with_capacity(write.journals.len());
    for part in &write.journals {
        let attempt = part.attempt;
        let next = reached.get(&attempt).or_else(|| expected.get(&attempt));
        let first = *next.ok_or(StoreError::UnknownAttempt { attempt })?;
        let new = unseen(part, first)?;
        ingested.skipped += (part.entries.len() - new.len()) as u64;
        ingested.new += new.len() as u64;
        reached.insert(attempt, first + new.len() as u64);
        parts.push((part, new, first));
    }
    // From here on nothing can be wrong with it but what the schema finds.
    let mut ended = HashSet::new();
    for (part, new, first) in parts {
        if entries::plan(part, new, first, batch) {
            ended.insert(part.attempt);
        }
    }
    for change in &write.changes {
        change::plan(change, &ended, batch);
        match change {
            Change::AttemptStarted { attempt, .. } => _ = reached.insert(*attempt, 0),
            Change::AttemptEnded { attempt, .. } => _ = ended.insert(*attempt),
            _ => {}
        }
    }
    expected.extend(reached);
    for attempt in &ended {
        expected.remove(attempt);
    }
    Ok(ingested)
}

/// The entries from number `next` on, which must follow each other.
fn unseen(part: &JournalPart, mut next: u64) -> Result<&[Entry], StoreError> {
    let attempt = part.attempt;
    let mut seen = 0;
    for entry in &part.entries {
        if entry.attempt != attempt {
            return Err(StoreError::Stray { attempt, found: entry.attempt });
        }
        if entry.seq < next {
            seen += 1;
            continue;
        }
        if entry.seq > next {
            return Err(StoreError::Gap { attempt, expected: next, found: entry.seq });
        }
        next += 1;
    }
    Ok(&part.entries[seen..])
}
