//! `augreg launch`

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use augreg_protocol::{JobState, WhenAbandoned, with_causes};
use augreg_scheduler::core::Policy;
use augreg_scheduler::runtime::{
    self, Adopted, Retention, RunError, RunOptions, Stopper, Summary, adopt, stop_on_signals,
};
use augreg_spec::{Executor, ExecutorKind, JobId, Keep, Kept};
use augreg_store::{JobQuery, NewForecast, NewSweep, QueryError, Store, SweepSummary, Value};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use super::pause::pauses_text;
use super::plan::difference_text;
use crate::args::Global;
use crate::budget;
use crate::checkpoint;
use crate::cluster::ClusterArgs;
use crate::failure::{Ending, Failure, advice_on_store};
use crate::output;
use crate::prices::Priced;
use crate::progress::Display;
use crate::rehearsal;
use crate::space::{Need, Size};
use crate::study::{self, Owned};
use crate::sweep_file::{self, Loaded};
use crate::words::{self, count, duration, time};

/// Run a sweep file to its end, leaving out what the study has already
#[derive(Debug, Args)]
pub(crate) struct LaunchArgs {
    /// The sweep file
    file: PathBuf,
    #[command(flatten)]
    run: RunArgs,
    /// Launch though the disk seems too small, or the sweep's budget is; the run pauses when the disk
    /// is full
    #[arg(long)]
    force: bool,
    /// Jobs of higher priority run first
    #[arg(long, default_value_t = 0, allow_hyphen_values = true, value_name = "N")]
    priority: i64,
    /// Only add the sweep's jobs to the study; `augreg resume` runs them
    #[arg(long)]
    register_only: bool,
}

/// How jobs are run. None of it changes a result, but for `--micro-batch` in the last bits.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// How many workers share this machine; one a GPU or core without it
    #[arg(long, value_name = "N")]
    pub(super) workers: Option<NonZeroU32>,
    /// Seconds between the checkpoints of a job
    #[arg(long, default_value_t = 30.0, value_name = "SECONDS", value_parser = seconds)]
    checkpoint_seconds: f64,
    /// Images that go through a network at once; without it, the whole batch, or what fits of it
    #[arg(long, value_name = "N")]
    micro_batch: Option<NonZeroU32>,
    /// What workers do when this process is killed
    #[arg(long, default_value = "checkpoint", value_name = "WHAT")]
    when_abandoned: Abandoned,
    /// Space to keep free on the study's disk, such as 500MB: the run pauses when there is less.
    /// Without it, what the next checkpoints need, and 200MB at least
    #[arg(long, value_name = "SIZE", value_parser = words::size)]
    reserve: Option<u64>,
    /// Replace a worker by a new process after so many jobs; without it, workers stay
    #[arg(long, value_name = "N")]
    recycle_after: Option<NonZeroU32>,
    /// Replace a worker that holds more memory than this after a job, such as 8GB
    #[arg(long, value_name = "SIZE", value_parser = words::size)]
    worker_memory: Option<u64>,
    /// A worker that gives no sign of life for so many seconds is killed, its job tried again
    #[arg(long, default_value_t = 120.0, value_name = "SECONDS", value_parser = seconds)]
    heartbeat_timeout: f64,
    /// A worker that makes no step for so many seconds is killed, its job tried again
    #[arg(long, default_value_t = 1800.0, value_name = "SECONDS", value_parser = seconds)]
    step_timeout: f64,
    /// Which parameters of finished jobs stay; without it, what their sweep files say
    #[arg(long, value_name = "WHAT", value_parser = keep())]
    pub(super) keep: Option<Keep>,
    /// Which parameters of finished transfers stay, if fewer than of other jobs
    #[arg(long, value_name = "WHAT", value_parser = keep())]
    pub(super) keep_transfers: Option<Keep>,
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
}

/// What stays of finished jobs: what the command says, else what the sweep file says.
pub(crate) fn kept(jobs: Option<Keep>, transfers: Option<Keep>, sweep: Option<Kept>) -> Kept {
    let sweep = sweep.unwrap_or_default();
    let said = jobs.map_or(sweep, |jobs| Kept { jobs, transfers: None });
    Kept { transfers: transfers.or(said.transfers), ..said }
}

/// Reads what to keep of finished jobs.
pub(super) fn keep() -> impl TypedValueParser<Value = Keep> {
    PossibleValuesParser::new(Keep::ALL.map(|(name, _)| name))
        .try_map(|name| name.parse::<Keep>().map_err(std::io::Error::other))
}

