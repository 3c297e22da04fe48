//! The same pictures in every format, written by the libraries that people use, are the same data.

use std::fs;
use std::path::Path;

use augreg_data::{EvalLoader, Label, Split};
use augreg_spec::{DatasetDefinition, DatasetIdentity, Format, SplitName, Subset, SubsetSize};

use crate::support::{copy, definition, encoded, golden, open, pixels, supply, text};

const SPLITS: [(SplitName, &str); 2] = [(SplitName::Train, "train"), (SplitName::Test, "test")];

/// The number that every pixel of an example has, by how `make.py` counts.
const TRAIN: [u8; 6] = [0, 10, 20, 40, 50, 80];
const TEST: [u8; 2] = [120, 200];

fn golden_of(format: Format) -> DatasetDefinition {
    match format {
        Format::Webdataset => {
            let splits = SPLITS.map(|(name, split)| (name, format!("pets-{split}")));
            let splits = [(splits[0].0, &*splits[0].1), (splits[1].0, &*splits[1].1)];
            definition(format, &golden("webdataset"), &splits)
        }
        Format::Parquet => definition(format, &golden("parquet"), &SPLITS),
        _ => definition(format, &golden("folder"), &SPLITS),
    }
}

/// The value that all pixels of an image have, within what JPEG and WebP make of it.
fn numbers(split: &Split, identity: &DatasetIdentity) -> Vec<u8> {
    let loader = EvalLoader::new(split.clone(), 8, 4, &supply(2, 1));
    let images = loader.flat_map(|batch| {
        let batch = batch.unwrap();
        let len = 64 * identity.channels as usize;
        batch.images.chunks(len).map(<[u8]>::to_vec).collect::<Vec<_>>()
    });
    images
        .map(|image| {
            assert!(image.iter().all(|value| value.abs_diff(image[0]) <= 2), "{image:?}");
            image[0]
        })
        .collect()
}

#[test]
fn a_folder_tar_shards_and_tables_of_the_same_pictures_have_one_content() {
    let formats = [Format::ImageFolder, Format::Webdataset, Format::Parquet];
    let found = formats.map(|format| open(&golden_of(format)).unwrap());
    let contents = found.each_ref().map(|(identity, _)| {
        assert_eq!((identity.classes, identity.channels), (3, 3), "{:?}", identity.format);
        identity.content.values().collect::<Vec<_>>()
    });
    assert_eq!(contents[0], contents[1]);
    assert_eq!(contents[0], contents[2]);
    for (identity, dataset) in &found {
        for ((name, _), labels, expected) in
            [(SPLITS[0], &[0, 0, 0, 1, 1, 2][..], &TRAIN[..]), (SPLITS[1], &[0, 2], &TEST)]
        {
            let split = dataset.split(name).unwrap();
            let labelled = (0..split.len()).map(|i| split.classes(i)[0]);
            let mut found: Vec<_> = labelled.zip(numbers(&split, identity)).collect();
            if identity.format == Format::ImageFolder {
                let before = found.clone();
                found.sort_unstable();
                assert!(split.len() < 6 || before != found, "pictures in folders come mixed");
            }
            let expected: Vec<_> = labels.iter().copied().zip(expected.iter().copied()).collect();
            let near = |(a, b): (&(u32, u8), &(u32, u8))| a.0 == b.0 && a.1.abs_diff(b.1) <= 2;
            assert!(found.iter().zip(&expected).all(near), "{found:?} {expected:?}");
            assert_eq!(found.len(), expected.len());
        }
    }
    let file = fs::read(golden("folder/train/cat/1.png")).unwrap();
    for (_, dataset) in &found[1..] {
        assert_eq!(encoded(&dataset.split(SplitName::Train).unwrap(), 1), file);
    }
}

/// The identity of a data set is in the ids of its jobs.
#[test]
fn golden_contents_do_not_move() {
    let (identity, _) = open(&golden_of(Format::Webdataset)).unwrap();
    assert_eq!(identity.content["pets-test"], GOLDEN_TEST);
}

#[test]
fn numpy_archives_are_read_stored_or_compressed() {
    let contents = ["stored.npz", "compressed.npz"].map(|archive| {
        let definition = definition(Format::Npz, &golden("npz").join(archive), &SPLITS);
        let (identity, dataset) = open(&definition).unwrap();
        assert_eq!((identity.classes, identity.channels), (3, 3));
        let [train, test] = SPLITS.map(|(name, _)| dataset.split(name).unwrap());
        for (split, expected) in [(&train, &TRAIN[..]), (&test, &TEST)] {
            for (i, number) in expected.iter().enumerate() {
                assert_eq!(pixels(split, i), [*number; 16 * 12 * 3]);
            }
        }
        assert_eq!((0..6).map(|i| train.classes(i)[0]).collect::<Vec<_>>(), [0, 0, 0, 1, 1, 2]);
        identity.content
    });
    assert_eq!(contents[0], contents[1]);
}

