//! `augreg query`

use std::fmt::Write;
use std::path::PathBuf;

use augreg_store::{Aggregate, GroupQuery, JobQuery, Kind, RowSink, Sort, Store, VIEWS};
use clap::Args;

use crate::args::Global;
use crate::failure::{Ending, Failure};
use crate::output;
use crate::pivot::Pivot;
use crate::question::{filters, sql};
use crate::table::{self, Format, Writer};

const EXAMPLES: &str = "\
Without SQL, one row a job comes out of the view v_jobs:
  augreg query --sweep mini model=Ti/16 'final_val>0.8' augmentation~medium --sort -final_test
Jobs in groups, summed up; and two columns against each other, on a terminal as a heat map:
  augreg query --group model,augmentation --show 'mean(final_val)' 'max(final_test)' count
  augreg query stage=pretrain --pivot model,augmentation final_val --by max
With SQL, any table or view may be asked:
  augreg query 'select augmentation, max(final_val) from v_jobs group by 1' --out best.parquet";

/// Ask for results: by filters over the jobs, or in read-only SQL
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct QueryArgs {
    /// Filters, all of which a job must pass: column, one of = != < <= > >= ~ (contains), value. Or a
    /// SELECT over the study's tables and views (docs/results.md lists them)
    #[arg(value_name = "FILTER… | SQL")]
    question: Vec<String>,
    /// Only jobs of this sweep
    #[arg(long, value_name = "NAME")]
    sweep: Option<String>,
    /// One more filter; may be repeated
    #[arg(long = "where", value_name = "FILTER")]
    filters: Vec<String>,
    /// The columns to show, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "COLUMN,…")]
    columns: Option<Vec<String>>,
    /// One row for all jobs with the same values in these columns
    #[arg(long, value_delimiter = ',', value_name = "COLUMN,…", conflicts_with_all = ["columns", "pivot"])]
    group: Vec<String>,
    /// What sums a group up: `count`, or `mean`, `median`, `min`, `max`, `sum`, `std`, `count` of a column
    /// [default: `count` `mean(final_val)` `max(final_val)`]
    #[arg(long, num_args = 1.., value_name = "AGGREGATE", conflicts_with_all = ["columns", "pivot"])]
    show: Vec<String>,
    /// The values of one column down, of another across, and a third one's for numbers
    #[arg(long, num_args = 2, value_names = ["DOWN,ACROSS", "COLUMN"], conflicts_with_all = ["columns", "sort", "limit"])]
    pivot: Vec<String>,
    /// How several jobs in one place of a pivot become one number
    #[arg(long, default_value = "mean", value_name = "AGGREGATE", requires = "pivot")]
    by: String,
    /// Sort by this column, descending with `-` in front; may be repeated
    #[arg(long, allow_hyphen_values = true, value_name = "[-]COLUMN")]
    sort: Vec<String>,
    /// At most this many rows
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// How rows come out [default: table, or what the name of --out ends in]
    #[arg(long)]
    format: Option<Format>,
    /// Write to this file instead; one that is there is replaced
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// List the views and their columns instead
    #[arg(long, exclusive = true)]
    views: bool,
}

pub(crate) async fn run(global: &Global, args: &QueryArgs) -> Result<Ending, Failure> {
    if args.views {
        output::print(&views_text())?;
        return Ok(Ending::Good);
    }
    let named = args.out.as_deref().and_then(Format::of_file);
    let format = args.format.or(named).unwrap_or(Format::Table);
    let statement = sql(&args.question);
    if let Some(sql) = &statement {
        refuse_beside_sql(args, sql)?;
    }
    let store = Store::open_read_only(&global.root).await?;
    if !args.pivot.is_empty() {
        return pivot(&store, args, format).await;
    }
    let mut writer = Writer::new(format, args.out.as_deref())?;
    if let Some(sql) = &statement {
        store.sql_into(sql, &mut writer).await?;
    } else if args.group.is_empty() && args.show.is_empty() {
        store.query_into(&jobs(args)?, &mut writer).await?;
    } else {
        groups(&store, args, &mut writer).await?;
    }
    writer.finish()?;
    Ok(Ending::Good)
}

/// What belongs to filters says nothing beside SQL.
fn refuse_beside_sql(args: &QueryArgs, sql: &str) -> Result<(), Failure> {
    let given = [
        ("--sweep", args.sweep.is_some()),
        ("--where", !args.filters.is_empty()),
        ("--columns", args.columns.is_some()),
        ("--group", !args.group.is_empty()),
        ("--show", !args.show.is_empty()),
        ("--pivot", !args.pivot.is_empty()),
        ("--sort", !args.sort.is_empty()),
        ("--limit", args.limit.is_some()),
    ];
    let Some((flag, _)) = given.into_iter().find(|(_, given)| *given) else { return Ok(()) };
    Err(Failure::request(
        format!("`{flag}` is for filters, and `{}` is SQL", crate::words::shorten(sql, 40)),
        "say it in the SQL: WHERE, GROUP BY, ORDER BY, LIMIT",
    ))
}