/// What a worker does about its job when nobody is left to talk to.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Abandoned {
    /// Write a checkpoint and leave
    Checkpoint,
    /// Finish the job, then leave; `augreg resume` collects the result
    Finish,
}

/// No time that a person means is longer: a year, in seconds.
const LONGEST: f64 = 31_557_600.0;

pub(super) fn seconds(text: &str) -> Result<f64, String> {
    let valid = text.parse::<f64>().ok().filter(|seconds| *seconds > 0.0 && *seconds <= LONGEST);
    valid.ok_or_else(|| "a number of seconds above 0, and of a year at most".to_owned())
}

pub(crate) async fn run(global: &Global, args: &LaunchArgs) -> Result<Ending, Failure> {
    let mut loaded = sweep_file::load(&args.file)?;
    study::bring_up_to_date(&global.root).await?;
    loaded.learn(&global.root).await?;
    check_kept(args.run.keep, loaded.sweep.has_upstream_jobs())?;
    let rules = loaded.rules()?;
    if !args.force && !args.register_only {
        check_budget(global, args, &loaded).await?;
        check_space(global, args, &loaded).await?;
    }
    let executor = args.run.cluster.over(loaded.sweep.executor.clone());
    if executor.kind == ExecutorKind::Slurm && !args.register_only {
        rehearsal::rehearse(&global.root, &executor.slurm, loaded.expand()?).await?;
    }
    let sweep = NewSweep {
        name: &loaded.sweep.name,
        text: loaded.sweep.text(),
        jobs: &mut loaded.expand()?,
        datasets: &loaded.datasets,
        priority: args.priority,
        rules: rules.as_ref(),
    };
    let (study, difference) = study::create(&global.root, sweep).await?;
    checkpoint::take_in(study.store.root(), &loaded.found)?;
    if !global.quiet {
        output::say(&format!("{}: {}", loaded.sweep.name, difference_text(&difference)));
    }
    if difference.new > 0 || store_is_new(&study.store).await? {
        while take_in_journals(&study.store).await? > 0 && loaded.sweep.has_upstream_jobs() {
            // What was found may decide what others start from, and they may have been done as well.
            choose_again(&study.store, &mut loaded, args.priority).await?;
        }
    }
    if args.register_only {
        study.store.close().await;
        return Ok(Ending::Good);
    }
    go_on(study, Some(&loaded.sweep.name), global, &args.run).await
}

/// Refuses to remove what other jobs start from.
fn check_kept(keep: Option<Keep>, started_from: bool) -> Result<(), Failure> {
    match keep {
        Some(keep) if started_from && !keep.last() => {
            let message =
                format!("`--keep {keep}` removes what other jobs of the sweep start from");
            Err(Failure::request(message, "keep `final` or `best-and-final`"))
        }
        _ => Ok(()),
    }
}

/// Whether no job was ever tried, as far as the database knows.
async fn store_is_new(store: &Store) -> Result<bool, Failure> {
    Ok(store.sql("SELECT 1 FROM attempt LIMIT 1").await?.rows.is_empty())
}

/// Registers a sweep again, knowing more.
async fn choose_again(store: &Store, loaded: &mut Loaded, priority: i64) -> Result<(), Failure> {
    loaded.learn_from(store).await?;
    let rules = loaded.rules()?;
    let sweep = NewSweep {
        name: &loaded.sweep.name,
        text: loaded.sweep.text(),
        jobs: &mut loaded.expand()?,
        datasets: &loaded.datasets,
        priority,
        rules: rules.as_ref(),
    };
    store.register_sweep(sweep).await?;
    Ok(())
}

/// What is there of the sweep's jobs though the database does not know it is not done again. Returns how
/// many jobs have results by that.
async fn take_in_journals(store: &Store) -> Result<usize, Failure> {
    let Adopted { attempts, succeeded } = adopt(store).await?;
    if attempts > 0 {
        output::say(&format!(
            "the database did not know {} attempts that left journals below `{}`: they are taken in, \
             {} jobs have their results",
            count(attempts as u64),
            store.root().join("runs").display(),
            count(succeeded as u64),
        ));
    }
    Ok(succeeded)
}

