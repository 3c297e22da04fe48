//! What workers' words mean, each read together with the journal of its attempt.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use augreg_executor::{SlotId, WorkerReport, tail_of_log};
use augreg_protocol::{AttemptKey, FailureKind, RunFolder};
use augreg_spec::JobId;
use tracing::debug;

use super::journals::{Journals, News};
use crate::core::{AttemptEnd, Event};

/// The pause between two readings of the journals of attempts that run: what they have measured is
/// stored at most a tenth of the time late that all of them have lasted, or `interval`, and never
/// later than twenty of these. What matters sooner, their workers say.
fn pause(interval: Duration, youngest: Duration) -> Duration {
    (youngest / 10).clamp(interval, 20 * interval)
}

/// The attempts under way: their journals, and whose worker has which.
#[derive(Debug)]
pub(super) struct Reading {
    /// The study's folder.
    root: PathBuf,
    journals: Journals,
    /// The attempts that each slot's worker was given, in the order in which it takes them up; taken
    /// out when it says that they are over or is gone.
    assigned: BTreeMap<SlotId, VecDeque<AttemptKey>>,
    /// Attempts of an earlier scheduler whose journals cannot be right, while their workers live.
    distrusted: BTreeMap<AttemptKey, Event>,
    /// Journals are read at most this often while their attempts run; less often the longer all of
    /// them have lasted, see [`pause`].
    interval: Duration,
    /// When an attempt was handed out last.
    handed_out: Instant,
    /// When they were last.
    glanced: Instant,
}

impl Reading {
    pub(super) fn new(root: PathBuf, interval: Duration) -> Self {
        let (journals, assigned, now) = (Journals::default(), BTreeMap::new(), Instant::now());
        let distrusted = BTreeMap::new();
        Self { root, journals, assigned, distrusted, interval, handed_out: now, glanced: now }
    }

    pub(super) fn folder(&self, job: JobId) -> RunFolder {
        RunFolder::new(&self.root, job)
    }

    /// An attempt is handed to the worker on a slot.
    pub(super) fn assign(&mut self, slot: SlotId, attempt: AttemptKey) {
        self.handed_out = Instant::now();
        self.journals.open(&self.folder(attempt.job), attempt, 0);
        self.assigned.entry(slot).or_default().push_back(attempt);
    }

