//! `augreg launch`

use std::num::NonZeroU32;
use std::path::PathBuf;

use augreg_protocol::{JobState, WhenAbandoned};
use augreg_scheduler::runtime::{RunError, RunOptions, Stopper, Summary, stop_on_signals};
use augreg_store::{NewSweep, Store};
use clap::{Args, ValueEnum};

use super::plan::difference_text;
use crate::args::Global;
use crate::failure::{Ending, Failure};
use crate::output;
use crate::progress::Display;
use crate::sweep_file;
use crate::words::{count, duration};

/// Run a sweep file to its end, leaving out what the study has already
#[derive(Debug, Args)]
pub(crate) struct LaunchArgs {
    /// The sweep file
    file: PathBuf,
    #[command(flatten)]
    run: RunArgs,
    /// Jobs of higher priority run first
    #[arg(long, default_value_t = 0, allow_hyphen_values = true, value_name = "N")]
    priority: i64,
}

/// How jobs are run. None of it changes a result.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// How many workers share this machine; one a GPU or core without it
    #[arg(long, value_name = "N")]
    workers: Option<NonZeroU32>,
    /// Seconds between the checkpoints of a job
    #[arg(long, default_value_t = 30.0, value_name = "SECONDS", value_parser = seconds)]
    checkpoint_seconds: f64,
    /// What workers do when this process is killed
    #[arg(long, default_value = "checkpoint", value_name = "WHAT")]
    when_abandoned: Abandoned,
}

/// What a worker does about its job when nobody is left to talk to.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Abandoned {
    /// Write a checkpoint and leave
    Checkpoint,
    /// Finish the job, then leave; `augreg resume` collects the result
    Finish,
}

fn seconds(text: &str) -> Result<f64, String> {
    let valid = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite() && *seconds > 0.0);
    valid.ok_or_else(|| "a number of seconds above 0".to_owned())
}

pub(crate) async fn run(global: &Global, args: &LaunchArgs) -> Result<Ending, Failure> {
    let loaded = sweep_file::load(&args.file)?;
    let store = Store::create_or_open(&global.root).await?;
    let difference = store
        .register_sweep(NewSweep {
            name: &loaded.sweep.name,
            text: loaded.sweep.text(),
            jobs: &loaded.expansion.jobs,
            datasets: &loaded.datasets,
            priority: args.priority,
        })
        .await?;
    if !global.quiet {
        output::say(&format!("{}: {}", loaded.sweep.name, difference_text(&difference)));
    }
    go_on(store, Some(&loaded.sweep.name), global, &args.run).await
}

/// Runs what is open of a sweep, or of the study, and says how it went.
pub(super) async fn go_on(
    store: Store,
    sweep: Option<&str>,
    global: &Global,
    args: &RunArgs,
) -> Result<Ending, Failure> {
    let what = sweep.map_or("the study".to_owned(), |sweep| format!("`{sweep}`"));
    let counts = store.counts(sweep).await?;
    if counts.unfinished() == 0 {
        let (done, failed) = (counts.of(JobState::Succeeded), counts.of(JobState::Failed));
        output::say(&format!(
            "nothing to run: of the {} jobs of {what} {} are done and {} failed",
            count(counts.total()),
            count(done),
            count(failed)
        ));
        store.close().await;
        return Ok(if failed > 0 { failed_before() } else { Ending::Good });
    }
    let options = RunOptions {
        workers: args.workers,
        checkpoint_seconds: args.checkpoint_seconds,
        when_abandoned: match args.when_abandoned {
            Abandoned::Checkpoint => WhenAbandoned::Checkpoint,
            Abandoned::Finish => WhenAbandoned::Finish,
        },
        ..RunOptions::default()
    };
    let mut display = Display::new(&store, sweep, global.quiet).await?;
    let (stopper, stop) = Stopper::new();
    stop_on_signals(&stopper).map_err(Failure::internal)?;
    let result = augreg_scheduler::runtime::run(store.clone(), sweep, options, stop, |progress| {
        display.observe(progress);
    })
    .await;
    display.close();
    let counts = store.counts(sweep).await?;
    store.close().await;
    let summary = result.map_err(failure)?;
    output::say(&summary_text(&summary, &what));
    Ok(if summary.interrupted {
        Ending::Interrupted
    } else if counts.of(JobState::Failed) > 0 {
        failed_before()
    } else {
        Ending::Good
    })
}

fn failed_before() -> Ending {
    output::say("see why with `augreg status`, try again with `augreg retry` and `augreg resume`");
    Ending::JobsFailed
}

fn summary_text(summary: &Summary, what: &str) -> String {
    let mut parts = vec![format!("{} succeeded", count(summary.succeeded as u64))];
    for (n, state) in [
        (summary.failed, "failed"),
        (summary.cancelled, "cancelled"),
        (summary.left, "not finished"),
    ] {
        if n > 0 {
            parts.push(format!("{} {state}", count(n as u64)));
        }
    }
    let took = duration(summary.elapsed.as_secs_f64());
    let mut text = format!("{what}: {} in {took}", parts.join(", "));
    if summary.interrupted {
        text += "\ninterrupted, nothing is lost: `augreg resume` goes on";
    }
    text
}

pub(super) fn failure(error: RunError) -> Failure {
    let help = match &error {
        RunError::Lock(_) => "wait for it, or stop it with Ctrl-C or `kill`",
        RunError::NoWorker { .. } => {
            "try `augreg-worker --version`; `scripts/setup` and `scripts/build` mend it"
        }
        RunError::Program(_) => "`scripts/build` builds it",
        _ => "`augreg resume` goes on when it is mended",
    };
    Failure::broken(error, Some(help))
}
