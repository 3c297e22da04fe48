//! Stretches of files: shards, tables, arrays and packs.

use std::path::PathBuf;

use super::{Map, Span};
use crate::place::Place;

/// A file that holds examples, or was made of one that does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    /// The file.
    pub(crate) path: PathBuf,
    /// How many examples are in it.
    pub(crate) examples: u64,
}

/// Where each example begins and how long it is.
#[derive(Debug, Default)]
pub(crate) struct Spans {
    /// The files that are read, in order.
    pub(crate) files: Vec<PathBuf>,
    /// The first example of each file.
    pub(crate) firsts: Vec<u64>,
    /// What a person calls these examples' homes, if not the files that are read: rows of tables.
    pub(crate) origins: Vec<Holder>,
    pub(crate) layout: Layout,
    /// The one file, if it is a pack.
    pub(crate) map: Option<Map>,
}

/// How examples lie within their files.
#[derive(Debug)]
pub(crate) enum Layout {
    /// Each with its own beginning and length.
    Scattered { starts: Vec<u64>, lengths: Vec<u32> },
    /// One after the other, all of a length.
    Even { start: u64, len: u64 },
}

impl Default for Layout {
    fn default() -> Self {
        Self::Scattered { starts: Vec::new(), lengths: Vec::new() }
    }
}

impl Spans {
    pub(super) fn get(&self, i: usize) -> Span {
        let file = self.firsts.partition_point(|first| *first <= i as u64) - 1;
        let (start, len) = match &self.layout {
            Layout::Scattered { starts, lengths } => (starts[i], lengths[i].into()),
            Layout::Even { start, len } => (start + (i as u64 - self.firsts[file]) * len, *len),
        };
        Span::Part { file, start, len }
    }

    pub(super) fn place(&self, i: usize) -> Place {
        let mut row = i as u64;
        for holder in &self.origins {
            if row < holder.examples {
                return Place::row(&holder.path, row);
            }
            row -= holder.examples;
        }
        let Span::Part { file, start, .. } = self.get(i) else { unreachable!("spans are parts") };
        Place::byte(&self.files[file], start)
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let own = match &self.layout {
            Layout::Scattered { starts, lengths } => 8 * starts.capacity() + 4 * lengths.capacity(),
            Layout::Even { .. } => 0,
        };
        own + 8 * self.firsts.capacity()
    }
}
