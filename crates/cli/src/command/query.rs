//! `augreg query`

use std::fmt::Write;

use augreg_store::{Filter, JobQuery, Kind, Sort, Store, VIEWS};
use clap::Args;

use crate::args::Global;
use crate::failure::{Ending, Failure};
use crate::output;
use crate::table::{self, Format};

const EXAMPLES: &str = "\
Without SQL, one row a job comes out of the view v_jobs:
  augreg query --sweep mini --where model=Ti/16 --where 'final_val>0.8' --sort -final_test
With SQL, any table or view may be asked:
  augreg query 'select augmentation, max(final_val) from v_jobs group by 1'";

/// Ask for results: by filters over the jobs, or in read-only SQL
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct QueryArgs {
    /// A SELECT over the study's tables and views (docs/results.md lists them)
    #[arg(conflicts_with_all = ["sweep", "filters", "columns", "sort", "limit"])]
    sql: Option<String>,
    /// Only jobs of this sweep
    #[arg(long, value_name = "NAME")]
    sweep: Option<String>,
    /// Only jobs that pass: column, one of = != < <= > >= ~ (contains), value; may be repeated
    #[arg(long = "where", value_name = "FILTER")]
    filters: Vec<String>,
    /// The columns to show, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "COLUMN,…")]
    columns: Option<Vec<String>>,
    /// Sort by this column, descending with `-` in front; may be repeated
    #[arg(long, allow_hyphen_values = true, value_name = "[-]COLUMN")]
    sort: Vec<String>,
    /// At most this many rows
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// How rows come out
    #[arg(long, default_value = "table")]
    format: Format,
    /// List the views and their columns instead
    #[arg(long, conflicts_with_all = ["sql", "sweep", "filters", "columns", "sort", "limit"])]
    views: bool,
}

pub(crate) async fn run(global: &Global, args: &QueryArgs) -> Result<Ending, Failure> {
    if args.views {
        output::print(&views_text())?;
        return Ok(Ending::Good);
    }
    let store = Store::open_read_only(&global.root).await?;
    let rows = if let Some(sql) = &args.sql {
        store.sql(sql).await?
    } else {
        let query = JobQuery {
            sweep: args.sweep.clone(),
            filters: args
                .filters
                .iter()
                .map(|text| text.parse::<Filter>())
                .collect::<Result<_, _>>()?,
            columns: args.columns.clone(),
            sort: args.sort.iter().map(|text| text.parse::<Sort>()).collect::<Result<_, _>>()?,
            limit: args.limit,
        };
        store.query(&query).await?
    };
    table::write(&rows, args.format)?;
    Ok(Ending::Good)
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