#[test]
fn sets_of_classes_are_the_same_in_shards_tables_and_arrays() {
    let sets: [&[u32]; 6] = [&[0], &[0, 2], &[], &[1], &[1, 2], &[0, 2]];
    let train = [(SplitName::Train, "train")];
    let of = |format, folder: &str| definition(format, &golden("sets").join(folder), &train);
    let mut contents = Vec::new();
    for (format, folder) in
        [(Format::Webdataset, "webdataset"), (Format::Parquet, "parquet"), (Format::Npz, "npz")]
    {
        for time in ["scanned", "out of the cache"] {
            let (identity, dataset) = open(&of(format, folder)).unwrap();
            assert_eq!(identity.classes, 3, "{folder}");
            let split = dataset.split(SplitName::Train).unwrap();
            let found: Vec<_> = (0..split.len()).map(|i| split.classes(i)).collect();
            assert_eq!(found, sets, "{folder}, {time}");
            contents.push(identity.content["train"].clone());
        }
    }
    contents.dedup();
    assert_eq!(contents.len(), 2, "one of the files, one of the pixels: {contents:?}");
    let (_, compressed) = open(&definition(
        Format::Npz,
        &golden("sets/npz"),
        &[(SplitName::Train, "train"), (SplitName::Test, "test")],
    ))
    .unwrap();
    let compressed = compressed.split(SplitName::Test).unwrap();
    assert_eq!((0..6).map(|i| compressed.classes(i)).collect::<Vec<_>>(), sets);

    // Batches say which of their images has which classes, whoever prepares them.
    let (_, dataset) = open(&of(Format::Parquet, "parquet")).unwrap();
    let split = dataset.split(SplitName::Train).unwrap();
    let pairs = [(0, 0), (1, 0), (1, 2), (3, 1), (4, 1), (4, 2), (5, 0), (5, 2)];
    let labels = pairs.map(|(row, class)| Label { row, class });
    for threads in [1, 4] {
        let batch = EvalLoader::new(split.clone(), 8, 6, &supply(threads, 1)).next().unwrap();
        let batch = batch.unwrap();
        assert_eq!((batch.examples.len(), &batch.labels[..]), (6, &labels[..]));
    }
    // A part of such a split can be taken, but not by classes.
    let mut part = of(Format::Parquet, "parquet");
    let subset = |stratified| Subset { size: SubsetSize::Examples(3), seed: 0, stratified };
    part.subset = Some(subset(false));
    assert_eq!(open(&part).unwrap().1.split(SplitName::Train).unwrap().len(), 3);
    part.subset = Some(subset(true));
    assert!(text(&open(&part).unwrap_err()).contains("its labels are sets of classes"));
}

#[test]
fn what_is_known_of_a_data_set_survives_moving_it_and_ends_with_a_change() {
    let moved = tempfile::tempdir().unwrap();
    for (format, folder, file) in [
        (Format::ImageFolder, "folder", "train/cat/1.png"),
        (Format::Webdataset, "webdataset", "pets-train-0000.tar"),
        (Format::Parquet, "parquet", "train-00001-of-00002.parquet"),
    ] {
        let path = moved.path().join(folder);
        copy(&golden(folder), &path);
        let of = |path: &Path| {
            let golden = golden_of(format);
            let source = augreg_spec::DataSource { path: path.to_owned(), ..golden.source };
            let definition = DatasetDefinition { source, ..golden };
            open(&definition).map(|(identity, _)| identity)
        };
        assert_eq!(of(&path).unwrap().content, open(&golden_of(format)).unwrap().0.content);
        let file = path.join(file);
        let mut bytes = fs::read(&file).unwrap();
        let middle = bytes.windows(3).position(|bytes| bytes == b"PNG").unwrap_or(bytes.len() / 2);
        bytes[middle + 30] ^= 1;
        fs::write(&file, bytes).unwrap();
        let changed = of(&path).map(|identity| identity.content);
        let golden = open(&golden_of(format)).unwrap().0.content;
        assert!(changed.is_err() || changed.unwrap() != golden, "{folder}");
    }
}

#[test]
fn another_number_of_channels_is_another_data_set() {
    let mut grey = golden_of(Format::ImageFolder);
    grey.source.reading.channels = Some(1);
    let (identity, dataset) = open(&grey).unwrap();
    assert_eq!(identity.channels, 1);
    let mut found = numbers(&dataset.split(SplitName::Train).unwrap(), &identity);
    found.sort_unstable();
    assert!(found.iter().zip(TRAIN).all(|(a, b)| a.abs_diff(b) <= 2), "{found:?}");
}

#[test]
fn a_label_beyond_the_classes_asked_for_is_named() {
    let mut definition = golden_of(Format::Parquet);
    definition.source.reading.classes = Some(2);
    let text = text(&open(&definition).unwrap_err());
    for part in ["test-00000-of-00001.parquet`, row 1", "the label is 2", "classes 0 to 1 only"] {
        assert!(text.contains(part), "{text}");
    }
}

/// BLAKE3 over label and BLAKE3 of the file of both, as Python's `blake3` computes it.
const GOLDEN_TEST: &str = "d55289f927c3ec4183542c88a74dedb49372bb0cb2b8a0848cf35f57825e0ad7";
