//! Tables of results: other people's, and the paper's.

use std::collections::BTreeSet;
use std::path::Path;

use augreg_report::index::{self, IndexError};
use augreg_report::paper;
use augreg_store::{Imported, OWN, Reference, Rows, Value};
use clap::Args;

use crate::args::Global;
use crate::failure::{Ending, Failure};
use crate::output;
use crate::study;
use crate::table::{self, Format};
use crate::words;

/// What the cells of the paper's Figure 4 are called.
const FIGURE_4: &str = "paper-figure4";

#[derive(Debug, Args)]
pub(super) struct ResultsArgs {
    /// What the rows are called in column `source`; the file's name if not said
    #[arg(long, value_name = "NAME", conflicts_with = "paper")]
    source: Option<String>,
    /// Instead of a file, the cells of the paper's Figure 4, as `paper-figure4`
    #[arg(long, conflicts_with = "file")]
    paper: bool,
}

impl ResultsArgs {
    /// Nothing that is about results may be asked of a file of weights.
    pub(super) fn refuse_for_weights(&self, file: &Path) -> Result<(), Failure> {
        if self.source.is_none() {
            return Ok(());
        }
        Err(Failure::request(
            format!("`--source` is for tables of results, and `{}` is none", file.display()),
            "a table has the columns of the published index.csv: docs/results.md lists them",
        ))
    }
}

/// Brings a table into the study.
pub(super) async fn table(
    global: &Global,
    file: &Path,
    args: &ResultsArgs,
    format: Format,
) -> Result<Ending, Failure> {
    let source = source(file, args.source.as_deref())?;
    let index = index::read(file)?;
    if !index.ignored.is_empty() {
        let names: Vec<_> = index.ignored.iter().map(|name| format!("`{name}`")).collect();
        output::say(&format!("left out what is not in the published table: {}", names.join(", ")));
    }
    if index.repetitions > 0 {
        output::say(&format!(
            "{} rows have the settings of an earlier row and other results: taken for repetitions",
            words::count(index.repetitions as u64)
        ));
    }
    bring_in(global, &source, &index.rows, format).await
}

/// Brings the paper's Figure 4 into the study.
pub(super) async fn paper(global: &Global, format: Format) -> Result<Ending, Failure> {
    bring_in(global, FIGURE_4, &paper::figure4_references(), format).await
}

/// What the rows are called.
fn source(file: &Path, asked: Option<&str>) -> Result<String, Failure> {
    let stem = || file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let name = asked.map(str::to_owned).or_else(stem).unwrap_or_default();
    let name = name.trim();
    if name.is_empty() {
        return Err(Failure::request("the source has no name", "give it one with `--source`"));
    }
    if name == OWN {
        return Err(Failure::request(
            format!("`{OWN}` is what this study's own runs are called"),
            "give the table another name with `--source`",
        ));
    }
    Ok(name.to_owned())
}

async fn bring_in(
    global: &Global,
    source: &str,
    rows: &[Reference],
    format: Format,
) -> Result<Ending, Failure> {
    let store = study::beside_or_new(&global.root).await?;
    let imported = store.import(source, rows).await;
    store.close().await;
    let count = words::count(rows.len() as u64);
    output::say(&match imported? {
        Imported::New => format!("imported {count} rows as `{source}`"),
        Imported::Unchanged => {
            format!("nothing changed: these {count} rows of `{source}` are there")
        }
        Imported::Replaced(before) => {
            format!("imported {count} rows as `{source}`, in place of {}", words::count(before))
        }
    });
    table::write(&description(source, rows), format)?;
    Ok(Ending::Good)
}

/// What there is now, in one row.
fn description(source: &str, rows: &[Reference]) -> Rows {
    let distinct = |of: fn(&Reference) -> Option<&str>| -> Value {
        (rows.iter().filter_map(of).collect::<BTreeSet<_>>().len() as u64).into()
    };
    let adapted = rows.iter().filter(|row| row.adapt_dataset.is_some()).count();
    let columns: [(&str, Value); 6] = [
        ("source", source.into()),
        ("rows", (rows.len() as u64).into()),
        ("adapted", (adapted as u64).into()),
        ("models", distinct(|row| Some(&row.model))),
        ("datasets", distinct(|row| Some(&row.dataset))),
        ("adapt_datasets", distinct(|row| row.adapt_dataset.as_deref())),
    ];
    let (columns, row) = columns.map(|(name, value)| (name.to_owned(), value)).into_iter().unzip();
    Rows { columns, rows: vec![row] }
}

impl From<IndexError> for Failure {
    fn from(error: IndexError) -> Self {
        let help = match &error {
            IndexError::Io { .. } => "name a file that can be read",
            IndexError::Empty { .. } | IndexError::NoRows { .. } => {
                "nothing was imported: get the table again, or name another"
            }
            IndexError::Header { .. } => {
                "nothing was imported: a table needs the columns of the published index.csv, in any \
                 order; docs/results.md lists them under `augreg_index`"
            }
            _ => "nothing was imported: mend the file, then run this again",
        };
        Self::refused(error, help)
    }
}
