//! Source splits that are read into memory as a whole: IDX and CIFAR.

use std::path::Path;

use augreg_augment::ImageView;
use augreg_spec::Format;

use crate::DataError;
use crate::file::SourceFile;
use crate::formats::{cifar, idx};
use crate::labels;

/// The source splits of these formats.
pub(crate) const NAMES: [&str; 2] = ["train", "test"];

/// A source split's files, opened and checked for their sizes, but not read through yet.
#[derive(Debug)]
pub(crate) struct Whole {
    /// In the order in which they are hashed.
    pub(crate) files: Vec<SourceFile>,
    pub(crate) format: Format,
    pub(crate) shape: Shape,
    pub(crate) labels: Labels,
    /// How many classes the format prescribes, if it does.
    pub(crate) classes: Option<u32>,
}

/// Where labels lie, one class an example: in every file from `in_files` on, a byte each, at `first` and
/// every `stride`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Labels {
    pub(crate) in_files: usize,
    pub(crate) first: usize,
    pub(crate) stride: usize,
}

/// What the images of a source split have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) count: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) channels: usize,
}

/// A source split in memory.
#[derive(Debug)]
pub(crate) struct Held {
    shape: Shape,
    pixels: Pixels,
    labels: labels::Labels,
}

/// Images one after the other, `[count, height, width, channels]`.
#[derive(Debug)]
pub(crate) enum Pixels {
    /// As they lie in a file, from an offset on.
    InFile(SourceFile, usize),
    /// Brought into that layout.
    Held(Vec<u8>),
}

impl Whole {
    /// Opens the source split `name` of the data in `folder`.
    pub(crate) fn open(format: Format, folder: &Path, name: &str) -> Result<Self, DataError> {
        if !folder.is_dir() {
            return Err(DataError::MissingFolder { path: folder.to_owned() });
        }
        match format {
            Format::Cifar => cifar::open(folder, name),
            _ => idx::open(folder, name),
        }
    }

    /// BLAKE3 (hex) of the files' bytes, one file after the other, decompressed: headers, pixels
    /// and labels. A data set keeps its hash when it is moved, compressed or decompressed.
    pub(crate) fn content(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for file in &self.files {
            hasher.update(file);
        }
        hasher.finalize().to_hex().to_string()
    }

    /// How many classes the labels name: what the format prescribes, or the largest label plus 1.
    ///
    /// # Errors
    ///
    /// [`DataError::Label`] if a label lies outside what the format prescribes.
    pub(crate) fn classes(&self) -> Result<u32, DataError> {
        if let Some(classes) = self.classes {
            self.check_labels(classes)?;
            return Ok(classes);
        }
        let largest = self.label_places().map(|(file, at)| file[at]).max();
        Ok(largest.map_or(0, |label| u32::from(label) + 1))
    }

    /// Reads everything into memory.
    ///
    /// # Errors
    ///
    /// [`DataError::Label`] if a label is not below `classes`.
    pub(crate) fn load(self, classes: u32) -> Result<Held, DataError> {
        self.check_labels(classes)?;
        let labels = self.labels();
        let shape = self.shape;
        let pixels = match self.format {
            Format::Cifar => cifar::pixels(&self),
            _ => idx::pixels(self),
        };
        Ok(Held { shape, pixels, labels })
    }

    /// The labels, in the order of examples.
    pub(crate) fn labels(&self) -> labels::Labels {
        self.label_places().map(|(file, at)| file[at].into()).collect()
    }

    /// File and offset of every label, in the order of examples.
    fn label_places(&self) -> impl Iterator<Item = (&SourceFile, usize)> {
        let Labels { in_files, first, stride } = self.labels;
        let files = self.files[in_files..].iter();
        files.flat_map(move |file| (first..file.len()).step_by(stride).map(move |at| (file, at)))
    }

    pub(crate) fn check_labels(&self, classes: u32) -> Result<(), DataError> {
        let places = self.label_places().enumerate();
        match places.into_iter().find(|(_, (file, at))| u32::from(file[*at]) >= classes) {
            None => Ok(()),
            Some((example, (file, at))) => Err(DataError::Label {
                path: file.path.clone(),
                example: example as u64,
                offset: at as u64,
                label: file[at].into(),
                classes,
            }),
        }
    }
}

impl Held {
    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    /// Image `i`.
    pub(crate) fn image(&self, i: usize) -> ImageView<'_> {
        let Shape { width, height, channels, .. } = self.shape;
        let len = width * height * channels;
        let pixels = match &self.pixels {
            Pixels::InFile(file, offset) => &file[*offset..],
            Pixels::Held(bytes) => bytes,
        };
        ImageView::new(&pixels[i * len..(i + 1) * len], width, height, channels)
    }

    /// The class of example `i`, as a list.
    pub(crate) fn classes(&self, i: usize) -> &[u32] {
        self.labels.get(i)
    }
}
