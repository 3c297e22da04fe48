//! `augreg plan`

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use augreg_executor::Slot;
use augreg_spec::{Axis, Expansion, Grid, Job, JobSpec, Keep, NoopSpec, cost};
use augreg_store::{Difference, MeasuredSpeed, Store, StoreError};
use clap::Args;

use crate::args::Global;
use crate::failure::{Ending, Failure};
use crate::output;
use crate::space::{Need, free_below};
use crate::sweep_file::{self, Loaded};
use crate::words::{count, duration, quantity};

/// Expand a sweep file, check it, price it and compare it with the study; changes nothing
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// The sweep file
    file: PathBuf,
    /// Estimate for this many workers instead of one a GPU or core
    #[arg(long, value_name = "N")]
    workers: Option<NonZeroU32>,
    /// Estimate for keeping this of finished jobs
    #[arg(long, value_name = "WHAT", value_parser = super::launch::keep())]
    keep: Option<Keep>,
    /// List every job: id, state of the grid's axes
    #[arg(long)]
    jobs: bool,
}

/// Speed taken for a CPU thread as long as the study has measured none: what a server core reached
/// on the micro models of `sweeps/quickstart.toml` (13.3 TFLOP in 374 s on two threads).
const NOMINAL_CPU: f64 = 3.5e10;

/// Likewise for a GPU: an A100 at 40 % of its TF32 peak.
const NOMINAL_GPU: f64 = 6e13;

/// Nobody writes down more values of an axis; `count` makes them.
const MOST_SHOWN: usize = 100;

pub(crate) async fn run(global: &Global, args: &PlanArgs) -> Result<Ending, Failure> {
    let loaded = sweep_file::load(&args.file)?;
    let (difference, todo, speeds) = match Store::open_read_only(&global.root).await {
        Ok(store) => {
            let jobs: Vec<_> = loaded.expansion.jobs.iter().map(|job| job.id).collect();
            let difference = store.difference(&loaded.sweep.name, &jobs).await?;
            let ended = store.ended_jobs().await?;
            let todo =
                loaded.expansion.jobs.iter().filter(|job| !ended.contains(&job.id)).collect();
            (difference, todo, store.speeds().await?)
        }
        Err(StoreError::NoStudy { .. }) => {
            let all: Vec<_> = loaded.expansion.jobs.iter().collect();
            (Difference::all_new(all.len() as u64), all, Vec::new())
        }
        Err(error) => return Err(error.into()),
    };
    let slots = augreg_executor::detect(args.workers);
    let mut text = heading(&loaded);
    for grid in &loaded.sweep.grids {
        text += &grid_text(grid);
    }
    text += &format!("\n  {}\n", points(&loaded));
    text += &format!("\n{}\n\n", difference_text(&difference));
    text += &price(&loaded.expansion, &todo, &slots, &speeds);
    let keep = args.keep.or(loaded.sweep.keep).unwrap_or_default();
    text += &room(&Need::of(&todo, slots.len(), keep, None), &global.root);
    if args.jobs {
        text += &list(&loaded.expansion);
    }
    output::print(&text)?;
    Ok(Ending::Good)
}

fn heading(loaded: &Loaded) -> String {
    match &loaded.sweep.description {
        Some(description) => format!("{} — {description}\n", loaded.sweep.name),
        None => format!("{}\n", loaded.sweep.name),
    }
}

fn grid_text(grid: &Grid) -> String {
    let width = grid.axes().iter().map(|axis| axis.name().len()).max().unwrap_or(0);
    let mut text = format!("\n{}\n", grid.stage().name());
    for axis in grid.axes() {
        text += &format!("  {:width$}  {}\n", axis.name(), axis_text(axis));
    }
    text
}

/// The values of an axis; of very many, the first and the last.
fn axis_text(axis: &Axis) -> String {
    let values: Vec<_> = match axis.values() {
        [first, second, .., last] if axis.values().len() > MOST_SHOWN => {
            vec![first.to_string(), second.to_string(), "…".to_owned(), last.to_string()]
        }
        values => values.iter().map(ToString::to_string).collect(),
    };
    values.join(", ")
}

/// The arithmetic from axes to jobs, so that a missing point is seen.
fn points(loaded: &Loaded) -> String {
    let products: Vec<String> = loaded
        .sweep
        .grids
        .iter()
        .map(|grid| {
            let sizes = grid.axes().iter().map(|axis| axis.values().len()).filter(|n| *n > 1);
            let sizes: Vec<_> = sizes.map(|n| n.to_string()).collect();
            if sizes.is_empty() { "1".to_owned() } else { sizes.join(" × ") }
        })
        .collect();
    let points: u64 = loaded.sweep.grids.iter().map(Grid::points).sum();
    let mut text = format!("{} = {} points", products.join(" + "), count(points));
    let Expansion { excluded, merged, jobs } = &loaded.expansion;
    if *excluded > 0 {
        text += &format!(", {} excluded", count(*excluded));
    }
    if *merged > 0 {
        text += &format!(", {} the same as others", count(*merged));
    }
    text + &format!(": {} jobs", count(jobs.len() as u64))
}

