//! The examples of an index, read one by one from their files.
//!
//! Read, not mapped: a map of a file that somebody cuts short ends the process, where a read says
//! so. Pages that were read stay in the system's cache, which all processes share, so memory grows
//! neither with the data set nor with the number of workers.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use augreg_augment::{ImageView, Picture};

use super::{Index, Kind, Places, Span};
use crate::DataError;
use crate::place::Place;

/// Shards held open at once: far fewer than a process may.
const MOST_OPEN: usize = 256;

/// Longest picture that is read: no file beyond has a picture that a decoder would take.
const LONGEST: u64 = 1 << 30;

/// An index with its files at hand.
#[derive(Debug)]
pub(crate) struct Indexed {
    pub(crate) index: Index,
    /// By the number of the file, as many as are open.
    open: Mutex<Vec<Option<Arc<File>>>>,
}

impl Indexed {
    pub(crate) fn new(index: Index) -> Self {
        let files = match &index.places {
            Places::Spans(spans) => spans.files.len(),
            Places::Files { .. } => 0,
        };
        Self { index, open: Mutex::new(vec![None; files]) }
    }

    /// Example `i`, in `buffer` if it has to be read.
    pub(crate) fn picture<'a>(
        &self,
        i: usize,
        buffer: &'a mut Vec<u8>,
    ) -> Result<Picture<'a>, DataError> {
        self.read(i, buffer)?;
        Ok(match self.index.summary.kind {
            Kind::Encoded => Picture::Encoded(buffer),
            Kind::Pixels { width, height, channels } => {
                let [width, height, channels] = [width, height, channels].map(|n| n as usize);
                ImageView::new(buffer, width, height, channels).into()
            }
        })
    }

    /// The bytes of example `i`, in place of what `buffer` held.
    pub(crate) fn read(&self, i: usize, buffer: &mut Vec<u8>) -> Result<(), DataError> {
        let read = match self.index.span(i) {
            Span::Whole(path) => read_whole(&path, buffer),
            Span::Part { file, start, len } => {
                buffer.resize(len as usize, 0);
                self.file(file).and_then(|file| file.read_exact_at(buffer, start))
            }
        };
        read.map_err(|source| DataError::ReadExample {
            example: i as u64,
            place: self.place(i),
            source,
        })
    }

    pub(crate) fn place(&self, i: usize) -> Place {
        self.index.place(i)
    }

    /// The file of this number, opened if need be.
    fn file(&self, number: usize) -> io::Result<Arc<File>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &open[number] {
            return Ok(Arc::clone(file));
        }
        if open.iter().flatten().count() >= MOST_OPEN {
            open.fill(None);
        }
        let Places::Spans(spans) = &self.index.places else {
            unreachable!("files have no numbers")
        };
        let file = Arc::new(File::open(&spans.files[number])?);
        open[number] = Some(Arc::clone(&file));
        Ok(file)
    }
}

/// The content of a file, in place of what `buffer` held.
pub(crate) fn read_whole(path: &Path, buffer: &mut Vec<u8>) -> io::Result<()> {
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    if len > LONGEST {
        return Err(io::Error::other(format!("{len} bytes are more than a picture has")));
    }
    buffer.clear();
    buffer.reserve(len as usize);
    file.take(LONGEST).read_to_end(buffer).map(drop)
}
