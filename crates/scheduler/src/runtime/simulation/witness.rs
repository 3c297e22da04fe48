//! The witness: looks at the database after every write and says what must never be.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use augreg_protocol::JobState;
use augreg_spec::JobId;
use augreg_store::Store;

use super::audit::Audit;
use super::row::{Row, Seen, numbers, see};
use super::worker::{Done, Written};
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

/// What the database said last.
#[derive(Debug, Default)]
pub(super) struct Witness {
    pub(super) rows: BTreeMap<JobId, Row>,
    pub(super) audit: Audit,
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
        let Seen { rows, lines } = see(store, sweep).await?;
        self.audit.read(store, lines, deeds).await?;
        for (id, row) in &rows {
            let (before, done) = (self.rows.get(id), deeds.job(*id));
            let told = |broken: Violation| Violation(format!("{} ({id}: {row:?})", broken.0));
            one_live_attempt(row).map_err(told)?;
            success_has_a_result(*id, row).map_err(told)?;
            retries_are_bounded(row, policy, done).map_err(told)?;
            self.entries_count_once(*id, row, done).map_err(told)?;
            self.audit.explains(*id, before, row).map_err(told)?;
            before.map_or(Ok(()), |before| results_stay(before, row)).map_err(told)?;
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

    /// Whether the core thinks of as many jobs in each state as the database has, but for those
    /// `beside` it, which a person queued without its knowledge.
    pub(super) fn agrees_with(
        &self,
        counts: Counts,
        beside: &BTreeSet<JobId>,
    ) -> Result<(), Violation> {
        let found = [JobState::Waiting, JobState::Queued, JobState::Running];
        let mut found = found.map(|state| self.count(state));
        let unknown = |id: &&JobId| self.rows.get(*id).is_some_and(|row| row.is(JobState::Queued));
        found[1] -= beside.iter().filter(unknown).count();
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
    /// ever reported a result has succeeded, and the database holds what the journals said, no less
    /// and no more.
    pub(super) async fn at_the_end(
        &self,
        store: &Store,
        sweep: &str,
        deeds: &Deeds,
    ) -> Result<(), Violation> {
        for (id, row) in &self.rows {
            if let Some(number) = deeds.job(*id).succeeded.iter().next()
                && !row.is(JobState::Succeeded)
            {
                let how = format!("{id}: attempt {number} had reported a result; {row:?}");
                return Err(Violation::new("no reported result disappears", how));
            }
        }
        let found = numbers(store, sweep).await?;
        let mut expected = BTreeSet::new();
        for (id, row) in &self.rows {
            for (number, attempt) in &row.attempts {
                let entries = deeds.job(*id).entries(*number, attempt.entries);
                let numbers = entries.iter().filter(|entry| matches!(entry, Written::Numbers(..)));
                expected.extend(numbers.map(|entry| (*id, *number, entry.clone())));
            }
        }
        if found != expected {
            let less: Vec<_> = expected.difference(&found).collect();
            let more: Vec<_> = found.difference(&expected).collect();
            let how = format!("{less:?} were written, {more:?} were not");
            return Err(Violation::new("every number counts once", how));
        }
        let counts = store.counts(Some(sweep)).await;
        let counts = counts.map_err(|e| Violation::new("jobs can be counted", e))?;
        for state in JobState::ALL {
            if counts.of(state) != self.count(state) as u64 {
                return Err(Violation::new("the tally is right", format!("{counts:?}")));
            }
        }
        let open = store.cancel_requests().await;
        let open = open.map_err(|e| Violation::new("requests can be read", e))?;
        match open.iter().find(|job| self.rows.contains_key(job)) {
            Some(job) => {
                Err(Violation::new("whoever cancels a job is heard", format!("not of {job}")))
            }
            None => Ok(()),
        }
    }

    fn entries_count_once(&self, id: JobId, row: &Row, done: &Done) -> Result<(), Violation> {
        let broken = |how| Err(Violation::new("every entry counts once", how));
        for (number, attempt) in &row.attempts {
            let written = done.written(*number);
            if attempt.entries > written {
                return broken(format!(
                    "{} entries of attempt {number} ingested, {written} written",
                    attempt.entries
                ));
            }
            let entries = done.entries(*number, attempt.entries);
            let notes = entries.iter().filter(|entry| **entry == Written::Note).count() as u64;
            if self.audit.notes(id, *number) != notes {
                let found = self.audit.notes(id, *number);
                return broken(format!("{found} notes of attempt {number}, {notes} written"));
            }
            let checkpoint = |entry: &&Written| matches!(entry, Written::Checkpoint(_));
            let steps: BTreeSet<_> = entries.iter().filter(checkpoint).collect();
            if attempt.checkpoints != steps.len() as u64 {
                let found = attempt.checkpoints;
                return broken(format!("{found} checkpoints of attempt {number}, not {steps:?}"));
            }
        }
        let finished = done.succeeded.len() as u64;
        let second = self.audit.second_results(id);
        if second >= finished.max(1) {
            return broken(format!("{second} second results of {finished}"));
        }
        match &row.result {
            Some((number, _)) if !done.succeeded.contains(number) => {
                broken(format!("a result of attempt {number}, which never reported one"))
            }
            _ => Ok(()),
        }
    }
}

fn one_live_attempt(row: &Row) -> Result<(), Violation> {
    let live = row.attempts.values().filter(|attempt| attempt.state == "running").count();
    if live == usize::from(row.state == "running") {
        return Ok(());
    }
    let how = format!("{live} attempts run of a job that is {}", row.state);
    Err(Violation::new("a job runs if, and only if, one attempt does", how))
}

fn success_has_a_result(id: JobId, row: &Row) -> Result<(), Violation> {
    let of_another =
        row.result.as_ref().is_some_and(|(_, hash)| *hash != format!("the parameters of {id}"));
    if row.is(JobState::Succeeded) == row.result.is_some() && !of_another {
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
    for (number, attempt) in &row.attempts {
        if attempt.checkpoints > 0 {
            in_a_row = 0; // It may have been heard of before the attempt was given up.
        } else if !done.late.contains(number)
            && ["lost", "timeout"].contains(&attempt.failure.as_str())
        {
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

fn results_stay(before: &Row, after: &Row) -> Result<(), Violation> {
    let gone = before.result.is_some() && before.result != after.result;
    let undone = before.state == "succeeded" && after.state != "succeeded";
    let lost = before.attempts.keys().any(|number| !after.attempts.contains_key(number));
    if !gone && !undone && !lost {
        return Ok(());
    }
    Err(Violation::new("no reported result disappears", format!("it was {before:?}")))
}
