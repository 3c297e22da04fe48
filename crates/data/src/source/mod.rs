//! A source split: the examples one set of files holds, before a sweep file slices them.

pub(crate) mod whole;

use std::collections::BTreeMap;
use std::path::PathBuf;

use augreg_augment::Picture;
use augreg_spec::{DataSource, Format};

pub(crate) use whole::{Labels, NAMES, Pixels, Shape, Whole};

use crate::DataError;
use crate::formats::{image_folder, npz, pack, parquet, shards, webdataset};
use crate::index::{Index, Indexed, Kind, Summary};
use crate::place::Place;
use crate::subset::class_of;

/// Channels of pictures, unless a data set asks for others.
const COLOUR: u32 = 3;

/// The source splits of a data set, found but not opened.
#[derive(Debug)]
pub(crate) struct Sources<'a> {
    source: &'a DataSource,
    found: Found,
}

#[derive(Debug)]
enum Found {
    /// `train` and `test`, whether or not their files are there.
    Fixed,
    Folders(BTreeMap<String, PathBuf>),
    Shards(BTreeMap<String, Vec<PathBuf>>),
    Arrays(BTreeMap<String, npz::Arrays>),
}

/// A source split's files, opened and checked, but its examples not read yet.
#[derive(Debug)]
pub(crate) enum Source {
    /// Read into memory as a whole.
    Whole(Whole),
    /// Read example by example.
    Indexed(Box<Index>),
}

/// A source split whose examples can be had.
#[derive(Debug)]
pub(crate) enum Examples {
    Held(Box<whole::Held>, PathBuf),
    Indexed(Box<Indexed>),
}

impl<'a> Sources<'a> {
    pub(crate) fn find(source: &'a DataSource) -> Result<Self, DataError> {
        let path = &source.path;
        let found = match source.format {
            Format::Idx | Format::Cifar => Found::Fixed,
            Format::ImageFolder => Found::Folders(image_folder::splits(path)?),
            Format::Webdataset => Found::Shards(shards::splits(path, "tar")?),
            Format::Parquet => Found::Shards(shards::splits(path, "parquet")?),
            Format::Pack => Found::Shards(shards::splits(path, "pack")?),
            Format::Npz => Found::Arrays(npz::splits(source)?),
        };
        Ok(Self { source, found })
    }

    /// What they are called.
    pub(crate) fn names(&self) -> Vec<&str> {
        match &self.found {
            Found::Fixed => NAMES.to_vec(),
            Found::Folders(splits) => splits.keys().map(String::as_str).collect(),
            Found::Shards(splits) => splits.keys().map(String::as_str).collect(),
            Found::Arrays(splits) => splits.keys().map(String::as_str).collect(),
        }
    }

    /// Opens the source split `name`; None if there is none.
    pub(crate) fn open(&self, name: &str) -> Result<Option<Source>, DataError> {
        let Self { source, found } = self;
        let index = match found {
            Found::Fixed => {
                if !NAMES.contains(&name) {
                    return Ok(None);
                }
                return Whole::open(source.format, &source.path, name).map(Source::Whole).map(Some);
            }
            Found::Folders(splits) if splits.contains_key(name) => {
                image_folder::open(source, name, splits)
            }
            Found::Shards(splits) => match (splits.get(name), source.format) {
                (None, _) => return Ok(None),
                (Some(files), Format::Webdataset) => webdataset::open(source, name, files),
                (Some(files), Format::Parquet) => parquet::open(source, name, files),
                (Some(files), _) => pack::open_checked(source, name, &files[0]),
            },
            Found::Arrays(splits) => match splits.get(name) {
                None => return Ok(None),
                Some(arrays) => npz::open(source, name, arrays),
            },
            Found::Folders(_) => return Ok(None),
        };
        index.map(|index| Some(Source::Indexed(Box::new(index))))
    }
}

impl Source {
    /// How many examples it holds.
    pub(crate) fn count(&self) -> u64 {
        match self {
            Self::Whole(whole) => whole.shape.count as u64,
            Self::Indexed(index) => index.summary.count,
        }
    }

    /// Channels that its images have, or are decoded to unless others are asked for.
    pub(crate) fn channels(&self) -> u32 {
        match self {
            Self::Whole(whole) => whole.shape.channels as u32,
            Self::Indexed(index) => match index.summary.kind {
                Kind::Encoded => COLOUR,
                Kind::Pixels { channels, .. } => channels,
            },
        }
    }

