//! Attempts that left journals and that the database does not know: it was lost, and is a new one.
//!
//! Journals are the truth about what was done, so a new database learns from them all but what people
//! had decided: which jobs were cancelled, and which sweeps there were besides the one that is launched.

use std::fs;
use std::path::Path;

use augreg_protocol::{
    AttemptKey, AttemptState, Device, FailureKind, JobState, JournalReader, RunFolder,
};
use augreg_spec::JobId;
use augreg_store::{Change, Store, StoreError};

use super::late::catch_up_with_all;
use super::record::now;

/// Jobs looked at together.
const TOGETHER: usize = 256;

/// What was taken in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Adopted {
    /// Attempts that the database had not known.
    pub attempts: usize,
    /// Jobs that have succeeded by that.
    pub succeeded: usize,
}

/// Takes in what the journals of jobs say that the database has, but no attempt of them. The caller
/// holds the study's lock.
///
/// # Errors
///
/// [`StoreError`].
pub async fn adopt(store: &Store) -> Result<Adopted, StoreError> {
    let mut adopted = Adopted::default();
    for jobs in folders(&store.root().join("runs")).chunks(TOGETHER) {
        let mut changes = Vec::new();
        for job in store.untried(jobs).await? {
            adopted.attempts += take_in(&RunFolder::new(store.root(), job), job, &mut changes);
        }
        store.apply(&changes).await?;
    }
    if adopted.attempts > 0 {
        adopted.succeeded = catch_up_with_all(store).await?;
    }
    Ok(adopted)
}

/// The jobs that have a folder.
fn folders(runs: &Path) -> Vec<JobId> {
    let entries = fs::read_dir(runs).into_iter().flatten().flatten();
    let mut jobs: Vec<_> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    jobs.sort();
    jobs
}

/// Adds the attempts of a job as given up: what their journals say is read as that of any other
/// attempt which was. Returns their number.
fn take_in(folder: &RunFolder, job: JobId, changes: &mut Vec<Change>) -> usize {
    let entries = fs::read_dir(folder.path()).into_iter().flatten().flatten();
    let number = |name: &str| name.strip_prefix("attempt-")?.parse::<u32>().ok();
    let last = entries
        .filter_map(|entry| number(entry.file_name().to_str()?))
        .filter(|number| folder.journal(*number).exists())
        .max();
    let Some(last) = last else { return 0 };
    for number in 1..=last {
        add_attempt(folder, AttemptKey { job, number }, changes);
    }
    changes.push(Change::JobState { job, state: JobState::Queued });
    changes.push(Change::Event {
        job: Some(job),
        attempt: None,
        actor: "scheduler".to_owned(),
        what: "adopted".to_owned(),
        reason: format!("the database knew none of {last} attempts: their journals are read"),
        at: now(),
    });
    last as usize
}

fn add_attempt(folder: &RunFolder, attempt: AttemptKey, changes: &mut Vec<Change>) {
    let path = folder.journal(attempt.number);
    let is_there = path.exists();
    // Damage is told when it is read in earnest.
    let entries = JournalReader::new(path, 0).read().unwrap_or_default();
    let (first, last) = (entries.first(), entries.last());
    changes.push(Change::AttemptStarted {
        attempt,
        executor: "local".to_owned(),
        slot: "?".to_owned(),
        device: Device::Cpu, // Until its journal says otherwise.
        at: first.map_or_else(now, |entry| entry.at),
    });
    let text = "the database did not know of it, and its journal does not say how it ended";
    changes.push(Change::AttemptEnded {
        attempt,
        state: AttemptState::Failed,
        failure: Some((FailureKind::Preempted, text.to_owned())),
        at: last.map_or_else(now, |entry| entry.at),
    });
    if !is_there {
        changes.push(Change::Settled { attempt });
    }
}
