//! What `augreg status` says.

use augreg_protocol::JobState;
use augreg_report::scored_forecasts;
use augreg_scheduler::runtime::{Holder, StudyLock, free_space, has_worker};
use augreg_spec::JobId;
use augreg_store::{Counts, FailedJob, RunningAttempt, Store};

use crate::budget;
use crate::cluster::{self, ClusterArgs};
use crate::command::pause::pauses_text;
use crate::failure::Failure;
use crate::words::{count, duration, quantity, time};

/// With less than this left, the database may take no changes.
const FULL: u64 = 1_000_000;

/// More failures than this are for `augreg query --where state=failed`.
const FAILURES_SHOWN: u64 = 10;

/// After as many failures as are shown.
pub(super) const MORE_FAILURES: &str =
    "  … more: `augreg query --where state=failed --columns short_id,failure,message`\n";

/// What there is to tell of sweeps and of who works on them.
pub(super) async fn above(store: &Store, sweep: Option<&str>) -> Result<String, Failure> {
    let mut text = String::new();
    if let Some(sweep) = sweep {
        text += &counts_text(sweep, &store.counts(Some(sweep)).await?);
        text += &account_text(store, sweep).await?;
    } else {
        let sweeps = store.sweeps().await?;
        for summary in &sweeps {
            text += &counts_text(&summary.name, &store.counts(Some(&summary.name)).await?);
            text += &account_text(store, &summary.name).await?;
        }
        if sweeps.len() != 1 {
            text += &counts_text("the whole study", &store.counts(None).await?);
        }
    }
    text += &choices_text(store.open_choices(sweep).await?);
    text += &pauses_text(&store.pauses().await?, sweep, time);
    let live = store.live_submissions().await?;
    text += &cluster::status_text(&live).await;
    let holder = StudyLock::holder(store.root());
    if holder.is_none() && store.counts(sweep).await?.unfinished() > 0 {
        text += match live.len() {
            0 => "nobody works on it: `augreg resume` goes on\n",
            _ => {
                "nobody follows what was left to Slurm: `augreg resume` does, and submits what is left\n"
            }
        };
    }
    text += &disk_text(store, holder.as_ref()).await?;
    text += &time_left(store, sweep).await?;
    let since = holder.as_ref().map_or(0, |holder| holder.since);
    for (at, why) in store.slots_given_up().await?.into_iter().filter(|(at, _)| *at >= since) {
        text += &format!("{}  {why}\n", time(at));
    }
    Ok(text)
}

/// What runs, with bars or without.
pub(super) async fn running(
    store: &Store,
    sweep: Option<&str>,
    bars: bool,
) -> Result<String, Failure> {
    let mut text = String::new();
    let holder = StudyLock::holder(store.root());
    let running = store.running(sweep).await?;
    let (in_slurm, running): (Vec<_>, Vec<_>) =
        running.into_iter().partition(|run| run.executor == "slurm");
    if !in_slurm.is_empty() {
        text += "\nrunning in Slurm\n";
        for run in &in_slurm {
            text += &format!(
                "{} on {}\n",
                running_line(run, true, bars),
                run.host.as_deref().unwrap_or("?")
            );
        }
    }
    if !running.is_empty() {
        text +=
            if holder.is_some() { "\nrunning\n" } else { "\nbegun by an augreg that is gone\n" };
        for run in &running {
            let alive = holder.is_some() || has_worker(store.root(), run.attempt.job);
            text += &running_line(run, alive, bars);
            if holder.is_none() {
                text += if alive { "; its worker is still at it" } else { "; its worker is gone" };
            }
            text += "\n";
        }
    }
    Ok(text)
}

/// The first that failed.
pub(super) async fn failures(store: &Store, sweep: Option<&str>) -> Result<String, Failure> {
    let mut text = String::new();
    let failures = store.failures(sweep, FAILURES_SHOWN + 1).await?;
    if !failures.is_empty() {
        text += "\nfailed\n";
        for failed in failures.iter().take(FAILURES_SHOWN as usize) {
            text += &failed_line(failed);
        }
        if failures.len() as u64 > FAILURES_SHOWN {
            text += MORE_FAILURES;
        }
    }
    Ok(text)
}

/// That more jobs will follow.
fn choices_text(open: u64) -> String {
    match open {
        0 => String::new(),
        1 => "1 choice is open: jobs follow when its candidates have ended\n".to_owned(),
        _ => format!(
            "{} choices are open: jobs follow when their candidates have ended\n",
            count(open)
        ),
    }
}

