//! `augreg plan`

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use augreg_spec::{
    Accelerator, Axis, ExecutorKind, Expansion, Grid, Job, JobId, JobSpec, Keep, NoopSpec, Pending,
    Precision, Selection, cost,
};
use augreg_store::Difference;
use clap::Args;

use crate::args::Global;
use crate::budget;
use crate::cluster::ClusterArgs;
use crate::device;
use crate::estimate::Estimator;
use crate::failure::{Ending, Failure};
use crate::output;
use crate::prices::Priced;
use crate::rehearsal;
use crate::space::{Need, free_below};
use crate::sweep_file::{self, Loaded};
use crate::words::{count, quantity};

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
    /// Estimate for keeping this of finished transfers
    #[arg(long, value_name = "WHAT", value_parser = super::launch::keep())]
    keep_transfers: Option<Keep>,
    /// Price the jobs in days of such a device as well: A100, H100, V100, …
    #[arg(long, value_name = "NAME", value_parser = device::named)]
    device: Option<&'static Accelerator>,
    /// List every job: id, state of the grid's axes
    #[arg(long)]
    jobs: bool,
    /// Tell where every setting of the first such job comes from, and nothing else: model=B/16; again to
    /// narrow it down
    #[arg(long, value_name = "SETTING=VALUE,…", value_delimiter = ',', value_parser = super::explain::setting)]
    explain: Vec<(String, String)>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Nobody writes down more values of an axis; `count` makes them.
const MOST_SHOWN: usize = 100;

pub(crate) async fn run(global: &Global, args: &PlanArgs) -> Result<Ending, Failure> {
    let mut loaded = sweep_file::load_to_plan(&args.file)?;
    if !args.explain.is_empty() {
        output::print(&super::explain::text(&loaded, &args.explain)?)?;
        return Ok(Ending::Good);
    }
    loaded.learn(&global.root).await?;
    let priced = Priced::of(&loaded, &global.root).await?;
    let is_known = loaded.absent.is_empty();
    let slots = args.cluster.slots(loaded.sweep.executor.clone(), args.workers);
    let mut text = heading(&loaded);
    for grid in &loaded.sweep.grids {
        text += &grid_text(grid);
    }
    let Priced { prices, difference, jobs, .. } = &priced;
    text += &format!("\n  {}\n", points(&loaded, jobs, difference.new + difference.shared));
    text += &choices_text(jobs.selections());
    let difference = if is_known { difference_text(difference) } else { absence(&loaded) };
    text += &format!("\n{difference}\n\n");
    let estimate = Estimator::new(&slots, &priced.speeds).estimate(&prices.work());
    text += &format!(
        "compute  {} to do, {} in all\ntime     {}\n",
        quantity(estimate.flops, "FLOP"),
        quantity(prices.total, "FLOP"),
        estimate.text()
    );
    let to_do = prices.flops().chain(jobs.selections().iter().flat_map(will_follow));
    text += &args.device.map(|named| device::text(named, to_do)).unwrap_or_default();
    let keep = super::launch::kept(args.keep, args.keep_transfers, loaded.sweep.keep);
    let need = Need::of(prices.sizes(), slots.len(), keep, None);
    text += &room(&need, &global.root);
    text += &budget::plan_text(&loaded.sweep.budget, &priced, &estimate, slots.len(), keep);
    let executor = args.cluster.over(loaded.sweep.executor.clone());
    if executor.kind == ExecutorKind::Slurm {
        let jobs = loaded.expand()?.enumerate().filter(|(place, _)| !prices.has_ended(*place));
        let jobs = jobs.map(|(_, job)| job);
        text += &rehearsal::plan_text(&global.root, &executor.slurm, &priced.speeds, jobs).await;
    }
    output::print(&text)?;
    if args.jobs {
        output::print("\n")?;
        for job in loaded.expand()? {
            output::print(&line(&job, is_known))?;
        }
    }
    Ok(Ending::Good)
}

/// Operations that follow from a choice that is open, by their precision.
fn will_follow(selection: &Selection) -> Vec<(f64, Precision)> {
    let of = |pending: Pending| {
        let Pending { flops, half_flops, .. } = pending;
        [(half_flops, Precision::Bf16), (flops - half_flops, Precision::Fp32)]
    };
    selection.pending.into_iter().flat_map(of).collect()
}

/// What stands in the place of the difference to the study where data are not there.
fn absence(loaded: &Loaded) -> String {
    let paths = loaded.absent.iter().map(|path| format!("data not found at {}", path.display()));
    let paths: Vec<_> = paths.collect();
    format!("{}:\ncounts are as declared; nothing is compared with the study", paths.join("\n"))
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

fn room(need: &Need, root: &Path) -> String {
    let bytes = |bytes: u64| quantity(bytes as f64, "B");
    let free = free_below(root);
    let free = free.map_or_else(|error| format!("unknown ({error})"), bytes);
    let (kept, total) = (bytes(need.kept), bytes(need.total()));
    format!("disk     {kept} of parameters to keep, {total} in all while it runs; {free} free\n")
}

/// A job on one line; its id only where its data are known.
fn line(job: &Job, is_known: bool) -> String {
    let id = if is_known { job.id.to_string() } else { "-".repeat(26) };
    let spec = match &job.spec {
        JobSpec::Pretrain(spec) => spec,
        JobSpec::Noop(NoopSpec { index, seed }) => {
            return format!("{id}  noop  index {index}  seed {seed}\n");
        }
        JobSpec::Transfer(_) | JobSpec::Evaluate(_) | JobSpec::Throughput(_) => {
            let (title, flops) = (job.spec.title(&job.labels), cost(&job.spec).flops);
            let stage = job.spec.stage().name();
            return format!("{id}  {stage}  {title}  {}\n", quantity(flops, "FLOP"));
        }
    };
    format!(
        "{id}  {}  {}  {}  reg {}  wd {}  lr {}  {} epochs  seed {}  {} steps  {}\n",
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
