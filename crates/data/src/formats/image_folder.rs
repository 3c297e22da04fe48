//! Pictures in folders: `train/cat/1.jpg`, the class is the folder.
//!
//! If folders of the data set hold pictures themselves, these folders are classes and the only
//! source split is `train`; if they hold folders, they are source splits and the folders in them
//! classes. Classes are numbered in the order of their names (as bytes), over all source splits
//! together, so a class has one number everywhere; one without pictures keeps its number. Files that
//! are not called `.jpg`, `.jpeg`, `.png` or `.webp` are no examples, and nothing below a class is.
//!
//! Examples come mixed, in an order that depends on their number alone: in the order of classes
//! `train[:90%]` would leave out the last ones, where in the files of other formats it is a sample.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use augreg_spec::DataSource;
use augreg_spec::random::{Purpose, stream};

use super::shards::{entries, name};
use crate::DataError;
use crate::cache::{self, Fingerprint};
use crate::content::{Hasher, digest, in_order};
use crate::index::{Index, Kind, Names, Places, Summary, read_whole};
use crate::labels::Labels;
use crate::order::Permutation;

/// Pictures hashed by a thread in one go.
const CHUNK: usize = 256;

/// Whether a file is called as pictures are.
pub(crate) fn is_picture(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default();
    ["jpg", "jpeg", "png", "webp"].iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// The folder of each source split.
pub(crate) fn splits(root: &Path) -> Result<BTreeMap<String, PathBuf>, DataError> {
    let layout = |found: String, wanted: &str| DataError::Layout {
        folder: root.to_owned(),
        found,
        wanted: wanted.to_owned(),
    };
    let folders: Vec<_> = entries(root)?.into_iter().filter(|entry| entry.is_dir()).collect();
    let (mut classes, mut splits) = (Vec::new(), Vec::new());
    for folder in folders {
        let inside = entries(&folder)?;
        if inside.iter().any(|entry| is_picture(entry)) {
            classes.push(folder);
        } else if inside.iter().any(|entry| entry.is_dir()) {
            splits.push(folder);
        }
    }
    match (classes.first(), splits.first()) {
        (Some(class), Some(split)) => Err(layout(
            format!("pictures in `{}` and folders in `{}`", name(class), name(split)),
            "its folders must all be classes, which hold pictures, or all source splits, which \
             hold classes: move what does not belong there",
        )),
        (Some(_), None) => Ok([("train".to_owned(), root.to_owned())].into()),
        (None, Some(_)) => Ok(splits.into_iter().map(|split| (name(&split), split)).collect()),
        (None, None) => Err(layout(
            "no folder with pictures".to_owned(),
            "the format wants `CLASS/PICTURE` or `SPLIT/CLASS/PICTURE` in it, pictures called \
             `.jpg`, `.jpeg`, `.png` or `.webp`: correct `path` or `format`",
        )),
    }
}

/// Opens the source split `split` of `splits`.
pub(crate) fn open(
    source: &DataSource,
    split: &str,
    splits: &BTreeMap<String, PathBuf>,
) -> Result<Index, DataError> {
    let classes = class_names(splits)?;
    let folders: Vec<PathBuf> = classes.iter().map(|class| splits[split].join(class)).collect();
    let (mut names, mut labels) = (Names::default(), Labels::default());
    let mut fingerprint = Fingerprint::new(source, split);
    let mut class = 0;
    in_order(
        folders.len(),
        |class| pictures(&folders[class]),
        |pictures| {
            fingerprint.text(classes[class as usize].as_bytes());
            for (name, metadata) in pictures {
                fingerprint.text(name.as_bytes());
                fingerprint.stat(&metadata);
                names.push(&name);
                labels.push(&[class]);
            }
            class += 1;
            Ok::<_, DataError>(())
        },
    )?;
    names.shrink();
    labels.shrink();
    let places = Places::Files { folders, names };
    let mut index = Index { places, labels, order: None, summary: Summary::default() };
    let entry = fingerprint.name();
    let _alone = cache::alone();
    if let Some(known) = cache::load(&entry) {
        index.summary = known.summary;
    } else {
        index.summary = Summary {
            classes: Some(classes.len() as u32),
            class_names: classes.iter().map(|class| class.to_string_lossy().into()).collect(),
            content: content(&index)?,
            count: index.len() as u64,
            kind: Kind::Encoded,
            origin: None,
        };
        cache::store(&entry, &index);
    }
    index.order = (index.len() > 0)
        .then(|| Permutation::new(index.len() as u64, &mut stream(0, Purpose::Listing, 0, 0)));
    Ok(index)
}

/// The folders in the folders of all source splits.
fn class_names(splits: &BTreeMap<String, PathBuf>) -> Result<Vec<OsString>, DataError> {
    let mut classes = BTreeSet::new();
    for folder in splits.values() {
        let folders = entries(folder)?.into_iter().filter(|entry| entry.is_dir());
        classes.extend(folders.filter_map(|folder| folder.file_name().map(ToOwned::to_owned)));
    }
    Ok(classes.into_iter().collect())
}

/// The pictures of a class, by name. A source split need not have every class.
fn pictures(folder: &Path) -> Result<Vec<(OsString, fs::Metadata)>, DataError> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for path in entries(folder)?.into_iter().filter(|entry| is_picture(entry)) {
        let metadata =
            fs::metadata(&path).map_err(|source| DataError::Read { path: path.clone(), source })?;
        if let Some(name) = path.file_name().filter(|_| metadata.is_file()) {
            found.push((name.to_owned(), metadata));
        }
    }
    Ok(found)
}

/// The hash of all pictures and their classes: every byte is read once.
fn content(index: &Index) -> Result<String, DataError> {
    let (mut hasher, mut next) = (Hasher::default(), 0);
    let digests = |chunk: usize| {
        let mut buffer = Vec::new();
        let examples = chunk * CHUNK..index.len().min((chunk + 1) * CHUNK);
        let digests = examples.map(|i| {
            let place = index.place(i);
            match read_whole(&place.path, &mut buffer) {
                Ok(()) => Ok(digest(&buffer)),
                Err(source) => Err(DataError::ReadExample { example: i as u64, place, source }),
            }
        });
        digests.collect::<Result<Vec<_>, _>>()
    };
    in_order(index.len().div_ceil(CHUNK), digests, |digests| {
        for digest in &digests {
            hasher.add(index.classes(next), digest);
            next += 1;
        }
        Ok(())
    })?;
    Ok(hasher.finish())
}
