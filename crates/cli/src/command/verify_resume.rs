//! `augreg verify-resume`

use std::fs;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use augreg_protocol::{Outcome, RunFolder};
use augreg_scheduler::core::Policy;
use augreg_scheduler::runtime::{
    Progress, RunOptions, Stopper, StudyLock, Summary, run as run_jobs, stop_on_signals,
};
use augreg_spec::random::{Purpose, named_stream};
use augreg_spec::{Job, JobId};
use augreg_store::{JobDetails, NewDataset, NewSweep, Rows, Store, Value};
use clap::Args;

use super::launch::failure;
use crate::args::Global;
use crate::checkpoint;
use crate::failure::{Ending, Failure};
use crate::killer::{Kill, Killer};
use crate::output;
use crate::study::{self, Owned};
use crate::table::{self, Format};
use crate::words::count;

/// Whether a metric is told by a clock: no repetition can reproduce it.
fn is_timed(metric: &str) -> bool {
    metric == "images_per_second" || metric.ends_with("_seconds")
}

/// Train a finished job again in a scratch folder, kill its worker at random steps, compare hashes
///
/// Compared are the parameters, the state of the optimizer, the order of examples in every epoch,
/// every accuracy and every metric at every step. Exit code 0: all are equal; 1: some differ, and
/// the scratch folder is kept.
#[derive(Debug, Args)]
pub(crate) struct VerifyResumeArgs {
    /// The job's id, or the first characters of it
    job: String,
    /// How often the worker is killed
    #[arg(long, default_value_t = 3, value_name = "N")]
    kills: u32,
    /// Draws the steps of the kills; taken from the clock without it, and said
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Images at once, on which the last bits depend; without it as many as the recorded run says
    #[arg(long, value_name = "N")]
    micro_batch: Option<NonZeroU32>,
    /// How rows come out
    #[arg(long, default_value = "table")]
    format: Format,
}

pub(crate) async fn run(global: &Global, args: &VerifyResumeArgs) -> Result<Ending, Failure> {
    let store = Store::open_read_only(&global.root).await?;
    let recorded = store.job(store.job_by_prefix(&args.job).await?).await?;
    let (expected, mut conditions) = comparable(&recorded)?;
    conditions.micro_batch = args.micro_batch.or(conditions.micro_batch);
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let seed = args.seed.unwrap_or(clock);
    let steps = kills(recorded.job, seed, args.kills, expected.steps);
    let listed: Vec<_> = steps.iter().map(|step| count(*step)).collect();
    output::say(&format!(
        "training {} again, killing its worker after steps {} of {} (--seed {seed})",
        recorded.job.short(),
        listed.join(", "),
        count(expected.steps)
    ));
    for inexact in recorded.boundaries.iter().filter_map(|boundary| boundary.inexact.as_ref()) {
        output::say(&format!("the recorded run was not exact itself: {inexact}"));
    }

    let scratch = global.root.join("verify").join(recorded.job.to_string());
    clear(&scratch)?;
    let source = store.data_source(recorded.job).await?;
    let Owned { store: again, lock } = create(store.root(), &scratch, &recorded, source).await?;
    let killer = Killer::start(RunFolder::new(&scratch, recorded.job), steps);
    let summary = repeat(&again, &lock, expected, conditions).await?;
    let deaths = killer.finish();
    if summary.interrupted {
        return Ok(Ending::Interrupted);
    }
    let second = again.job(recorded.job).await?;
    let rows = compare(&store, &recorded, &again, &second).await?;
    let differ = rows.rows.iter().any(|row| row.last() == Some(&text("no")));
    table::write(&rows, args.format)?;
    again.close().await;
    say_kills(&deaths);
    if differ {
        output::say(&format!("they differ; the repetition is kept in `{}`", scratch.display()));
        return Ok(Ending::JobsFailed);
    }
    clear(&scratch)?;
    Ok(Ending::Good)
}

