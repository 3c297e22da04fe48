//! Where the examples of a source split lie, packed: at most 16 bytes an example, so that an index
//! of ImageNet-21k's 14 million pictures takes 224 MB. Holds no pixel.

mod indexed;
mod map;
mod names;
mod spans;
pub(crate) mod stored;

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use augreg_spec::Format;
use serde::{Deserialize, Serialize};

pub(crate) use indexed::{Indexed, read_whole};
pub(crate) use map::Map;
pub(crate) use names::Names;
pub(crate) use spans::{Holder, Layout, Spans};

use crate::labels::Labels;
use crate::order::Permutation;
use crate::place::Place;

/// Every example of a source split: where it lies and what it is.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) places: Places,
    /// Those of each, in the order of places.
    pub(crate) labels: Labels,
    /// The place of each example, if they are in another order than the places.
    pub(crate) order: Option<Permutation>,
    pub(crate) summary: Summary,
}

/// What is known of a source split as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Summary {
    /// How many classes the data themselves say there are.
    pub(crate) classes: Option<u32>,
    /// What the classes are called, if the data say so.
    #[serde(default)]
    pub(crate) class_names: Vec<String>,
    /// BLAKE3 (hex) of all pictures and labels: [`crate::content::Hasher`].
    pub(crate) content: String,
    pub(crate) count: u64,
    /// What an example's bytes are.
    pub(crate) kind: Kind,
    /// What a pack is of, to a job: training on it is training on that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) origin: Option<Origin>,
}

/// The source split that a pack holds the pictures of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Origin {
    /// Its content hash.
    pub(crate) content: String,
    pub(crate) format: Format,
}

/// What the bytes of an example are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// A file: JPEG, PNG or WebP.
    #[default]
    Encoded,
    /// Pixels, `[height, width, channels]`, of every example alike.
    Pixels { width: u32, height: u32, channels: u32 },
}

impl Kind {
    /// Bytes of an example, where all have as many.
    pub(crate) fn len(self) -> Option<usize> {
        match self {
            Self::Encoded => None,
            Self::Pixels { width, height, channels } => {
                Some(width as usize * height as usize * channels as usize)
            }
        }
    }
}

/// Where examples lie.
#[derive(Debug)]
pub(crate) enum Places {
    /// Stretches of a few files.
    Spans(Spans),
    /// A file each, in the folder of its class.
    Files {
        /// By class.
        folders: Vec<PathBuf>,
        names: Names,
    },
}

/// Where the bytes of one example are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Span {
    /// A stretch of a file, by its number.
    Part { file: usize, start: u64, len: u64 },
    /// All of a file: [`Index::path`].
    Whole,
}

impl Index {
    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    /// The classes of example `i`, in ascending order.
    pub(crate) fn classes(&self, i: usize) -> &[u32] {
        self.labels.get(self.slot(i))
    }

    /// Which of the places is that of example `i`.
    fn slot(&self, i: usize) -> usize {
        self.order.map_or(i, |order| order.example(i as u64) as usize)
    }

    /// Where example `i` is.
    pub(crate) fn span(&self, i: usize) -> Span {
        let i = self.slot(i);
        match &self.places {
            Places::Spans(spans) => spans.get(i),
            Places::Files { .. } => Span::Whole,
        }
    }

    /// The file that example `i` is all of, as the bytes of its path, in place of what `path` held. Empty
    /// if it is a part of a file.
    pub(crate) fn path(&self, i: usize, path: &mut Vec<u8>) {
        let i = self.slot(i);
        path.clear();
        if let Places::Files { folders, names } = &self.places {
            let [class] = self.labels.get(i) else { unreachable!("a file lies in one folder") };
            path.extend(folders[*class as usize].as_os_str().as_bytes());
            path.push(b'/');
            names.append(i, path);
        }
    }

    /// Where a person finds example `i`.
    pub(crate) fn place(&self, i: usize) -> Place {
        match &self.places {
            Places::Spans(spans) => spans.place(self.slot(i)),
            Places::Files { .. } => {
                let mut path = Vec::new();
                self.path(i, &mut path);
                Place::file(OsString::from_vec(path))
            }
        }
    }

    /// Bytes of memory.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        let places = match &self.places {
            Places::Spans(spans) => spans.bytes(),
            Places::Files { names, .. } => names.bytes(),
        };
        self.labels.bytes() + places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ImageNet-21k, by the number of its pictures and the names they have.
    const PICTURES: u64 = 14_197_122;
    const CLASSES: u64 = 21_843;

    fn megabytes_of_all(index: &Index) -> u64 {
        index.bytes() as u64 * (PICTURES / index.len() as u64) / 1_000_000
    }

    #[test]
    fn an_index_of_fourteen_million_pictures_takes_less_than_300_megabytes() {
        let few = PICTURES / 20;
        let labels = (0..few).map(|i| (i * CLASSES / PICTURES) as u32).collect();
        let layout = Layout::Scattered {
            starts: (0..few).map(|i| 110_000 * i).collect(),
            lengths: vec![110_000; few as usize],
        };
        let firsts = (0..few).step_by(10_000).collect();
        let spans = Spans { firsts, layout, ..Spans::default() };
        let summary = Summary::default();
        let order = None;
        let index = Index { places: Places::Spans(spans), labels, order, summary: summary.clone() };
        assert!((220..240).contains(&megabytes_of_all(&index)), "{}", megabytes_of_all(&index));

        let (mut names, mut labels) = (Names::default(), Labels::default());
        for class in 0..CLASSES / 20 {
            let mut of_class: Vec<_> = (0..650)
                .map(|i| format!("n{:08}_{}.JPEG", 1_440_764 + 577 * class, 37 * i))
                .collect();
            of_class.sort();
            for name in &of_class {
                names.push(name.as_ref());
            }
            for _ in &of_class {
                labels.push(&[class as u32]);
            }
        }
        names.shrink();
        labels.shrink();
        let places = Places::Files { folders: Vec::new(), names };
        let index = Index { places, labels, order, summary };
        assert!(megabytes_of_all(&index) < 300, "{}", megabytes_of_all(&index));
    }
}
