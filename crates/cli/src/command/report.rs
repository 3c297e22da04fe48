//! `augreg report`

use std::path::PathBuf;

use augreg_report::{LoadError, Report, heat_map_text};
use augreg_store::Store;
use clap::Args;

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
}

pub(crate) async fn run(global: &Global, args: &ReportArgs) -> Result<Ending, Failure> {
    let store = Store::open_read_only(&global.root).await?;
    let jobs = augreg_report::load(&store, args.sweep.as_deref()).await.map_err(failure)?;
    let report = Report::from_jobs(args.sweep.as_deref(), &jobs);
    let written = report.write(&args.out).map_err(Failure::internal)?;
    output::print(&heat_map_text(&report, output::coloured(), output::width()))?;
    output::say(&format!("wrote {} files: open {}", written.files.len(), written.page.display()));
    Ok(Ending::Good)
}

fn failure(error: LoadError) -> Failure {
    match error {
        LoadError::Query(error) => error.into(),
        LoadError::Row(error) => Failure::internal(error),
    }
}