fn jobs(args: &QueryArgs) -> Result<JobQuery, Failure> {
    let sort = args.sort.iter().map(|text| text.parse::<Sort>()).collect::<Result<_, _>>()?;
    Ok(JobQuery {
        sweep: args.sweep.clone(),
        filters: filters(args.question.iter().chain(&args.filters))?,
        columns: args.columns.clone(),
        sort,
        limit: args.limit,
    })
}

async fn groups(store: &Store, args: &QueryArgs, sink: &mut impl RowSink) -> Result<(), Failure> {
    // `--show` takes all words up to the next flag: filters among them are what they look like.
    let (more, shown): (Vec<&str>, Vec<&str>) =
        args.show.iter().flat_map(|text| parts(text)).partition(|text| is_filter(text));
    let more: Vec<String> = more.into_iter().map(str::to_owned).collect();
    let shown =
        if shown.is_empty() { vec!["count", "mean(final_val)", "max(final_val)"] } else { shown };
    let query = GroupQuery {
        sweep: args.sweep.clone(),
        filters: filters(args.question.iter().chain(&args.filters).chain(&more))?,
        by: args.group.clone(),
        show: shown.into_iter().map(str::parse::<Aggregate>).collect::<Result<_, _>>()?,
        sort: args.sort.clone(),
        limit: args.limit,
    };
    Ok(store.group_into(&query, sink).await?)
}

/// Aggregates with commas between.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let whole = is_filter(text).then_some(text);
    whole
        .into_iter()
        .chain(text.split(',').filter(move |_| whole.is_none()))
        .filter(|part| !part.is_empty())
}

/// No aggregate has an operator in it.
fn is_filter(text: &str) -> bool {
    text.contains(['=', '<', '>', '~'])
}

async fn pivot(store: &Store, args: &QueryArgs, format: Format) -> Result<Ending, Failure> {
    let [axes, value] = args.pivot.as_slice() else {
        return Err(pivot_grammar(&args.pivot.join(" ")));
    };
    let by: Vec<String> = axes.split(',').map(str::to_owned).collect();
    if by.len() != 2 {
        return Err(pivot_grammar(axes));
    }
    let bare = value.contains('(') || value == "count";
    let aggregate: Aggregate =
        if bare { value.parse()? } else { Aggregate::named(&args.by, value)? };
    let query = GroupQuery {
        sweep: args.sweep.clone(),
        filters: filters(args.question.iter().chain(&args.filters))?,
        by,
        show: vec![aggregate],
        ..GroupQuery::default()
    };
    let pivot = Pivot::new(store.group(&query).await?);
    if format == Format::Table && args.out.is_none() {
        output::print(&pivot.heat_map(output::width(), output::coloured()))?;
    } else {
        table::write_to(&pivot.rows(), Writer::new(format, args.out.as_deref())?)?;
    }
    Ok(Ending::Good)
}

fn pivot_grammar(text: &str) -> Failure {
    Failure::request(
        format!("`{text}` is no pivot: it takes two columns with a comma between, and a third"),
        "write such as `--pivot model,augmentation final_val`",
    )
}

/// The documented views as Markdown, which reads well on a terminal too.
fn views_text() -> String {
    let mut text = String::new();
    for view in VIEWS {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "## `{}`\n\nOne row is {}.\n", view.name, view.row);
        let _ = writeln!(text, "| column | type | what it is |\n|---|---|---|");
        for column in view.columns {
            let kind = match column.kind {
                Kind::Text => "text",
                Kind::Integer => "integer",
                Kind::Real => "real",
            };
            let _ = writeln!(text, "| `{}` | {kind} | {} |", column.name, column.doc);
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    /// `UPDATE_DOCS=1 cargo nextest run -p augreg-cli` writes the page anew.
    #[test]
    fn the_page_on_results_lists_every_view_and_column() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/results.md");
        let page = std::fs::read_to_string(path).expect("the page is there");
        let (intro, listed) = page.split_once("## `v_jobs`").expect("it lists the views");
        let views = super::views_text();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, format!("{intro}{}", views.trim_end().to_owned() + "\n"))
                .expect("writes");
        } else {
            assert_eq!(format!("## `v_jobs`{listed}").trim_end(), views.trim_end());
        }
    }
}
