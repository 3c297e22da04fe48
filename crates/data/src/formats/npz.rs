//! NumPy archives: 8-bit images `[count, height, width]` or `[…, 1 or 3]`, and as labels either whole
//! numbers, `[count]` or `[count, 1]`, or a 1 for each class that an image has, `[count, classes]`.
//!
//! The path is a folder with an archive a source split (`train.npz` with the arrays `images` and
//! `labels`), or one archive of all, in which names tell: `train_images` and `train_labels`
//! (`MedMNIST`), `x_train` and `y_train` (Keras). With a label map labels are any numbers, `[count]`. Arrays that are stored plainly (`numpy.savez`) are
//! read where they lie; compressed ones (`savez_compressed`) become a pack in the cache.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use augreg_spec::{DataSource, LabelMap};
use zip::ZipArchive;
use zip::result::ZipError;

use super::classes;
use super::npy::{self, Header};
use super::pack::{self, Writer};
use super::shards;
use crate::DataError;
use crate::cache;
use crate::content::{Hasher, digest};
use crate::index::{Holder, Index, Kind, Layout, Places, Spans, Summary};
use crate::labels::Labels;
use crate::place::Place;

/// What arrays of images and of labels are usually called.
const IMAGES: [&str; 4] = ["images", "image", "x", "data"];
const LABELS: [&str; 4] = ["labels", "label", "y", "targets"];

/// Where a source split lies: an archive and the two arrays in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Arrays {
    archive: PathBuf,
    images: String,
    labels: String,
}

/// The arrays of every source split.
pub(crate) fn splits(source: &DataSource) -> Result<BTreeMap<String, Arrays>, DataError> {
    let mut splits = BTreeMap::new();
    for (of_file, archives) in shards::splits(&source.path, "npz")? {
        let [archive] = &archives[..] else {
            return Err(DataError::Layout {
                folder: source.path.clone(),
                found: format!("{} archives of the split `{of_file}`", archives.len()),
                wanted: "a split is one archive: call the archives by their splits".to_owned(),
            });
        };
        let names = array_names(archive)?;
        let found = pairs(source, &of_file, &names);
        if found.is_empty() {
            let what = format!(
                "no arrays of images and labels were found among {}: call them `images` and `labels`, \
                 or name them in the data set with `image` and `label`",
                names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            );
            return Err(DataError::Column { path: archive.clone(), what });
        }
        for (split, images, labels) in found {
            splits.insert(split, Arrays { archive: archive.clone(), images, labels });
        }
    }
    Ok(splits)
}

/// Source split, images and labels of every pair among `names`, arrays of the archive `of_file`.
fn pairs(source: &DataSource, of_file: &str, names: &[String]) -> Vec<(String, String, String)> {
    let (image, label) = (source.reading.image.as_deref(), source.reading.label.as_deref());
    let usual = |own: Option<&str>, usual: &[&str]| {
        own.map_or_else(|| usual.iter().map(ToString::to_string).collect(), |own| vec![own.into()])
    };
    let images: Vec<String> = usual(image, &IMAGES);
    let labels: Vec<String> = usual(label, &LABELS);
    let among = |candidates: Vec<String>| candidates.into_iter().find(|name| names.contains(name));
    if let (Some(images), Some(labels)) = (among(images.clone()), among(labels.clone())) {
        return vec![(of_file.to_owned(), images, labels)];
    }
    let mut found = Vec::new();
    for split in ["train", "val", "valid", "validation", "test"] {
        let both = |names: &[String]| {
            let ways = names.iter().flat_map(|n| [format!("{split}_{n}"), format!("{n}_{split}")]);
            among(ways.collect())
        };
        if let (Some(images), Some(labels)) = (both(&images), both(&labels)) {
            found.push((split.to_owned(), images, labels));
        }
    }
    found
}

