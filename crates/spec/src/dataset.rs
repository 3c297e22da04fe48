//! Data sets: what a sweep file says of one, where it lies, and what it is to a job's identity.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::label_map::LabelMap;
use crate::split::{SourceRange, SplitExpr};
use crate::subset::{Subset, SubsetIdentity};

/// The file formats this build reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// IDX files of the MNIST family, plain or gzipped; source splits `train` and `test`.
    Idx,
    /// CIFAR-10 or CIFAR-100 in the binary version; source splits `train` and `test`.
    Cifar,
    /// Pictures in a folder a class; source splits are the folders above, or `train` alone.
    ImageFolder,
    /// Tar shards of the `WebDataset` library; source splits by the shards' names.
    Webdataset,
    /// Parquet files as Hugging Face writes them; source splits by the files' names.
    Parquet,
    /// NumPy archives of images and labels; source splits by the names of arrays or files.
    Npz,
    /// What `augreg data pack` writes; a file a source split.
    Pack,
}

impl Format {
    /// Every format with its name in a sweep file.
    pub const ALL: [(&'static str, Self); 7] = [
        ("idx", Self::Idx),
        ("cifar", Self::Cifar),
        ("image-folder", Self::ImageFolder),
        ("webdataset", Self::Webdataset),
        ("parquet", Self::Parquet),
        ("npz", Self::Npz),
        ("pack", Self::Pack),
    ];

    /// The name in a sweep file.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, format)| *format == self).map_or("", |(name, _)| name)
    }

    /// Whether labels may be any numbers, which a label map makes classes of.
    #[must_use]
    pub fn has_raw_labels(self) -> bool {
        matches!(self, Self::Parquet | Self::Webdataset | Self::Npz)
    }
}

/// The three roles a split plays in a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SplitName {
    /// What is reported.
    Test,
    /// What the model learns from.
    Train,
    /// What choices are made on.
    Val,
}

impl SplitName {
    /// Every split with its name.
    pub const ALL: [(&'static str, Self); 3] =
        [("train", Self::Train), ("val", Self::Val), ("test", Self::Test)];
}

/// Where a data set lies and how to read it. Never part of a job's identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSource {
    /// The file format.
    pub format: Format,
    /// The folder, absolute.
    pub path: PathBuf,
    /// What else it takes to read it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reading: Reading,
}

impl DataSource {
    /// Data that are read as their format has it.
    #[must_use]
    pub fn new(format: Format, path: impl Into<PathBuf>) -> Self {
        Self { format, path: path.into(), reading: Reading::default() }
    }
}

/// How to read a data set where its format leaves that open. What of it can change a result is in
/// the identity in another way: as counts of channels and classes, and in the hash of the content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// Channels to read images in, 1 or 3; none takes what the format holds, of pictures 3.
    #[serde(default, skip_serializing_if = "is_default")]
    pub channels: Option<u32>,
    /// How many classes there are; none takes what the data say.
    #[serde(default, skip_serializing_if = "is_default")]
    pub classes: Option<u32>,
    /// What the column or array of images is called; none takes the usual names.
    #[serde(default, skip_serializing_if = "is_default")]
    pub image: Option<String>,
    /// What the column, array or JSON key of labels is called; none takes the usual names.
    #[serde(default, skip_serializing_if = "is_default")]
    pub label: Option<String>,
    /// How a label becomes a class; none where it is one. In the identity by what it makes of the
    /// labels: the content hash is of classes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub label_map: Option<LabelMap>,
    /// Pictures that cannot be decoded and are skipped, before a job fails.
    #[serde(default, skip_serializing_if = "is_default")]
    pub max_bad_examples: u64,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A data set as a sweep file defines it.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetDefinition {
    /// Its name in the sweep file.
    pub name: String,
    /// Where it lies.
    pub source: DataSource,
    /// Its splits as written.
    pub splits: BTreeMap<SplitName, SplitExpr>,
    /// The part of the training split to learn from, if not all of it.
    pub subset: Option<Subset>,
    /// How many examples each source split holds, as far as the sweep file says so.
    pub declared: BTreeMap<String, u64>,
}

/// One split of a data set, resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitIdentity {
    /// How many examples it holds.
    pub examples: u64,
    /// Which examples of the source splits, in order.
    pub ranges: Vec<SourceRange>,
    /// How `examples` of these were chosen, if these are not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subset: Option<SubsetIdentity>,
}

/// What a data set is to a job: everything that can change a result, nothing that cannot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetIdentity {
    /// Colour channels of an image: 1 or 3.
    pub channels: u32,
    /// How many classes labels may name.
    pub classes: u32,
    /// BLAKE3 (hex) of the content of every source split in use, images and labels.
    pub content: BTreeMap<String, String>,
    /// The file format.
    pub format: Format,
    /// The splits, resolved to ranges of examples.
    pub splits: BTreeMap<SplitName, SplitIdentity>,
}

impl DatasetIdentity {
    /// A short name for this identity: 128 bits of BLAKE3 over its canonical JSON, in hex.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        blake3::hash(self.canonical().as_bytes()).to_hex()[..32].to_owned()
    }

    /// Its canonical JSON, as it stands in that of a job: keys sorted, no spaces.
    #[must_use]
    pub fn canonical(&self) -> String {
        crate::job::canonical(self)
    }

    /// How many examples a split holds; 0 if the data set has none of that name.
    #[must_use]
    pub fn examples(&self, split: SplitName) -> u64 {
        self.splits.get(&split).map_or(0, |split| split.examples)
    }
}
