//! `augreg resume`

use clap::Args;

use super::launch::{RunArgs, go_on};
use crate::args::Global;
use crate::failure::{Ending, Failure};
use crate::study;

/// Go on with whatever is not finished; needs no sweep file
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// Only this sweep
    sweep: Option<String>,
    #[command(flatten)]
    run: RunArgs,
}

pub(crate) async fn run(global: &Global, args: &ResumeArgs) -> Result<Ending, Failure> {
    let study = study::own(&global.root).await?;
    go_on(study, args.sweep.as_deref(), global, &args.run).await
}
