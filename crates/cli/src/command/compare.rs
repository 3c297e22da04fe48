//! `augreg compare`

use std::collections::BTreeSet;

use augreg_report::{AtBudget, Between, Curve, Shared, Yardstick, at_equal_cost, shared};
use augreg_spec::{JobId, nearest};
use augreg_store::{Filter, JobQuery, Rows, Store, Value};
use clap::{Args, ValueEnum};

use crate::args::Global;
use crate::failure::{Ending, Failure};
use crate::output;
use crate::table::{self, Format};
use crate::words::{count, duration, quantity};

/// Compare two jobs, or two sets of jobs, at equal cost, between the points of their curves
#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// A job by the beginning of its id, or jobs by filters as `augreg query --where` takes them, with
    /// commas between: `model=Ti/16,dataset=i1k`
    a: String,
    /// What to compare it with
    b: String,
    /// What is to be equal. A transfer begins at what its upstream cost
    #[arg(long, default_value = "flops", value_name = "WHAT")]
    at_equal: AtEqual,
    /// The metric
    #[arg(long, default_value = "val_accuracy", value_name = "NAME")]
    metric: String,
    /// Only jobs that this sweep asks for
    #[arg(long)]
    sweep: Option<String>,
    /// How rows come out
    #[arg(long, default_value = "table")]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum AtEqual {
    /// Floating-point operations, as estimated
    Flops,
    /// Device time; what had to be repeated counts once
    DeviceSeconds,
    /// Training examples seen
    Examples,
}

impl AtEqual {
    fn yardstick(self) -> Yardstick {
        match self {
            Self::Flops => Yardstick::Flops,
            Self::DeviceSeconds => Yardstick::DeviceSeconds,
            Self::Examples => Yardstick::Examples,
        }
    }

    fn column(self) -> &'static str {
        match self {
            Self::Flops => "flops",
            Self::DeviceSeconds => "device_seconds",
            Self::Examples => "examples",
        }
    }

    fn amount(self, amount: f64) -> String {
        match self {
            Self::Flops => quantity(amount, "FLOP"),
            Self::DeviceSeconds if amount < 100.0 => format!("{amount:.2} s"),
            Self::DeviceSeconds => duration(amount),
            Self::Examples => format!("{} examples", count(amount.round() as u64)),
        }
    }
}

/// One side of the comparison.
struct Side {
    /// As it was asked for.
    asked: String,
    curves: Vec<Curve>,
    datasets: BTreeSet<String>,
    /// Jobs without a curve, and why.
    left_out: Vec<String>,
}

/// More jobs than this are not listed one by one.
const LISTED: usize = 5;

pub(crate) async fn run(global: &Global, args: &CompareArgs) -> Result<Ending, Failure> {
    let store = Store::open_read_only(&global.root).await?;
    let a = side(&store, args, &args.a).await?;
    let b = side(&store, args, &args.b).await?;
    let rows = at_equal_cost(&a.curves, &b.curves);
    if args.format == Format::Table {
        output::print(&heading(args, &a, &b))?;
        if rows.is_empty() {
            output::print(&too_few(args, &a, &b))?;
            return Ok(Ending::Good);
        }
    }
    table::write(&table_of(args, &rows), args.format)?;
    Ok(Ending::Good)
}

async fn side(store: &Store, args: &CompareArgs, asked: &str) -> Result<Side, Failure> {
    let jobs = jobs(store, args, asked).await?;
    let mut side = Side {
        asked: asked.to_owned(),
        curves: Vec::new(),
        datasets: BTreeSet::new(),
        left_out: Vec::new(),
    };
    for &job in &jobs {
        let course = store.course(job, &args.metric).await?;
        match Curve::of(&course, args.at_equal.yardstick()) {
            Ok(curve) => {
                side.datasets.insert(course.dataset);
                side.curves.push(curve);
            }
            Err(why) => side.left_out.push(format!("{} {why}", job.short())),
        }
    }
    if side.curves.is_empty() {
        return Err(no_curve(store, args, asked, &jobs, &side.left_out).await?);
    }
    Ok(side)
}

