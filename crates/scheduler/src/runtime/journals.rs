//! Follows the journals of live attempts: new entries, and what they mean to the core.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use augreg_protocol::{
    AttemptKey, Entry, JournalError, JournalEvent, JournalReader, Outcome, RunFolder, with_causes,
};
use augreg_store::GivenUp;
use tracing::warn;

use crate::core::{AttemptEnd, Event};

/// What a journal had to say since it was read last.
#[derive(Debug)]
pub(super) struct News {
    pub(super) attempt: AttemptKey,
    /// New entries, in order, none after a terminal one.
    pub(super) entries: Vec<Entry>,
    /// Where the next reading begins.
    pub(super) offset: u64,
    /// What the entries, and any damage after them, mean to the core.
    pub(super) events: Vec<Event>,
    /// What the worker wants a person to know.
    pub(super) notes: Vec<String>,
}

impl News {
    fn nothing(attempt: AttemptKey) -> Self {
        let (entries, events, notes) = (Vec::new(), Vec::new(), Vec::new());
        Self { attempt, entries, offset: 0, events, notes }
    }
}

#[derive(Debug)]
struct Journal {
    reader: JournalReader,
    /// The sequence number that comes next; unknown where an earlier scheduler read the beginning.
    next: Option<u64>,
    read_at: Instant,
    /// When it last had something new to say, or was opened.
    news_at: Instant,
}

/// The journals of the attempts that have not ended.
#[derive(Debug, Default)]
pub(super) struct Journals(HashMap<AttemptKey, Journal>);

impl Journals {
    /// Follows an attempt's journal from `offset` on.
    pub(super) fn open(&mut self, folder: &RunFolder, attempt: AttemptKey, offset: u64) {
        let next = (offset == 0).then_some(0);
        self.0.insert(attempt, Journal::new(folder.journal(attempt.number), offset, next));
    }

    /// Follows an attempt's journal no longer.
    pub(super) fn close(&mut self, attempt: AttemptKey) {
        self.0.remove(&attempt);
    }

    /// Whether an attempt's journal is followed: its end is not known yet.
    pub(super) fn is_open(&self, attempt: AttemptKey) -> bool {
        self.0.contains_key(&attempt)
    }

    /// For how long an attempt's journal has had nothing new; zero if it is not followed.
    pub(super) fn silence(&self, attempt: AttemptKey) -> Duration {
        self.0.get(&attempt).map_or(Duration::ZERO, |journal| journal.news_at.elapsed())
    }

    /// [`Self::read`], unless that was done less than `interval` ago; none also if nothing is new.
    pub(super) fn glance(&mut self, attempt: AttemptKey, interval: Duration) -> Option<News> {
        let due = self.0.get(&attempt)?.read_at.elapsed() >= interval;
        let news = due.then(|| self.read(attempt)).flatten();
        news.filter(|news| !(news.entries.is_empty() && news.events.is_empty()))
    }

    /// Reads what is new in an attempt's journal; none if it is not followed.
    ///
    /// The journal of an attempt that turns out to have ended is followed no longer. Reading is
    /// synchronous: a journal is a local file of a few kilobytes that was just written.
    pub(super) fn read(&mut self, attempt: AttemptKey) -> Option<News> {
        let (news, over) = self.0.get_mut(&attempt)?.read(attempt);
        if over {
            self.close(attempt);
        }
        Some(news)
    }
}

/// What the journal of an attempt that was given up has come to say since; none if nothing. Returns
/// also whether that was its last word.
pub(super) fn read_late(folder: &RunFolder, left: &GivenUp) -> Option<(News, bool)> {
    let path = folder.journal(left.attempt.number);
    // Most never say anything, and this is asked again and again.
    if fs::metadata(&path).is_ok_and(|found| found.len() > left.offset) {
        let mut journal = Journal::new(path, left.offset, Some(left.next_seq));
        let (news, over) = journal.read(left.attempt);
        return Some((news, over)).filter(|(news, over)| *over || !news.entries.is_empty());
    }
    None
}

impl Journal {
    fn new(path: PathBuf, offset: u64, next: Option<u64>) -> Self {
        let now = Instant::now();
        Self { reader: JournalReader::new(path, offset), next, read_at: now, news_at: now }
    }

