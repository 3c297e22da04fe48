//! The clock that back-offs and time-outs go by: time that has passed for everybody.

use std::time::Duration;

use super::words::Millis;

/// Counts the time between the moments it is shown. A clock that goes back costs nothing but that one
/// step; one that leaps ahead, because the machine or this process slept, is no time in which a worker
/// could have given a sign of life, and does not count either.
#[derive(Debug)]
pub(super) struct Clock {
    shown: Option<Millis>,
    now: Millis,
    /// Steps longer than this are leaps.
    leap: Duration,
}

impl Clock {
    pub(super) fn new(leap: Duration) -> Self {
        Self { shown: None, now: Millis(0), leap }
    }

    pub(super) fn now(&self) -> Millis {
        self.now
    }

    /// Goes on to what the world's clock shows.
    pub(super) fn show(&mut self, moment: Millis) {
        let before = self.shown.replace(moment).unwrap_or(moment);
        let step = Duration::from_millis(moment.0.saturating_sub(before.0));
        if step <= self.leap {
            self.now = self.now + step;
        }
    }

    /// How long until `moment` of this clock, at most half a leap: whoever sleeps that long must not
    /// be taken for one that leapt.
    pub(super) fn until(&self, moment: Millis) -> Duration {
        Duration::from_millis(moment.0.saturating_sub(self.now.0)).min(self.leap / 2)
    }
}
