//! What people ask for from other processes: rows of the database, looked at now and then.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use augreg_spec::JobId;
use augreg_store::{Store, StoreError};

/// How often requests are looked for.
const INTERVAL: Duration = Duration::from_secs(1);

/// What was asked for so far.
#[derive(Debug, Default)]
pub(super) struct Requests {
    looked: Option<Instant>,
    /// Jobs whose cancelling is under way. A request stays open until its job has ended, so that
    /// the next scheduler sees to it should this one die.
    cancelling: HashSet<JobId>,
}

impl Requests {
    /// The jobs to be cancelled that were not told before; nothing if it is too early to look.
    ///
    /// # Errors
    ///
    /// [`StoreError`], unless another process merely holds the database.
    pub(super) async fn look(&mut self, store: &Store) -> Result<Vec<JobId>, StoreError> {
        if self.looked.is_some_and(|looked| looked.elapsed() < INTERVAL) {
            return Ok(Vec::new());
        }
        self.looked = Some(Instant::now());
        let open: HashSet<JobId> = match store.cancel_requests().await {
            Ok(open) => open.into_iter().collect(),
            Err(error) if error.is_busy() => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        // One that was cancelled, queued again and is to be cancelled again is new.
        self.cancelling.retain(|job| open.contains(job));
        Ok(open.into_iter().filter(|job| self.cancelling.insert(*job)).collect())
    }
}
