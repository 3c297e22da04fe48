//! Pictures that cannot be decoded: counted, named, and skipped as long as they are few.
//!
//! Only what is *in* a file can make its example bad, never whether the file can be read: the bytes
//! are part of the data set's identity, so skipping them is as much a function of the job as
//! everything else, where a file that is gone would be another data set.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use augreg_decode::DecodeError;

use crate::DataError;
use crate::place::Place;

/// The bad examples that a job has met. Clones share one list.
#[derive(Debug, Clone)]
pub struct BadExamples {
    allowed: u64,
    met: Arc<Mutex<Met>>,
}

#[derive(Debug, Default)]
struct Met {
    places: BTreeSet<Place>,
    /// What has not been told yet.
    news: Vec<String>,
}

impl BadExamples {
    /// None met so far, at most `allowed` to be skipped.
    #[must_use]
    pub fn new(allowed: u64) -> Self {
        Self { allowed, met: Arc::default() }
    }

    /// How many different ones have been met.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.lock().places.len() as u64
    }

    /// A sentence about each that was met since this was last asked.
    #[must_use]
    pub fn take_news(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().news)
    }

    /// Counts the example at `place`, each once.
    ///
    /// # Errors
    ///
    /// [`DataError::BadExample`] if it is one too many.
    pub(crate) fn meet(&self, place: Place, error: &DecodeError) -> Result<(), DataError> {
        let mut met = self.lock();
        if met.places.insert(place.clone()) {
            let count = met.places.len() as u64;
            if count > self.allowed {
                let (reason, allowed) = (error.to_string(), self.allowed);
                return Err(DataError::BadExample { place, reason, count, allowed });
            }
            let allowed = self.allowed;
            met.news.push(format!("{place} {error}: skipped, {count} of at most {allowed}"));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Met> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
