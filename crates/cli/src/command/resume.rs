//! `augreg resume`

use clap::Args;

use super::launch::{RunArgs, go_on};
use crate::args::Global;
use crate::budget;
use crate::failure::{Ending, Failure};
use crate::study;

/// Go on with whatever is not finished; needs no sweep file
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// Only this sweep
    sweep: Option<String>,
    #[command(flatten)]
    run: RunArgs,
    /// Go on though the budget of a sweep is too small
    #[arg(long)]
    force: bool,
}

pub(crate) async fn run(global: &Global, args: &ResumeArgs) -> Result<Ending, Failure> {
    let study = study::own(&global.root).await?;
    let sweep = args.sweep.as_deref();
    if !args.force {
        let checked = budget::check_again(
            &study.store,
            sweep,
            (&args.run.cluster, args.run.workers),
            (args.run.keep, args.run.keep_transfers),
        )
        .await;
        if checked.is_err() {
            study.store.close().await;
            return checked.map(|()| Ending::Good);
        }
    }
    go_on(study, sweep, global, &args.run).await
}
