//! What workers are told of their jobs, read from the store shortly before it is needed: all of it
//! at once would fill the memory where there are a million jobs, and one by one would take its time.

use std::collections::HashMap;

use augreg_protocol::AttemptKey;
use augreg_spec::JobId;
use augreg_store::{Store, StoreError, Work};

use crate::core::Action;

/// Jobs read together with one that is needed.
pub(super) const AHEAD: usize = 1024;

/// What is known of jobs that are about to begin. Filled ahead of assignments, emptied by them.
#[derive(Debug, Default)]
pub(super) struct Briefing(HashMap<JobId, Work>);

impl Briefing {
    /// Makes sure that every job which `actions` assign can be taken. If one is missing, it is read
    /// together with `next`, the jobs that will be assigned soon.
    ///
    /// # Errors
    ///
    /// Those of [`Store::work`].
    pub(super) async fn prepare(
        &mut self,
        store: &Store,
        actions: &[Action],
        next: impl FnOnce() -> Vec<JobId>,
    ) -> Result<(), StoreError> {
        let assigned = actions.iter().filter_map(|action| match action {
            Action::Assign { attempt, .. } => Some(attempt.job),
            _ => None,
        });
        let mut missing: Vec<_> = assigned.filter(|job| !self.0.contains_key(job)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        missing.extend(next().into_iter().filter(|job| !self.0.contains_key(job)));
        self.0.extend(store.work(&missing).await?);
        Ok(())
    }

    /// What the worker of an attempt is told.
    pub(super) fn take(&mut self, attempt: AttemptKey) -> Option<Work> {
        self.0.remove(&attempt.job)
    }

    /// Forgets a job that has come to its end.
    pub(super) fn forget(&mut self, job: JobId) {
        self.0.remove(&job);
    }
}