    /// What is new, and whether nothing more is to be had: the attempt has ended, or what it left
    /// cannot be trusted.
    fn read(&mut self, attempt: AttemptKey) -> (News, bool) {
        self.read_at = Instant::now();
        let mut news = News::nothing(attempt);
        let damage = loop {
            match self.reader.read() {
                Ok(entries) => {
                    if let Err(why) = self.take(attempt, entries, &mut news) {
                        break Some(why);
                    }
                    if !self.reader.is_halted() {
                        break None;
                    }
                }
                Err(error @ JournalError::Damaged { .. }) => break Some(with_causes(&error)),
                // That it cannot be read now says nothing about what it holds.
                Err(error) => {
                    warn!(%attempt, "{}; it is read again later", with_causes(&error));
                    break None;
                }
            }
        };
        news.offset = self.reader.offset();
        if !news.entries.is_empty() {
            self.news_at = self.read_at;
        }
        let ended = news.entries.last().is_some_and(|entry| entry.event.is_terminal());
        let damage = damage.filter(|_| !ended);
        let over = ended || damage.is_some();
        news.events.extend(damage.map(|why| {
            let kept = "what it says before is kept, the job goes on from its checkpoint";
            Event::Untrusted { attempt, why: format!("{why}; {kept}") }
        }));
        (news, over)
    }

    fn take(
        &mut self,
        attempt: AttemptKey,
        entries: Vec<Entry>,
        news: &mut News,
    ) -> Result<(), String> {
        for entry in entries {
            if news.entries.last().is_some_and(|last| last.event.is_terminal()) {
                return Err("an entry follows the end of the attempt".to_owned());
            }
            if entry.attempt != attempt {
                return Err(format!("the journal holds an entry of attempt {}", entry.attempt));
            }
            if let Some(next) = self.next.filter(|next| *next != entry.seq) {
                return Err(format!("the journal jumps from entry {next} to entry {}", entry.seq));
            }
            if let Some(why) = oversized(&entry) {
                return Err(why);
            }
            self.next = Some(entry.seq + 1);
            match &entry.event {
                JournalEvent::Started { .. }
                | JournalEvent::Metrics { .. }
                | JournalEvent::Series { .. }
                | JournalEvent::MicroBatch { .. }
                | JournalEvent::Placed(_)
                | JournalEvent::DeviceName { .. } => {}
                JournalEvent::Energy { joules } => {
                    if !(joules.is_finite() && *joules >= 0.0) {
                        return Err(format!("the journal reports an energy of {joules} J"));
                    }
                }
                JournalEvent::Note { text } => news.notes.push(text.clone()),
                JournalEvent::Checkpoint { step } => {
                    news.events.push(Event::Checkpointed { attempt, step: *step });
                }
                JournalEvent::Stopped { step } => {
                    news.events.push(Event::Checkpointed { attempt, step: *step });
                    let end = AttemptEnd::Stopped;
                    news.events.push(Event::AttemptEnded { attempt, end });
                }
                JournalEvent::Failed { kind, message, .. } => {
                    let end = AttemptEnd::Failed { kind: *kind, message: message.clone() };
                    news.events.push(Event::AttemptEnded { attempt, end });
                }
                JournalEvent::Succeeded(outcome) => {
                    implausible(outcome).map_or(Ok(()), Err)?;
                    let end = AttemptEnd::Succeeded;
                    news.events.push(Event::AttemptEnded { attempt, end });
                }
            }
            news.entries.push(entry);
        }
        Ok(())
    }
}

/// What is impossible about the whole numbers of an entry, if anything: no step, time or size of this
/// world is that large, and the database would not take it.
fn oversized(entry: &Entry) -> Option<String> {
    const MOST: u64 = 1 << 62;
    let (name, number) = match &entry.event {
        JournalEvent::Started { step, .. }
        | JournalEvent::Metrics { step, .. }
        | JournalEvent::Checkpoint { step }
        | JournalEvent::Stopped { step }
        | JournalEvent::Failed { step, .. } => ("a step", *step),
        JournalEvent::Series { first, .. } => ("a step", *first),
        JournalEvent::Succeeded(outcome) if outcome.peak_memory > MOST => {
            ("a peak memory", outcome.peak_memory)
        }
        JournalEvent::Succeeded(outcome) => ("a number of steps", outcome.steps),
        JournalEvent::MicroBatch { images } => ("a size", images.get().into()),
        JournalEvent::Note { .. }
        | JournalEvent::Placed(_)
        | JournalEvent::Energy { .. }
        | JournalEvent::DeviceName { .. } => ("a time", entry.at),
    };
    let (name, number) = if entry.at > MOST { ("a time", entry.at) } else { (name, number) };
    (number > MOST).then(|| format!("the journal reports {name} of {number}"))
}

