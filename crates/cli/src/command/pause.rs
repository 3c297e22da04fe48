//! `augreg pause` and `augreg unpause`

use std::time::{Duration, Instant};

use augreg_scheduler::runtime::StudyLock;
use augreg_store::{Pause, Store};
use clap::Args;

use super::cancel::by;
use crate::args::Global;
use crate::failure::{Ending, Failure};
use crate::output;
use crate::study;

/// How long a running scheduler is given to let its workers go before the command leaves it alone.
const PATIENCE: Duration = Duration::from_secs(15);

/// Start nothing more of a sweep, or of the study, until `augreg unpause`
///
/// Jobs that run write a checkpoint and leave, so that their devices are free. A run that is paused
/// stays up and waits. The pause outlives it: whatever runs the sweep next waits as well. Jobs that
/// another sweep asks for too go on unless that one is paused as well.
#[derive(Debug, Args)]
pub(crate) struct PauseArgs {
    /// Only this sweep
    sweep: Option<String>,
    /// Let the jobs that run go on to their ends
    #[arg(long)]
    drain: bool,
}

/// Let a paused sweep, or the paused study, go on
#[derive(Debug, Args)]
pub(crate) struct UnpauseArgs {
    /// Only this sweep; without it, whatever is paused
    sweep: Option<String>,
}

pub(crate) async fn run(global: &Global, args: &PauseArgs) -> Result<Ending, Failure> {
    let store = study::beside(&global.root).await?;
    let sweep = args.sweep.as_deref();
    store.pause(sweep, args.drain, &by("augreg pause")).await?;
    output::say(&match StudyLock::holder(&global.root) {
        None => format!("{} is paused; nothing runs", name(sweep)),
        Some(_) if args.drain => {
            format!("{} is paused: what runs goes on to its end, nothing more starts", name(sweep))
        }
        Some(_) => match wait(&store, sweep).await? {
            0 => format!("{} is paused; nothing of it runs", name(sweep)),
            left => format!(
                "{} is paused; {left} jobs that run (of it, or shared with another sweep) have not \
                 left yet",
                name(sweep)
            ),
        },
    });
    output::say("`augreg unpause` lets it go on");
    store.close().await;
    Ok(Ending::Good)
}

pub(crate) async fn end(global: &Global, args: &UnpauseArgs) -> Result<Ending, Failure> {
    let store = study::beside(&global.root).await?;
    let paused = match &args.sweep {
        Some(sweep) => vec![Some(sweep.clone())],
        None => store.pauses().await?.into_iter().map(|pause| pause.sweep).collect(),
    };
    if paused.is_empty() {
        output::say("nothing is paused");
    }
    for sweep in paused {
        let sweep = sweep.as_deref();
        let ended = store.unpause(sweep, &by("augreg unpause")).await?;
        let text = if ended { "goes on" } else { "was not paused" };
        output::say(&format!("{} {text}", name(sweep)));
    }
    if StudyLock::holder(&global.root).is_none() {
        output::say("nothing runs: `augreg resume` runs what is left");
    }
    store.close().await;
    Ok(Ending::Good)
}

fn name(sweep: Option<&str>) -> String {
    sweep.map_or("the study".to_owned(), |sweep| format!("`{sweep}`"))
}

/// The pauses that hold a sweep, or anything of the study, as lines of text.
pub(crate) fn pauses_text(
    pauses: &[Pause],
    sweep: Option<&str>,
    time: fn(u64) -> String,
) -> String {
    let concerns = |pause: &&Pause| {
        sweep.is_none() || pause.sweep.is_none() || pause.sweep.as_deref() == sweep
    };
    let line = |pause: &Pause| {
        let (what, since, by) = (name(pause.sweep.as_deref()), time(pause.since), &pause.by);
        let how = if pause.drain { ", after what ran then" } else { "" };
        format!("{what} is paused since {since}{how}, {by}: `augreg unpause` lets it go on\n")
    };
    pauses.iter().filter(concerns).map(line).collect()
}

/// Gives the scheduler time; returns how many attempts run then.
async fn wait(store: &Store, sweep: Option<&str>) -> Result<usize, Failure> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = store.running(sweep).await?.len();
        if left == 0 || Instant::now() > deadline {
            return Ok(left);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
