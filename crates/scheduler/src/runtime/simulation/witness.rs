//! The witness: looks at the database after every write and says what must never be.

use std::collections::BTreeMap;
use std::mem;

use augreg_protocol::JobState;
use augreg_spec::JobId;
use augreg_store::{Store, Value};

use super::worker::Done;
use super::world::Deeds;
use crate::core::{Counts, Policy};

/// What must not be: the invariant, and how it was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation(pub(super) String);

impl Violation {
    pub(super) fn new(invariant: &str, how: impl std::fmt::Display) -> Self {
        Self(format!("{invariant}: {how}"))
    }
}

/// An attempt as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Attempt {
    state: String,
    failure: String,
    entries: u64,
    checkpoints: u64,
}

/// A job as the database has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) state: String,
    attempts: BTreeMap<u32, Attempt>,
    /// The attempt that had the result, and the hash of its parameters.
    result: Option<(u32, String)>,
    last_event: i64,
    notes: u64,
    second_results: u64,
    /// Lines of the audit that do not say who, or why.
    mute_events: u64,
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

    /// The number of the attempt that runs.
    pub(super) fn running(&self) -> Option<u32> {
        self.attempts.iter().find(|(_, attempt)| attempt.state == "running").map(|(n, _)| *n)
    }
}

const READ: &str = "SELECT job.id, job.state,
    (SELECT group_concat(number || ',' || attempt.state || ',' || coalesce(failure, '') || ','
        || next_seq || ',' || (SELECT count(*) FROM checkpoint
            WHERE checkpoint.job_id = job.id AND checkpoint.attempt = number), ';')
     FROM attempt WHERE attempt.job_id = job.id),
    result.attempt, result.parameters_sha256,
    (SELECT max(event.id) FROM event WHERE event.job_id = job.id),
    (SELECT count(*) FROM event WHERE event.job_id = job.id AND what = 'note'),
    (SELECT count(*) FROM event WHERE event.job_id = job.id AND what = 'second-result'),
    (SELECT count(*) FROM event WHERE event.job_id = job.id AND (actor = '' OR reason = ''))
    FROM sweep JOIN sweep_job ON sweep_id = sweep.id JOIN job ON job.id = sweep_job.job_id
        LEFT JOIN result ON result.job_id = job.id";

/// What the database said last.
#[derive(Debug, Default)]
pub(super) struct Witness {
    pub(super) rows: BTreeMap<JobId, Row>,
}

impl Witness {
    /// Looks at the database and compares it with what it said before and with what was done. Returns
    /// what it said before.
    pub(super) async fn look(
        &mut self,
        store: &Store,
        sweep: &str,
        deeds: &Deeds,
        policy: &Policy,
    ) -> Result<BTreeMap<JobId, Row>, Violation> {
        let rows = read(store, sweep).await?;
        for (id, row) in &rows {
            let told = |broken: Violation| Violation(format!("{} ({id}: {row:?})", broken.0));
            one_live_attempt(row).map_err(told)?;
            success_has_a_result(row).map_err(told)?;
            retries_are_bounded(row, policy, deeds.job(*id)).map_err(told)?;
            entries_count_once(*id, row, deeds).map_err(told)?;
            if let Some(before) = self.rows.get(id) {
                changes_are_explained(before, row).map_err(told)?;
                results_stay(before, row).map_err(told)?;
            }
        }
        Ok(mem::replace(&mut self.rows, rows))
    }

    /// How many jobs are in a state.
    pub(super) fn count(&self, state: JobState) -> usize {
        self.rows.values().filter(|row| row.is(state)).count()
    }

    /// Whether a job has succeeded.
    pub(super) fn succeeded(&self, job: &JobId) -> bool {
        self.rows.get(job).is_some_and(|row| row.is(JobState::Succeeded))
    }

    /// Whether any attempt has ended and did not succeed: it may have been given up.
    pub(super) fn has_given_up(&self) -> bool {
        let mut attempts = self.rows.values().flat_map(|row| row.attempts.values());
        attempts.any(|attempt| !["running", "succeeded"].contains(&attempt.state.as_str()))
    }

    /// Whether the core thinks of as many jobs in each state as the database has.
    pub(super) fn agrees_with(&self, counts: Counts) -> Result<(), Violation> {
        let found = [JobState::Waiting, JobState::Queued, JobState::Running];
        let found = found.map(|state| self.count(state));
        if found == [counts.waiting, counts.queued, counts.running] {
            return Ok(());
        }
        Err(Violation::new(
            "core and database agree",
            format!(
                "(waiting, queued, running) is {found:?} in the database, the core has {counts:?}"
            ),
        ))
    }

    /// What must hold when the run is over and every journal has been read: a job of which any attempt
    /// ever reported a result has succeeded.
    pub(super) fn at_the_end(&self, deeds: &Deeds) -> Result<(), Violation> {
        for (id, row) in &self.rows {
            if let Some(number) = deeds.job(*id).succeeded.iter().next()
                && !row.is(JobState::Succeeded)
            {
                let how = format!("{id}: attempt {number} had reported a result; {row:?}");
                return Err(Violation::new("no reported result disappears", how));
            }
        }
        Ok(())
    }
}

async fn read(store: &Store, sweep: &str) -> Result<BTreeMap<JobId, Row>, Violation> {
    let broken = |how: String| Violation::new("the database can be read", how);
    let rows = store
        .sql(&format!("{READ} WHERE sweep.name = '{sweep}'"))
        .await
        .map_err(|e| broken(e.to_string()))?;
    rows.rows.into_iter().map(row).collect::<Option<_>>().ok_or_else(|| broken("a row".to_owned()))
}

