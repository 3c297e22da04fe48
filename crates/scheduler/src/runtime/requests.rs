//! What people ask for from other processes: rows of the database, looked at now and then.

use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, Instant};

use augreg_spec::JobId;
use augreg_store::{Pause, Store, StoreError};

use crate::core::{Event, Pauser};

/// How often requests are looked for.
const INTERVAL: Duration = Duration::from_secs(1);

/// Lines of the audit before the run's first look that are looked through: what was said while the jobs were
/// being read. To be told again what is so changes nothing.
const BEFORE: i64 = 10_000;

/// What was asked for so far.
#[derive(Debug)]
pub(super) struct Requests {
    /// The sweep that is run; the whole study without one.
    sweep: Option<String>,
    looked: Option<Instant>,
    /// Jobs whose cancelling is under way. A request stays open until its job has ended, so that
    /// the next scheduler sees to it should this one die.
    cancelling: HashSet<JobId>,
    pauses: Vec<Pause>,
    /// The last line of the audit that was looked at for priorities and retries.
    heard: Option<i64>,
}

/// Cancels the jobs that somebody wants cancelled and that do not run: the scheduler that was asked is
/// gone, and the next may have nothing to do that would make it look.
///
/// # Errors
///
/// Those of [`cancel`].
pub(super) async fn cancel_what_waits(store: &Store) -> Result<Vec<JobId>, StoreError> {
    let asked = store.cancel_requests().await?;
    if asked.is_empty() {
        return Ok(asked);
    }
    Ok(cancel(store, &asked).await?.unwrap_or_default())
}

/// Cancels those of `jobs` that do not run, and returns them; none at all if the database takes no
/// writes, when the requests stay.
///
/// # Errors
///
/// [`StoreError`], unless another process holds the database or the disk is full.
pub(super) async fn cancel(
    store: &Store,
    jobs: &[JobId],
) -> Result<Option<Vec<JobId>>, StoreError> {
    match store.set_cancelled(jobs, "asked for by `augreg cancel`").await {
        Ok(cancelled) => Ok(Some(cancelled)),
        Err(error) if error.is_busy() || error.is_disk_full() => Ok(None),
        Err(error) => Err(error),
    }
}

/// What people ask for that was not told before.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Jobs to be cancelled.
    pub(super) cancel: Vec<JobId>,
    /// Pauses that begin or end, and priorities.
    pub(super) others: Vec<Event>,
    /// Whether jobs that had ended are to be tried again: those that are queued and not known.
    pub(super) retry: bool,
}

impl Requests {
    pub(super) fn new(sweep: Option<&str>) -> Self {
        let (sweep, looked) = (sweep.map(str::to_owned), None);
        Self { sweep, looked, cancelling: HashSet::new(), pauses: Vec::new(), heard: None }
    }

    /// What is new; nothing if it is too early to look, or another process holds the database.
    ///
    /// # Errors
    ///
    /// [`StoreError`] otherwise.
    pub(super) async fn look(&mut self, store: &Store) -> Result<Asked, StoreError> {
        if self.looked.is_some_and(|looked| looked.elapsed() < INTERVAL) {
            return Ok(Asked::default());
        }
        self.looked = Some(Instant::now());
        self.ask(store).await
    }

    /// The same, however early it is.
    ///
    /// # Errors
    ///
    /// Those of [`Self::look`].
    pub(super) async fn ask(&mut self, store: &Store) -> Result<Asked, StoreError> {
        let open = async {
            let cancel = self.cancellings(store).await?;
            let mut others = self.pauses(store).await?;
            let last = store.last_event().await?;
            let heard = self.heard.unwrap_or(last - BEFORE);
            let mut retry = false;
            if heard < last {
                let set = store.priorities_since(heard).await?;
                let event = |(job, priority)| Event::Prioritize { job, priority };
                others.extend(set.into_iter().map(event));
                retry = store.requeued_since(heard).await?;
            }
            self.heard = Some(last);
            Ok(Asked { cancel, others, retry })
        };
        match open.await {
            Ok(asked) => Ok(asked),
            Err(error) if StoreError::is_busy(&error) => Ok(Asked::default()),
            Err(error) => Err(error),
        }
    }

    /// These jobs could not be cancelled: what was asked for is told again.
    pub(super) fn ask_again(&mut self, jobs: &[JobId]) {
        self.cancelling.retain(|job| !jobs.contains(job));
    }

    async fn cancellings(&mut self, store: &Store) -> Result<Vec<JobId>, StoreError> {
        let open: HashSet<JobId> = store.cancel_requests().await?.into_iter().collect();
        // One that was cancelled, queued again and is to be cancelled again is new.
        self.cancelling.retain(|job| open.contains(job));
        Ok(open.into_iter().filter(|job| self.cancelling.insert(*job)).collect())
    }

    /// The pauses that have begun or ended since this was asked last.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub(super) async fn pauses(&mut self, store: &Store) -> Result<Vec<Event>, StoreError> {
        let open = store.pauses().await?;
        if open == self.pauses {
            return Ok(Vec::new());
        }
        let mut events = Vec::new();
        let sweep = self.sweep.as_deref();
        match (whole(sweep, &self.pauses), whole(sweep, &open)) {
            (before, Some(now)) if before != Some(now) => {
                let (by, drain) = (Pauser::Person, now.drain);
                events.push(Event::Pause { by, drain, why: format!("paused {}", now.by) });
            }
            (Some(_), None) => events.push(Event::GoOn { by: Pauser::Person }),
            _ => {}
        }
        self.pauses = open;
        events.extend(self.held(store).await?);
        Ok(events)
    }

    /// The jobs that are held back because the sweeps that ask for them are paused, as the database has
    /// them now. A run of one sweep is paused as a whole or not at all.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub(super) async fn held(&self, store: &Store) -> Result<Option<Event>, StoreError> {
        if self.sweep.is_some() {
            return Ok(None);
        }
        let sweeps = self.pauses.iter().filter(|pause| pause.sweep.is_some());
        let drain = sweeps.clone().all(|pause| pause.drain);
        let jobs: BTreeSet<JobId> = match sweeps.count() {
            0 => BTreeSet::new(),
            _ => store.paused_jobs().await?.into_iter().collect(),
        };
        Ok(Some(Event::Hold { jobs, drain }))
    }
}

/// The pause, if any, that stops a run of `sweep` as a whole. One that lets nothing go on comes first.
fn whole<'a>(sweep: Option<&str>, pauses: &'a [Pause]) -> Option<&'a Pause> {
    let concerns = |pause: &&Pause| pause.sweep.is_none() || pause.sweep.as_deref() == sweep;
    pauses.iter().filter(concerns).min_by_key(|pause| pause.drain)
}
