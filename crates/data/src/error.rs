//! What can be wrong with data. Every message names the file, what was found and what to do.

use std::io;
use std::path::PathBuf;

use augreg_spec::{SplitError, SplitName};
use thiserror::Error;

use crate::place::Place;

/// A data set that cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// The folder does not exist or is no folder.
    #[error(
        "there is no folder `{}`: correct the data set's `path`, or fetch the data (`scripts/setup` fetches Fashion-MNIST, `scripts/setup --with-study` also the digits and drawings)",
        .path.display()
    )]
    MissingFolder {
        /// The folder.
        path: PathBuf,
    },
    /// A file of the format is not in the folder.
    #[error(
        "`{}` has no file for the source split `{source_split}`, looked for {looked_for}: put it there, or correct `format` or `path`",
        .folder.display()
    )]
    MissingFile {
        /// The folder.
        folder: PathBuf,
        /// The source split.
        source_split: String,
        /// The file names that would have done.
        looked_for: String,
    },
    /// A folder holds two data sets of the format.
    #[error("`{}` holds both {first} and {second}: keep one of the two data sets in the folder", .folder.display())]
    Ambiguous {
        /// The folder.
        folder: PathBuf,
        /// A file of the one.
        first: String,
        /// A file of the other.
        second: String,
    },
    /// The system could not read a file.
    #[error("failed to read `{}`", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A compressed file is damaged or cut off.
    #[error(
        "failed to decompress `{}` after {decompressed} bytes: it is damaged or incomplete, fetch it again",
        .path.display()
    )]
    Gzip {
        /// The file.
        path: PathBuf,
        /// How many bytes came out before the damage.
        decompressed: u64,
        /// What the decompressor said.
        source: io::Error,
    },
    /// A file begins with other bytes than its format prescribes.
    #[error(
        "`{}` begins with {found}, not with {expected}: it is no such file, or damaged",
        .path.display()
    )]
    Magic {
        /// The file.
        path: PathBuf,
        /// What the format prescribes.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A file is shorter or longer than it should be.
    #[error(
        "`{}` should have {expected}, but has {found} bytes: it is incomplete or damaged, fetch it again",
        .path.display()
    )]
    Size {
        /// The file.
        path: PathBuf,
        /// How long it should be, and why.
        expected: String,
        /// How long it is (after decompression).
        found: u64,
    },
    /// A file's images have no pixels, or there are none.
    #[error("`{}` holds {count} images of {width} × {height} pixels: nothing to learn from", .path.display())]
    NoPixels {
        /// The file.
        path: PathBuf,
        /// How many images.
        count: u64,
        /// Columns of each.
        width: u64,
        /// Rows of each.
        height: u64,
    },
    /// Images and labels are not equally many.
    #[error(
        "`{}` holds {images} images but `{}` {labels} labels: they do not belong together",
        .image_file.display(),
        .label_file.display()
    )]
    Count {
        /// The file of images.
        image_file: PathBuf,
        /// How many images.
        images: u64,
        /// The file of labels.
        label_file: PathBuf,
        /// How many labels.
        labels: u64,
    },
    /// A label names no class.
    #[error(
        "`{}`: the label of example {example}, byte {offset}, is {label}, but there are classes 0 to {} only: the file is damaged",
        .path.display(),
        .classes.saturating_sub(1)
    )]
    Label {
        /// The file.
        path: PathBuf,
        /// The example, counted from 0 within the source split.
        example: u64,
        /// Where the label lies in the file (after decompression).
        offset: u64,
        /// The label.
        label: u32,
        /// How many classes there are.
        classes: u32,
    },
    /// A label is none, or names no class.
    #[error("{place}: the label is {found}, but {wanted}")]
    BadLabel {
        /// Where the label or its example lies.
        place: Place,
        /// What is there.
        found: String,
        /// What should be.
        wanted: String,
    },
    /// A folder holds nothing of the format.
    #[error("`{}` holds {found}, but {wanted}", .folder.display())]
    Layout {
        /// The folder, or the file in its place.
        folder: PathBuf,
        /// What is there.
        found: String,
        /// What the format wants, and what to do.
        wanted: String,
    },
    /// A file that holds many examples is damaged.
    #[error("{place}: {what}")]
    Damaged {
        /// Where.
        place: Place,
        /// What is wrong there, and what to do.
        what: String,
    },
    /// A table or archive lacks a column or array, or it is not what it should be.
    #[error("`{}`: {what}", .path.display())]
    Column {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        what: String,
    },
    /// Bytes that an index promises cannot be read: the file is gone, cut off or unreadable.
    #[error(
        "failed to read example {example} from {place}: it has changed since the data set was looked at, or the disk fails"
    )]
    ReadExample {
        /// The example, counted from 0 within its source split.
        example: u64,
        /// Where it should be.
        place: Place,
        /// What the system said.
        source: io::Error,
    },
    /// Too many pictures cannot be decoded.
    #[error(
        "{place} {reason}; with it {count} {}, and `max_bad_examples` is {allowed}: replace it (`augreg data check` finds all), or raise the limit",
        if *count == 1 { "example is bad" } else { "examples are bad" }
    )]
    BadExample {
        /// The picture with which they were too many.
        place: Place,
        /// What is wrong with it.
        reason: String,
        /// How many are bad so far.
        count: u64,
        /// How many may be.
        allowed: u64,
    },
    /// No example of a split can be decoded.
    #[error("no example of the split can be decoded, the last of them {place}")]
    AllBad {
        /// One of them.
        place: Place,
    },
    /// A subset is larger than its split, or empty.
    #[error("the subset of the split `{}` should have {wanted} examples, of {available}", split_name(*.split))]
    Subset {
        /// The split's role.
        split: SplitName,
        /// How many were asked for.
        wanted: u64,
        /// How many there are.
        available: u64,
    },
    /// A part by classes of a split whose examples have several.
    #[error(
        "the split `{}` cannot be divided by classes, for its labels are sets of classes: take a plain part of it, without `stratified` or a number a class",
        split_name(*.split)
    )]
    SubsetOfSets {
        /// The split's role.
        split: SplitName,
    },
    /// A source split holds another number of examples than the sweep file says.
    #[error(
        "`{}` holds {found} of the source split `{source_split}`, but {declared} are declared: it is another data set, or not all of it; complete it, or correct `examples`",
        .folder.display()
    )]
    Declared {
        /// The folder.
        folder: PathBuf,
        /// The source split.
        source_split: String,
        /// How many examples it should hold.
        declared: u64,
        /// What it holds: `60000 examples`, or `nothing`.
        found: String,
    },
    /// What has to be unpacked or packed cannot be written.
    #[error("failed to write `{}`{advice}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
        /// What to do.
        advice: &'static str,
    },
    /// A split cannot be taken from the data.
    #[error("the split `{}` does not fit the data", split_name(*.split))]
    Split {
        /// Its role.
        split: SplitName,
        /// What is wrong with it.
        source: SplitError,
    },
    /// The data set has no split of that role.
    #[error("the data set has no split `{}`", split_name(*.split))]
    NoSplit {
        /// The role.
        split: SplitName,
    },
    /// The data are not those the job was planned with.
    #[error(
        "the source split `{source_split}` in `{}` is not the one the job was planned with (content hash {found}, planned {planned}): restore the data, or plan again for new jobs",
        .folder.display()
    )]
    Changed {
        /// The folder.
        folder: PathBuf,
        /// The source split.
        source_split: String,
        /// The hash in the job.
        planned: String,
        /// The hash of what is there.
        found: String,
    },
    /// A job's split names examples its data do not have.
    #[error(
        "the split `{}` was planned over examples {from} to {to} of `{source_split}`, which has {count}: plan again",
        split_name(*.split)
    )]
    Range {
        /// The split's role.
        split: SplitName,
        /// The source split.
        source_split: String,
        /// The first example.
        from: u64,
        /// One past the last.
        to: u64,
        /// How many there are.
        count: u64,
    },
    /// The system refused the loader's thread.
    #[error("failed to start the thread that prepares batches")]
    Thread {
        /// What the system said.
        source: io::Error,
    },
    /// The loader's thread ended before the last batch, which is a bug.
    #[error("the thread that prepares batches ended before step {step}")]
    LoaderEnded {
        /// The step whose batch was due.
        step: u64,
    },
}

/// The name of a split in a sweep file.
fn split_name(split: SplitName) -> &'static str {
    SplitName::ALL.iter().find(|(_, known)| *known == split).map_or("", |(name, _)| name)
}