/// What the bits of a result depend on, beside the job.
struct Conditions {
    threads: Option<NonZeroU32>,
    micro_batch: Option<NonZeroU32>,
}

/// The recorded result, and what it was computed with.
fn comparable(job: &JobDetails) -> Result<(&Outcome, Conditions), Failure> {
    let short = job.job.short();
    let Some(result) = &job.result else {
        let message = format!("job {short} is {}: there is nothing to compare with", job.state);
        return Err(Failure::request(message, "`augreg resume` finishes it"));
    };
    if job.spec.dataset().is_none() {
        let message = format!("job {short} trains nothing: there is nothing to compare");
        return Err(Failure::request(message, "name a job of a `[pretrain]` stage"));
    }
    let last = job.attempts.last();
    let device = last.map_or("cpu", |attempt| attempt.device.as_str());
    let here = augreg_executor::detect(NonZeroU32::new(1));
    let kind = |device: &str| device.split(':').next().unwrap_or_default().to_owned();
    let found = here.first().map_or("nothing".to_owned(), |slot| slot.device.to_string());
    if kind(device) != kind(&found) {
        let message = format!("job {short} ran on {device}, this machine offers {found}");
        let help = "bits are the same only on the same kind of device: repeat it on such a machine";
        return Err(Failure::request(message, help));
    }
    let conditions = Conditions {
        threads: last.and_then(|attempt| attempt.threads).and_then(NonZeroU32::new),
        micro_batch: last.and_then(|attempt| attempt.micro_batch).and_then(NonZeroU32::new),
    };
    Ok((result, conditions))
}

/// The steps after which the worker is killed: one in each of `kills` equal parts of the job.
fn kills(job: JobId, seed: u64, kills: u32, steps: u64) -> Vec<u64> {
    let mut draws = named_stream(seed, Purpose::Interruption, &job.to_string());
    let part = steps as f64 / f64::from(kills.max(1));
    let mut at: Vec<_> = (0..kills)
        .map(|i| ((f64::from(i) + draws.unit()) * part) as u64)
        .map(|step| step.clamp(1, steps.saturating_sub(1).max(1)))
        .collect();
    at.dedup();
    at
}

fn clear(scratch: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(scratch) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Failure::internal(error)),
        _ => {
            // Fails while another repetition is under way, and is of no consequence.
            let _ = scratch.parent().map(fs::remove_dir);
            Ok(())
        }
    }
}

/// A study of this one job.
async fn create(
    root: &Path,
    scratch: &Path,
    job: &JobDetails,
    source: augreg_spec::DataSource,
) -> Result<Owned, Failure> {
    let jobs = &mut std::iter::once(Job::new(job.spec.clone(), job.labels.clone()));
    let dataset = job.spec.dataset().map(|identity| NewDataset {
        name: job.labels.dataset.clone(),
        identity: identity.clone(),
        source,
    });
    let datasets = Vec::from_iter(dataset);
    let (name, text, priority) = ("verify-resume", "", 0);
    let sweep = NewSweep { name, text, jobs, datasets: &datasets, priority, rules: None };
    if let Some(upstream) = job.spec.upstream() {
        checkpoint::lend(upstream, root, scratch)?;
    }
    Ok(study::create(scratch, sweep).await?.0)
}

async fn repeat(
    again: &Store,
    lock: &StudyLock,
    expected: &Outcome,
    Conditions { threads, micro_batch }: Conditions,
) -> Result<Summary, Failure> {
    let options = RunOptions {
        workers: NonZeroU32::new(1),
        threads,
        micro_batch,
        // Several between two kills, so that most of the way is gone once.
        checkpoint_seconds: (expected.seconds / 20.0).clamp(0.1, 30.0),
        policy: Policy {
            losses: u32::MAX,
            backoff: Duration::from_millis(10),
            backoff_limit: Duration::from_millis(10),
            ..Policy::default()
        },
        ..RunOptions::default()
    };
    let (stopper, stop) = Stopper::new();
    stop_on_signals(&stopper).map_err(Failure::internal)?;
    let observe = |progress| {
        if let Progress::Note(note) = progress {
            output::say(&note);
        }
    };
    run_jobs(again.clone(), lock, None, options, stop, observe).await.map_err(failure)
}

