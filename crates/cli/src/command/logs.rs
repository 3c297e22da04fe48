//! `augreg logs`

use std::fs::File;
use std::io::{self, BufRead, BufReader};

use augreg_protocol::RunFolder;
use augreg_store::Store;
use clap::Args;

use crate::args::Global;
use crate::failure::{Ending, Failure};
use crate::output;

/// Print what the worker of a job wrote to its log, attempt by attempt
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// The job's id, or the first characters of it
    job: String,
    /// Only this attempt
    #[arg(long, value_name = "N")]
    attempt: Option<u32>,
}

pub(crate) async fn run(global: &Global, args: &LogsArgs) -> Result<Ending, Failure> {
    let store = Store::open_read_only(&global.root).await?;
    let job = store.job_by_prefix(&args.job).await?;
    let details = store.job(job).await?;
    let folder = RunFolder::new(store.root(), job);
    let wanted = |number: u32| args.attempt.is_none_or(|attempt| attempt == number);
    for attempt in details.attempts.iter().filter(|attempt| wanted(attempt.number)) {
        let path = folder.log(attempt.number);
        output::say(&format!("── attempt {} ── {}", attempt.number, path.display()));
        match File::open(&path) {
            Ok(log) => copy(BufReader::new(log))?,
            Err(error) => output::print(&format!("no log: {error}"))?,
        }
    }
    Ok(Ending::Good)
}

/// Prints a log piece by piece, for it may be larger than the memory.
fn copy(mut log: impl BufRead) -> io::Result<()> {
    let mut line = Vec::new();
    while log.read_until(b'\n', &mut line)? > 0 {
        output::print(&String::from_utf8_lossy(&line))?;
        line.clear();
    }
    Ok(())
}
