//! Virtual time: what happens when, and what comes next.

use std::collections::BTreeMap;

/// What is to come, in order; of two things at one moment the one that was asked for first.
#[derive(Debug)]
pub(super) struct Timeline<T> {
    now: u64,
    asked: u64,
    ahead: BTreeMap<(u64, u64), T>,
}

impl<T> Timeline<T> {
    pub(super) fn new() -> Self {
        Self { now: 0, asked: 0, ahead: BTreeMap::new() }
    }

    /// Milliseconds since the schedule began.
    pub(super) fn now(&self) -> u64 {
        self.now
    }

    /// Lets `what` happen at `at`, or now if that is past.
    pub(super) fn at(&mut self, at: u64, what: T) {
        self.asked += 1;
        self.ahead.insert((at.max(self.now), self.asked), what);
    }

    /// Lets `what` happen `delay` milliseconds from now.
    pub(super) fn after(&mut self, delay: u64, what: T) {
        self.at(self.now + delay, what);
    }

    /// Goes on to what comes next.
    pub(super) fn next(&mut self) -> Option<T> {
        let ((at, _), what) = self.ahead.pop_first()?;
        self.now = at;
        Some(what)
    }
}
