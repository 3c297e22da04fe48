//! `augreg plan`

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use augreg_executor::Slot;
use augreg_spec::{Axis, Expansion, Grid, Job, JobId, JobSpec, Keep, NoopSpec, Selection, cost};
use augreg_store::{Difference, MeasuredSpeed, Store, StoreError};
use clap::Args;

use crate::args::Global;
use crate::failure::{Ending, Failure};
use crate::output;
use crate::space::{Need, Size, free_below};
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
    let mut loaded = sweep_file::load(&args.file)?;
    loaded.learn(&global.root).await?;
    let mut jobs = loaded.expand()?;
    let mut prices = Prices::default();
    let mut ids = jobs.by_ref().map(|job| prices.add(&job));
    let mut ended = Vec::new();
    let (difference, speeds) = match Store::open_read_only(&global.root).await {
        Ok(store) => {
            let name = &loaded.sweep.name;
            let difference = store.difference(name, &mut ids, |place| ended.push(place)).await?;
            (difference, store.speeds().await?)
        }
        Err(StoreError::NoStudy { .. }) => {
            (Difference::all_new(ids.by_ref().count() as u64), Vec::new())
        }
        Err(error) => return Err(error.into()),
    };
    drop(ids);
    prices.leave_out(&ended);
    let slots = augreg_executor::detect(args.workers);
    let mut text = heading(&loaded);
    for grid in &loaded.sweep.grids {
        text += &grid_text(grid);
    }
    let all = difference.new + difference.shared;
    text += &format!("\n  {}\n", points(&loaded, &jobs, all));
    text += &choices_text(jobs.selections());
    text += &format!("\n{}\n\n", difference_text(&difference));
    text += &prices.text(&slots, &speeds);
    let keep = args.keep.or(loaded.sweep.keep).unwrap_or_default();
    let need = Need::of(prices.sizes(), slots.len(), keep, None);
    text += &room(&need, &global.root);
    output::print(&text)?;
    if args.jobs {
        output::print("\n")?;
        for job in loaded.expand()? {
            output::print(&line(&job))?;
        }
    }
    Ok(Ending::Good)
}

fn heading(loaded: &Loaded) -> String {
    match &loaded.sweep.description {
        Some(description) => format!("{} — {description}\n", loaded.sweep.name),
        None => format!("{}\n", loaded.sweep.name),
    }
}