/// What is impossible about an outcome, if anything: the database would not take it.
fn implausible(outcome: &Outcome) -> Option<String> {
    let accuracies = [
        ("best_val", outcome.best_val),
        ("final_val", outcome.final_val),
        ("final_test", outcome.final_test),
    ];
    for (name, accuracy) in accuracies {
        if let Some(value) = accuracy.filter(|value| !(0.0..=1.0).contains(value)) {
            return Some(format!("the journal reports an accuracy {name} of {value}"));
        }
    }
    let positive = [
        ("seconds", outcome.seconds),
        ("images_per_second", outcome.images_per_second),
        ("train_loss", outcome.train_loss.unwrap_or_default().abs()),
    ];
    let (name, value) = positive.into_iter().find(|(_, x)| !(x.is_finite() && *x >= 0.0))?;
    Some(format!("the journal reports {name} = {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use augreg_protocol::JournalWriter;
    use augreg_spec::JobId;

    struct Fixture {
        _root: tempfile::TempDir,
        folder: RunFolder,
        attempt: AttemptKey,
        writer: JournalWriter,
        journals: Journals,
    }

    fn fixture() -> Fixture {
        let root = tempfile::tempdir().expect("a temporary folder");
        let attempt = AttemptKey { job: JobId::of("a job"), number: 1 };
        let folder = RunFolder::new(root.path(), attempt.job);
        let writer = JournalWriter::create(&folder.journal(1), attempt).expect("creates");
        let mut journals = Journals::default();
        journals.open(&folder, attempt, 0);
        Fixture { _root: root, folder, attempt, writer, journals }
    }

    #[test]
    fn the_end_of_an_attempt_is_read_once() {
        let mut f = fixture();
        f.writer.append(JournalEvent::Checkpoint { step: 5 }).expect("appends");
        let news = f.journals.read(f.attempt).expect("followed");
        assert_eq!(news.events, [Event::Checkpointed { attempt: f.attempt, step: 5 }]);

        f.writer.append(JournalEvent::Stopped { step: 9 }).expect("appends");
        let news = f.journals.read(f.attempt).expect("followed");
        assert_eq!(news.entries.len(), 1);
        assert_eq!(news.events.len(), 2);
        assert!(f.journals.read(f.attempt).is_none() && !f.journals.is_open(f.attempt));
    }

    #[test]
    fn a_damaged_line_makes_the_attempt_untrusted_and_keeps_what_came_before() {
        let mut f = fixture();
        f.writer.append(JournalEvent::Checkpoint { step: 5 }).expect("appends");
        let path = f.folder.journal(1);
        let mut bytes = fs::read(&path).expect("reads");
        bytes.extend_from_slice(b"{\"crc\":1,\"entry\":{}}\n");
        fs::write(&path, bytes).expect("writes");

        let news = f.journals.read(f.attempt).expect("followed");
        assert_eq!(news.entries.len(), 1);
        assert!(
            matches!(&news.events[..], [Event::Checkpointed { .. }, Event::Untrusted { why, .. }]
                if why.contains("journal.jsonl") && why.contains("damaged")),
            "{:?}",
            news.events
        );
        assert!(!f.journals.is_open(f.attempt));
    }

    #[test]
    fn a_step_beyond_all_bounds_is_not_believed() {
        let mut f = fixture();
        f.writer.append(JournalEvent::Checkpoint { step: u64::MAX }).expect("appends");
        let news = f.journals.read(f.attempt).expect("followed");
        assert!(
            matches!(&news.events[..], [Event::Untrusted { why, .. }] if why.contains("a step")),
            "{:?}",
            news.events
        );
        assert!(news.entries.is_empty());
    }

    #[test]
    fn energy_that_was_gained_is_not_believed() {
        let mut f = fixture();
        f.writer.append(JournalEvent::Energy { joules: 2.5 }).expect("appends");
        f.writer.append(JournalEvent::Energy { joules: -1.0 }).expect("appends");
        let news = f.journals.read(f.attempt).expect("followed");
        assert_eq!(news.entries.len(), 1);
        assert!(matches!(&news.events[..], [Event::Untrusted { why, .. }] if why.contains("-1 J")));
    }

    #[test]
    fn an_accuracy_above_one_is_not_believed() {
        let mut f = fixture();
        let outcome = Outcome {
            best_val: Some(1.5),
            final_val: None,
            final_test: None,
            train_loss: Some(0.1),
            parameters_sha256: String::new(),
            steps: 1,
            seconds: 1.0,
            images_per_second: 1.0,
            peak_memory: 0,
            proof: None,
        };
        f.writer.append(JournalEvent::Succeeded(outcome)).expect("appends");
        let news = f.journals.read(f.attempt).expect("followed");
        assert!(matches!(&news.events[..], [Event::Untrusted { why, .. }] if why.contains("1.5")));
        assert!(news.entries.is_empty());
    }
}