fn say_kills(killed: &[Kill]) {
    for Kill { attempt, step } in killed {
        output::say(&format!("attempt {attempt} was killed after step {}", count(*step)));
    }
}

fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}

/// One row for each thing that a repetition must reproduce.
async fn compare(
    store: &Store,
    recorded: &JobDetails,
    again: &Store,
    repeated: &JobDetails,
) -> Result<Rows, Failure> {
    let columns = ["what", "recorded", "again", "equal"].map(str::to_owned).into();
    let mut rows = Rows { columns, rows: Vec::new() };
    let mut row = |what: &str, [before, after]: [Option<String>; 2]| {
        let equal = match &before {
            None => "not recorded",
            Some(before) if Some(before) == after.as_ref() => "yes",
            Some(_) => "no",
        };
        let shown = |value: Option<String>| value.map_or(Value::Null, Value::Text);
        rows.rows.push(vec![text(what), shown(before), shown(after), text(equal)]);
    };
    let results = [&recorded.result, &repeated.result];
    let of =
        |take: fn(&Outcome) -> Option<String>| results.map(|result| result.as_ref().and_then(take));
    row("parameters", of(|result| Some(result.parameters_sha256.clone())));
    row("optimizer", of(|result| Some(result.proof.as_ref()?.optimizer_sha256.clone())));
    row("example order", of(|result| Some(result.proof.as_ref()?.order.clone())));
    let epochs = |result: &Outcome| result.proof.as_ref().map(|proof| proof.epoch_orders.clone());
    let orders = results.map(|result| result.as_ref().and_then(epochs).unwrap_or_default());
    for epoch in 0..orders[0].len().max(orders[1].len()) {
        let what = format!("order of epoch {}", epoch + 1);
        row(&what, [orders[0].get(epoch).cloned(), orders[1].get(epoch).cloned()]);
    }
    for (what, take) in accuracies() {
        if results.iter().any(|result| result.as_ref().is_some_and(|r| take(r).is_some())) {
            row(what, of(take));
        }
    }
    for name in recorded.metrics.iter().filter(|name| !is_timed(name)) {
        let curves =
            [store.curve(recorded.job, name).await?, again.curve(recorded.job, name).await?];
        row(&format!("{name}, every step"), curves.map(|curve| Some(digest(&curve))));
    }
    Ok(rows)
}

type Take = fn(&Outcome) -> Option<String>;

fn accuracies() -> [(&'static str, Take); 4] {
    [
        ("best_val", |result| result.best_val.map(|value| value.to_string())),
        ("final_val", |result| result.final_val.map(|value| value.to_string())),
        ("final_test", |result| result.final_test.map(|value| value.to_string())),
        ("train_loss", |result| result.train_loss.map(|value| value.to_string())),
    ]
}

/// A curve in a few characters that any other curve changes.
fn digest(curve: &[(u64, f64)]) -> String {
    let mut text = String::new();
    for (step, value) in curve {
        text += &format!("{step} {:x}\n", value.to_bits());
    }
    format!("{} points, {}", count(curve.len() as u64), JobId::of(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_are_spread_over_the_job_and_never_before_its_first_or_after_its_last_step() {
        for seed in 0..100 {
            let steps = kills(JobId::of("a"), seed, 4, 1000);
            assert_eq!(steps.len(), 4, "{steps:?}");
            let parts: Vec<_> = steps.iter().map(|step| step / 250).collect();
            assert_eq!(parts, [0, 1, 2, 3], "{steps:?}");
            assert!(kills(JobId::of("a"), seed, 9, 2).iter().all(|step| *step == 1));
        }
        assert_eq!(kills(JobId::of("a"), 0, 0, 1000), [0u64; 0]);
    }
}