/// Opens a source split.
pub(crate) fn open(source: &DataSource, split: &str, arrays: &Arrays) -> Result<Index, DataError> {
    let entry = shards::fingerprint(source, split, std::slice::from_ref(&arrays.archive))?;
    let _alone = cache::alone();
    if let Some(mut known) = cache::load(&entry) {
        name_files(&mut known, &arrays.archive);
        return Ok(known);
    }
    let path = cache::folder().join(format!("{entry}.pack"));
    if let Ok(mut known) = pack::open(&path) {
        name_origin(&mut known, &arrays.archive);
        return Ok(known);
    }
    let mut archive = Archive::open(&arrays.archive)?;
    let map = source.reading.label_map;
    let (labels, classes) = archive.labels(&arrays.labels, map)?;
    let images = archive.images(&arrays.images)?;
    if images.count != labels.len() {
        return Err(DataError::Column {
            path: arrays.archive.clone(),
            what: format!(
                "`{}` holds {} images but `{}` {} labels: they do not belong together",
                arrays.images,
                images.count,
                arrays.labels,
                labels.len()
            ),
        });
    }
    if let Some(start) = images.plain {
        let len = images.kind.len().unwrap_or_default() as u64;
        let mut hasher = Hasher::default();
        archive.each(&arrays.images, &images, |i, bytes| {
            hasher.add(labels.get(i), &digest(bytes));
            Ok(())
        })?;
        let layout = Layout::Even { start, len };
        let spans = Spans { firsts: vec![0], layout, ..Spans::default() };
        let summary = Summary {
            content: hasher.finish(),
            count: labels.len() as u64,
            kind: images.kind,
            classes,
            ..Summary::default()
        };
        let mut index = Index { places: Places::Spans(spans), labels, order: None, summary };
        cache::store(&entry, &index);
        name_files(&mut index, &arrays.archive);
        return Ok(index);
    }
    let mut failure = None;
    let written = cache::write_whole(&path, |file| {
        let mut writer = Writer::new(file);
        let copied = archive.each(&arrays.images, &images, |i, bytes| {
            writer.add(bytes, labels.get(i)).map_err(|source| DataError::Write {
                path: path.clone(),
                source,
                advice: cache::ADVICE,
            })
        });
        if let Err(error) = copied {
            failure = Some(error);
            return Err(std::io::Error::other("the data cannot be copied"));
        }
        let origin = Holder { path: arrays.archive.clone(), examples: labels.len() as u64 };
        writer.finish(images.kind, classes, Vec::new(), vec![origin], None)
    });
    match (written, failure) {
        (Ok(()), _) => {}
        (_, Some(error)) => return Err(error),
        (Err(source), None) => {
            return Err(DataError::Write { path, source, advice: cache::ADVICE });
        }
    }
    let mut index = pack::open(&path)?;
    name_origin(&mut index, &arrays.archive);
    Ok(index)
}

fn name_files(index: &mut Index, archive: &Path) {
    if let Places::Spans(spans) = &mut index.places {
        spans.files = vec![archive.to_owned()];
    }
}

fn name_origin(index: &mut Index, archive: &Path) {
    if let Places::Spans(spans) = &mut index.places {
        spans.origins.iter_mut().for_each(|holder| archive.clone_into(&mut holder.path));
    }
}

/// The array of images, looked at.
struct Images {
    count: usize,
    kind: Kind,
    /// Where in the archive the first pixel lies, if it lies there as it is.
    plain: Option<u64>,
}

struct Archive<'a> {
    path: &'a Path,
    zip: ZipArchive<File>,
}

fn array_names(path: &Path) -> Result<Vec<String>, DataError> {
    let archive = Archive::open(path)?;
    let names = archive.zip.file_names().filter_map(Result::ok);
    Ok(names.filter_map(|name| name.strip_suffix(".npy").map(str::to_owned)).collect())
}

