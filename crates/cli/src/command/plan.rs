//! `augreg plan`

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use augreg_spec::{Axis, Expansion, Grid, Job, JobId, JobSpec, Keep, NoopSpec, Selection, cost};
use augreg_store::Difference;
use clap::Args;

use crate::args::Global;
use crate::budget;
use crate::estimate::Estimator;
use crate::failure::{Ending, Failure};
use crate::output;
use crate::prices::Priced;
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
    /// List every job: id, state of the grid's axes
    #[arg(long)]
    jobs: bool,
}

/// Nobody writes down more values of an axis; `count` makes them.
const MOST_SHOWN: usize = 100;

pub(crate) async fn run(global: &Global, args: &PlanArgs) -> Result<Ending, Failure> {
    let mut loaded = sweep_file::load(&args.file)?;
    loaded.learn(&global.root).await?;
    let priced = Priced::of(&loaded, &global.root).await?;
    let slots = augreg_executor::detect(args.workers);
    let mut text = heading(&loaded);
    for grid in &loaded.sweep.grids {
        text += &grid_text(grid);
    }
    let Priced { prices, difference, jobs, .. } = &priced;
    text += &format!("\n  {}\n", points(&loaded, jobs, difference.new + difference.shared));
    text += &choices_text(jobs.selections());
    text += &format!("\n{}\n\n", difference_text(difference));
    let estimate = Estimator::new(&slots, &priced.speeds).estimate(&prices.work());
    text += &format!(
        "compute  {} to do, {} in all\ntime     {}\n",
        quantity(estimate.flops, "FLOP"),
        quantity(prices.total, "FLOP"),
        estimate.text()
    );
    let keep = super::launch::kept(args.keep, args.keep_transfers, loaded.sweep.keep);
    let need = Need::of(prices.sizes(), slots.len(), keep, None);
    text += &room(&need, &global.root);
    text += &budget::plan_text(&loaded.sweep.budget, &priced, &estimate, slots.len(), keep);
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

fn room(need: &Need, root: &Path) -> String {
    let bytes = |bytes: u64| quantity(bytes as f64, "B");
    let free = free_below(root);
    let free = free.map_or_else(|error| format!("unknown ({error})"), bytes);
    let (kept, total) = (bytes(need.kept), bytes(need.total()));
    format!("disk     {kept} of parameters to keep, {total} in all while it runs; {free} free\n")
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
