//! Journals enter the database, each entry exactly once.

use std::sync::LazyLock;

use augreg_protocol::{AttemptKey, AttemptState, Entry, JournalEvent, Outcome};
use sqlx::SqliteConnection;

use crate::error::database;
use crate::rows::{json_text, values};
use crate::writer::{JournalPart, Write};
use crate::{Change, Store, StoreError, change};

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
        let write = Write { journal: None, changes: changes.to_vec() };
        self.writer()?.write(write).await.map(|_| ())
    }

    /// Ingests the next entries of an attempt's journal and applies `changes`, in one transaction.
    ///
    /// Entries are identified by (attempt, seq): those already ingested are skipped. Metrics,
    /// checkpoints, the result and what the journal says of the attempt are stored; an entry that
    /// ends the attempt ends it in the database too, whatever was thought of it before. The state
    /// of the *job* is the caller's to change. `offset` is where the next reading begins.
    ///
    /// Should two attempts both finish a job, the first result stands, and the audit says so if
    /// the parameters differ.
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
        let journal = Some(JournalPart { attempt, entries: entries.to_vec(), offset });
        self.writer()?.write(Write { journal, changes: changes.to_vec() }).await
    }

    /// The byte of the attempt's journal where the next reading begins; 0 if nothing was ingested.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownAttempt`].
    pub async fn journal_offset(&self, attempt: AttemptKey) -> Result<u64, StoreError> {
        sqlx::query_scalar::<_, i64>(
            "SELECT journal_offset FROM attempt WHERE job_id = ? AND number = ?",
        )
        .bind(attempt.job.to_string())
        .bind(attempt.number)
        .fetch_optional(self.readers())
        .await
        .map_err(database("read a journal's offset"))?
        .map(|offset| offset as u64)
        .ok_or(StoreError::UnknownAttempt { attempt })
    }
}

/// Performs one write inside the transaction of `connection`.
pub(crate) async fn perform(
    connection: &mut SqliteConnection,
    write: &Write,
) -> Result<Ingested, StoreError> {
    let ingested = match &write.journal {
        Some(journal) => ingest(connection, journal).await?,
        None => Ingested::default(),
    };
    for change in &write.changes {
        change::apply(connection, change).await?;
    }
    Ok(ingested)
}

async fn ingest(
    connection: &mut SqliteConnection,
    journal: &JournalPart,
) -> Result<Ingested, StoreError> {
    let attempt = journal.attempt;
    let job = attempt.job.to_string();
    let mut next = sqlx::query_scalar::<_, i64>(
        "SELECT next_seq FROM attempt WHERE job_id = ? AND number = ?",
    )
    .bind(&job)
    .bind(attempt.number)
    .fetch_optional(&mut *connection)
    .await
    .map_err(database("find an attempt"))?
    .ok_or(StoreError::UnknownAttempt { attempt })? as u64;

    let mut ingested = Ingested::default();
    let mut metrics = Vec::new();
    for entry in &journal.entries {
        if entry.attempt != attempt {
            return Err(StoreError::Stray { attempt, found: entry.attempt });
        }
        if entry.seq < next {
            ingested.skipped += 1;
            continue;
        }
        if entry.seq > next {
            return Err(StoreError::Gap { attempt, expected: next, found: entry.seq });
        }
        next += 1;
        ingested.new += 1;
        match &entry.event {
            JournalEvent::Metrics { step, values } => {
                metrics.extend(values.iter().map(|(name, value)| (name.as_str(), *step, *value)));
            }
            JournalEvent::Series { name, first, values } => {
                store_series(connection, attempt, name, *first, values).await?;
            }
            _ => store_entry(connection, &job, entry).await?,
        }
    }
    store_metrics(connection, &job, attempt.number, &metrics).await?;
    sqlx::query(
        "UPDATE attempt SET next_seq = ?3, journal_offset = max(journal_offset, ?4),
                            seen = max(coalesce(seen, 0), ?5)
         WHERE job_id = ?1 AND number = ?2",
    )
    .bind(&job)
    .bind(attempt.number)
    .bind(next as i64)
    .bind(journal.offset as i64)
    .bind(journal.entries.last().map_or(0, |entry| entry.at as i64))
    .execute(connection)
    .await
    .map_err(database("remember a journal's offset"))?;
    Ok(ingested)
}

