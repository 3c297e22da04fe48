//! Where an example lies, for a person to look at it.

use std::fmt;
use std::path::PathBuf;

/// A file, and where in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// Where in it.
    pub at: At,
}

/// Where in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum At {
    /// All of it.
    File,
    /// From this byte on, counted from 0.
    Byte(u64),
    /// This row of a table, or this entry of an array, counted from 0.
    Row(u64),
}

impl Place {
    /// All of the file `path`.
    pub(crate) fn file(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), at: At::File }
    }

    /// From byte `offset` of the file `path` on.
    pub(crate) fn byte(path: impl Into<PathBuf>, offset: u64) -> Self {
        Self { path: path.into(), at: At::Byte(offset) }
    }

    /// Row `row` of the file `path`.
    pub(crate) fn row(path: impl Into<PathBuf>, row: u64) -> Self {
        Self { path: path.into(), at: At::Row(row) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.path.display())?;
        match self.at {
            At::File => Ok(()),
            At::Byte(offset) => write!(f, ", byte {offset}"),
            At::Row(row) => write!(f, ", row {row}"),
        }
    }
}
