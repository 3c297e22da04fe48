//! `augreg status`

use std::time::Duration;

use augreg_protocol::JobState;
use augreg_report::scored_forecasts;
use augreg_scheduler::runtime::{Holder, StudyLock, free_space, has_worker};
use augreg_spec::JobId;
use augreg_store::{Counts, RunningAttempt, Store};
use clap::Args;

use super::pause::pauses_text;
use crate::args::Global;
use crate::budget;
use crate::cluster::{self, ClusterArgs};
use crate::failure::{Ending, Failure};
use crate::output;
use crate::screen::Screen;
use crate::words::{count, duration, quantity, time};

/// Show how far sweeps are: jobs by state, what runs, what failed
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Only this sweep
    sweep: Option<String>,
    /// Show it anew until all jobs have ended; Ctrl-C leaves everything as it is
    #[arg(long)]
    watch: bool,
    /// How often to look
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0, requires = "watch", value_parser = super::launch::seconds)]
    every: f64,
}

/// With less than this left, the database may take no changes.
const FULL: u64 = 1_000_000;

/// More failures than this are for `augreg query --where state=failed`.
const FAILURES_SHOWN: u64 = 10;

pub(crate) async fn run(global: &Global, args: &StatusArgs) -> Result<Ending, Failure> {
    cluster::collect(&global.root).await?;
    let store = Store::open_read_only(&global.root).await?;
    let sweep = args.sweep.as_deref();
    if !args.watch {
        output::print(&text(&store, sweep).await?)?;
        return Ok(Ending::Good);
    }
    let mut screen = Screen::new();
    loop {
        screen.show(&text(&store, sweep).await?)?;
        if store.counts(sweep).await?.unfinished() == 0 && store.open_choices(sweep).await? == 0 {
            return Ok(Ending::Good);
        }
        tokio::time::sleep(Duration::from_secs_f64(args.every)).await;
        cluster::collect(&global.root).await?;
    }
}

/// Everything there is to tell.
async fn text(store: &Store, sweep: Option<&str>) -> Result<String, Failure> {
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
    let running = store.running(sweep).await?;
    let (in_slurm, running): (Vec<_>, Vec<_>) =
        running.into_iter().partition(|run| run.executor == "slurm");
    if !in_slurm.is_empty() {
        text += "\nrunning in Slurm\n";
        for run in &in_slurm {
            text += &format!("{} on {}\n", running_line(run), run.host.as_deref().unwrap_or("?"));
        }
    }
    if !running.is_empty() {
        text +=
            if holder.is_some() { "\nrunning\n" } else { "\nbegun by an augreg that is gone\n" };
        for run in &running {
            text += &running_line(run);
            if holder.is_none() {
                let alive = has_worker(store.root(), run.attempt.job);
                text += if alive { "; its worker is still at it" } else { "; its worker is gone" };
            }
            text += "\n";
        }
    }
    let failures = store.failures(sweep, FAILURES_SHOWN + 1).await?;
    if !failures.is_empty() {
        text += "\nfailed\n";
        for failed in failures.iter().take(FAILURES_SHOWN as usize) {
            let kind = failed.failure.map_or("unknown", augreg_protocol::FailureKind::name);
            let message = failed.message.as_deref().unwrap_or_default();
            text += &failure_line(failed.job, kind, message);
        }
        if failures.len() as u64 > FAILURES_SHOWN {
            text += "  … more: `augreg query --where state=failed --columns short_id,failure,message`\n";
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

/// One attempt under way, or thought to be, without the line's end.
fn running_line(run: &RunningAttempt) -> String {
    let percent = 100.0 * run.step as f64 / run.steps.max(1) as f64;
    let since = duration(now().saturating_sub(run.started) as f64 / 1000.0);
    format!(
        "  {}  {} {} {}  step {} of {} ({percent:.0} %)  {} {}  for {since}",
        run.attempt.job.short(),
        run.labels.model,
        run.labels.dataset,
        run.labels.augmentation,
        count(run.step),
        count(run.steps),
        run.slot,
        run.device,
    )
}

/// One failed job on one line.
pub(crate) fn failure_line(job: JobId, kind: &str, message: &str) -> String {
    format!("  {}  {kind}: {}\n", job.short(), message.lines().next().unwrap_or_default())
}

fn now() -> u64 {
    jiff::Timestamp::now().as_millisecond().max(0) as u64
}
