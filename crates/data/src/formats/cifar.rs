//! CIFAR-10 and CIFAR-100 in the binary version (<https://www.cs.toronto.edu/~kriz/cifar.html>):
//! records of labels and three 32 × 32 planes. Which of the two it is, the file names tell.

use std::path::Path;

use augreg_spec::Format;

use crate::DataError;
use crate::file::SourceFile;
use crate::source::{Labels, NAMES, Pixels, Shape, Whole};

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;

/// Which CIFAR it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    /// Ten classes, one label a record.
    Ten,
    /// A hundred classes; a record begins with the coarse label, of twenty, then the fine one.
    Hundred,
}

impl Variant {
    pub(crate) fn classes(self) -> u32 {
        match self {
            Self::Ten => 10,
            Self::Hundred => 100,
        }
    }

    fn labels(self) -> usize {
        match self {
            Self::Ten => 1,
            Self::Hundred => 2,
        }
    }

    fn record(self) -> usize {
        self.labels() + 3 * PLANE
    }

    fn files(self, source_split: &str) -> &'static [&'static str] {
        match (self, source_split == NAMES[0]) {
            (Self::Ten, true) => &[
                "data_batch_1.bin",
                "data_batch_2.bin",
                "data_batch_3.bin",
                "data_batch_4.bin",
                "data_batch_5.bin",
            ],
            (Self::Ten, false) => &["test_batch.bin"],
            (Self::Hundred, true) => &["train.bin"],
            (Self::Hundred, false) => &["test.bin"],
        }
    }
}

/// Opens the source split `name`, `train` or `test`.
pub(crate) fn open(folder: &Path, name: &str) -> Result<Whole, DataError> {
    let missing = |looked_for| DataError::MissingFile {
        folder: folder.to_owned(),
        source_split: name.to_owned(),
        looked_for,
    };
    let [ten, hundred] = [Variant::Ten, Variant::Hundred].map(|variant| variant.files(name)[0]);
    let there = [ten, hundred].map(|file| SourceFile::is_there(folder, file));
    let variant = match there {
        [true, true] => {
            return Err(DataError::Ambiguous {
                folder: folder.to_owned(),
                first: format!("`{ten}` (CIFAR-10)"),
                second: format!("`{hundred}` (CIFAR-100)"),
            });
        }
        [false, false] => {
            return Err(missing(format!("`{ten}` (CIFAR-10) and `{hundred}` (CIFAR-100)")));
        }
        [true, false] => Variant::Ten,
        [false, true] => Variant::Hundred,
    };
    let mut files = Vec::new();
    let mut count = 0;
    for file in variant.files(name) {
        let file = SourceFile::open_first(folder, &[file])?
            .ok_or_else(|| missing(format!("`{file}` and `{file}.gz`")))?;
        if file.is_empty() || file.len() % variant.record() != 0 {
            return Err(DataError::Size {
                found: file.len() as u64,
                expected: format!("a multiple of {} bytes, one record an image", variant.record()),
                path: file.path,
            });
        }
        count += file.len() / variant.record();
        files.push(file);
    }
    let shape = Shape { count, width: SIDE, height: SIDE, channels: 3 };
    let labels = Labels { in_files: 0, first: variant.labels() - 1, stride: variant.record() };
    let classes = Some(variant.classes());
    Ok(Whole { files, format: Format::Cifar, shape, labels, classes })
}

/// The images, brought from planes into interleaved pixels.
pub(crate) fn pixels(source: &Whole) -> Pixels {
    let Labels { first, stride, .. } = source.labels;
    let mut pixels = Vec::with_capacity(source.shape.count * 3 * PLANE);
    for record in source.files.iter().flat_map(|file| file.chunks_exact(stride)) {
        let (red, rest) = record[first + 1..].split_at(PLANE);
        let (green, blue) = rest.split_at(PLANE);
        for ((red, green), blue) in red.iter().zip(green).zip(blue) {
            pixels.extend_from_slice(&[*red, *green, *blue]);
        }
    }
    Pixels::Held(pixels)
}
