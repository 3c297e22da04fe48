//! IDX files of the MNIST family (<http://yann.lecun.com/exdb/mnist>): one file of 8-bit grey
//! images, one of 8-bit labels; numbers in the header are big-endian.

use std::path::Path;

use augreg_spec::Format;

use crate::DataError;
use crate::file::SourceFile;
use crate::source::{Labels, NAMES, Pixels, Shape, Whole};

/// Begins a file of 8-bit values in three dimensions: count, rows, columns.
const IMAGES_MAGIC: u32 = 0x0803;
/// Where pixels begin.
const IMAGES_AT: usize = 16;
/// Begins a file of 8-bit values in one dimension.
const LABELS_MAGIC: u32 = 0x0801;
/// Where labels begin.
const LABELS_AT: usize = 8;

/// Opens the source split `name`, `train` or `test`.
pub(crate) fn open(folder: &Path, name: &str) -> Result<Whole, DataError> {
    let stem = if name == NAMES[0] { "train" } else { "t10k" };
    let find = |what: &str| {
        let names = [
            format!("{stem}-{what}-ubyte"),
            format!("{stem}-{}-ubyte", what.replacen('-', ".", 1)),
        ];
        SourceFile::open_first(folder, &[&names[0], &names[1]])?.ok_or_else(|| {
            DataError::MissingFile {
                folder: folder.to_owned(),
                source_split: name.to_owned(),
                looked_for: format!("`{0}`, `{1}`, `{0}.gz` and `{1}.gz`", names[0], names[1]),
            }
        })
    };
    let (images, labels) = (find("images-idx3")?, find("labels-idx1")?);
    let [count, height, width] = header(&images, IMAGES_MAGIC)?;
    let [label_count] = header(&labels, LABELS_MAGIC)?;
    if [count, height, width].contains(&0) {
        return Err(DataError::NoPixels { path: images.path, count, width, height });
    }
    if count != label_count {
        return Err(DataError::Count {
            image_file: images.path,
            images: count,
            label_file: labels.path,
            labels: label_count,
        });
    }
    let shape = Shape {
        count: count as usize,
        width: width as usize,
        height: height as usize,
        channels: 1,
    };
    Ok(Whole {
        files: vec![images, labels],
        format: Format::Idx,
        shape,
        labels: Labels { in_files: 1, first: LABELS_AT, stride: 1 },
        classes: None,
    })
}

/// The dimensions in a file's header, once magic and length are as they should be.
fn header<const N: usize>(file: &SourceFile, magic: u32) -> Result<[u64; N], DataError> {
    let size = |expected: String| DataError::Size {
        path: file.path.clone(),
        expected,
        found: file.len() as u64,
    };
    let at = 4 + 4 * N;
    let too_short = || size(format!("at least {at} bytes, the IDX header"));
    let found = file.number_at(0).ok_or_else(too_short)?;
    if found != magic {
        return Err(DataError::Magic {
            path: file.path.clone(),
            expected: format!("the IDX magic number {magic:#010x}"),
            found: format!("{found:#010x}"),
        });
    }
    let mut dimensions = [0; N];
    for (i, dimension) in dimensions.iter_mut().enumerate() {
        *dimension = u64::from(file.number_at(4 + 4 * i).ok_or_else(too_short)?);
    }
    let values = dimensions.iter().try_fold(1u64, |product, n| product.checked_mul(*n));
    let expected = values.and_then(|values| values.checked_add(at as u64));
    match expected {
        Some(expected) if expected == file.len() as u64 => Ok(dimensions),
        Some(expected) => Err(size(format!("{expected} bytes by its header"))),
        None => Err(size(format!("{dimensions:?} bytes by its header"))),
    }
}

/// The images, left where they lie.
pub(crate) fn pixels(mut source: Whole) -> Pixels {
    Pixels::InFile(source.files.swap_remove(0), IMAGES_AT)
}