/// Stores any entry but metrics.
async fn store_entry(
    connection: &mut SqliteConnection,
    job: &str,
    entry: &Entry,
) -> Result<(), StoreError> {
    let number = entry.attempt.number;
    let at = entry.at as i64;
    match &entry.event {
        JournalEvent::Metrics { .. } | JournalEvent::Series { .. } => {}
        JournalEvent::Started { version, host, pid, device, threads, step } => {
            sqlx::query(
                "UPDATE attempt
                 SET version = ?3, host = ?4, pid = ?5, device = ?6, threads = ?7, from_step = ?8
                 WHERE job_id = ?1 AND number = ?2",
            )
            .bind(job)
            .bind(number)
            .bind(version)
            .bind(host)
            .bind(pid)
            .bind(device.to_string())
            .bind(threads)
            .bind(*step as i64)
            .execute(connection)
            .await
            .map_err(database("store an attempt's start"))?;
        }
        JournalEvent::Checkpoint { step } => {
            sqlx::query(
                "INSERT INTO checkpoint (job_id, step, attempt, at) VALUES (?, ?, ?, ?)
                 ON CONFLICT DO NOTHING",
            )
            .bind(job)
            .bind(*step as i64)
            .bind(number)
            .bind(at)
            .execute(connection)
            .await
            .map_err(database("store a checkpoint"))?;
        }
        JournalEvent::Note { text } => {
            sqlx::query(
                "INSERT INTO event (at, job_id, attempt, actor, what, reason)
                 VALUES (?, ?, ?, 'worker', 'note', ?)",
            )
            .bind(at)
            .bind(job)
            .bind(number)
            .bind(text)
            .execute(connection)
            .await
            .map_err(database("store a note"))?;
        }
        JournalEvent::Succeeded(outcome) => {
            end(connection, entry, AttemptState::Succeeded, None).await?;
            store_result(connection, job, entry, outcome).await?;
        }
        JournalEvent::Failed { kind, message, .. } => {
            let failure = Some((kind.name(), message.as_str()));
            end(connection, entry, AttemptState::Failed, failure).await?;
        }
        JournalEvent::Stopped { .. } => {
            end(connection, entry, AttemptState::Stopped, None).await?;
        }
    }
    Ok(())
}

/// Ends an attempt as its journal says, over whatever was thought of it before.
async fn end(
    connection: &mut SqliteConnection,
    entry: &Entry,
    state: AttemptState,
    failure: Option<(&str, &str)>,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE attempt SET state = ?3, failure = ?4, message = ?5, ended = ?6
         WHERE job_id = ?1 AND number = ?2",
    )
    .bind(entry.attempt.job.to_string())
    .bind(entry.attempt.number)
    .bind(state.name())
    .bind(failure.map(|(kind, _)| kind))
    .bind(failure.map(|(_, message)| message))
    .bind(entry.at as i64)
    .execute(connection)
    .await
    .map_err(database("end an attempt"))?;
    Ok(())
}

