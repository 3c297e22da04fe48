//! `augreg data pack`

use std::path::PathBuf;

use augreg_augment::ShorterSide;
use augreg_data::{PackAs, Packed};
use clap::Args;

use crate::failure::{Ending, Failure};
use crate::output;
use crate::sweep_file;
use crate::words::{count, quantity};

const USE: &str = "\
Then `format = \"pack\"` and `path = \"DIR\"` read it. It is the same data set to a job: what was
trained on the one counts for the other. Pictures that were shrunk are another data set.";

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
    #[arg(long, conflicts_with = "shorter_side")]
    pixels: bool,
    /// Shrink pictures whose shorter side is longer, and write them as JPEG of quality 95
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(1..))]
    shorter_side: Option<u32>,
}

pub(crate) fn run(args: &PackArgs) -> Result<Ending, Failure> {
    let loaded = sweep_file::load(&args.file)?;
    let definition = super::dataset(&loaded, &args.dataset)?;
    let identity = loaded.identity(&args.dataset)?;
    let form = match args.shorter_side {
        Some(pixels) => PackAs::Shrunk(ShorterSide::new(pixels)),
        None if args.pixels => PackAs::Pixels,
        None => PackAs::Files,
    };
    for packed in augreg_data::pack(&definition.source, identity, &args.out, form)? {
        let Packed { path, examples, bytes } = packed;
        let (path, size) = (path.display(), quantity(bytes as f64, "B"));
        output::print(&format!("{path}: {} examples, {size}\n", count(examples)))?;
    }
    Ok(Ending::Good)
}
