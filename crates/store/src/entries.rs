//! What the entries of a journal become: rows, and what the attempt's own row learns.

use std::sync::LazyLock;

use augreg_protocol::{AttemptKey, AttemptState, Entry, JournalEvent, Outcome};

use crate::batch::Batch;
use crate::ingest::JournalPart;
use crate::rows::{json_text, values};
use crate::{StoreError, Value};

/// Adds the statements that store `new` entries of a journal, the first of which has number
/// `first`. Returns whether they end the attempt.
pub(crate) fn plan(
    part: &JournalPart,
    new: &[Entry],
    first: u64,
    batch: &mut Batch,
) -> Result<bool, StoreError> {
    let mut learned = Learned::default();
    let mut metrics = Vec::new();
    let mut own = Batch::default();
    own.unit();
    for entry in new {
        match &entry.event {
            JournalEvent::Metrics { step, values } => {
                metrics.extend(values.iter().map(|(name, value)| (name.as_str(), *step, *value)));
            }
            JournalEvent::Series { name, first, values } => {
                series(part.attempt, name, *first, values, batch.unit())?;
            }
            JournalEvent::Checkpoint { step } => checkpoint(entry, *step, &mut own),
            JournalEvent::Note { text } => note(entry, text, &mut own),
            JournalEvent::Succeeded(outcome) => {
                learned.take(entry);
                result(entry, outcome, &mut own)?;
            }
            _ => learned.take(entry),
        }
    }
    store_metrics(part.attempt, &metrics, batch);
    let ends = learned.end.is_some();
    learned.store(part, first + new.len() as u64, &mut own);
    batch.append(own);
    Ok(ends)
}

/// What entries say of the attempt itself.
#[derive(Default)]
struct Learned<'a> {
    start: Option<&'a JournalEvent>,
    end: Option<&'a Entry>,
}

impl<'a> Learned<'a> {
    fn take(&mut self, entry: &'a Entry) {
        match &entry.event {
            start @ JournalEvent::Started { .. } => self.start = Some(start),
            event if event.is_terminal() => self.end = Some(entry),
            _ => {}
        }
    }

    /// Adds the statement that updates the attempt's row. An end stands over whatever was thought
    /// of the attempt before.
    fn store(&self, part: &JournalPart, next: u64, batch: &mut Batch) {
        let mut start = [const { Value::Null }; 6];
        if let Some(JournalEvent::Started { version, host, pid, device, threads, step }) =
            self.start
        {
            start = [
                version.as_str().into(),
                host.as_str().into(),
                (*pid).into(),
                device.to_string().into(),
                (*threads).into(),
                (*step).into(),
            ];
        }
        let (state, failure, message) = match self.end.map(|entry| &entry.event) {
            Some(JournalEvent::Succeeded(_)) => (Some(AttemptState::Succeeded), None, None),
            Some(JournalEvent::Failed { kind, message, .. }) => {
                (Some(AttemptState::Failed), Some(kind.name()), Some(message.as_str()))
            }
            Some(JournalEvent::Stopped { .. }) => (Some(AttemptState::Stopped), None, None),
            _ => (None, None, None),
        };
        let state = || Value::from(state.map(AttemptState::name));
        let outcome = self.end.and_then(|entry| match &entry.event {
            JournalEvent::Succeeded(outcome) => Some(outcome),
            _ => None,
        });
        let seen = part.entries.last().map_or(0, |entry| entry.at);
        let mut parameters = Vec::from(start);
        parameters.extend([
            state(),
            failure.into(),
            state(),
            message.into(),
            state(),
            self.end.map(|entry| entry.at).into(),
            outcome.map(|outcome| outcome.peak_memory).into(),
            outcome.map(|outcome| outcome.images_per_second).into(),
            next.into(),
            part.offset.into(),
            seen.into(),
            part.attempt.job.to_string().into(),
            part.attempt.number.into(),
        ]);
        batch.add("store what an attempt's journal says", LEARN, parameters);
    }
}

const LEARN: &str = "UPDATE attempt SET
    version = coalesce(?, version),
    host = coalesce(?, host),
    pid = coalesce(?, pid),
    device = coalesce(?, device),
    threads = coalesce(?, threads),
    from_step = coalesce(?, from_step),
    failure = iif(? IS NULL, failure, ?),
    message = iif(? IS NULL, message, ?),
    state = coalesce(?, state),
    ended = coalesce(?, ended),
    peak_memory = coalesce(?, peak_memory),
    images_per_second = coalesce(?, images_per_second),
    next_seq = ?,
    journal_offset = max(journal_offset, ?),
    seen = max(coalesce(seen, 0), ?)
    WHERE job_id = ? AND number = ?";

