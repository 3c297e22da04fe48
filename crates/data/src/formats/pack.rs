//! The pack, augreg's own file: the bytes of all examples of a source split, one after the other,
//! and behind them their index.
//!
//! Any example is one read away, whatever it came from. `augreg data pack` writes packs; tables and
//! compressed archives, in which nothing can be found without unpacking it, become packs in the
//! cache. A pack ends with its index ([`crate::index::stored`]), the length of that, and
//! `AUGREGPK`, so one that is cut off is known at once.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use augreg_spec::DataSource;

use super::shards;
use crate::DataError;
use crate::cache;
use crate::content::{self, Hasher, digest};
use crate::index::{
    Holder, Index, Indexed, Kind, Layout, Map, Origin, Places, Spans, Summary, stored,
};
use crate::labels::Labels;
use crate::place::Place;

const MAGIC: &[u8; 8] = b"AUGREGPK";

/// Examples hashed by a thread in one go.
const CHUNK: usize = 256;

/// Writes the examples of a pack, and behind them the index.
pub(crate) struct Writer<'a> {
    out: BufWriter<&'a File>,
    at: u64,
    starts: Vec<u64>,
    lengths: Vec<u32>,
    labels: Labels,
    hasher: Hasher,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(file: &'a File) -> Self {
        Self {
            out: BufWriter::with_capacity(1 << 20, file),
            at: 0,
            starts: Vec::new(),
            lengths: Vec::new(),
            labels: Labels::default(),
            hasher: Hasher::default(),
        }
    }

    /// Appends an example of these classes, in ascending order.
    pub(crate) fn add(&mut self, bytes: &[u8], classes: &[u32]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        let len = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        self.hasher.add(classes, &digest(bytes));
        self.starts.push(self.at);
        self.lengths.push(len);
        self.labels.push(classes);
        self.at += bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    /// Appends the index: what the examples' bytes are, which files they were taken from, and which
    /// source split of another format they are, if that is to be told.
    pub(crate) fn finish(
        mut self,
        kind: Kind,
        classes: Option<u32>,
        class_names: Vec<String>,
        origins: Vec<Holder>,
        origin: Option<Origin>,
    ) -> io::Result<()> {
        let summary = Summary {
            classes,
            class_names,
            content: self.hasher.finish(),
            count: self.labels.len() as u64,
            kind,
            origin,
        };
        let layout = match kind.len() {
            Some(len) => Layout::Even { start: 0, len: len as u64 },
            None => Layout::Scattered { starts: self.starts, lengths: self.lengths },
        };
        let spans = Spans { firsts: vec![0], origins, layout, ..Spans::default() };
        let index =
            Index { places: Places::Spans(spans), labels: self.labels, order: None, summary };
        let index = stored::encode(&index);
        self.out.write_all(&index)?;
        self.out.write_all(&(index.len() as u64).to_le_bytes())?;
        self.out.write_all(MAGIC)?;
        self.out.flush()
    }
}

/// Opens the pack of the source split `split`. The first time all of it is held against its hash,
/// and again when its size or time of change is another.
pub(crate) fn open_checked(
    source: &DataSource,
    split: &str,
    path: &PathBuf,
) -> Result<Index, DataError> {
    let index = open(path)?;
    let entry = shards::fingerprint(source, split, std::slice::from_ref(path))?;
    let _alone = cache::alone();
    if cache::load(&entry).is_none_or(|known| known.summary != index.summary) {
        let (mut hasher, mut next) = (Hasher::default(), 0);
        let indexed = Indexed::new(index);
        content::in_order(
            indexed.index.len().div_ceil(CHUNK),
            |chunk| {
                let mut buffer = Vec::new();
                let examples = chunk * CHUNK..indexed.index.len().min((chunk + 1) * CHUNK);
                let digests = examples.map(|i| Ok(digest(indexed.bytes(i, &mut buffer)?)));
                digests.collect::<Result<Vec<_>, DataError>>()
            },
            |digests| {
                for digest in &digests {
                    hasher.add(indexed.index.classes(next), digest);
                    next += 1;
                }
                Ok(())
            },
        )?;
        let Indexed { index, .. } = indexed;
        if hasher.finish() != index.summary.content {
            return Err(DataError::Damaged {
                place: Place::file(path),
                what:
                    "the pack's pictures are not those that its index was made of: write it again"
                        .to_owned(),
            });
        }
        cache::store(&entry, &index);
        return Ok(index);
    }
    Ok(index)
}

/// Opens a pack. Its index is held against its checksum, its examples are not read.
pub(crate) fn open(path: &Path) -> Result<Index, DataError> {
    let unreadable = |source| DataError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    let damaged = |what: &str| DataError::Damaged {
        place: Place::byte(path, size),
        what: format!("the pack is no pack, or cut off or damaged ({what}): write it again"),
    };
    let mut end = [0; 16];
    let ending = size.checked_sub(16).ok_or_else(|| damaged("it is too short"))?;
    file.read_exact_at(&mut end, ending).map_err(unreadable)?;
    let (len, magic) = end.split_at(8);
    if magic != MAGIC {
        return Err(damaged("it does not end as one"));
    }
    let len = len.try_into().map_or(0, u64::from_le_bytes);
    let start = ending.checked_sub(len).ok_or_else(|| damaged("its index is too long"))?;
    let mut bytes = vec![0; len as usize];
    file.read_exact_at(&mut bytes, start).map_err(unreadable)?;
    let mut index = stored::decode(&bytes).map_err(damaged)?;
    let Places::Spans(spans) = &mut index.places else {
        return Err(damaged("its index is of another kind"));
    };
    spans.files = vec![path.to_owned()];
    spans.map = Some(Map::new(file).map_err(unreadable)?);
    Ok(index)
}