/// The jobs that `asked` stands for.
async fn jobs(store: &Store, args: &CompareArgs, asked: &str) -> Result<Vec<JobId>, Failure> {
    if !asked.contains(['=', '<', '>', '~']) {
        return Ok(vec![store.job_by_prefix(asked).await?]);
    }
    let filters: Result<Vec<Filter>, _> =
        parts(asked).into_iter().map(str::parse::<Filter>).collect();
    let query = JobQuery {
        sweep: args.sweep.clone(),
        filters: filters?,
        columns: Some(vec!["id".to_owned()]),
        ..JobQuery::default()
    };
    let id = |row: &Vec<Value>| match row.first() {
        Some(Value::Text(id)) => id.parse().ok(),
        _ => None,
    };
    let jobs: Vec<JobId> = store.query(&query).await?.rows.iter().filter_map(id).collect();
    if jobs.is_empty() {
        let message = format!("no job passes `{asked}`");
        let help = "`augreg query --where …` shows what passes a filter";
        return Err(Failure::request(message, help));
    }
    Ok(jobs)
}

/// Filters with commas between. A comma within quotes is part of a value.
fn parts(text: &str) -> Vec<&str> {
    let mut quote = None;
    text.split(|c| {
        match quote {
            None if matches!(c, '\'' | '"') => quote = Some(c),
            Some(open) if c == open => quote = None,
            _ => {}
        }
        c == ',' && quote.is_none()
    })
    .collect()
}

/// Why there is nothing to compare.
async fn no_curve(
    store: &Store,
    args: &CompareArgs,
    asked: &str,
    jobs: &[JobId],
    left_out: &[String],
) -> Result<Failure, Failure> {
    let metric = &args.metric;
    let mut known = BTreeSet::new();
    for &job in jobs.iter().take(LISTED) {
        known.extend(store.job(job).await?.metrics);
    }
    let what = if jobs.len() == 1 { "job" } else { "jobs" };
    let message = format!(
        "no curve of `{metric}` for `{asked}`, {} {what}: {}",
        count(jobs.len() as u64),
        listed(left_out)
    );
    let help = if known.is_empty() {
        "nothing was measured yet: wait until jobs have been evaluated, see `augreg status`"
            .to_owned()
    } else if known.contains(metric) {
        "name others, or compare at equal `flops`, `device-seconds` or `examples`".to_owned()
    } else if let Some(near) = nearest(metric, known.iter().map(String::as_str)) {
        format!("did you mean `--metric {near}`?")
    } else {
        let names: Vec<_> = known.into_iter().collect();
        format!("measured are: {}", names.join(", "))
    };
    Ok(Failure::request(message, help))
}

fn listed(left_out: &[String]) -> String {
    let mut text = left_out[..left_out.len().min(LISTED)].join(", ");
    if left_out.len() > LISTED {
        text += &format!(", … {} more", count((left_out.len() - LISTED) as u64));
    }
    text
}

fn heading(args: &CompareArgs, a: &Side, b: &Side) -> String {
    let mut text = format!("{} at equal {}\n", args.metric, args.at_equal.column());
    for (name, side) in [("A", a), ("B", b)] {
        let runs = side.curves.len();
        let plural = if runs == 1 { "" } else { "s" };
        let mean = if runs == 1 { "" } else { ", their mean" };
        text += &format!("{name}  {}: {} run{plural}{mean}", side.asked, count(runs as u64));
        text += &format!(", {}", reach(args, &side.curves));
        if !side.left_out.is_empty() {
            text += &format!("; left out: {}", listed(&side.left_out));
        }
        text += "\n";
    }
    if a.datasets != b.datasets {
        let names = |side: &Side| side.datasets.iter().cloned().collect::<Vec<_>>().join(", ");
        let (a, b) = (names(a), names(b));
        text += &format!("mind: A was measured on {a}, B on {b}\n");
    }
    text + "\n"
}

/// From where to where all curves of a side go.
fn reach(args: &CompareArgs, curves: &[Curve]) -> String {
    let points: usize = curves.iter().map(|curve| curve.points.len()).sum();
    let of = format!("{} point{}", count(points as u64), if points == 1 { "" } else { "s" });
    match shared(curves) {
        Some(Shared { from, to }) if from <= to => {
            format!("{of} from {} to {}", args.at_equal.amount(from), args.at_equal.amount(to))
        }
        _ => format!("{of} that share no stretch"),
    }
}

