//! What workers' words mean, each read together with the journal of its attempt.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use augreg_executor::{SlotId, WorkerReport, tail_of_log};
use augreg_protocol::{AttemptKey, FailureKind, RunFolder};
use augreg_spec::JobId;
use tracing::debug;

use super::journals::{Journals, News};
use crate::core::{AttemptEnd, Event};

/// The attempts under way: their journals, and whose worker has which.
#[derive(Debug)]
pub(super) struct Reading {
    /// The study's folder.
    root: PathBuf,
    journals: Journals,
    /// The attempt that each slot's worker was last given; taken out when it says it is free or is
    /// gone.
    assigned: BTreeMap<SlotId, AttemptKey>,
    /// A journal is read at most this often while its attempt runs.
    interval: Duration,
}

impl Reading {
    pub(super) fn new(root: PathBuf, interval: Duration) -> Self {
        Self { root, journals: Journals::default(), assigned: BTreeMap::new(), interval }
    }

    pub(super) fn folder(&self, job: JobId) -> RunFolder {
        RunFolder::new(&self.root, job)
    }

    /// An attempt is handed to the worker on a slot.
    pub(super) fn assign(&mut self, slot: SlotId, attempt: AttemptKey) {
        self.journals.open(&self.folder(attempt.job), attempt, 0);
        self.assigned.insert(slot, attempt);
    }

    /// An attempt was left by an earlier scheduler, which read its journal up to `offset`.
    pub(super) fn adopt(&mut self, attempt: AttemptKey, offset: u64) {
        self.journals.open(&self.folder(attempt.job), attempt, offset);
    }

    /// An attempt has ended for the core: its journal is followed no longer.
    pub(super) fn close(&mut self, attempt: AttemptKey) {
        self.journals.close(attempt);
    }

    /// What a worker's word means, together with what its journal has to say by then. The
    /// journal comes first: an attempt that finished and whose worker then died has finished.
    pub(super) fn report(
        &mut self,
        slot: SlotId,
        report: WorkerReport,
    ) -> (Option<News>, Vec<Event>) {
        match report {
            WorkerReport::Ready { pid } => {
                debug!(%slot, pid, "a worker is up");
                (None, vec![Event::WorkerReady { slot }])
            }
            WorkerReport::Refused { why } => {
                (None, vec![Event::StartFailed { slot, why, hopeless: true }])
            }
            WorkerReport::Beat(beat) => {
                let event = Event::Beat { attempt: beat.attempt, step: beat.step };
                let news = self.journals.glance(beat.attempt, self.interval);
                with_news(news, vec![event])
            }
            WorkerReport::Ended { attempt } => self.ended(slot, attempt),
            WorkerReport::Gone { why, out_of_memory } => self.gone(slot, why, out_of_memory),
        }
    }

    fn ended(&mut self, slot: SlotId, attempt: AttemptKey) -> (Option<News>, Vec<Event>) {
        let mut events = Vec::new();
        let news = self.journals.read(attempt);
        if self.journals.is_open(attempt) {
            let path = self.folder(attempt.job).journal(attempt.number);
            let message = format!(
                "the worker says that the attempt is over, but its journal `{}` does not",
                path.display()
            );
            let end = AttemptEnd::Failed { kind: FailureKind::Bug, message };
            events.push(Event::AttemptEnded { attempt, end });
        }
        if self.assigned.get(&slot) == Some(&attempt) {
            self.assigned.remove(&slot);
        }
        events.push(Event::WorkerFree { slot });
        with_news(news, events)
    }

    fn gone(
        &mut self,
        slot: SlotId,
        mut why: String,
        out_of_memory: bool,
    ) -> (Option<News>, Vec<Event>) {
        let attempt = self.assigned.remove(&slot);
        let news = attempt.and_then(|attempt| self.journals.read(attempt));
        if let Some(attempt) = attempt
            && let Some(tail) = tail_of_log(&self.folder(attempt.job).log(attempt.number), 0)
        {
            why = format!("{why}\nIts log ends with:\n{tail}");
        }
        with_news(news, vec![Event::WorkerGone { slot, why, out_of_memory }])
    }

    /// How long an attempt's journal has said nothing new.
    pub(super) fn silence(&self, attempt: AttemptKey) -> Duration {
        self.journals.silence(attempt)
    }

    /// The attempts that workers of this scheduler have.
    pub(super) fn assigned(&self) -> Vec<AttemptKey> {
        self.assigned.values().copied().collect()
    }

    /// What an attempt's journal has to say whether or not its worker is heard: a result must not
    /// wait for the word of it, which may be lost.
    pub(super) fn glance(&mut self, attempt: AttemptKey) -> (Option<News>, Vec<Event>) {
        with_news(self.journals.glance(attempt, self.interval), Vec::new())
    }

    /// What has become of an attempt that an earlier scheduler left running. Whether its worker is
    /// `alive` must have been asked before: whoever is gone by then writes nothing more.
    pub(super) fn orphan(
        &mut self,
        attempt: AttemptKey,
        alive: bool,
    ) -> (Option<News>, Vec<Event>) {
        let mut events = Vec::new();
        let news = self.journals.read(attempt);
        if !alive && self.journals.is_open(attempt) {
            let message = "its worker is gone, as is the scheduler that had started it".to_owned();
            let end = AttemptEnd::Failed { kind: FailureKind::Preempted, message };
            events.push(Event::AttemptEnded { attempt, end });
        }
        with_news(news, events)
    }
}

/// Puts what the journal says before what follows from the word itself.
fn with_news(news: Option<News>, mut rest: Vec<Event>) -> (Option<News>, Vec<Event>) {
    let mut events = news.as_ref().map_or_else(Vec::new, |news| news.events.clone());
    events.append(&mut rest);
    (news, events)
}
