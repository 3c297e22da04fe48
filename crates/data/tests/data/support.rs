//! Folders of data for the tests.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use augreg_augment::Picture;
use augreg_data::{BadExamples, DataError, Dataset, Split, Supply, identify};
use augreg_spec::{DataSource, DatasetDefinition, DatasetIdentity, Format, SplitName};
use flate2::Compression;
use flate2::write::GzEncoder;

pub(crate) const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// Where `scripts/setup` puts Fashion-MNIST.
pub(crate) fn fashion_folder() -> PathBuf {
    let data = std::env::var_os("AUGREG_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data"), PathBuf::from);
    data.join("fashion-mnist")
}

pub(crate) fn source(format: Format, folder: &Path) -> DataSource {
    DataSource::new(format, folder)
}

pub(crate) fn definition(
    format: Format,
    folder: &Path,
    splits: &[(SplitName, &str)],
) -> DatasetDefinition {
    DatasetDefinition {
        name: "under-test".to_owned(),
        source: source(format, folder),
        splits: splits.iter().map(|(name, text)| (*name, text.parse().unwrap())).collect(),
        subset: None,
        declared: BTreeMap::new(),
    }
}

/// The splits of the quickstart.
pub(crate) const SPLITS: [(SplitName, &str); 3] = [
    (SplitName::Train, "train[:55000]"),
    (SplitName::Val, "train[55000:]"),
    (SplitName::Test, "test"),
];

/// Identifies and opens in one go, as a plan and then a job would.
pub(crate) fn open(
    definition: &DatasetDefinition,
) -> Result<(DatasetIdentity, Dataset), DataError> {
    let identity = identify(definition)?;
    let dataset = Dataset::open(&definition.source, &identity)?;
    Ok((identity, dataset))
}

/// The first images of Fashion-MNIST's test split as a small IDX data set: `train` and `test` are
/// the same `count` images.
pub(crate) fn small_fashion(folder: &Path, count: u32) {
    let real = fashion_folder();
    let mut images = fs::read(real.join(FILES[2])).unwrap();
    let mut labels = fs::read(real.join(FILES[3])).unwrap();
    for (bytes, header, each) in [(&mut images, 16, 784), (&mut labels, 8, 1)] {
        bytes[4..8].copy_from_slice(&count.to_be_bytes());
        bytes.truncate(header + each * count as usize);
    }
    for (name, bytes) in FILES.iter().zip([&images, &labels, &images, &labels]) {
        fs::write(folder.join(name), bytes).unwrap();
    }
}

pub(crate) fn gzip(path: &Path) -> PathBuf {
    let packed = PathBuf::from(format!("{}.gz", path.display()));
    let mut encoder = GzEncoder::new(fs::File::create(&packed).unwrap(), Compression::fast());
    encoder.write_all(&fs::read(path).unwrap()).unwrap();
    encoder.finish().unwrap();
    fs::remove_file(path).unwrap();
    packed
}

/// The error and its sources in one line.
pub(crate) fn text(error: &DataError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// The pixels of example `i` of a split that holds pixels.
pub(crate) fn pixels(split: &Split, i: usize) -> Vec<u8> {
    match split.picture(i, &mut Vec::new()).unwrap() {
        Picture::Pixels(image) => image.pixels().to_vec(),
        Picture::Encoded(_) => panic!("example {i} is a file"),
    }
}

/// The bytes of the file that example `i` of a split is.
pub(crate) fn encoded(split: &Split, i: usize) -> Vec<u8> {
    match split.picture(i, &mut Vec::new()).unwrap() {
        Picture::Encoded(bytes) => bytes.to_vec(),
        Picture::Pixels(_) => panic!("example {i} is pixels"),
    }
}

/// So many threads and batches ahead; no bad example is let pass.
pub(crate) fn supply(threads: usize, prefetch: usize) -> Supply {
    Supply { threads, prefetch, bad: BadExamples::new(0), lock: None }
}

/// Pictures that other libraries wrote in their formats: see `make.py` there.
pub(crate) fn golden(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder)
}

/// Where `scripts/setup --with-tests` puts the drawings of `Art4Apps`: 585 JPEGs of 12 classes.
pub(crate) fn drawings() -> PathBuf {
    fashion_folder().with_file_name("art4apps")
}

/// Copies a folder with all in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}
