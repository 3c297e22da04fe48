//! How a table can be wrong.

use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// So many mistakes are told; the others are counted.
const TOLD: usize = 10;

/// A table that cannot be taken in.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IndexError {
    /// The file cannot be read.
    #[error("failed to read `{path}`", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file holds nothing.
    #[error("`{path}` is empty", path = path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file has a header and nothing else.
    #[error("`{path}` has no rows, only a header", path = path.display())]
    NoRows {
        /// The file.
        path: PathBuf,
    },
    /// The first line does not name the columns.
    #[error("`{path}`, line 1: {problem}", path = path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Lines that are wrong.
    #[error("`{path}` has {}{}", counted(*count), told(mistakes, *count), path = path.display())]
    Lines {
        /// The file.
        path: PathBuf,
        /// The first mistakes, by line.
        mistakes: Vec<Mistake>,
        /// How many there are.
        count: usize,
    },
}

fn counted(count: usize) -> String {
    if count == 1 { "a mistake".to_owned() } else { format!("{count} mistakes") }
}

fn told(mistakes: &[Mistake], count: usize) -> String {
    let mut text = mistakes.iter().fold(String::new(), |text, m| text + &format!("\n{m}"));
    if count > mistakes.len() {
        text += &format!("\nand {} more", count - mistakes.len());
    }
    text
}

/// One mistake in a line of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1, which is the header.
    line: u64,
    /// The column's number from 1, and its name; none: the line as a whole.
    column: Option<(usize, String)>,
    /// What is wrong, and what would be right.
    problem: String,
}

impl Mistake {
    pub(super) fn of_line(line: u64, problem: String) -> Self {
        Self { line, column: None, problem }
    }

    pub(super) fn of_value(line: u64, number: usize, name: &str, problem: String) -> Self {
        Self { line, column: Some((number, name.to_owned())), problem }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some((number, name)) = &self.column {
            write!(f, ", column {number} (`{name}`)")?;
        }
        write!(f, ": {}", self.problem)
    }
}

/// The mistakes found so far.
#[derive(Debug, Default)]
pub(super) struct Mistakes {
    told: Vec<Mistake>,
    count: usize,
}

impl Mistakes {
    pub(super) fn push(&mut self, mistake: Mistake) {
        self.count += 1;
        if self.told.len() < TOLD {
            self.told.push(mistake);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Fails if there is any.
    pub(super) fn none(self, path: &Path) -> Result<(), IndexError> {
        if self.is_empty() {
            return Ok(());
        }
        Err(IndexError::Lines { path: path.to_owned(), mistakes: self.told, count: self.count })
    }
}
