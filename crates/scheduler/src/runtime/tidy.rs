//! What finished jobs need no longer: a worker removes it once their success is on disk, unless it dies
//! between the two.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use augreg_protocol::RunFolder;
use augreg_spec::JobId;
use augreg_store::{Store, StoreError};
use tracing::warn;

use super::lock::is_held;
use super::options::Retention;

/// How long a worker is given to do it itself.
const GRACE: Duration = Duration::from_secs(1);
/// How far back the successes lie, in lines of the audit, that an earlier scheduler may not have seen to.
const BACK: u32 = 1000;

/// Jobs that have succeeded lately, oldest first.
#[derive(Debug)]
pub(super) struct Tidy {
    root: PathBuf,
    keep: Retention,
    lately: VecDeque<(Instant, JobId)>,
}

impl Tidy {
    /// Begins with those of the last run.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub(super) async fn new(store: &Store, keep: Retention) -> Result<Self, StoreError> {
        let now = Instant::now();
        let lately = store.succeeded_lately(BACK).await?;
        let lately = lately.into_iter().map(|job| (now, job)).collect();
        Ok(Self { root: store.root().to_owned(), keep, lately })
    }

    /// A job has succeeded.
    pub(super) fn succeeded(&mut self, job: JobId) {
        self.lately.push_back((Instant::now(), job));
    }

    /// Sees to those whose workers have had their time.
    pub(super) fn look(&mut self) {
        while self.lately.front().is_some_and(|(since, _)| since.elapsed() >= GRACE) {
            self.see_to_first();
        }
    }

    /// Sees to all: no worker is left.
    pub(super) fn finish(&mut self) {
        for _ in 0..self.lately.len() {
            self.see_to_first();
        }
    }

    fn see_to_first(&mut self) {
        let Some((_, job)) = self.lately.pop_front() else { return };
        let (folder, keep) = (RunFolder::new(&self.root, job), self.keep.of_any_stage(job));
        // Only where a worker died over it: it removes it last.
        if !folder.latest().exists() {
            return;
        }
        if is_held(&folder.lock()) {
            return self.succeeded(job);
        }
        for (path, error) in folder.tidy(keep) {
            warn!("failed to remove `{}`: {error}", path.display());
        }
    }
}
