//! Clocks of an attempt: when something is due, and how fast training is.

use std::time::{Duration, Instant};

/// Fires about every so often.
pub(crate) struct Every {
    period: Duration,
    last: Instant,
}

impl Every {
    pub(crate) fn seconds(period: f64) -> Self {
        let period = Duration::try_from_secs_f64(period).unwrap_or(Duration::MAX);
        Self { period, last: Instant::now() }
    }

    /// Whether the period has passed since it last did.
    pub(crate) fn is_due(&mut self) -> bool {
        let due = self.last.elapsed() >= self.period;
        if due {
            self.last = Instant::now();
        }
        due
    }
}

/// Images and the time they took, evaluation and checkpoints left out.
#[derive(Default)]
pub(crate) struct Throughput {
    images: u64,
    time: Duration,
}

impl Throughput {
    pub(crate) fn add(&mut self, images: u64, time: Duration) {
        self.images += images;
        self.time += time;
    }

    /// Images a second so far; 0 before the first.
    pub(crate) fn rate(&self) -> f64 {
        let seconds = self.time.as_secs_f64();
        if seconds > 0.0 { self.images as f64 / seconds } else { 0.0 }
    }

    /// The rate so far, and a fresh start.
    pub(crate) fn take(&mut self) -> f64 {
        std::mem::take(self).rate()
    }
}