impl<'a> Archive<'a> {
    fn open(path: &'a Path) -> Result<Self, DataError> {
        let file =
            File::open(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
        let zip = ZipArchive::new(file).map_err(|error| damaged(path, &error.to_string()))?;
        Ok(Self { path, zip })
    }

    fn column(&self, what: String) -> DataError {
        DataError::Column { path: self.path.to_owned(), what }
    }

    /// The labels, and how many classes they could name, if that is to be seen.
    fn labels(
        &mut self,
        name: &str,
        map: Option<LabelMap>,
    ) -> Result<(Labels, Option<u32>), DataError> {
        let (header, bytes) = {
            let path = self.path;
            let mut member = member(path, &mut self.zip, name)?;
            let header = Header::read(&mut member).map_err(|what| damaged(path, &what))?;
            let mut bytes = Vec::new();
            let most = header.count().unwrap_or(usize::MAX).saturating_mul(npy::size(&header.kind));
            member
                .take(most as u64)
                .read_to_end(&mut bytes)
                .map_err(|e| damaged(path, &e.to_string()))?;
            (header, bytes)
        };
        if let Some(map) = map {
            return self.mapped(name, &header, &bytes, map);
        }
        let columns = match header.shape[..] {
            [_] => Some(1),
            [_, columns] if columns > 0 => Some(columns),
            _ => None,
        };
        let numbers = npy::integers(&header.kind, &bytes).zip(columns);
        let (numbers, columns) = numbers.ok_or_else(|| {
            self.column(format!(
                "the labels `{name}` are of kind `{}` and shape {:?}: they must be whole numbers, one \
                 an image, or a 0 or 1 for every image and class",
                header.kind, header.shape
            ))
        })?;
        if Some(numbers.len()) != header.count() {
            return Err(damaged(self.path, &format!("`{name}` is cut off")));
        }
        let mut labels = Labels::default();
        for (i, numbers) in numbers.chunks_exact(columns).enumerate() {
            let place = || Place::row(self.path, i as u64);
            match numbers {
                [class] => labels.push(&[classes::class(*class, place)?]),
                _ => labels.push(&classes::marked(numbers, place)?),
            }
        }
        labels.shrink();
        Ok((labels, (columns > 1).then_some(columns as u32)))
    }

    /// The classes that a map makes of an array of numbers, and how many there are.
    fn mapped(
        &self,
        name: &str,
        header: &Header,
        bytes: &[u8],
        map: LabelMap,
    ) -> Result<(Labels, Option<u32>), DataError> {
        let flat = matches!(header.shape[..], [_] | [_, 1]);
        let numbers = npy::numbers(&header.kind, bytes).filter(|_| flat).ok_or_else(|| {
            self.column(format!(
                "the labels `{name}` are of kind `{}` and shape {:?}: for the label map `{}` they must \
                 be numbers, one an image",
                header.kind,
                header.shape,
                map.name()
            ))
        })?;
        if Some(numbers.len()) != header.count() {
            return Err(damaged(self.path, &format!("`{name}` is cut off")));
        }
        let mut labels = Labels::default();
        for (i, raw) in numbers.into_iter().enumerate() {
            labels.push(&[classes::mapped(map, raw, || Place::row(self.path, i as u64))?]);
        }
        labels.shrink();
        Ok((labels, Some(map.classes())))
    }

    fn images(&mut self, name: &str) -> Result<Images, DataError> {
        let path = self.path;
        let (header, start, plain, size) = {
            let mut member = member(path, &mut self.zip, name)?;
            let header = Header::read(&mut member).map_err(|what| damaged(path, &what))?;
            let plain = member.compression() == zip::CompressionMethod::Stored;
            (header, member.data_start(), plain, member.size())
        };
        let (count, height, width, channels) = match header.shape[..] {
            [count, height, width] => (count, height, width, 1),
            [count, height, width, channels @ (1 | 3)] => (count, height, width, channels),
            _ => (0, 0, 0, 0),
        };
        if header.kind != "|u1" || count * height * width == 0 {
            return Err(self.column(format!(
                "the images `{name}` are of kind `{}` and shape {:?}: they must be 8-bit numbers \
                 (`uint8`) of shape (count, height, width) or (count, height, width, 1 or 3)",
                header.kind, header.shape
            )));
        }
        if header.count().map(|pixels| header.len + pixels as u64) != Some(size) {
            return Err(damaged(path, &format!("`{name}` is cut off")));
        }
        let [width, height, channels] = [width, height, channels].map(|n| n as u32);
        let kind = Kind::Pixels { width, height, channels };
        let plain = start.filter(|_| plain).map(|start| start + header.len);
        Ok(Images { count, kind, plain })
    }

    /// Hands every image to `take`.
    fn each(
        &mut self,
        name: &str,
        images: &Images,
        mut take: impl FnMut(usize, &[u8]) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let path = self.path;
        let mut member = member(path, &mut self.zip, name)?;
        Header::read(&mut member).map_err(|what| damaged(path, &what))?;
        let mut reader = std::io::BufReader::with_capacity(1 << 20, member);
        let mut image = vec![0; images.kind.len().unwrap_or_default()];
        for i in 0..images.count {
            reader.read_exact(&mut image).map_err(|error| DataError::Damaged {
                place: Place::row(path, i as u64),
                what: format!("`{name}` cannot be read on ({error}): fetch or write it again"),
            })?;
            take(i, &image)?;
        }
        Ok(())
    }
}

fn member<'z>(
    path: &Path,
    zip: &'z mut ZipArchive<File>,
    name: &str,
) -> Result<zip::read::ZipFile<'z, File>, DataError> {
    zip.by_name(&format!("{name}.npy")).map_err(|error: ZipError| damaged(path, &error.to_string()))
}

fn damaged(path: &Path, what: &str) -> DataError {
    DataError::Damaged {
        place: Place::file(path),
        what: format!("the archive cannot be read ({what}): fetch or write it again"),
    }
}
