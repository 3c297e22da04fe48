//! `augreg data pack`

use std::path::PathBuf;

use augreg_data::Packed;
use clap::Args;

use crate::failure::{Ending, Failure};
use crate::output;
use crate::sweep_file;
use crate::words::{count, quantity};

const USE: &str = "\
Then `format = \"pack\"` and `path = \"DIR\"` read it. It is the same data set to a job: what was
trained on the one counts for the other.";

/// Write a data set as packs: one file a split that any number of workers read at once
#[derive(Debug, Args)]
#[command(after_help = USE)]
pub(crate) struct PackArgs {
    /// The sweep file
    file: PathBuf,
    /// One of its data sets
    dataset: String,
    /// The folder to write to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Decode pictures, which must be of one size: for small ones, which are faster read than decoded
    #[arg(long)]
    pixels: bool,
}

pub(crate) fn run(args: &PackArgs) -> Result<Ending, Failure> {
    let loaded = sweep_file::load(&args.file)?;
    let definition = super::dataset(&loaded, &args.dataset)?;
    let identity = loaded.identity(&args.dataset)?;
    for packed in augreg_data::pack(&definition.source, identity, &args.out, args.pixels)? {
        let Packed { path, examples, bytes } = packed;
        let (path, size) = (path.display(), quantity(bytes as f64, "B"));
        output::print(&format!("{path}: {} examples, {size}\n", count(examples)))?;
    }
    Ok(Ending::Good)
}
