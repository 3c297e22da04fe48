//! `augreg status --watch`: the same anew, and failures as they come.

use std::collections::BTreeSet;
use std::time::Duration;

use augreg_protocol::AttemptKey;
use augreg_store::{Counts, FailedJob, Store};

use super::text;
use crate::cluster;
use crate::device_use::DeviceUse;
use crate::failure::Failure;
use crate::output;
use crate::screen::Screen;

/// What failed before is told of so many jobs.
const TOLD_AT_FIRST: usize = 10;
/// Of more failures between two looks the rest is left to `augreg query`.
const MOST_AT_ONCE: u64 = 1000;
/// Attempts on clusters may be taken in so long after they ended, in milliseconds.
const LATE: u64 = 600_000;

/// Watches until all jobs have ended.
pub(super) async fn run(store: &Store, sweep: Option<&str>, every: f64) -> Result<(), Failure> {
    let mut failures = Failures::default();
    let mut screen = Screen::new().map(|screen| (screen, DeviceUse::new()));
    let mut told = None;
    loop {
        let counts = store.counts(sweep).await?;
        let new = failures.look(store, sweep, &counts).await?;
        let ended = counts.unfinished() == 0 && store.open_choices(sweep).await? == 0;
        if let Some((screen, devices)) = &mut screen {
            let mut frame = text::above(store, sweep).await?;
            frame += &text::running(store, sweep, true).await?;
            let devices = devices.text();
            if !devices.is_empty() && !ended {
                frame += &format!("\nthis machine: {devices}\n");
            }
            screen.show(&new, &frame)?;
        } else {
            for line in &new {
                output::print(line)?;
            }
            if told != Some(counts) {
                let name = sweep.unwrap_or("the whole study");
                output::print(&text::counts_text(name, &counts))?;
                told = Some(counts);
            }
        }
        if ended {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs_f64(every)).await;
        cluster::collect(store.root()).await?;
    }
}

/// The failures that were told.
#[derive(Default)]
struct Failures {
    /// How many jobs had failed at the last look.
    failed: Option<u64>,
    told: BTreeSet<AttemptKey>,
    /// When that look was, milliseconds since 1970.
    looked: u64,
}

impl Failures {
    /// A line for each job that has failed since the last look.
    async fn look(
        &mut self,
        store: &Store,
        sweep: Option<&str>,
        counts: &Counts,
    ) -> Result<Vec<String>, Failure> {
        let failed = counts.of(augreg_protocol::JobState::Failed);
        let is_first = self.failed.is_none();
        if self.failed.replace(failed) == Some(failed) || failed == 0 {
            return Ok(Vec::new());
        }
        let now = text::now();
        let found = if is_first {
            store.failures(sweep, MOST_AT_ONCE).await?
        } else {
            let since = self.looked.saturating_sub(LATE);
            store.failures_since(sweep, since, MOST_AT_ONCE).await?
        };
        self.looked = now;
        let key = |found: &FailedJob| AttemptKey { job: found.job, number: found.attempts };
        let new: Vec<_> = found.iter().filter(|found| self.told.insert(key(found))).collect();
        let shown = if is_first { TOLD_AT_FIRST } else { new.len() };
        let mut lines: Vec<_> =
            new.iter().take(shown).map(|failed| text::failed_line(failed)).collect();
        if new.len() > shown {
            lines.push(text::MORE_FAILURES.to_owned());
        }
        Ok(lines)
    }
}