/// Refuses a sweep that would take more than its file allows.
async fn check_budget(global: &Global, args: &LaunchArgs, loaded: &Loaded) -> Result<(), Failure> {
    let budget = &loaded.sweep.budget;
    if budget.limits.is_empty() {
        return Ok(());
    }
    let priced = Priced::of(loaded, &global.root).await?;
    let keep = kept(args.run.keep, args.run.keep_transfers, loaded.sweep.keep);
    let slots = args.run.cluster.slots(loaded.sweep.executor.clone(), args.run.workers);
    let file = args.file.display().to_string();
    budget::check((&file, loaded.sweep.text()), budget, &priced, &slots, keep)
}

/// Writes down, and says, what is expected of the sweeps that are about to run.
async fn foretell(
    store: &Store,
    sweep: Option<&str>,
    global: &Global,
    args: &RunArgs,
) -> Result<(), Failure> {
    let mut open = Vec::new();
    for summary in store.sweeps().await? {
        let jobs = store.counts(Some(&summary.name)).await?.unfinished();
        if jobs > 0 && sweep.is_none_or(|sweep| sweep == summary.name) {
            open.push((summary, jobs));
        }
    }
    let alone = open.len() == 1;
    for (SweepSummary { name, text, .. }, jobs) in open {
        let file = Executor::asked_for_in(&text);
        // How many tasks of a cluster run at once is the cluster's to say, unless it is limited.
        let executor = args.cluster.over(file.clone());
        let is_open = executor.kind == ExecutorKind::Slurm && executor.slurm.parallel.is_none();
        let slots = args.cluster.slots(file, args.workers);
        let estimate = budget::left(store, Some(&name), &slots).await?;
        if estimate.device.median <= 0.0 {
            continue;
        }
        if !global.quiet {
            output::say(&if is_open {
                format!("{name}: about {}", estimate.device_text())
            } else {
                format!("{name}: {}", estimate.text())
            });
        }
        let forecast = NewForecast {
            sweep: name,
            jobs,
            flops: estimate.flops,
            device: estimate.device,
            wall: (alone && !is_open).then_some(estimate.wall),
            slots: estimate.slots,
            measured: estimate.measured,
        };
        // What cannot be written now, on a full disk for instance, keeps nobody from working.
        if let Err(error) = store.record_forecast(&forecast).await {
            tracing::warn!("the forecast was not recorded: {}", with_causes(&error));
        }
    }
    Ok(())
}

/// Refuses a sweep that the disk is too small for.
async fn check_space(global: &Global, args: &LaunchArgs, loaded: &Loaded) -> Result<(), Failure> {
    let slots = args.run.cluster.slots(loaded.sweep.executor.clone(), args.run.workers).len();
    let keep = kept(args.run.keep, args.run.keep_transfers, loaded.sweep.keep);
    let need = |sizes: &[Size]| Need::of(sizes.iter().copied(), slots, keep, args.run.reserve);
    let mut sizes: Vec<_> = loaded.expand()?.map(|job| Size::of(&job.spec)).collect();
    if need(&sizes).check(&global.root).is_ok() {
        return Ok(());
    }
    // Jobs that are done take no more. A study that cannot be read now has none that are.
    if let Ok(store) = Store::open_read_only(&global.root).await {
        let mut ids = loaded.expand()?.map(|job| job.id);
        let ended = |place: usize| sizes[place] = Size::default();
        store.difference(&loaded.sweep.name, &mut ids, ended).await?;
        store.close().await;
        sizes.retain(|size| *size != Size::default());
    }
    if sizes.is_empty() { Ok(()) } else { need(&sizes).check(&global.root) }
}

/// What stays of finished jobs: what the command says, else whatever any of their sweeps asks for.
async fn retention(
    store: &Store,
    jobs: Option<Keep>,
    transfers: Option<Keep>,
) -> Result<Retention, Failure> {
    let sweeps = store.sweeps().await?;
    let asked: Vec<_> = sweeps
        .iter()
        .map(|sweep| kept(jobs, transfers, Some(Kept::asked_for_in(&sweep.text))))
        .collect();
    let of_all = asked.first().copied().unwrap_or_else(|| kept(jobs, transfers, None));
    let mut of_some: HashMap<JobId, Kept> = HashMap::new();
    if asked.iter().any(|keep| *keep != of_all) {
        for (sweep, keep) in sweeps.iter().zip(asked) {
            for job in open_jobs(store, &sweep.name).await? {
                of_some.entry(job).and_modify(|so_far| *so_far = so_far.and(keep)).or_insert(keep);
            }
        }
    }
    Ok(Retention { of_all, of_some })
}