fn row(values: Vec<Value>) -> Option<(JobId, Row)> {
    let [id, state, attempts, number, sha, event, notes, second, mute]: [Value; 9] =
        values.try_into().ok()?;
    let whole = |value: &Value| match value {
        Value::Integer(value) => *value,
        _ => 0,
    };
    let text = |value: Value| match value {
        Value::Text(text) => text,
        _ => String::new(),
    };
    let attempts = text(attempts);
    let attempts = attempts.split_terminator(';').map(attempt).collect::<Option<_>>()?;
    let result = match number {
        Value::Integer(number) => Some((number as u32, text(sha))),
        _ => None,
    };
    let row = Row {
        state: text(state),
        attempts,
        result,
        last_event: whole(&event),
        notes: whole(&notes) as u64,
        second_results: whole(&second) as u64,
        mute_events: whole(&mute) as u64,
    };
    Some((text(id).parse().ok()?, row))
}

fn attempt(text: &str) -> Option<(u32, Attempt)> {
    let mut parts = text.split(',');
    let number = parts.next()?.parse().ok()?;
    let attempt = Attempt {
        state: parts.next()?.to_owned(),
        failure: parts.next()?.to_owned(),
        entries: parts.next()?.parse().ok()?,
        checkpoints: parts.next()?.parse().ok()?,
    };
    Some((number, attempt))
}

fn one_live_attempt(row: &Row) -> Result<(), Violation> {
    let live = row.attempts.values().filter(|attempt| attempt.state == "running").count();
    if live == usize::from(row.state == "running") {
        return Ok(());
    }
    let how = format!("{live} attempts run of a job that is {}", row.state);
    Err(Violation::new("a job runs if, and only if, one attempt does", how))
}

fn success_has_a_result(row: &Row) -> Result<(), Violation> {
    if row.is(JobState::Succeeded) == row.result.is_some() {
        return Ok(());
    }
    let how = format!("it is {}, its result {:?}", row.state, row.result);
    Err(Violation::new("a job has succeeded if, and only if, it has a result", how))
}

fn retries_are_bounded(row: &Row, policy: &Policy, done: &Done) -> Result<(), Violation> {
    // What an attempt came to after it was given up could not count when it was tried again.
    let known = || row.attempts.iter().filter(|(number, _)| !done.late.contains(number));
    let of = |kind: &str| known().filter(|(_, attempt)| attempt.failure == kind).count();
    let mut in_a_row = 0_usize;
    for (_, attempt) in known() {
        if attempt.checkpoints > 0 {
            in_a_row = 0;
        } else if ["lost", "timeout"].contains(&attempt.failure.as_str()) {
            in_a_row += 1;
        }
    }
    let bounds = [
        ("bugs", of("bug"), policy.bug_retries as usize + 1),
        ("lacks of memory", of("out-of-memory"), policy.memory_retries as usize + 1),
        ("divergences", of("diverged"), 1),
        ("failures of data", of("data"), 1),
        ("losses without a new checkpoint", in_a_row, policy.losses as usize),
    ];
    match bounds.into_iter().find(|(_, found, most)| *found > most * (1 + done.requeued)) {
        None => Ok(()),
        Some((what, found, most)) => {
            Err(Violation::new("retries are bounded", format!("{found} {what} of at most {most}")))
        }
    }
}

fn entries_count_once(id: JobId, row: &Row, deeds: &Deeds) -> Result<(), Violation> {
    let done = deeds.job(id);
    let broken = |how| Err(Violation::new("every entry counts once", how));
    for (number, attempt) in &row.attempts {
        let written = done.entries.get(number).copied().unwrap_or(0);
        if attempt.entries > written {
            return broken(format!(
                "{} entries of attempt {number} ingested, {written} written",
                attempt.entries
            ));
        }
    }
    if row.notes > done.notes {
        return broken(format!("{} notes ingested, {} written", row.notes, done.notes));
    }
    let finished = done.succeeded.len() as u64;
    if row.second_results >= finished.max(1) {
        return broken(format!("{} second results of {finished}", row.second_results));
    }
    match &row.result {
        Some((number, _)) if !done.succeeded.contains(number) => {
            broken(format!("a result of attempt {number}, which never reported one"))
        }
        _ => Ok(()),
    }
}

fn changes_are_explained(before: &Row, after: &Row) -> Result<(), Violation> {
    let attempts = |row: &Row| -> Vec<_> {
        row.attempts.iter().map(|(number, attempt)| (*number, attempt.state.clone())).collect()
    };
    let (then, now) = (attempts(before), attempts(after));
    let changed = before.state != after.state || then != now;
    if after.mute_events == 0 && (!changed || after.last_event > before.last_event) {
        return Ok(());
    }
    let how = format!("from {} {then:?} to {} {now:?} without a word", before.state, after.state);
    Err(Violation::new("the audit explains every change of a state", how))
}

fn results_stay(before: &Row, after: &Row) -> Result<(), Violation> {
    let gone = before.result.is_some() && before.result != after.result;
    let undone = before.state == "succeeded" && after.state != "succeeded";
    let lost = before.attempts.keys().any(|number| !after.attempts.contains_key(number));
    if !gone && !undone && !lost {
        return Ok(());
    }
    Err(Violation::new("no reported result disappears", format!("it was {before:?}")))
}
