//! CIFAR's binary files, written record by record.

use std::fs;
use std::path::Path;

use augreg_data::{DataError, EvalLoader, identify};
use augreg_spec::{Format, SplitName};

use crate::support::{definition, open, pixels, supply, text};

const SPLITS: [(SplitName, &str); 2] = [(SplitName::Train, "train"), (SplitName::Test, "test")];

/// A record: labels, then the planes; pixel `p` of plane `c` is a function of `seed`, `c` and `p`.
fn record(labels: &[u8], seed: usize) -> Vec<u8> {
    let planes = (0..3 * 1024).map(|i| ((i / 1024) * 80 + i % 1024 / 13 + seed) as u8);
    labels.iter().copied().chain(planes).collect()
}

/// CIFAR-10 with three images a file.
fn write_ten(folder: &Path) {
    for batch in 0..5 {
        let records = (0..3).flat_map(|i| record(&[(2 * batch + i) as u8 % 10], 10 * batch + i));
        let name = format!("data_batch_{}.bin", batch + 1);
        fs::write(folder.join(name), records.collect::<Vec<_>>()).unwrap();
    }
    fs::write(folder.join("test_batch.bin"), record(&[7], 99)).unwrap();
}

#[test]
fn cifar_10_is_read_over_its_five_files_in_order() {
    let folder = tempfile::tempdir().unwrap();
    write_ten(folder.path());
    let (identity, dataset) = open(&definition(Format::Cifar, folder.path(), &SPLITS)).unwrap();
    assert_eq!((identity.classes, identity.channels), (10, 3));
    assert_eq!(identity.examples(SplitName::Train), 15);
    let train = dataset.split(SplitName::Train).unwrap();
    let labels: Vec<_> = (0..15).map(|i| train.classes(i)[0]).collect();
    assert_eq!(labels, [0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 8, 8, 9, 0]);
    let planes = record(&[], 21); // The eighth image is the second of the third file.
    let image = pixels(&train, 7);
    for (p, pixel) in image.chunks_exact(3).enumerate() {
        assert_eq!(pixel, [planes[p], planes[1024 + p], planes[2048 + p]]);
    }
    let batch = EvalLoader::new(train, 32, 8, &supply(1, 0)).next().unwrap().unwrap();
    assert_eq!(batch.images[7 * 3072..], planes, "batches are planar again");
}

#[test]
fn cifar_100_is_labelled_finely() {
    let folder = tempfile::tempdir().unwrap();
    let train: Vec<u8> = [[19, 99], [3, 42]].iter().flat_map(|labels| record(labels, 1)).collect();
    fs::write(folder.path().join("train.bin"), train).unwrap();
    fs::write(folder.path().join("test.bin"), record(&[0, 5], 2)).unwrap();
    let (identity, dataset) = open(&definition(Format::Cifar, folder.path(), &SPLITS)).unwrap();
    assert_eq!(identity.classes, 100);
    let train = dataset.split(SplitName::Train).unwrap();
    assert_eq!([train.classes(0)[0], train.classes(1)[0]], [99, 42]);
    assert_eq!(dataset.split(SplitName::Test).unwrap().classes(0)[0], 5);
}

/// What becomes of CIFAR-10 after `damage`.
fn after(damage: impl FnOnce(&Path)) -> DataError {
    let folder = tempfile::tempdir().unwrap();
    write_ten(folder.path());
    damage(folder.path());
    identify(&definition(Format::Cifar, folder.path(), &SPLITS)).unwrap_err()
}

#[test]
fn damaged_cifar_files_are_named() {
    let error = after(|folder| fs::remove_file(folder.join("data_batch_4.bin")).unwrap());
    assert!(text(&error).contains("`data_batch_4.bin`"), "{}", text(&error));

    let error = after(|folder| fs::write(folder.join("data_batch_2.bin"), [0; 5000]).unwrap());
    assert!(matches!(error, DataError::Size { found: 5000, .. }));
    assert!(text(&error).contains("data_batch_2.bin` should have a multiple of 3073"), "{error}");

    let error = after(|folder| fs::write(folder.join("data_batch_2.bin"), []).unwrap());
    assert!(matches!(error, DataError::Size { found: 0, .. }));

    let error = after(|folder| {
        let records: Vec<u8> = [1, 2, 10].iter().flat_map(|label| record(&[*label], 0)).collect();
        fs::write(folder.join("data_batch_2.bin"), records).unwrap();
    });
    let DataError::Label { path, example, offset, label, classes } = &error else {
        panic!("{error}")
    };
    assert!(path.ends_with("data_batch_2.bin"));
    assert_eq!((*example, *offset, *label, *classes), (5, 2 * 3073, 10, 10));

    let error = after(|folder| fs::write(folder.join("train.bin"), [0; 3074]).unwrap());
    assert!(matches!(error, DataError::Ambiguous { .. }), "{error}");
}
