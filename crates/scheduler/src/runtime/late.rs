//! Results that come late: the journals of attempts that were given up.
//!
//! A worker that was thought dead may not be: its host was cut off, a kill did not reach it, or it took
//! up its attempt only after its scheduler had died. It finishes its job all the same, and journals so.
//! Which attempts were given up is in the database; here their journals are looked at, some at a time,
//! as long as their jobs have not succeeded. Most of them are dead, so a look costs a question about
//! the length of a file.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use augreg_protocol::{AttemptKey, JobState, RunFolder};
use augreg_store::{Change, GivenUp, Store, StoreError};

use super::journals::{News, read_late};
use super::record::{change, write};
use crate::core::{AttemptEnd, Core, Event, Millis, Policy};

/// Journals looked at together at the most.
const TOGETHER: u32 = 128;
/// Journals looked at before a run at the most; the run looks at the others.
const BEFORE: u32 = 100 * TOGETHER;

/// What has become of an attempt that was given up.
#[derive(Debug)]
pub(super) struct Word {
    pub(super) news: Vec<News>,
    pub(super) events: Vec<Event>,
    /// Recorded with what is decided on the events.
    pub(super) changes: Vec<Change>,
}

/// Goes round the attempts that were given up.
#[derive(Debug)]
pub(super) struct Late {
    /// The study's folder.
    root: PathBuf,
    /// The last that was looked at.
    last: Option<AttemptKey>,
}

impl Late {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), last: None }
    }

    /// What the next of them have to say.
    pub(super) async fn look(&mut self, store: &Store) -> Result<Vec<Word>, StoreError> {
        let left = self.next(store).await?;
        Ok(self.listen(left.iter()))
    }

    async fn next(&mut self, store: &Store) -> Result<Vec<GivenUp>, StoreError> {
        let left = store.given_up(self.last, TOGETHER).await?;
        let more = left.len() == TOGETHER as usize;
        self.last = left.last().map(|left| left.attempt).filter(|_| more);
        Ok(left)
    }

    /// Nothing more of a job that one of its attempts has finished.
    fn listen<'a>(&self, left: impl Iterator<Item = &'a GivenUp>) -> Vec<Word> {
        let mut finished = HashSet::new();
        let mut words = Vec::new();
        for left in left {
            if !finished.contains(&left.attempt.job)
                && let Some(word) = self.hear(left)
            {
                let late = |event: &Event| matches!(event, Event::FinishedLate { .. });
                if word.events.iter().any(late) {
                    finished.insert(left.attempt.job);
                }
                words.push(word);
            }
        }
        words
    }

    fn hear(&self, left: &GivenUp) -> Option<Word> {
        let attempt = left.attempt;
        let settled = Change::Settled { attempt };
        if left.state == JobState::Succeeded {
            return Some(Word { news: Vec::new(), events: Vec::new(), changes: vec![settled] });
        }
        let (mut news, over) = read_late(&RunFolder::new(&self.root, attempt.job), left)?;
        let events = std::mem::take(&mut news.events).into_iter().filter_map(|event| match event {
            Event::AttemptEnded { end: AttemptEnd::Succeeded, .. } => {
                Some(Event::FinishedLate { attempt })
            }
            // Of no use to anyone: the next attempt has gone on from an earlier one.
            Event::Checkpointed { .. } => None,
            other => Some(other),
        });
        let events = events.collect();
        let changes = if over { vec![settled] } else { Vec::new() };
        Some(Word { news: vec![news], events, changes })
    }
}

/// Takes in what attempts that were given up have come to say while no run was under way: nobody
/// need run those jobs again. Returns how many jobs have succeeded by that. The caller holds the
/// study's lock.
///
/// # Errors
///
/// [`StoreError`].
pub async fn catch_up(store: &Store) -> Result<usize, StoreError> {
    catch_up_with(store, BEFORE / TOGETHER).await
}

/// [`catch_up`], with however many there are.
pub(super) async fn catch_up_with_all(store: &Store) -> Result<usize, StoreError> {
    catch_up_with(store, u32::MAX).await
}

async fn catch_up_with(store: &Store, rounds: u32) -> Result<usize, StoreError> {
    let mut core = Core::new(Policy::default(), []);
    let mut late = Late::new(store.root());
    for _ in 0..rounds {
        let left = late.next(store).await?;
        // One that is said to run is the run's to see to.
        let open = left.iter().filter(|left| left.state != JobState::Running);
        for Word { news, events, mut changes } in late.listen(open) {
            let actions = events.into_iter().flat_map(|event| core.handle(Millis(0), event));
            changes.extend(actions.filter_map(|action| change(&action, &[])));
            write(store, &news, &changes).await?;
        }
        if late.last.is_none() {
            break;
        }
    }
    Ok(core.counts().succeeded)
}
