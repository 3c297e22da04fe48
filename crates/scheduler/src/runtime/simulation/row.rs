//! The database as the witness reads it: in one question with one row for an answer, because waking
//! SQLite's thread costs more than what it does.

use std::collections::{BTreeMap, BTreeSet};

use augreg_protocol::JobState;
use augreg_spec::JobId;
use augreg_store::{Store, Value};
use serde_json::Value as Json;

use super::audit::Line;
use super::witness::Violation;
use super::worker::Written;

/// An attempt as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) state: String,
    pub(super) failure: String,
    /// Entries of its journal that were ingested.
    pub(super) entries: u64,
    pub(super) checkpoints: u64,
}

/// A job as the database has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) state: String,
    pub(super) attempts: BTreeMap<u32, Attempt>,
    /// The attempt that had the result, and the hash of its parameters.
    pub(super) result: Option<(u32, String)>,
}

impl Row {
    pub(super) fn is(&self, state: JobState) -> bool {
        self.state == state.name()
    }

    pub(super) fn has_ended(&self) -> bool {
        let ended = JobState::ALL.iter().any(|state| state.is_end() && self.is(*state));
        ended && self.running().is_none()
    }

    /// Whether it waits in the queue and was never handed out.
    pub(super) fn is_new(&self) -> bool {
        self.is(JobState::Queued) && self.attempts.is_empty()
    }

    /// The state of an attempt.
    pub(super) fn attempt(&self, number: u32) -> Option<&str> {
        self.attempts.get(&number).map(|attempt| attempt.state.as_str())
    }

    /// How many entries of the journal of an attempt are in the database.
    pub(super) fn ingested(&self, number: u32) -> Option<u64> {
        self.attempts.get(&number).map(|attempt| attempt.entries)
    }

    /// The number of the attempt that runs.
    pub(super) fn running(&self) -> Option<u32> {
        self.attempts.iter().find(|(_, attempt)| attempt.state == "running").map(|(n, _)| *n)
    }
}

/// Lines of the audit that are read with every look. More than most writes add.
pub(super) const LINES: i64 = 12;

/// What a look at the database shows.
pub(super) struct Seen {
    /// The jobs of a sweep.
    pub(super) rows: BTreeMap<JobId, Row>,
    /// The last lines of the audit.
    pub(super) lines: Vec<Line>,
}

/// Looks at the jobs of a sweep and at the audit.
pub(super) async fn see(store: &Store, sweep: &str) -> Result<Seen, Violation> {
    // The same text every time: SQLite need not compile it again.
    let sql = format!(
        "SELECT (
             SELECT json_group_array(json_array(
                 job.id, job.state,
                 json((SELECT json_group_array(json_array(
                     number, attempt.state, failure, next_seq,
                     (SELECT count(*) FROM checkpoint
                      WHERE checkpoint.job_id = job.id AND checkpoint.attempt = number)
                 )) FROM attempt WHERE attempt.job_id = job.id)),
                 result.attempt, result.parameters_sha256
             ))
             FROM sweep JOIN member ON sweep_id = sweep.id JOIN job ON job.ordinal = member.ordinal
                 LEFT JOIN result ON result.job_id = job.id
             WHERE sweep.name = '{sweep}'
         ), ({})",
        lines_sql(&format!("(SELECT max(id) FROM event) - {LINES}"))
    );
    let broken = |how: String| Violation::new("the database can be read", how);
    let found = store.sql(&sql).await.map_err(|e| broken(e.to_string()))?;
    let Some([Value::Text(rows), Value::Text(lines)]) = found.rows.first().map(Vec::as_slice)
    else {
        return Err(broken("no answer".to_owned()));
    };
    let rows = serde_json::from_str(rows)
        .ok()
        .and_then(|rows: Vec<Vec<Json>>| rows.iter().map(|row| decode(row)).collect::<Option<_>>());
    match (rows, decode_lines(lines)) {
        (Some(rows), Some(lines)) => Ok(Seen { rows, lines }),
        _ => Err(broken("a row".to_owned())),
    }
}

/// The lines of the audit after the one with this id.
pub(super) async fn lines_after(store: &Store, id: i64) -> Result<Vec<Line>, Violation> {
    let broken = |how: String| Violation::new("the audit can be read", how);
    let found = store.sql(&lines_sql(&id.to_string())).await.map_err(|e| broken(e.to_string()))?;
    let lines = match found.rows.first().map(Vec::as_slice) {
        Some([Value::Text(lines)]) => decode_lines(lines),
        _ => None,
    };
    lines.ok_or_else(|| broken("a line".to_owned()))
}

fn lines_sql(after: &str) -> String {
    format!(
        "SELECT json_group_array(json_array(id, job_id, attempt, actor, what, reason))
         FROM (SELECT * FROM event WHERE id > {after} ORDER BY id)"
    )
}

/// Id, job, attempt, actor, what, reason.
type LineRow = (i64, Option<String>, Option<u32>, String, String, String);

fn decode_lines(text: &str) -> Option<Vec<Line>> {
    let lines: Vec<LineRow> = serde_json::from_str(text).ok()?;
    let line = |(id, job, attempt, actor, what, reason): LineRow| {
        let job = job.map(|job| job.parse()).transpose().ok()?;
        Some(Line { id, job, attempt, actor, what, reason })
    };
    lines.into_iter().map(line).collect()
}

fn decode(row: &[Json]) -> Option<(JobId, Row)> {
    let [id, state, attempts, number, hash] = row else { return None };
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let attempt = |attempt: &Json| match attempt.as_array().map(Vec::as_slice) {
        Some([number, state, failure, entries, checkpoints]) => {
            let attempt = Attempt {
                state: text(state),
                failure: text(failure),
                entries: entries.as_u64()?,
                checkpoints: checkpoints.as_u64()?,
            };
            Some((number.as_u64()? as u32, attempt))
        }
        _ => None,
    };
    let attempts = attempts.as_array()?.iter().map(attempt).collect::<Option<_>>()?;
    let result = number.as_u64().map(|number| (number as u32, text(hash)));
    Some((id.as_str()?.parse().ok()?, Row { state: text(state), attempts, result }))
}

/// The rows of numbers of a sweep's jobs, by attempt.
pub(super) async fn numbers(
    store: &Store,
    sweep: &str,
) -> Result<BTreeSet<(JobId, u32, Written)>, Violation> {
    let broken = |how: String| Violation::new("numbers can be read", how);
    let sql = format!(
        "SELECT job_id, attempt, metric_series.name, first, points
         FROM sweep JOIN sweep_job ON sweep_id = sweep.id JOIN metric_series USING (job_id)
         WHERE sweep.name = '{sweep}'"
    );
    let rows = store.sql(&sql).await.map_err(|e| broken(e.to_string()))?;
    let number = |values: Vec<Value>| match &values[..] {
        [
            Value::Text(job),
            Value::Integer(attempt),
            Value::Text(name),
            Value::Integer(first),
            Value::Integer(points),
        ] => {
            let row = Written::Numbers(name.clone(), *first as u64, *points as u64);
            Some((job.parse().ok()?, *attempt as u32, row))
        }
        _ => None,
    };
    let found = rows.rows.into_iter().map(number).collect::<Option<_>>();
    found.ok_or_else(|| broken("a row".to_owned()))
}
