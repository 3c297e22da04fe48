//! `augreg data …`: looks at the data sets of a sweep file.

pub(crate) mod check;
pub(crate) mod pack;
mod paper;
pub(crate) mod show;

use augreg_spec::{DatasetDefinition, nearest};
use clap::{Args, Subcommand};

use crate::args::Global;
use crate::failure::{Ending, Failure};
use crate::sweep_file::Loaded;

/// Look at the data sets of a sweep file
#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    #[command(subcommand)]
    command: DataCommand,
}

#[derive(Debug, Subcommand)]
enum DataCommand {
    Check(check::CheckArgs),
    Pack(pack::PackArgs),
    Show(show::ShowArgs),
}

pub(crate) fn run(_: &Global, args: &DataArgs) -> Result<Ending, Failure> {
    match &args.command {
        DataCommand::Check(args) => check::run(args),
        DataCommand::Pack(args) => pack::run(args),
        DataCommand::Show(args) => show::run(args),
    }
}

/// What an example is of.
fn classes_text(classes: &[u32]) -> String {
    match classes {
        [] => "no class".to_owned(),
        [class] => format!("class {class}"),
        _ => {
            format!("classes {}", classes.iter().map(u32::to_string).collect::<Vec<_>>().join(", "))
        }
    }
}

/// The data set that a person named, one of those that the stages of a sweep use.
fn dataset<'a>(loaded: &'a Loaded, asked: &str) -> Result<&'a DatasetDefinition, Failure> {
    loaded.sweep.datasets.get(asked).ok_or_else(|| {
        let names: Vec<&str> = loaded.sweep.datasets.keys().map(String::as_str).collect();
        let help = match nearest(asked, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("its stages use {}", names.join(", ")),
        };
        Failure::request(format!("no stage of the sweep uses a data set `{asked}`"), help)
    })
}