fn too_few(args: &CompareArgs, a: &Side, b: &Side) -> String {
    let amount = |amount| args.at_equal.amount(amount);
    let why = match shared(a.curves.iter().chain(&b.curves)) {
        Some(Shared { from, to }) => {
            format!("one curve ends at {} and another begins only at {}", amount(to), amount(from))
        }
        None => "there is none".to_owned(),
    };
    format!("not enough points to say: {why}, and nothing is extrapolated\n")
}

fn table_of(args: &CompareArgs, rows: &[AtBudget]) -> Rows {
    let columns =
        [args.at_equal.column(), "a", "b", "difference", "a_between_steps", "b_between_steps"];
    let row = |row: &AtBudget| {
        let (a, b) = (row.mean_a(), row.mean_b());
        let budget = match args.format {
            Format::Table => Value::Text(args.at_equal.amount(row.budget)),
            _ => Value::Real(row.budget),
        };
        vec![
            budget,
            Value::Real(a),
            Value::Real(b),
            // A difference of like numbers shows how they are rounded.
            Value::Real(((a - b) * 1e9).round() / 1e9),
            Value::Text(between(&row.a)),
            Value::Text(between(&row.b)),
        ]
    };
    Rows { columns: columns.map(str::to_owned).to_vec(), rows: rows.iter().map(row).collect() }
}

/// The points that values lie between: `100–200`, or `200` at a point; of many runs the first few.
fn between(runs: &[Between]) -> String {
    let mut steps: Vec<String> = Vec::new();
    for Between { from, to, .. } in runs {
        let text = if from == to { to.to_string() } else { format!("{from}–{to}") };
        if !steps.contains(&text) {
            steps.push(text);
        }
    }
    if steps.len() > LISTED {
        let more = steps.len() - LISTED;
        steps.truncate(LISTED);
        steps.push(format!("… {more} more"));
    }
    steps.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_parted_at_commas_out_of_quotes() {
        assert_eq!(parts("model=Ti/16,epochs<=3"), ["model=Ti/16", "epochs<=3"]);
        assert_eq!(parts("message='a, b',seed=\"1,2\""), ["message='a, b'", "seed=\"1,2\""]);
        assert_eq!(parts("seed=1"), ["seed=1"]);
    }

    fn at(budget: f64, a: &[(f64, u64, u64)], b: &[(f64, u64, u64)]) -> AtBudget {
        let side = |runs: &[(f64, u64, u64)]| {
            runs.iter().map(|&(value, from, to)| Between { value, from, to }).collect()
        };
        AtBudget { budget, a: side(a), b: side(b) }
    }

    #[test]
    fn a_comparison_says_what_its_numbers_lie_between() {
        let args = |format| CompareArgs {
            a: "model=Ti/16".to_owned(),
            b: "3fq".to_owned(),
            at_equal: AtEqual::Flops,
            metric: "val_accuracy".to_owned(),
            sweep: None,
            format,
        };
        let rows = [
            at(2.4e15, &[(0.5, 100, 200), (0.75, 100, 150)], &[(0.5, 60, 60)]),
            at(1.2e15, &[(0.25, 50, 100), (0.25, 50, 100)], &[(0.375, 30, 60)]),
        ];
        insta::assert_snapshot!(table::table(&table_of(&args(Format::Table), &rows)));
        let csv = table_of(&args(Format::Csv), &rows);
        assert_eq!(csv.rows[0][0], Value::Real(2.4e15), "a machine wants the number");
    }

    #[test]
    fn of_many_runs_the_first_few_places_are_listed() {
        let runs: Vec<_> = (1..=9).map(|n| Between { value: 0.0, from: n, to: n + 1 }).collect();
        assert_eq!(between(&runs), "1–2, 2–3, 3–4, 4–5, 5–6, … 4 more");
        assert_eq!(between(&[runs[0], runs[0]]), "1–2");
    }
}
