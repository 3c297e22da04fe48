//! `augreg report`

use std::path::PathBuf;

use augreg_report::{LoadError, Report, heat_map_text, paper_runs};
use augreg_store::Store;
use clap::{Args, ValueEnum};

use crate::args::Global;
use crate::failure::{Ending, Failure};
use crate::output;

/// Draw the study's figures and tables as one self-contained HTML page, SVGs and CSVs
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Only this sweep
    sweep: Option<String>,
    /// Where to write `index.html`, the figures and their data
    #[arg(long, default_value = "report", value_name = "DIR")]
    out: PathBuf,
    /// Show published numbers beside the study's own
    #[arg(long, value_name = "WHOSE")]
    overlay: Option<Overlay>,
    /// Show an imported table beside the study's own runs; may be given several times
    #[arg(long, value_name = "SOURCE")]
    with: Vec<String>,
}

/// Published numbers that ship with augreg.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Overlay {
    /// "How to train your ViT?": Figures 4 and 5, Tables 3 and 5
    Paper,
}

pub(crate) async fn run(global: &Global, args: &ReportArgs) -> Result<Ending, Failure> {
    let store = Store::open_read_only(&global.root).await?;
    let sweep = args.sweep.as_deref();
    let jobs = augreg_report::load(&store, sweep).await.map_err(failure)?;
    let mut runs = store.runs(&args.with).await?;
    if let Some(Overlay::Paper) = args.overlay {
        runs.extend(paper_runs());
    }
    let mut report = Report::from_runs(sweep, &jobs, &runs);
    if !report.has_results() {
        return Err(nothing_finished(sweep, jobs.len()));
    }
    if sweep.is_none() {
        report = report.with_index(store.index().await?);
    }
    let report = report.with_forecasts(&store.forecasts(sweep).await?);
    let written = report.write(&args.out).map_err(Failure::internal)?;
    output::print(&heat_map_text(&report, output::coloured(), output::width()))?;
    output::say(&format!("wrote {} files: open {}", written.files.len(), written.page.display()));
    Ok(Ending::Good)
}

fn nothing_finished(sweep: Option<&str>, jobs: usize) -> Failure {
    let whose = sweep.map_or_else(|| "the study".to_owned(), |name| format!("sweep `{name}`"));
    let (message, help) = if jobs == 0 {
        (format!("{whose} has no jobs to report on"), "`augreg launch` takes a sweep file in")
    } else {
        (
            format!(
                "no job of {whose} has finished ({jobs} registered): there is nothing to report"
            ),
            "`augreg status` shows where they are, `augreg resume` runs them; `--overlay paper` draws \
             the published numbers alone",
        )
    };
    Failure::request(message, help)
}

fn failure(error: LoadError) -> Failure {
    match error {
        LoadError::Query(error) => error.into(),
        LoadError::Row(error) => Failure::internal(error),
    }
}