async fn store_result(
    connection: &mut SqliteConnection,
    job: &str,
    entry: &Entry,
    outcome: &Outcome,
) -> Result<(), StoreError> {
    let number = entry.attempt.number;
    sqlx::query(
        "UPDATE attempt SET peak_memory = ?3, images_per_second = ?4
         WHERE job_id = ?1 AND number = ?2",
    )
    .bind(job)
    .bind(number)
    .bind(outcome.peak_memory as i64)
    .bind(outcome.images_per_second)
    .execute(&mut *connection)
    .await
    .map_err(database("store an attempt's speed"))?;

    let proof = outcome.proof.as_ref();
    let inserted = sqlx::query(
        "INSERT INTO result (job_id, attempt, best_val, final_val, final_test, train_loss, steps,
                             seconds, images_per_second, peak_memory, parameters_sha256,
                             optimizer_sha256, order_hash, epoch_order_hashes)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (job_id) DO NOTHING",
    )
    .bind(job)
    .bind(number)
    .bind(outcome.best_val)
    .bind(outcome.final_val)
    .bind(outcome.final_test)
    .bind(outcome.train_loss)
    .bind(outcome.steps as i64)
    .bind(outcome.seconds)
    .bind(outcome.images_per_second)
    .bind(outcome.peak_memory as i64)
    .bind(&outcome.parameters_sha256)
    .bind(proof.map(|proof| &proof.optimizer_sha256))
    .bind(proof.map(|proof| &proof.order))
    .bind(proof.map(|proof| json_text("the orders", job, &proof.epoch_orders)).transpose()?)
    .execute(&mut *connection)
    .await
    .map_err(database("store a result"))?
    .rows_affected();

    if inserted == 0 {
        sqlx::query(
            "INSERT INTO event (at, job_id, attempt, actor, what, reason)
             SELECT ?1, ?2, ?3, 'store', 'second-result',
                    'attempt ' || attempt || ' had finished the job before'
                    || iif(parameters_sha256 = ?4, '; both have the same parameters',
                           '; the parameters DIFFER, the first result stands')
             FROM result WHERE job_id = ?2",
        )
        .bind(entry.at as i64)
        .bind(job)
        .bind(number)
        .bind(&outcome.parameters_sha256)
        .execute(connection)
        .await
        .map_err(database("note a second result"))?;
    }
    Ok(())
}

/// Metrics stored by one statement: a trip to SQLite costs more than a row.
const METRICS: usize = 32;

static MANY_METRICS: LazyLock<String> = LazyLock::new(|| insert_metrics(METRICS));
static ONE_METRIC: LazyLock<String> = LazyLock::new(|| insert_metrics(1));

fn insert_metrics(rows: usize) -> String {
    format!(
        "INSERT INTO metric_series (job_id, name, attempt, first, points, value) VALUES {}
         ON CONFLICT DO UPDATE SET value = excluded.value",
        values(rows, 6)
    )
}

async fn store_metrics(
    connection: &mut SqliteConnection,
    job: &str,
    number: u32,
    metrics: &[(&str, u64, f64)],
) -> Result<(), StoreError> {
    let (chunks, rest) = metrics.as_chunks::<METRICS>();
    let many = chunks.iter().map(|chunk| (MANY_METRICS.as_str(), chunk.as_slice()));
    for (sql, chunk) in many.chain(rest.chunks(1).map(|one| (ONE_METRIC.as_str(), one))) {
        let mut query = sqlx::query(sql);
        for &(name, step, value) in chunk {
            query = query.bind(job).bind(name).bind(number).bind(step as i64).bind(1).bind(value);
        }
        query.execute(&mut *connection).await.map_err(database("store metrics"))?;
    }
    Ok(())
}

/// Numbers in a row of `metric_series` at the most; the schema holds to it.
const RUN: usize = 1024;

async fn store_series(
    connection: &mut SqliteConnection,
    attempt: AttemptKey,
    name: &str,
    first: u64,
    values: &[f32],
) -> Result<(), StoreError> {
    for (first, values) in (first..).step_by(RUN).zip(values.chunks(RUN)) {
        sqlx::query(
            "INSERT INTO metric_series (job_id, name, attempt, first, points, \"values\")
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(attempt.job.to_string())
        .bind(name)
        .bind(attempt.number)
        .bind(first as i64)
        .bind(values.len() as i64)
        .bind(json_text("values", "a series", &values)?)
        .execute(&mut *connection)
        .await
        .map_err(database("store a series"))?;
    }
    Ok(())
}