fn grid_text(grid: &Grid) -> String {
    let width = grid.axes().iter().map(|axis| axis.name().len()).max().unwrap_or(0).max(8);
    let mut text = format!("\n{}\n", grid.stage().name());
    let upstream = grid.upstream();
    if let Some(upstream) = &upstream {
        text += &format!("  {:width$}  {upstream}\n", "upstream");
    }
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

/// What rules have chosen, and what follows when the others do.
fn choices_text(selections: &[Selection]) -> String {
    let open = selections.iter().filter_map(|selection| selection.pending);
    let (mut groups, mut jobs, mut flops) = (0, 0, 0.0);
    for pending in open {
        groups += 1;
        jobs += pending.jobs;
        flops += pending.flops;
    }
    let made: Vec<_> = selections.iter().filter(|selection| selection.chosen.is_some()).collect();
    let mut text = String::new();
    for selection in made.iter().take(MOST_SHOWN) {
        let chosen: Vec<_> = selection.chosen.iter().flatten().copied().map(JobId::short).collect();
        let of = if selection.group.is_empty() { &selection.rule } else { &selection.group };
        text += &format!("  chosen  {of}: {} ({})\n", chosen.join(", "), selection.reason);
    }
    if groups > 0 {
        text += &format!(
            "  {} choices are open: when their candidates have ended, {} jobs more follow, {} at most\n",
            count(groups),
            count(jobs),
            quantity(flops, "FLOP")
        );
    }
    if text.is_empty() { text } else { format!("\n{text}") }
}

/// The arithmetic from axes to jobs, so that a missing point is seen.
fn points(loaded: &Loaded, gone_through: &Expansion, jobs: u64) -> String {
    let products: Vec<String> = loaded
        .sweep
        .grids
        .iter()
        .filter(|grid| !grid.has_upstream())
        .map(|grid| {
            let sizes = grid.axes().iter().map(|axis| axis.values().len()).filter(|n| *n > 1);
            let sizes: Vec<_> = sizes.map(|n| n.to_string()).collect();
            if sizes.is_empty() { "1".to_owned() } else { sizes.join(" × ") }
        })
        .collect();
    let own = loaded.sweep.grids.iter().filter(|grid| !grid.has_upstream());
    let points: u64 = own.map(Grid::points).sum();
    let mut text = format!("{} = {} points", products.join(" + "), count(points));
    for grid in loaded.sweep.grids.iter().filter(|grid| grid.has_upstream()) {
        let starts = gone_through.starts_of(grid);
        let per = count(grid.points());
        let stage = grid.stage().name();
        text += &format!(" + {} upstream × {per} points of {stage}", count(starts));
    }
    let (excluded, merged) = (gone_through.excluded(), gone_through.merged());
    if excluded > 0 {
        text += &format!(", {} excluded", count(excluded));
    }
    if merged > 0 {
        text += &format!(", {} the same as others", count(merged));
    }
    text + &format!(": {} jobs", count(jobs))
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

/// What jobs cost: all that a plan keeps of them, since there may be a million.
#[derive(Default)]
struct Prices {
    /// Operations of all.
    total: f64,
    /// Operations and size of each; none for those that have come to their end.
    to_do: Vec<Option<(f64, Size)>>,
}

impl Prices {
    fn add(&mut self, job: &Job) -> JobId {
        let flops = cost(&job.spec).flops;
        self.total += flops;
        self.to_do.push(Some((flops, Size::of(&job.spec))));
        job.id
    }

    /// Takes out jobs that need not be done any more, by their places.
    fn leave_out(&mut self, ended: &[usize]) {
        for &place in ended {
            self.to_do[place] = None;
        }
    }

    fn sizes(&self) -> impl Iterator<Item = Size> {
        self.to_do.iter().flatten().map(|(_, size)| *size)
    }

    fn text(&self, slots: &[Slot], speeds: &[MeasuredSpeed]) -> String {
        let flops: Vec<f64> = self.to_do.iter().flatten().map(|(flops, _)| *flops).collect();
        let estimate = Estimate::new(slots, speeds);
        let (seconds, wall) = estimate.seconds(&flops);
        format!(
            "compute  {} to do, {} in all\n\
             time     about {} on {}, {:.2} device-hours ({})\n",
            quantity(flops.iter().sum(), "FLOP"),
            quantity(self.total, "FLOP"),
            duration(wall),
            estimate.slots,
            seconds / 3600.0,
            estimate.basis,
        )
    }
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

    /// The same of so many jobs that only their sum is known; each is small beside it.
    pub(crate) fn seconds_of_many(&self, flops: f64) -> (f64, f64) {
        let seconds = flops / self.speed;
        (seconds, seconds / self.count as f64)
    }
}

/// A job on one line.
fn line(job: &Job) -> String {
    let spec = match &job.spec {
        JobSpec::Pretrain(spec) => spec,
        JobSpec::Noop(NoopSpec { index, seed }) => {
            return format!("{}  noop  index {index}  seed {seed}\n", job.id);
        }
        JobSpec::Transfer(_) | JobSpec::Evaluate(_) | JobSpec::Throughput(_) => {
            let (title, flops) = (job.spec.title(&job.labels), cost(&job.spec).flops);
            let stage = job.spec.stage().name();
            return format!("{}  {stage}  {title}  {}\n", job.id, quantity(flops, "FLOP"));
        }
    };
    format!(
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
        quantity(cost(&job.spec).flops, "FLOP"),
    )
}