fn checkpoint(entry: &Entry, step: u64, batch: &mut Batch) {
    let AttemptKey { job, number } = entry.attempt;
    batch.add(
        "store a checkpoint",
        "INSERT INTO checkpoint (job_id, step, attempt, at) VALUES (?, ?, ?, ?)
         ON CONFLICT DO NOTHING",
        [job.to_string().into(), step.into(), number.into(), entry.at.into()],
    );
}

fn note(entry: &Entry, text: &str, batch: &mut Batch) {
    let AttemptKey { job, number } = entry.attempt;
    batch.add(
        "store a note",
        "INSERT INTO event (at, job_id, attempt, actor, what, reason)
         VALUES (?, ?, ?, 'worker', 'note', ?)",
        [entry.at.into(), job.to_string().into(), number.into(), text.into()],
    );
}

fn result(entry: &Entry, outcome: &Outcome, batch: &mut Batch) -> Result<(), StoreError> {
    let job = entry.attempt.job.to_string();
    let number = entry.attempt.number;
    batch.add(
        "note a second result",
        "INSERT INTO event (at, job_id, attempt, actor, what, reason)
         SELECT ?, job_id, ?, 'store', 'second-result',
                'attempt ' || attempt || ' had finished the job before'
                || iif(parameters_sha256 = ?, '; both have the same parameters',
                       '; the parameters DIFFER, the first result stands')
         FROM result WHERE job_id = ?",
        [
            entry.at.into(),
            number.into(),
            outcome.parameters_sha256.as_str().into(),
            job.as_str().into(),
        ],
    );
    let proof = outcome.proof.as_ref();
    let epochs =
        proof.map(|proof| json_text("the orders", &job, &proof.epoch_orders)).transpose()?;
    batch.add(
        "store a result",
        "INSERT INTO result (job_id, attempt, best_val, final_val, final_test, train_loss, steps,
                             seconds, images_per_second, peak_memory, parameters_sha256,
                             optimizer_sha256, order_hash, epoch_order_hashes)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (job_id) DO NOTHING",
        [
            job.into(),
            number.into(),
            outcome.best_val.into(),
            outcome.final_val.into(),
            outcome.final_test.into(),
            outcome.train_loss.into(),
            outcome.steps.into(),
            outcome.seconds.into(),
            outcome.images_per_second.into(),
            outcome.peak_memory.into(),
            outcome.parameters_sha256.as_str().into(),
            proof.map(|proof| proof.optimizer_sha256.as_str()).into(),
            proof.map(|proof| proof.order.as_str()).into(),
            epochs.into(),
        ],
    );
    Ok(())
}

/// Metrics stored by one statement: to execute one costs more than a row.
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

fn store_metrics(attempt: AttemptKey, metrics: &[(&str, u64, f64)], batch: &mut Batch) {
    let job = attempt.job.to_string();
    let (chunks, rest) = metrics.as_chunks::<METRICS>();
    let many = chunks.iter().map(|chunk| (MANY_METRICS.as_str(), chunk.as_slice()));
    for (sql, chunk) in many.chain(rest.chunks(1).map(|one| (ONE_METRIC.as_str(), one))) {
        let mut parameters = Vec::with_capacity(6 * chunk.len());
        for &(name, step, value) in chunk {
            parameters.extend([
                Value::from(job.as_str()),
                name.into(),
                attempt.number.into(),
                step.into(),
                1_i64.into(),
                value.into(),
            ]);
        }
        batch.unit().add("store metrics", sql, parameters);
    }
}

/// Numbers in a row of `metric_series` at the most; the schema holds to it.
const RUN: usize = 1024;

fn series(
    attempt: AttemptKey,
    name: &str,
    first: u64,
    values: &[f32],
    batch: &mut Batch,
) -> Result<(), StoreError> {
    for (first, values) in (first..).step_by(RUN).zip(values.chunks(RUN)) {
        batch.add(
            "store a series",
            "INSERT INTO metric_series (job_id, name, attempt, first, points, \"values\")
             VALUES (?, ?, ?, ?, ?, ?)",
            [
                attempt.job.to_string().into(),
                name.into(),
                attempt.number.into(),
                first.into(),
                (values.len() as u64).into(),
                json_text("values", "a series", &values)?.into(),
            ],
        );
    }
    Ok(())
}
