//! What a job's loaders have in common, and what they tell of themselves.

use std::sync::Arc;
use std::time::Duration;

use super::batch::PageLock;
use crate::BadExamples;

/// How batches are prepared. Changes nothing in them.
#[derive(Debug, Clone)]
pub struct Supply {
    /// Threads that read, decode and augment; at least 1 is used.
    pub threads: usize,
    /// Batches prepared ahead of the one that is waited for.
    pub prefetch: usize,
    /// What becomes of pictures that cannot be decoded.
    pub bad: BadExamples,
    /// Who is told of the memory that batches are made in, if somebody is.
    pub lock: Option<Arc<dyn PageLock>>,
}

/// Where a loader's time went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// Reading examples, over all threads.
    pub read: Duration,
    /// Decoding and augmenting them, over all threads.
    pub prepare: Duration,
    /// Waiting for a batch, by whoever takes them: a job whose waiting is a good part of its time
    /// is limited by its data.
    pub wait: Duration,
}

impl Timings {
    /// What came after `earlier`.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            read: self.read.saturating_sub(earlier.read),
            prepare: self.prepare.saturating_sub(earlier.prepare),
            wait: self.wait.saturating_sub(earlier.wait),
        }
    }
}