    /// The hash of the content, BLAKE3 in hex.
    pub(crate) fn content(&self) -> String {
        match self {
            Self::Whole(whole) => whole.content(),
            Self::Indexed(index) => {
                let Summary { content, origin, .. } = &index.summary;
                origin.as_ref().map_or(content, |origin| &origin.content).clone()
            }
        }
    }

    /// The format that it is of to a job, where it is a pack of another.
    pub(crate) fn origin(&self) -> Option<Format> {
        match self {
            Self::Whole(_) => None,
            Self::Indexed(index) => index.summary.origin.as_ref().map(|origin| origin.format),
        }
    }

    /// Whether its images can be had in so many channels, and be those of what it was packed from:
    /// pixels that were decoded in one number of channels do not tell what another would have been.
    pub(crate) fn has_channels(&self, asked: u32) -> bool {
        let decoded =
            !matches!(self.origin(), None | Some(Format::Idx | Format::Cifar | Format::Npz));
        let pixels = matches!(self, Self::Indexed(index) if index.summary.kind != Kind::Encoded);
        !(decoded && pixels) || asked == self.channels()
    }

    /// What the classes are called, if the data say so.
    pub(crate) fn class_names(&self) -> &[String] {
        match self {
            Self::Whole(_) => &[],
            Self::Indexed(index) => &index.summary.class_names,
        }
    }

    /// How many classes there are: as many as `asked`, as the data say, or as the labels name.
    ///
    /// # Errors
    ///
    /// If a label names no class.
    pub(crate) fn classes(&self, asked: Option<u32>) -> Result<u32, DataError> {
        match self {
            Self::Whole(whole) => match asked {
                None => whole.classes(),
                Some(asked) => whole.check_labels(asked).map(|()| asked),
            },
            Self::Indexed(index) => {
                let named = || index.labels.classes();
                let classes = asked.or(index.summary.classes).unwrap_or_else(named);
                check_labels(index, classes).map(|()| classes)
            }
        }
    }

    /// Whether every example has one class.
    pub(crate) fn has_single_labels(&self) -> bool {
        match self {
            Self::Whole(_) => true,
            Self::Indexed(index) => index.labels.are_single(),
        }
    }

    /// The class that every example counts for in a subset, in order.
    pub(crate) fn subset_classes(&self) -> Vec<u32> {
        match self {
            Self::Whole(whole) => {
                let labels = whole.labels();
                (0..labels.len()).map(|i| class_of(labels.get(i))).collect()
            }
            Self::Indexed(index) => (0..index.len()).map(|i| class_of(index.classes(i))).collect(),
        }
    }

    /// Makes its examples available.
    ///
    /// # Errors
    ///
    /// If a label is not below `classes`.
    pub(crate) fn load(self, classes: u32) -> Result<Examples, DataError> {
        match self {
            Self::Whole(whole) => {
                let path = whole.files[0].path.clone();
                Ok(Examples::Held(Box::new(whole.load(classes)?), path))
            }
            Self::Indexed(index) => {
                check_labels(&index, classes)?;
                Ok(Examples::Indexed(Box::new(Indexed::new(*index))))
            }
        }
    }
}

fn check_labels(index: &Index, classes: u32) -> Result<(), DataError> {
    // Classes ascend.
    let largest = |i| index.classes(i).last().filter(|largest| **largest >= classes);
    match (0..index.len()).find_map(|i| Some((i, largest(i)?))) {
        None => Ok(()),
        Some((i, largest)) => Err(DataError::BadLabel {
            place: index.place(i),
            found: largest.to_string(),
            wanted: format!(
                "there are classes 0 to {} only: correct it, or `classes`",
                classes.saturating_sub(1)
            ),
        }),
    }
}

impl Examples {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Held(held, _) => held.shape().count,
            Self::Indexed(indexed) => indexed.index.len(),
        }
    }

    /// Example `i`, in `buffer` if it has to be read.
    pub(crate) fn picture<'a>(
        &'a self,
        i: usize,
        buffer: &'a mut Vec<u8>,
    ) -> Result<Picture<'a>, DataError> {
        match self {
            Self::Held(held, _) => Ok(held.image(i).into()),
            Self::Indexed(indexed) => indexed.picture(i, buffer),
        }
    }

    /// The classes of example `i`, in ascending order.
    pub(crate) fn classes(&self, i: usize) -> &[u32] {
        match self {
            Self::Held(held, _) => held.classes(i),
            Self::Indexed(indexed) => indexed.index.classes(i),
        }
    }

    pub(crate) fn place(&self, i: usize) -> Place {
        match self {
            Self::Held(_, path) => Place::row(path, i as u64),
            Self::Indexed(indexed) => indexed.place(i),
        }
    }
}
