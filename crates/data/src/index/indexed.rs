//! The examples of an index, read one by one from their files.
//!
//! Read, not mapped, unless they lie in a pack: a map of a file that somebody cuts short ends the
//! process, where a read says so. Pages that were read stay in the system's cache, which all processes
//! share, so memory grows neither with the data set nor with the number of workers.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use augreg_augment::{ImageView, Picture};

use super::{Index, Kind, Map, Places, Span};
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
        &'a self,
        i: usize,
        buffer: &'a mut Vec<u8>,
    ) -> Result<Picture<'a>, DataError> {
        let bytes = self.bytes(i, buffer)?;
        Ok(match self.index.summary.kind {
            Kind::Encoded => Picture::Encoded(bytes),
            Kind::Pixels { width, height, channels } => {
                let [width, height, channels] = [width, height, channels].map(|n| n as usize);
                ImageView::new(bytes, width, height, channels).into()
            }
        })
    }

    /// The bytes of example `i`, in place of what `buffer` held if they have to be read.
    pub(crate) fn bytes<'a>(
        &'a self,
        i: usize,
        buffer: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], DataError> {
        let bytes = match self.index.span(i) {
            Span::Whole => {
                self.index.path(i, buffer); // The buffer is at hand, so no path is allocated.
                let file = File::open(OsStr::from_bytes(buffer));
                file.and_then(|file| read_all(file, buffer)).map(|()| &**buffer)
            }
            Span::Part { file, start, len } => match self.map() {
                Some(map) => map.get(start, len),
                None => self.read(file, start, len, buffer).map(|()| &**buffer),
            },
        };
        bytes.map_err(|source| DataError::ReadExample {
            example: i as u64,
            place: self.place(i),
            source,
        })
    }

    fn map(&self) -> Option<&Map> {
        if let Places::Spans(spans) = &self.index.places { spans.map.as_ref() } else { None }
    }

    fn read(&self, file: usize, start: u64, len: u64, buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.resize(len as usize, 0);
        self.file(file)?.read_exact_at(buffer, start)
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
    read_all(File::open(path)?, buffer)
}

fn read_all(file: File, buffer: &mut Vec<u8>) -> io::Result<()> {
    let len = file.metadata()?.len();
    if len > LONGEST {
        return Err(io::Error::other(format!("{len} bytes are more than a picture has")));
    }
    buffer.clear();
    buffer.reserve(len as usize);
    file.take(LONGEST).read_to_end(buffer).map(drop)
}
