//! Real Fashion-MNIST: counts, labels, pixels, identity.

use std::fs;

use augreg_augment::Picture;
use augreg_data::{DataError, Dataset, identify};
use augreg_spec::{Format, SplitError, SplitName};

use crate::support::{
    FILES, SPLITS, definition, fashion_folder, gzip, open, pixels, small_fashion, source, text,
};

#[test]
fn fashion_mnist_is_what_its_authors_published() {
    let (identity, dataset) = open(&definition(Format::Idx, &fashion_folder(), &SPLITS)).unwrap();
    assert_eq!((identity.classes, identity.channels), (10, 1));
    let counts = SplitName::ALL.map(|(_, name)| identity.examples(name));
    assert_eq!(counts, [55_000, 5_000, 10_000]);
    assert_eq!(identity.content.keys().collect::<Vec<_>>(), ["test", "train"]);

    let test = dataset.split(SplitName::Test).unwrap();
    assert_eq!((test.len(), test.channels()), (10_000, 1));
    let first: Vec<_> = (0..10).map(|i| test.classes(i)[0]).collect();
    assert_eq!(first, [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]);
    let mut per_class = [0; 10];
    (0..test.len()).for_each(|i| per_class[test.classes(i)[0] as usize] += 1);
    assert_eq!(per_class, [1000; 10]);

    let mut buffer = Vec::new();
    let Picture::Pixels(image) = test.picture(0, &mut buffer).unwrap() else { panic!("no pixels") };
    assert_eq!((image.width(), image.height(), image.channels()), (28, 28, 1));
    let file = fs::read(fashion_folder().join(FILES[2])).unwrap();
    assert_eq!(image.pixels(), &file[16..16 + 784]);
    assert_eq!(pixels(&test, 9_999), &file[file.len() - 784..]);
}

#[test]
fn a_split_of_several_slices_holds_them_one_after_the_other() {
    let splits = [
        (SplitName::Train, "train[10:12]+test[:3]+train[:1]"),
        (SplitName::Val, "train[10:13]"),
        (SplitName::Test, "test"),
    ];
    let (_, dataset) = open(&definition(Format::Idx, &fashion_folder(), &splits)).unwrap();
    let [train, val, test] = SplitName::ALL.map(|(_, name)| dataset.split(name).unwrap());
    assert_eq!(train.len(), 6);
    let mixed: Vec<_> = (0..6).map(|i| pixels(&train, i)).collect();
    assert_eq!(mixed[..2], [pixels(&val, 0), pixels(&val, 1)]);
    assert_eq!(mixed[2..5], [0, 1, 2].map(|i| pixels(&test, i)));
    assert_eq!(train.classes(4)[0], test.classes(2)[0]);
    assert_ne!(mixed[5], mixed[0]);
}

#[test]
fn identity_survives_moving_compressing_and_renaming_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    small_fashion(folder.path(), 50);
    let splits = [(SplitName::Train, "train[:80%]"), (SplitName::Test, "test")];
    let of = |path| identify(&definition(Format::Idx, path, &splits)).unwrap();
    let plain = of(folder.path());

    let moved = tempfile::tempdir().unwrap();
    small_fashion(moved.path(), 50);
    gzip(&moved.path().join(FILES[0]));
    let dotted = moved.path().join("t10k-labels.idx1-ubyte");
    fs::rename(moved.path().join(FILES[3]), &dotted).unwrap();
    assert_eq!(of(moved.path()), plain);
    let identity = plain.clone();
    let dataset = Dataset::open(&source(Format::Idx, moved.path()), &identity).unwrap();
    assert_eq!(dataset.split(SplitName::Train).unwrap().len(), 40);

    for (file, offset) in [(FILES[0], 16 + 784 * 49), (FILES[1], 8 + 3)] {
        let path = folder.path().join(file);
        let mut bytes = fs::read(&path).unwrap();
        bytes[offset] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert_ne!(of(folder.path()).content, plain.content, "{file}");
        let error = Dataset::open(&source(Format::Idx, folder.path()), &plain).unwrap_err();
        let DataError::Changed { planned, found, .. } = &error else { panic!("{error}") };
        assert_eq!(planned, &plain.content["train"]);
        assert!(text(&error).contains(planned) && text(&error).contains(found));
        bytes[offset] ^= 1;
        fs::write(&path, &bytes).unwrap();
    }
}

#[test]
fn source_splits_not_in_use_are_not_even_opened() {
    let folder = tempfile::tempdir().unwrap();
    small_fashion(folder.path(), 20);
    fs::remove_file(folder.path().join(FILES[2])).unwrap();
    let splits = [(SplitName::Train, "train[:10]"), (SplitName::Test, "train[10:]")];
    let (identity, dataset) = open(&definition(Format::Idx, folder.path(), &splits)).unwrap();
    assert_eq!(identity.content.keys().collect::<Vec<_>>(), ["train"]);
    assert!(matches!(
        dataset.split(SplitName::Val),
        Err(DataError::NoSplit { split: SplitName::Val })
    ));
}

#[test]
fn a_split_that_does_not_fit_the_data_names_its_role_and_the_mistake() {
    let split = |text| {
        let splits = [(SplitName::Val, text)];
        identify(&definition(Format::Idx, &fashion_folder(), &splits)).unwrap_err()
    };
    let error = split("train[:70000]");
    assert!(matches!(
        &error,
        DataError::Split { split: SplitName::Val, source: SplitError::OutOfRange { .. } }
    ));
    assert!(text(&error).contains("`val`") && text(&error).contains("60000"), "{}", text(&error));
    let error = split("validation");
    assert!(text(&error).contains("`validation`; it has `train`, `test`"), "{}", text(&error));
}
