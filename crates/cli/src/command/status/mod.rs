//! `augreg status`

mod text;
mod watch;

use augreg_store::Store;
use clap::Args;

use crate::args::Global;
use crate::cluster;
use crate::failure::{Ending, Failure};
use crate::output;

/// Show how far sweeps are: jobs by state, what runs, what failed
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Only this sweep
    sweep: Option<String>,
    /// Show it anew until all jobs have ended; Ctrl-C leaves everything as it is
    ///
    /// On a terminal: a bar for every job that runs, how busy this machine's devices are, and failures as they
    /// come. Elsewhere: a line whenever the counts have changed, and one for every failure.
    #[arg(long)]
    watch: bool,
    /// How often to look
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0, requires = "watch", value_parser = super::launch::seconds)]
    every: f64,
}

pub(crate) async fn run(global: &Global, args: &StatusArgs) -> Result<Ending, Failure> {
    cluster::collect(&global.root).await?;
    let store = Store::open_read_only(&global.root).await?;
    let sweep = args.sweep.as_deref();
    if args.watch {
        watch::run(&store, sweep, args.every).await?;
    } else {
        let mut all = text::above(&store, sweep).await?;
        all += &text::running(&store, sweep, false).await?;
        all += &text::failures(&store, sweep).await?;
        output::print(&all)?;
    }
    Ok(Ending::Good)
}
