//! An index as bytes: in the cache, and at the end of a pack.
//!
//! `AUGREGIX`, a version, the length of a header in JSON, the header, the numbers in little-endian
//! order, and the BLAKE3 of all that. File names are not in it: whoever opens an index knows them.

use serde::{Deserialize, Serialize};

use super::spans::{Holder, Layout};
use super::{Index, Names, Places, Spans, Summary};
use crate::labels::Labels;

const MAGIC: &[u8; 8] = b"AUGREGIX";
const VERSION: u32 = 1;
const CHECKSUM: usize = 32;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    summary: Summary,
    layout: StoredLayout,
    /// The first example of each file that is read.
    firsts: Vec<u64>,
    /// How many examples each file has that these were made of.
    origins: Vec<u64>,
    labels: u64,
    /// How many sets of classes, and how many classes these have together.
    #[serde(default, skip_serializing_if = "is_nothing")]
    sets: [u64; 2],
}

fn is_nothing(sets: &[u64; 2]) -> bool {
    *sets == [0, 0]
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StoredLayout {
    Scattered,
    Even {
        start: u64,
        len: u64,
    },
    /// Only the summary is kept: the names are read off the folder every time.
    Files,
}

/// The bytes of an index.
pub(crate) fn encode(index: &Index) -> Vec<u8> {
    let (layout, spans) = match &index.places {
        Places::Files { .. } => (StoredLayout::Files, None),
        Places::Spans(spans) => match spans.layout {
            Layout::Scattered { .. } => (StoredLayout::Scattered, Some(spans)),
            Layout::Even { start, len } => (StoredLayout::Even { start, len }, Some(spans)),
        },
    };
    let [values, ends, classes] = index.labels.parts();
    let header = Header {
        summary: index.summary.clone(),
        layout,
        firsts: spans.map(|spans| spans.firsts.clone()).unwrap_or_default(),
        origins: spans
            .map(|spans| spans.origins.iter().map(|holder| holder.examples).collect())
            .unwrap_or_default(),
        labels: if spans.is_some() { values.len() as u64 } else { 0 },
        sets: [ends.len() as u64, classes.len() as u64],
    };
    let header = serde_json::to_vec(&header).expect("text and numbers");
    let mut bytes = Vec::with_capacity(64 + header.len() + 16 * values.len());
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend((header.len() as u64).to_le_bytes());
    bytes.extend(header);
    if let Some(spans) = spans {
        bytes.extend(values.iter().flat_map(|label| label.to_le_bytes()));
        if let Layout::Scattered { starts, lengths } = &spans.layout {
            bytes.extend(starts.iter().flat_map(|start| start.to_le_bytes()));
            bytes.extend(lengths.iter().flat_map(|length| length.to_le_bytes()));
        }
    }
    bytes.extend(ends.iter().chain(classes).flat_map(|number| number.to_le_bytes()));
    let checksum = blake3::hash(&bytes);
    bytes.extend(checksum.as_bytes());
    bytes
}

/// The index of these bytes, its files not named yet; what is wrong with them otherwise.
pub(crate) fn decode(bytes: &[u8]) -> Result<Index, &'static str> {
    let split = bytes.len().checked_sub(CHECKSUM).ok_or("it is too short")?;
    let (body, checksum) = bytes.split_at(split);
    if blake3::hash(body).as_bytes() != checksum {
        return Err("its checksum is wrong");
    }
    let mut rest = body.strip_prefix(MAGIC).ok_or("it does not begin as an index does")?;
    let version = u32::from_le_bytes(take(&mut rest)?);
    if version != VERSION {
        return Err("another version of augreg wrote it");
    }
    let len = u64::from_le_bytes(take(&mut rest)?) as usize;
    let (header, mut rest) = rest.split_at_checked(len).ok_or("it is too short")?;
    let header: Header = serde_json::from_slice(header).map_err(|_| "its header cannot be read")?;
    let count = header.labels as usize;
    let values = numbers(&mut rest, count, u32::from_le_bytes)?;
    let layout = match header.layout {
        StoredLayout::Scattered => Layout::Scattered {
            starts: numbers(&mut rest, count, u64::from_le_bytes)?,
            lengths: numbers(&mut rest, count, u32::from_le_bytes)?,
        },
        StoredLayout::Even { start, len } => Layout::Even { start, len },
        StoredLayout::Files => {
            let places = Places::Files { folders: Vec::new(), names: Names::default() };
            let labels = Labels::default();
            return Ok(Index { places, labels, order: None, summary: header.summary });
        }
    };
    let [sets, classes] = header.sets.map(|count| count as usize);
    let ends = numbers(&mut rest, sets, u32::from_le_bytes)?;
    let classes = numbers(&mut rest, classes, u32::from_le_bytes)?;
    let labels = Labels::from_parts([values, ends, classes]).ok_or("its labels are none")?;
    let origins =
        header.origins.into_iter().map(|examples| Holder { path: "".into(), examples }).collect();
    let spans = Spans { firsts: header.firsts, origins, layout, ..Spans::default() };
    Ok(Index { places: Places::Spans(spans), labels, order: None, summary: header.summary })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], &'static str> {
    let (taken, left) = rest.split_first_chunk().ok_or("it is too short")?;
    *rest = left;
    Ok(*taken)
}

fn numbers<T, const N: usize>(
    rest: &mut &[u8],
    count: usize,
    of: impl Fn([u8; N]) -> T,
) -> Result<Vec<T>, &'static str> {
    let len = count.checked_mul(N).ok_or("it is too short")?;
    let (taken, left) = rest.split_at_checked(len).ok_or("it is too short")?;
    *rest = left;
    Ok(taken.as_chunks().0.iter().map(|bytes| of(*bytes)).collect())
}
