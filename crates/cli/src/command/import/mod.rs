//! `augreg import`: what other people made. A file of weights is checked and converted; a table of
//! results comes into the study, to be held against its own.

mod results;
mod weights;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::args::Global;
use crate::failure::{Ending, Failure};
use crate::table::Format;

const EXAMPLES: &str = "\
Weights, without a study:
  augreg import B_16.npz --model B/16 --resolution 384 --classes 37 --out start.safetensors
Results, into the study (`augreg query` shows them in v_runs, beside its own):
  augreg import index.csv --source augreg
  augreg import --paper";

/// Take in what other people made: a file of weights, or a table of results
///
/// Weights are an npz of AugReg's (old prefixes and big_vision's names too), safetensors of timm's,
/// or a checkpoint of a job. What network a file holds is read off it; every tensor must be there
/// with the right shape, and nothing else. No study is needed.
///
/// A table of results is a CSV file with the columns of the study's published index.csv, which
/// `augreg query 'select * from augreg_index' --format csv` writes too. Its rows become reference
/// results of the study, which is made if there is none. A source that is imported again replaces
/// what it brought before. docs/results.md has more.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ImportArgs {
    /// The file; what is in it says which of both it is
    #[arg(required_unless_present = "paper")]
    file: Option<PathBuf>,
    #[command(flatten, next_help_heading = "Weights")]
    weights: weights::WeightsArgs,
    #[command(flatten, next_help_heading = "Results")]
    results: results::ResultsArgs,
    /// How the description comes out
    #[arg(long, default_value = "table", help_heading = "Options")]
    format: Format,
}

pub(crate) async fn run(global: &Global, args: &ImportArgs) -> Result<Ending, Failure> {
    let ImportArgs { file, weights, results, format } = args;
    let Some(file) = file else {
        return results::paper(global, *format).await;
    };
    if is_table(file) {
        weights.refuse_for_a_table(file)?;
        results::table(global, file, results, *format).await
    } else {
        results.refuse_for_weights(file)?;
        weights::run(file, weights, *format)
    }
}

/// How much of a file says what it is.
const START: u64 = 1024;

/// Whether a file is a table of results. Weights are zip archives or begin with the length and the
/// brace of a JSON header; else the name or a first line with commas makes a table.
fn is_table(path: &Path) -> bool {
    let mut start = Vec::new();
    if let Ok(file) = File::open(path) {
        // What cannot be read is told by whoever reads all of it.
        let _ = file.take(START).read_to_end(&mut start);
    }
    if start.starts_with(b"PK") || start.get(8) == Some(&b'{') {
        return false;
    }
    let named = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    let first = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    named || (std::str::from_utf8(first).is_ok() && first.contains(&b','))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_file_says_whether_it_is_a_table() {
        let folder = tempfile::tempdir().expect("a folder");
        let judged = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).expect("writes");
            is_table(&path)
        };
        assert!(judged("index.csv", b"name,ds\nB/16,i1k\n"));
        assert!(judged("index.CSV", b""));
        assert!(judged("table.txt", b"name,ds\nB/16,i1k\n"));
        assert!(judged("latin1.csv", b"name,\xe9\n"));
        assert!(!judged("weights.npz", b"PK\x03\x04,,,"));
        assert!(!judged("misnamed.csv", b"PK\x03\x04,,,"));
        assert!(!judged("weights.safetensors", b"\x40\0\0\0\0\0\0\0{\"a,b\":"));
        assert!(!judged("text.npz", b"not weights"));
        assert!(!is_table(&folder.path().join("nowhere.npz")));
        assert!(is_table(&folder.path().join("nowhere.csv")));
    }
}
