//! How attempts in tasks get on: nobody hears their beats, so it is read off what their journals say of steps.

use std::collections::HashMap;

use augreg_protocol::{AttemptKey, Beat, Entry, JournalEvent};
use augreg_spec::JobId;

/// The attempts of which it is known how long they are.
#[derive(Debug, Default)]
pub(super) struct Paces(HashMap<JobId, Pace>);

#[derive(Debug)]
struct Pace {
    steps: u64,
    /// Images of a step.
    batch: f64,
    /// The last step that was heard of, and when, in milliseconds since 1970.
    last: Option<(u64, u64)>,
    images_per_second: f64,
}

impl Paces {
    /// An attempt of this job, of so many `steps` of `batch` images, is under way.
    pub(super) fn follow(&mut self, job: JobId, steps: u64, batch: u32) {
        let (batch, last) = (f64::from(batch), None);
        self.0.insert(job, Pace { steps, batch, last, images_per_second: 0.0 });
    }

    /// Forgets a job whose attempt is over.
    pub(super) fn forget(&mut self, job: JobId) {
        self.0.remove(&job);
    }

    /// How far an attempt is by new entries of its journal; none if they do not say.
    pub(super) fn beat(&mut self, attempt: AttemptKey, entries: &[Entry]) -> Option<Beat> {
        let pace = self.0.get_mut(&attempt.job)?;
        let mut loss = None;
        for entry in entries {
            let step = match &entry.event {
                JournalEvent::Series { name, first, values } => {
                    if name == "train_loss" {
                        loss = values.last().map(|value| f64::from(*value));
                    }
                    first + values.len() as u64
                }
                JournalEvent::Started { step, .. } | JournalEvent::Checkpoint { step } => *step,
                _ => continue,
            };
            pace.reach(step, entry.at);
        }
        let (_, step) = pace.last?;
        let (steps, images_per_second) = (pace.steps, pace.images_per_second);
        Some(Beat { attempt, step, steps, loss, images_per_second })
    }
}

impl Pace {
    fn reach(&mut self, step: u64, at: u64) {
        if let Some((then, before)) = self.last {
            let seconds = at.saturating_sub(then) as f64 / 1000.0;
            if step <= before || seconds <= 0.0 {
                return;
            }
            self.images_per_second = self.batch * (step - before) as f64 / seconds;
        }
        self.last = Some((at, step));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(attempt: AttemptKey, at: u64, event: JournalEvent) -> Entry {
        Entry { v: augreg_protocol::JOURNAL_VERSION, attempt, seq: 0, at, event }
    }

    #[test]
    fn a_journal_tells_how_far_an_attempt_is_and_how_fast() {
        let attempt = AttemptKey { job: JobId::of("a"), number: 1 };
        let mut paces = Paces::default();
        let checkpoint = |at, step| entry(attempt, at, JournalEvent::Checkpoint { step });
        assert_eq!(paces.beat(attempt, &[checkpoint(0, 1)]), None, "it is not followed");
        paces.follow(attempt.job, 100, 32);
        assert_eq!(paces.beat(attempt, &[]), None);
        let beat = paces.beat(attempt, &[checkpoint(1_000, 10)]).expect("it is at work");
        assert_eq!((beat.step, beat.steps, beat.loss), (10, 100, None));
        let values = vec![2.0, 1.5];
        let series = JournalEvent::Series { name: "train_loss".to_owned(), first: 28, values };
        let beat = paces.beat(attempt, &[entry(attempt, 3_000, series)]).expect("it is at work");
        assert_eq!((beat.step, beat.loss, beat.images_per_second), (30, Some(1.5), 320.0));
        // What came earlier and is said later takes nothing back.
        assert_eq!(paces.beat(attempt, &[checkpoint(3_500, 20)]).map(|beat| beat.step), Some(30));
        paces.forget(attempt.job);
        assert_eq!(paces.beat(attempt, &[checkpoint(4_000, 40)]), None);
    }
}
