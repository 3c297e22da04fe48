//! The audit as the witness reads it: whether it explains what became of a job, and says who did it.

use std::collections::BTreeMap;

use augreg_spec::JobId;
use augreg_store::Store;

use super::person::BY;
use super::row::{Row, lines_after};
use super::witness::Violation;
use super::world::Deeds;

/// A line of the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) id: i64,
    pub(super) job: Option<JobId>,
    pub(super) attempt: Option<u32>,
    pub(super) actor: String,
    pub(super) what: String,
    pub(super) reason: String,
}

/// What the audit says of a job.
#[derive(Debug, Default)]
struct Story {
    /// The last word that says where the job is, and of which attempt.
    last: Option<(String, Option<u32>)>,
    /// Lines since it was read last.
    new: Vec<Line>,
    /// A person wants it cancelled.
    unwanted: bool,
    /// Notes of workers by attempt.
    notes: BTreeMap<u32, u64>,
    second_results: u64,
}

/// The audit, as far as it was read.
#[derive(Debug, Default)]
pub(super) struct Audit {
    pub(super) last_read: i64,
    stories: BTreeMap<JobId, Story>,
}

/// Words that say where a job is, and where.
const PLACES: [(&str, &str); 9] = [
    ("started", "running"),
    ("retried", "queued"),
    ("queued-again", "queued"),
    ("released", "queued"),
    ("requeued", "queued"),
    ("put-off", "waiting"),
    ("succeeded", "succeeded"),
    ("failed", "failed"),
    ("cancelled", "cancelled"),
];

/// Words that explain the end of an attempt.
const ENDS: [&str; 6] = ["succeeded", "failed", "cancelled", "retried", "queued-again", "ignored"];

impl Audit {
    /// Reads on: the `last` lines there are, and those before them that were not read. What they say
    /// must say who and why, and the right one.
    pub(super) async fn read(
        &mut self,
        store: &Store,
        last: Vec<Line>,
        deeds: &Deeds,
    ) -> Result<(), Violation> {
        self.stories.values_mut().for_each(|story| story.new.clear());
        let gap = last.first().is_some_and(|first| first.id > self.last_read + 1);
        let lines = if gap { lines_after(store, self.last_read).await? } else { last };
        for line in lines {
            if line.id <= self.last_read {
                continue;
            }
            self.last_read = line.id;
            let unsaid = line.actor.is_empty() || line.reason.is_empty();
            if unsaid || !actors(&line.what).contains(&line.actor.as_str()) {
                return Err(Violation::new("the audit says who and why", format!("{line:?}")));
            }
            if let Some(job) = line.job.filter(|job| deeds.knows(*job)) {
                self.stories.entry(job).or_default().take(line)?;
            }
        }
        Ok(())
    }

    /// What must hold of a job that was found like this, and like `before` when the audit was read
    /// last.
    pub(super) fn explains(
        &self,
        job: JobId,
        before: Option<&Row>,
        now: &Row,
    ) -> Result<(), Violation> {
        let unexplained = |how| Err(Violation::new("the audit explains every change", how));
        let none = Story::default();
        let story = self.stories.get(&job).unwrap_or(&none);
        let place = story.last.as_ref().and_then(|(what, _)| place(what));
        match place {
            None if before.is_some_and(|before| before.state != now.state) => {
                return unexplained(format!("it became {} without a word", now.state));
            }
            Some(place) if place != now.state => {
                return unexplained(format!("it is {}, its last word {:?}", now.state, story.last));
            }
            _ => {}
        }
        if let (Some(running), Some((_, told))) = (now.running(), &story.last)
            && *told != Some(running)
        {
            return unexplained(format!("attempt {running} runs, its last word {:?}", story.last));
        }
        for number in now.attempts.keys().copied() {
            let state = now.attempt(number).unwrap_or_default();
            if before.and_then(|before| before.attempt(number)) == Some(state) {
                continue;
            }
            let other = format!("attempt {number} is told to leave");
            let told = story.new.iter().any(|line| match state {
                "running" => line.what == "started" && line.attempt == Some(number),
                _ if line.attempt == Some(number) => ENDS.contains(&line.what.as_str()),
                _ => line.reason.contains(&other),
            });
            // What began and ended since has a word about its beginning too.
            if !told {
                let new = &story.new;
                return unexplained(format!("attempt {number} became {state}: {new:?}"));
            }
        }
        Ok(())
    }

    /// Notes of workers in attempts of a job.
    pub(super) fn notes(&self, job: JobId, number: u32) -> u64 {
        let notes = self.stories.get(&job).and_then(|story| story.notes.get(&number));
        notes.copied().unwrap_or(0)
    }

    /// How often the audit speaks of a further result of a job.
    pub(super) fn second_results(&self, job: JobId) -> u64 {
        self.stories.get(&job).map_or(0, |story| story.second_results)
    }
}

impl Story {
    fn take(&mut self, line: Line) -> Result<(), Violation> {
        match line.what.as_str() {
            "note" => *self.notes.entry(line.attempt.unwrap_or(0)).or_default() += 1,
            "second-result" => self.second_results += 1,
            "cancel-requested" => self.unwanted = line.reason == BY,
            "requeued" => self.unwanted = false,
            "cancelled" if !self.unwanted => {
                let how = format!("{line:?}");
                return Err(Violation::new("the audit says who had a job cancelled", how));
            }
            _ => {}
        }
        if place(&line.what).is_some() {
            self.last = Some((line.what.clone(), line.attempt));
        }
        self.new.push(line);
        Ok(())
    }
}

fn place(what: &str) -> Option<&'static str> {
    PLACES.iter().find(|(word, _)| *word == what).map(|(_, place)| *place)
}

/// Who may say a word.
fn actors(what: &str) -> &'static [&'static str] {
    match what {
        "note" => &["worker"],
        "second-result" => &["store"],
        "registered" | "cancel-requested" | "requeued" | "pause-requested" | "pause-ended" => {
            &["user"]
        }
        "cancelled" => &["scheduler", "user"],
        _ => &["scheduler"],
    }
}