/// That the scheduler which runs has no room on the disk, if so.
async fn disk_text(store: &Store, holder: Option<&Holder>) -> Result<String, Failure> {
    let Some(holder) = holder else { return Ok(String::new()) };
    if let Some((since, reason)) = store.disk_full().await?.filter(|(at, _)| *at >= holder.since) {
        return Ok(format!("paused by the disk since {}: {reason}\n", time(since)));
    }
    // So full that not even the database can say so.
    Ok(match free_space(store.root()) {
        Ok(free) if free < FULL => {
            let root = store.root().display();
            format!("the disk of `{root}` is full: {} left\n", quantity(free as f64, "B"))
        }
        _ => String::new(),
    })
}

/// What is left to do and how long that takes here, by the speeds of jobs that are done.
async fn time_left(store: &Store, sweep: Option<&str>) -> Result<String, Failure> {
    let here = ClusterArgs::default();
    let executor = here.of_study(store, sweep).await?;
    let estimate = budget::left(store, sweep, &here.slots(executor, None)).await?;
    if estimate.flops <= 0.0 {
        return Ok(String::new());
    }
    Ok(format!("to do: {}, {}\n", quantity(estimate.flops, "FLOP"), estimate.text()))
}

/// What a sweep has spent of its budget, and, if it has ended, how it was foretold.
async fn account_text(store: &Store, sweep: &str) -> Result<String, Failure> {
    let sweeps = store.sweeps().await?;
    let file = sweeps.iter().find(|summary| summary.name == sweep).map(|s| s.text.as_str());
    let mut text = budget::status_text(store, sweep, file.unwrap_or_default()).await?;
    if store.counts(Some(sweep)).await?.unfinished() == 0 {
        for scored in scored_forecasts(&store.forecasts(Some(sweep)).await?) {
            text += &format!("forecast of {}: {}\n", scored.at, scored.sentence());
        }
    }
    Ok(text)
}

/// `fashion-mini: 24 jobs, 20 succeeded, 4 queued`
pub(crate) fn counts_text(name: &str, counts: &Counts) -> String {
    let states = JobState::ALL.into_iter().rev().filter(|state| counts.of(*state) > 0);
    let states: Vec<_> =
        states.map(|state| format!("{} {state}", count(counts.of(state)))).collect();
    let jobs = format!("{} jobs", count(counts.total()));
    let parts: Vec<_> = std::iter::once(jobs).chain(states).collect();
    format!("{name}: {}\n", parts.join(", "))
}

/// One attempt under way, or thought to be, without the line's end. One that is not `alive` has no speed.
fn running_line(run: &RunningAttempt, alive: bool, bar: bool) -> String {
    let share = run.step as f64 / run.steps.max(1) as f64;
    let seconds = now().saturating_sub(run.started) as f64 / 1000.0;
    let bar = if bar { format!("{}  ", bar_of(share)) } else { String::new() };
    let mut text = format!(
        "  {bar}{}  {} {} {}  ",
        run.attempt.job.short(),
        run.labels.model,
        run.labels.dataset,
        run.labels.augmentation,
    );
    if let Some(epochs) = run.epochs {
        text += &format!("epoch {:.1} of {epochs}, ", epochs * share);
    }
    text += &format!("step {} of {} ({:.0} %)", count(run.step), count(run.steps), 100.0 * share);
    if let Some(loss) = run.loss {
        text += &format!("  loss {loss:.3}");
    }
    if let Some(speed) = run.images_per_second.filter(|_| alive) {
        text += &format!("  {speed:.0} images/s");
    }
    let (done, left) = (run.step.saturating_sub(run.from_step), run.steps.saturating_sub(run.step));
    if alive && done > 0 {
        text += &format!("  {} left", duration(seconds * left as f64 / done as f64));
    }
    text + &format!("  {} {}  for {}", run.slot, run.device, duration(seconds))
}

/// Sixteen columns, filled as far as the job is.
fn bar_of(share: f64) -> String {
    const COLUMNS: usize = 16;
    let filled = ((share * COLUMNS as f64) as usize).min(COLUMNS);
    format!("{}{}", "━".repeat(filled), "─".repeat(COLUMNS - filled))
}

/// One failed job on one line.
pub(super) fn failed_line(failed: &FailedJob) -> String {
    let kind = failed.failure.map_or("unknown", augreg_protocol::FailureKind::name);
    failure_line(failed.job, kind, failed.message.as_deref().unwrap_or_default())
}

/// One failed job on one line.
pub(crate) fn failure_line(job: JobId, kind: &str, message: &str) -> String {
    format!("  {}  {kind}: {}\n", job.short(), message.lines().next().unwrap_or_default())
}

/// Milliseconds since 1970.
pub(super) fn now() -> u64 {
    jiff::Timestamp::now().as_millisecond().max(0) as u64
}