    /// How long the attempt that was handed out last has been under way.
    pub(super) fn youngest(&self) -> Duration {
        self.handed_out.elapsed()
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
    pub(super) fn report(&mut self, slot: SlotId, report: WorkerReport) -> (Vec<News>, Vec<Event>) {
        match report {
            WorkerReport::Ready { pid } => {
                debug!(%slot, pid, "a worker is up");
                (Vec::new(), vec![Event::WorkerReady { slot }])
            }
            WorkerReport::Refused { why } => {
                (Vec::new(), vec![Event::StartFailed { slot, why, hopeless: true }])
            }
            WorkerReport::Beat(beat) => {
                let event = Event::Beat { attempt: beat.attempt, step: beat.step };
                (Vec::new(), vec![event])
            }
            WorkerReport::NoRoom { attempt, .. } => (Vec::new(), vec![Event::Waits { attempt }]),
            WorkerReport::Ended { attempt } => self.ended(slot, attempt),
            WorkerReport::Gone { why, out_of_memory } => self.gone(slot, why, out_of_memory),
        }
    }

    /// A worker says that an attempt is over, and with it those it had to take up before.
    fn ended(&mut self, slot: SlotId, attempt: AttemptKey) -> (Vec<News>, Vec<Event>) {
        let assigned = self.assigned.entry(slot).or_default();
        let over: Vec<_> = match assigned.iter().position(|one| *one == attempt) {
            Some(at) => assigned.drain(..=at).collect(),
            None => vec![attempt],
        };
        let (mut all_news, mut all_events) = (Vec::new(), Vec::new());
        for attempt in over {
            let (news, mut events) = with_news(self.journals.read(attempt), Vec::new());
            all_news.extend(news);
            all_events.append(&mut events);
            if self.journals.is_open(attempt) {
                let path = self.folder(attempt.job).journal(attempt.number);
                let message = format!(
                    "the worker says that the attempt is over, but its journal `{}` does not",
                    path.display()
                );
                let end = AttemptEnd::Failed { kind: FailureKind::Bug, message };
                all_events.push(Event::AttemptEnded { attempt, end });
            }
            all_events.push(Event::WorkerFree { slot });
        }
        (all_news, all_events)
    }

    fn gone(
        &mut self,
        slot: SlotId,
        mut why: String,
        out_of_memory: bool,
    ) -> (Vec<News>, Vec<Event>) {
        let assigned = self.assigned.remove(&slot).unwrap_or_default();
        let (mut all_news, mut all_events) = (Vec::new(), Vec::new());
        for attempt in &assigned {
            let (news, mut events) = with_news(self.journals.read(*attempt), Vec::new());
            all_news.extend(news);
            all_events.append(&mut events);
        }
        // Of those it had not come to there is no log.
        let log =
            |attempt: &AttemptKey| tail_of_log(&self.folder(attempt.job).log(attempt.number), 0);
        if let Some(tail) = assigned.iter().rev().find_map(log) {
            why = format!("{why}\nIts log ends with:\n{tail}");
        }
        all_events.push(Event::WorkerGone { slot, why, out_of_memory });
        (all_news, all_events)
    }

    /// How long an attempt's journal has said nothing new.
    pub(super) fn silence(&self, attempt: AttemptKey) -> Duration {
        self.journals.silence(attempt)
    }

    /// What the journals of attempts under way have to say whether or not their workers are heard: a
    /// result must not wait for the word of it, which may be lost. They are read together, so that what
    /// they say is written together; nothing if it is too early for that.
    pub(super) fn glance(&mut self) -> (Vec<News>, Vec<Event>) {
        let (mut all_news, mut all_events) = (Vec::new(), Vec::new());
        let interval = pause(self.interval, self.youngest());
        if self.glanced.elapsed() < interval {
            return (all_news, all_events);
        }
        self.glanced = Instant::now();
        for attempt in self.assigned.values().flatten() {
            if let Some(mut news) = self.journals.glance(*attempt, interval) {
                all_events.append(&mut news.events);
                all_news.push(news);
            }
        }
        (all_news, all_events)
    }

    /// Whether an attempt of an earlier scheduler is to be ended by force: what it journals cannot be
    /// right, and nobody else may take up its job while its worker lives.
    pub(super) fn is_distrusted(&self, attempt: AttemptKey) -> bool {
        self.distrusted.contains_key(&attempt)
    }

    /// What has become of an attempt that an earlier scheduler left running. Whether its worker is
    /// `alive` must have been asked before: whoever is gone by then writes nothing more.
    pub(super) fn orphan(
        &mut self,
        attempt: AttemptKey,
        alive: bool,
    ) -> (Option<News>, Vec<Event>) {
        let mut events = Vec::new();
        let mut news = self.journals.read(attempt);
        let untrusted = |event: &mut Event| matches!(event, Event::Untrusted { .. });
        let found = news.as_mut().and_then(|news| news.events.extract_if(.., untrusted).next());
        self.distrusted.extend(found.map(|event| (attempt, event)));
        if !alive && let Some(event) = self.distrusted.remove(&attempt) {
            events.push(event);
        } else if !alive && self.journals.is_open(attempt) {
            let message = "its worker is gone, as is the scheduler that had started it".to_owned();
            let end = AttemptEnd::Failed { kind: FailureKind::Preempted, message };
            events.push(Event::AttemptEnded { attempt, end });
        }
        with_news(news, events)
    }
}

/// Puts what the journal says before what follows from the word itself.
fn with_news(news: Option<News>, mut rest: Vec<Event>) -> (Option<News>, Vec<Event>) {
    let Some(mut news) = news else { return (None, rest) };
    let mut events = std::mem::take(&mut news.events);
    events.append(&mut rest);
    (Some(news), events)
}
