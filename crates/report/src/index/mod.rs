//! Other people's results: a table in the columns of the study's published `augreg/index.csv`.
//!
//! [`read`] takes a whole file or names every mistake in it by line and column. What the published
//! table calls otherwise than the paper is called as the paper does from here on: the presets light1
//! and light2 are `light0` and `light1` there, and ImageNet-21k for 30 epochs is the data set
//! `i21k_30`. Settings must be there; what was measured may be absent (empty, or NaN), and so may all
//! of an adaptation. Columns may stand in any order, and others beside them are left out.

mod column;
mod error;
mod line;

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use augreg_store::Reference;
use csv::{ErrorKind, StringRecord};

use column::Header;
use error::Mistakes;
pub use error::{IndexError, Mistake};
use line::Line;

/// A table, as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Index {
    /// Its rows.
    pub rows: Vec<Reference>,
    /// Columns that the published table does not have and that were left out.
    pub ignored: Vec<String>,
    /// Rows whose settings are those of an earlier row with other results: repetitions, such as with
    /// another seed.
    pub repetitions: usize,
}

/// Reads the table at `path`.
///
/// # Errors
///
/// [`IndexError`] with every mistake of the file, the first of them in full.
pub fn read(path: &Path) -> Result<Index, IndexError> {
    let io = |source| IndexError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    let mut reader = csv::Reader::from_reader(file);
    let mut header = match reader.headers() {
        Ok(header) if header.is_empty() => return Err(IndexError::Empty { path: path.to_owned() }),
        Ok(header) => Header::of(header)
            .map_err(|problem| IndexError::Header { path: path.to_owned(), problem })?,
        Err(error) => return Err(broken_header(path, error)),
    };
    header.behind = u64::from(reader.position().line() == 1);
    let mut mistakes = Mistakes::default();
    let mut rows = Vec::new();
    let mut record = StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => rows.push(Line::new(&record, &header, &mut mistakes).reference()),
            Err(error) => {
                let is_cut_off = ends_there(path, reader.position().byte()).map_err(io)?;
                mistakes.push(unreadable(error, &header, is_cut_off).map_err(io)?);
            }
        }
    }
    let is_open = ends_there(path, reader.position().byte()).map_err(io)?;
    if is_open && mistakes.is_empty() && is_name_cut_off(&rows) {
        let line = rows.last().map_or(0, |row| row.line as u64);
        let problem = "the file ends within `adapt_filename`: it is cut off, get it again";
        mistakes.push(Mistake::of_line(line, problem.to_owned()));
    }
    if mistakes.is_empty() && rows.is_empty() {
        return Err(IndexError::NoRows { path: path.to_owned() });
    }
    let repetitions = if mistakes.is_empty() { compare(&rows, &mut mistakes) } else { 0 };
    mistakes.none(path)?;
    Ok(Index { rows, ignored: header.ignored, repetitions })
}

fn broken_header(path: &Path, error: csv::Error) -> IndexError {
    let path = path.to_owned();
    match error.into_kind() {
        ErrorKind::Io(source) => IndexError::Io { path, source },
        _ => IndexError::Header { path, problem: "the header is not UTF-8".to_owned() },
    }
}

/// What is wrong with a line that is none of a table.
fn unreadable(error: csv::Error, header: &Header, is_cut_off: bool) -> std::io::Result<Mistake> {
    match error.into_kind() {
        ErrorKind::Io(source) => Err(source),
        ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = header.line(pos.as_ref());
            let problem = if is_cut_off {
                format!(
                    "the file ends here, after {len} of {expected_len} values: it is cut off, get it again"
                )
            } else {
                format!(
                    "it has {len} values where the header has {expected_len}: a comma too many or too \
                     few, or one in a text without quotes"
                )
            };
            Ok(Mistake::of_line(line, problem))
        }
        ErrorKind::Utf8 { pos, err } => {
            let line = header.line(pos.as_ref());
            let problem = "it is not UTF-8: save the file in that encoding".to_owned();
            Ok(header.mistake_at(err.field(), line, problem))
        }
        other => Ok(Mistake::of_line(0, format!("it cannot be read: {other:?}"))),
    }
}

/// Whether a file ends at this byte, and not with the end of a line.
fn ends_there(path: &Path, at: u64) -> std::io::Result<bool> {
    let mut file = File::open(path)?;
    if at == 0 || file.metadata()?.len() != at {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Whether the file name of the last row lacks the end that the others have.
fn is_name_cut_off(rows: &[Reference]) -> bool {
    let is_whole = |row: &Reference| {
        let (Some(name), Some(resolution)) = (&row.adapt_filename, row.adapt_resolution) else {
            return row.adapt_resolution.is_none();
        };
        name.ends_with(&format!("-res_{resolution}"))
    };
    let Some((last, others)) = rows.split_last() else { return false };
    !is_whole(last) && !others.is_empty() && others.iter().all(is_whole)
}

/// Names rows that are the same in all they say, and counts those that are in their settings alone.
fn compare(rows: &[Reference], mistakes: &mut Mistakes) -> usize {
    let mut settings = HashMap::with_capacity(rows.len());
    let mut repetitions = 0;
    for row in rows {
        let earlier: &mut Vec<&Reference> = settings.entry(settings_of(row)).or_default();
        let same = earlier.iter().find(|earlier| results_of(earlier) == results_of(row));
        if let Some(same) = same {
            let problem = format!("it says what line {} says: delete one of them", same.line);
            mistakes.push(Mistake::of_line(row.line as u64, problem));
        } else {
            repetitions += usize::from(!earlier.is_empty());
            earlier.push(row);
        }
    }
    repetitions
}

/// Names, numbers by their bits, and counts.
type Settings<'a> = ([Option<&'a str>; 4], [Option<u64>; 6], [Option<i64>; 2]);

/// What was run.
fn settings_of(row: &Reference) -> Settings<'_> {
    let bits = |value: Option<f64>| value.map(f64::to_bits);
    (
        [
            Some(&row.model),
            Some(&row.dataset),
            row.augmentation.as_deref(),
            row.adapt_dataset.as_deref(),
        ],
        [
            bits(Some(row.epochs)),
            bits(row.learning_rate),
            bits(row.weight_decay),
            bits(row.dropout),
            bits(row.stochastic_depth),
            bits(row.adapt_learning_rate),
        ],
        [row.adapt_steps, row.adapt_resolution],
    )
}

/// What came of it, and what the files are called.
fn results_of(row: &Reference) -> ([Option<u64>; 6], Option<i64>, [Option<&str>; 2]) {
    let results = [
        row.best_val,
        row.final_val,
        row.final_test,
        row.adapt_final_val,
        row.adapt_final_test,
        row.infer_images_per_second,
    ];
    (
        results.map(|value| value.map(f64::to_bits)),
        row.parameters,
        [row.filename.as_deref(), row.adapt_filename.as_deref()],
    )
}

#[cfg(test)]
mod tests;