/// The difference to the study, like a diff: what is new, what is shared, what falls away.
pub(crate) fn difference_text(difference: &Difference) -> String {
    let mut parts = vec![format!("+{} new", count(difference.new))];
    if difference.shared > 0 {
        let mut states = vec![format!("{} done", count(difference.done))];
        for (n, state) in [
            (difference.running, "running"),
            (difference.failed, "failed"),
            (difference.cancelled, "cancelled"),
        ] {
            if n > 0 {
                states.push(format!("{} {state}", count(n)));
            }
        }
        parts.push(format!("={} shared ({})", count(difference.shared), states.join(", ")));
    } else {
        parts.push("0 done".to_owned());
    }
    if difference.orphaned > 0 {
        parts.push(format!("-{} no longer asked for (kept)", count(difference.orphaned)));
    }
    parts.join(", ")
}

fn price(all: &Expansion, todo: &[&Job], slots: &[Slot], speeds: &[MeasuredSpeed]) -> String {
    let total: f64 = all.jobs.iter().map(|job| cost(&job.spec).flops).sum();
    let flops: Vec<f64> = todo.iter().map(|job| cost(&job.spec).flops).collect();
    let estimate = Estimate::new(slots, speeds);
    let (seconds, wall) = estimate.seconds(&flops);
    format!(
        "compute  {} to do, {} in all\n\
         time     about {} on {}, {:.2} device-hours ({})\n",
        quantity(flops.iter().sum(), "FLOP"),
        quantity(total, "FLOP"),
        duration(wall),
        estimate.slots,
        seconds / 3600.0,
        estimate.basis,
    )
}

fn room(need: &Need, root: &Path) -> String {
    let bytes = |bytes: u64| quantity(bytes as f64, "B");
    let free = free_below(root);
    let free = free.map_or_else(|error| format!("unknown ({error})"), bytes);
    let (kept, total) = (bytes(need.kept), bytes(need.total()));
    format!("disk     {kept} of parameters to keep, {total} in all while it runs; {free} free\n")
}

/// How long jobs take here.
pub(crate) struct Estimate {
    /// Operations a second of one slot.
    speed: f64,
    count: usize,
    /// `2 slots of 1 CPU thread`.
    pub(crate) slots: String,
    /// `35.0 GFLOP/s a slot, measured over 20 jobs`.
    pub(crate) basis: String,
}

impl Estimate {
    /// From measured speeds of the study where there are any, else from a nominal speed.
    pub(crate) fn new(slots: &[Slot], speeds: &[MeasuredSpeed]) -> Self {
        let first = slots.first();
        let gpu = first.is_some_and(|slot| slot.gpu.is_some());
        let threads = first.map_or(1, |slot| slot.threads);
        let kind = if gpu {
            "GPU".to_owned()
        } else {
            format!("{threads} CPU thread{}", if threads == 1 { "" } else { "s" })
        };
        let plural = if slots.len() == 1 { "" } else { "s" };
        let names = format!("{} slot{plural} of {kind}", slots.len());
        let measured = speeds.iter().find(|speed| {
            speed.device.starts_with(if gpu { "cuda" } else { "cpu" }) && speed.seconds > 0.0
        });
        let (speed, basis) = if let Some(measured) = measured {
            let jobs = if measured.jobs == 1 { "job" } else { "jobs" };
            let basis = format!("measured over {} {jobs}", count(measured.jobs));
            (measured.flops / measured.seconds, basis)
        } else {
            let speed = if gpu { NOMINAL_GPU } else { NOMINAL_CPU * f64::from(threads) };
            (speed, "nominal until jobs have been measured".to_owned())
        };
        let basis = format!("{} a slot, {basis}", quantity(speed, "FLOP/s"));
        Self { speed, count: slots.len().max(1), slots: names, basis }
    }

    /// Device-seconds in all, and wall-clock seconds when the longest jobs run first.
    pub(crate) fn seconds(&self, flops: &[f64]) -> (f64, f64) {
        let mut ends = vec![0.0_f64; self.count];
        let mut longest_first = flops.to_vec();
        longest_first.sort_by(|a, b| b.total_cmp(a));
        for flops in longest_first {
            if let Some(end) = ends.iter_mut().min_by(|a, b| a.total_cmp(b)) {
                *end += flops / self.speed;
            }
        }
        (flops.iter().sum::<f64>() / self.speed, ends.into_iter().fold(0.0, f64::max))
    }
}

fn list(expansion: &Expansion) -> String {
    let mut text = String::from("\n");
    for job in &expansion.jobs {
        let spec = match &job.spec {
            JobSpec::Pretrain(spec) => spec,
            JobSpec::Noop(NoopSpec { index, seed }) => {
                text += &format!("{}  noop  index {index}  seed {seed}\n", job.id);
                continue;
            }
        };
        let cost = cost(&job.spec);
        text += &format!(
            "{}  {}  {}  {}  reg {}  wd {}  lr {}  {} epochs  seed {}  {} steps  {}\n",
            job.id,
            job.labels.dataset,
            job.labels.model,
            job.labels.augmentation,
            spec.regularization.dropout,
            spec.optimizer.weight_decay,
            spec.optimizer.learning_rate,
            spec.epochs,
            spec.seed,
            spec.steps(),
            quantity(cost.flops, "FLOP"),
        );
    }
    text
}
