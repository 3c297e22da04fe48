//! The columns of the published table, and where a file has them.

use augreg_spec::nearest;
use csv::{Position, StringRecord};

use super::Mistake;

/// A column of the published table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Name,
    Ds,
    Epochs,
    Lr,
    Aug,
    Wd,
    Do,
    Sd,
    BestVal,
    FinalVal,
    FinalTest,
    AdaptDs,
    AdaptLr,
    AdaptSteps,
    AdaptResolution,
    AdaptFinalVal,
    AdaptFinalTest,
    Params,
    InferSamplesPerSec,
    Filename,
    AdaptFilename,
}

/// Their names in the published order (`vit_jax/checkpoint.py`, and the notebook that shows the table).
const NAMES: [&str; 21] = [
    "name",
    "ds",
    "epochs",
    "lr",
    "aug",
    "wd",
    "do",
    "sd",
    "best_val",
    "final_val",
    "final_test",
    "adapt_ds",
    "adapt_lr",
    "adapt_steps",
    "adapt_resolution",
    "adapt_final_val",
    "adapt_final_test",
    "params",
    "infer_samples_per_sec",
    "filename",
    "adapt_filename",
];

impl Column {
    pub(super) const fn name(self) -> &'static str {
        NAMES[self as usize]
    }
}

/// Where a file has the columns.
pub(super) struct Header {
    /// The place of each column, in the order of [`NAMES`].
    places: [usize; NAMES.len()],
    /// The names of all columns, as the file has them.
    names: Vec<String>,
    /// Those of them that are none of ours.
    pub(super) ignored: Vec<String>,
    /// How many lines the reader is behind: one, where lines end with CR and LF, because it counts a
    /// line when it comes to its LF.
    pub(super) behind: u64,
}

impl Header {
    /// Finds the columns in a file's first line, or says what is wrong with it.
    pub(super) fn of(line: &StringRecord) -> Result<Self, String> {
        let names: Vec<String> = line.iter().map(|name| name.trim().to_owned()).collect();
        let ignored: Vec<String> =
            names.iter().filter(|name| !NAMES.contains(&name.as_str())).cloned().collect();
        let mut places = [0; NAMES.len()];
        let mut missing = Vec::new();
        for (place, column) in places.iter_mut().zip(NAMES) {
            let mut found = names.iter().enumerate().filter(|(_, name)| *name == column);
            match (found.next(), found.next()) {
                (Some((at, _)), None) => *place = at,
                (Some(_), Some(_)) => return Err(format!("column `{column}` comes twice")),
                (None, _) => missing.push(column),
            }
        }
        if missing.is_empty() {
            return Ok(Self { places, names, ignored, behind: 0 });
        }
        Err(lacking(&missing, &names, &ignored))
    }

    pub(super) fn place(&self, column: Column) -> usize {
        self.places[column as usize]
    }

    /// The line, from 1, that a record begins at.
    pub(super) fn line(&self, position: Option<&Position>) -> u64 {
        position.map_or(0, |position| position.line() + self.behind)
    }

    /// A mistake in the value at this place of a line.
    pub(super) fn mistake_at(&self, place: usize, line: u64, problem: String) -> Mistake {
        let name = self.names.get(place).map_or("", String::as_str);
        Mistake::of_value(line, place + 1, name, problem)
    }
}

/// Says which columns are missing, and what they may be called instead.
fn lacking(missing: &[&str], names: &[String], ignored: &[String]) -> String {
    if missing.len() == NAMES.len()
        && let Some(separator) =
            [";", "\t", "|"].iter().find(|separator| names.iter().any(|n| n.contains(**separator)))
    {
        return format!("columns are separated by {separator:?}, not by commas");
    }
    let columns: Vec<String> = missing
        .iter()
        .map(|column| match nearest(column, ignored.iter().map(String::as_str)) {
            Some(near) => format!("`{column}` (is it `{near}`?)"),
            None => format!("`{column}`"),
        })
        .collect();
    let word = if missing.len() == 1 { "column" } else { "columns" };
    format!("missing {word} {}", columns.join(", "))
}