async fn open_jobs(store: &Store, sweep: &str) -> Result<Vec<JobId>, Failure> {
    let ends = JobState::ALL.into_iter().filter(|state| state.is_end());
    let filters = ends.map(|state| format!("state!={state}").parse());
    let query = JobQuery {
        sweep: Some(sweep.to_owned()),
        filters: filters.collect::<Result<_, QueryError>>()?,
        columns: Some(vec!["id".to_owned()]),
        ..JobQuery::default()
    };
    let id = |row: &Vec<Value>| match row.first() {
        Some(Value::Text(id)) => id.parse().ok(),
        _ => None,
    };
    Ok(store.query(&query).await?.rows.iter().filter_map(id).collect())
}

/// Runs what is open of a sweep, or of the study, and says how it went.
pub(super) async fn go_on(
    Owned { store, lock }: Owned,
    sweep: Option<&str>,
    global: &Global,
    args: &RunArgs,
) -> Result<Ending, Failure> {
    let what = sweep.map_or("the study".to_owned(), |sweep| format!("`{sweep}`"));
    let counts = store.counts(sweep).await?;
    if counts.unfinished() == 0 && store.open_choices(sweep).await? == 0 {
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
    if args.keep.is_some() {
        check_kept(args.keep, !store.ruled_sweeps(sweep).await?.is_empty())?;
    }
    let options = RunOptions {
        workers: args.workers,
        micro_batch: args.micro_batch,
        checkpoint_seconds: args.checkpoint_seconds,
        when_abandoned: match args.when_abandoned {
            Abandoned::Checkpoint => WhenAbandoned::Checkpoint,
            Abandoned::Finish => WhenAbandoned::Finish,
        },
        reserve: args.reserve,
        keep: retention(&store, args.keep, args.keep_transfers).await?,
        policy: Policy {
            heartbeat_timeout: Duration::from_secs_f64(args.heartbeat_timeout),
            step_timeout: Duration::from_secs_f64(args.step_timeout),
            recycle_after: args.recycle_after,
            worker_memory: args.worker_memory,
            ..Policy::default()
        },
        ..RunOptions::default()
    };
    let executor = args.cluster.of_study(&store, sweep).await?;
    for line in pauses_text(&store.pauses().await?, sweep, time).lines() {
        output::say(line);
    }
    foretell(&store, sweep, global, args).await?;
    let mut display = Display::new(global.quiet);
    let (stopper, stop) = Stopper::new();
    stop_on_signals(&stopper).map_err(Failure::internal)?;
    let observe = |progress| display.observe(progress);
    let result = match executor.kind {
        ExecutorKind::Local => {
            runtime::run(store.clone(), &lock, sweep, options, stop, observe).await
        }
        ExecutorKind::Slurm => {
            let cluster = args.cluster.options(executor.slurm, &store.speeds().await?);
            runtime::run_on_slurm(store.clone(), &lock, sweep, (options, cluster), stop, observe)
                .await
        }
    };
    display.close();
    let counts = store.counts(sweep).await?;
    store.close().await;
    let summary = result.map_err(failure)?;
    output::say(&summary_text(&summary, &what, executor.kind));
    if args.cluster.detach && summary.left > 0 {
        return Ok(Ending::Good);
    }
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

fn summary_text(summary: &Summary, what: &str, executor: ExecutorKind) -> String {
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
    let follow = "`augreg resume` follows them, `augreg pause` takes them back";
    match (executor, summary.interrupted) {
        (ExecutorKind::Local, true) => {
            text += "\ninterrupted, nothing is lost: `augreg resume` goes on";
        }
        (ExecutorKind::Slurm, true) => {
            text += &format!("\ninterrupted; what was submitted goes on in Slurm: {follow}");
        }
        (ExecutorKind::Slurm, false) if summary.left > 0 => {
            text += &format!("\nleft to Slurm: {follow}");
        }
        _ => {}
    }
    text
}

const GO_ON: &str = "`augreg resume` goes on when it is mended";

pub(super) fn failure(error: RunError) -> Failure {
    if let RunError::Slurm(error) = error {
        let help = error.hint().unwrap_or(GO_ON);
        return Failure::refused(error, help);
    }
    let help = match &error {
        RunError::NoWorker { .. } => {
            "try `augreg-worker --version`; `scripts/setup` and `scripts/build` mend it"
        }
        RunError::Program(_) => "`scripts/build` builds it",
        RunError::Store(error) => advice_on_store(error).unwrap_or(GO_ON),
        RunError::Slurm(_) | RunError::Root { .. } | RunError::Folder { .. } => GO_ON,
    };
    Failure::broken(error, Some(help))
}
