//! What was decided becomes rows: actions to changes, and writing them whatever the disk does.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use augreg_executor::Slot;
use augreg_protocol::AttemptState;
use augreg_store::{Change, JournalPart, Store, StoreError};
use tokio::time::sleep;
use tracing::{error, info, warn};

use super::journals::News;
use super::options::Progress;
use super::stop::{StopListener, Urgency};
use crate::core::{Action, AttemptEnd};

/// How long to wait before writing again when another process holds the database.
const BUSY_PAUSE: Duration = Duration::from_millis(50);
/// How long to wait before writing again when the disk is full.
const FULL_PAUSE: Duration = Duration::from_secs(1);

/// Milliseconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// Takes back the assignments of attempts that are over by a later action: what happened at once is
/// decided bit by bit, and a worker may turn out to be gone that was just given something to do. They
/// are recorded as begun and ended all the same.
pub(super) fn withdraw(actions: &mut Vec<Action>) {
    let over: Vec<_> = actions
        .iter()
        .filter_map(|action| match action {
            Action::EndAttempt { attempt, .. } => Some(*attempt),
            _ => None,
        })
        .collect();
    actions.retain(
        |action| !matches!(action, Action::Assign { attempt, .. } if over.contains(attempt)),
    );
}

/// The change that records an action; none for what leaves no trace in the database, or needs to be told
/// where an attempt was placed.
pub(super) fn change(action: &Action, slots: &[Slot]) -> Option<Change> {
    let at = now();
    match action {
        Action::Assign { slot: id, attempt } => {
            let slot = slots.iter().find(|slot| slot.id == *id)?;
            Some(Change::AttemptStarted {
                attempt: *attempt,
                executor: "local".to_owned(),
                slot: id.0.to_string(),
                device: slot.device,
                at,
            })
        }
        Action::EndAttempt { attempt, end } => {
            let (state, failure) = match end {
                AttemptEnd::Succeeded => (AttemptState::Succeeded, None),
                AttemptEnd::Stopped => (AttemptState::Stopped, None),
                AttemptEnd::Failed { kind, message } => {
                    (AttemptState::Failed, Some((*kind, message.clone())))
                }
            };
            Some(Change::AttemptEnded { attempt: *attempt, state, failure, at })
        }
        Action::SetJobState { job, state } => Some(Change::JobState { job: *job, state: *state }),
        Action::Audit { job, attempt, what, reason } => Some(Change::Event {
            job: *job,
            attempt: *attempt,
            actor: "scheduler".to_owned(),
            what: (*what).to_owned(),
            reason: reason.clone(),
            at,
        }),
        Action::StartWorker { .. }
        | Action::Begun { .. }
        | Action::StopWorker { .. }
        | Action::KillWorker { .. }
        | Action::Finish(_) => None,
    }
}

/// Writes journal entries and changes in one transaction.
///
/// Waits while another process holds the database or the disk is full: nothing is done that is
/// not recorded, so the run stands still until there is room. A person is told. Gives up `grace`
/// after the run was told to stop, at once when told so.
pub(super) async fn persist(
    store: &Store,
    news: &[News],
    changes: &[Change],
    (stop, grace): (&StopListener, Duration),
    observe: &mut (impl FnMut(Progress) + Send),
) -> Result<(), StoreError> {
    let mut stopping: Option<Instant> = None;
    let mut said = false;
    loop {
        let written = write(store, news, changes).await;
        let error = match written {
            Ok(()) => {
                if said {
                    let note = "the database takes changes again: the run goes on";
                    info!("{note}");
                    observe(Progress::Note(note.to_owned()));
                }
                return Ok(());
            }
            Err(error) if error.is_busy() || error.is_disk_full() => error,
            Err(error) => return Err(error),
        };
        let patience = match stop.urgency() {
            Urgency::Not => true,
            Urgency::Soon => stopping.get_or_insert_with(Instant::now).elapsed() < grace,
            Urgency::Now => false,
        };
        if !patience {
            return Err(error);
        }
        if error.is_disk_full() {
            if !said {
                let note = format!(
                    "the disk of `{}` is full and the database takes no changes: the run stands still \
                     until there is room",
                    store.root().display()
                );
                error!("{note}");
                observe(Progress::Note(note));
                said = true;
            }
            sleep(FULL_PAUSE).await;
        } else {
            if !said {
                warn!("another process holds the database; waiting for it");
                said = true;
            }
            sleep(BUSY_PAUSE).await;
        }
    }
}

/// Writes journal entries and changes in one transaction; nothing where there are none.
pub(super) async fn write(
    store: &Store,
    news: &[News],
    changes: &[Change],
) -> Result<(), StoreError> {
    let parts: Vec<_> = news.iter().filter(|news| !news.entries.is_empty()).collect();
    if parts.is_empty() && changes.is_empty() {
        return Ok(());
    }
    let part = |news: &News| JournalPart {
        attempt: news.attempt,
        entries: news.entries.clone(),
        offset: news.offset,
    };
    let journals = parts.into_iter().map(part).collect();
    store.record(journals, changes.to_vec()).await.map(drop)
}
