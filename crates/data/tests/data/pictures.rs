//! Real JPEG drawings in folders, whole and damaged.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use augreg_data::{BadExamples, DataError, EvalLoader, Split, Supply, TrainLoader, identify};
use augreg_spec::{Augmentation, Format, SplitName, Subset, SubsetSize};

use crate::support::{copy, definition, drawings, golden, open, supply, text};

const TRAIN: [(SplitName, &str); 1] = [(SplitName::Train, "train")];

#[test]
fn the_drawings_are_a_folder_a_class() {
    let (identity, dataset) = open(&definition(Format::ImageFolder, &drawings(), &TRAIN)).unwrap();
    assert_eq!((identity.classes, identity.channels), (12, 3));
    let train = dataset.split(SplitName::Train).unwrap();
    assert_eq!(train.len(), 585);
    let mut counts = BTreeMap::new();
    (0..train.len()).for_each(|i| *counts.entry(train.classes(i)[0]).or_insert(0) += 1);
    assert_eq!(counts.into_values().collect::<Vec<_>>(), COUNTS);
    for i in [0, 300, 584] {
        let place = train.place(i);
        assert_eq!(crate::support::encoded(&train, i), fs::read(place.path).unwrap());
    }
}

#[test]
fn a_stratified_tenth_of_the_drawings_keeps_every_class() {
    let mut tenth = definition(Format::ImageFolder, &drawings(), &TRAIN);
    let size = SubsetSize::Percent(10.0);
    tenth.subset = Some(Subset { size, seed: 0, stratified: true });
    let (identity, dataset) = open(&tenth).unwrap();
    assert_eq!(identity.examples(SplitName::Train), 58);
    let split = dataset.split(SplitName::Train).unwrap();
    let labels: Vec<_> = (0..58).map(|i| split.classes(i)[0]).collect();
    for (class, count) in COUNTS.iter().enumerate() {
        let chosen = labels.iter().filter(|label| **label as usize == class).count();
        assert!((chosen as f64 - f64::from(*count) / 10.0).abs() <= 1.0, "{class}: {chosen}");
    }
    tenth.subset = Some(Subset { size, seed: 1, stratified: true });
    let (other, _) = open(&tenth).unwrap();
    assert_ne!(identity.fingerprint(), other.fingerprint(), "the seed is part of the identity");
    tenth.subset = Some(Subset { size: SubsetSize::Examples(586), seed: 0, stratified: true });
    let error = identify(&tenth).unwrap_err();
    assert!(matches!(error, DataError::Subset { wanted: 586, available: 585, .. }), "{error}");
}

/// A hundred and twenty drawings of three classes, to be damaged.
fn copied() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    for class in ["animals", "food", "sport"] {
        copy(&drawings().join(class), &folder.path().join(class));
    }
    let path = folder.path().to_owned();
    (folder, path)
}

fn split_of(folder: &Path) -> Split {
    let definition = definition(Format::ImageFolder, folder, &TRAIN);
    open(&definition).unwrap().1.split(SplitName::Train).unwrap()
}

fn file(folder: &Path, class: &str, number: usize) -> PathBuf {
    let mut files: Vec<_> =
        fs::read_dir(folder.join(class)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files[number].clone()
}

/// The images of a batch, and which examples they are.
type Met = (Vec<u8>, Vec<u64>);

/// Everything a loader makes of a split in about one epoch.
fn epoch(split: &Split, supply: &Supply) -> Result<Vec<Met>, DataError> {
    let none = Augmentation::preset("none").unwrap();
    let steps = split.len().div_ceil(16) as u64;
    let loader = TrainLoader::new(split.clone(), &none, 32, 16, 3, 0..steps, supply);
    loader.map(|batch| batch.map(|batch| (batch.images.to_vec(), batch.examples.clone()))).collect()
}

#[test]
fn bad_pictures_are_skipped_up_to_the_limit_and_named() {
    let (_kept, folder) = copied();
    let html = file(&folder, "animals", 3);
    fs::write(&html, "<!DOCTYPE html><title>404</title>").unwrap();
    let empty = file(&folder, "food", 0);
    fs::write(&empty, "").unwrap();
    let split = split_of(&folder);

    let lenient =
        |threads, prefetch| Supply { threads, prefetch, bad: BadExamples::new(2), lock: None };
    let of_one = lenient(1, 0);
    let batches = epoch(&split, &of_one).unwrap();
    assert_eq!(of_one.bad.count(), 2);
    let mut news = of_one.bad.take_news();
    news.sort();
    assert!(news[0].contains("animals") && news[0].contains("HTML"), "{news:?}");
    assert!(news[1].contains("is empty: skipped"), "{news:?}");
    assert!(of_one.bad.take_news().is_empty());

    let many = lenient(4, 3);
    assert_eq!(epoch(&split, &many).unwrap(), batches, "threads and prefetch change nothing");
    let bad = (0..split.len()).filter(|i| [&html, &empty].contains(&&split.place(*i).path));
    let bad: Vec<_> = bad.map(|i| i as u64).collect();
    assert_eq!(bad.len(), 2);
    assert!(batches.iter().all(|(_, examples)| bad.iter().all(|bad| !examples.contains(bad))));

    let strict = Supply { threads: 2, prefetch: 1, bad: BadExamples::new(1), lock: None };
    let error = epoch(&split, &strict).unwrap_err();
    let DataError::BadExample { count: 2, allowed: 1, .. } = &error else { panic!("{error}") };
    assert!(text(&error).contains("`max_bad_examples` is 1"), "{}", text(&error));

    let evaluated = EvalLoader::new(split.clone(), 32, 16, &lenient(3, 1));
    let met: Vec<u64> = evaluated.flat_map(|batch| batch.unwrap().examples.clone()).collect();
    let expected: Vec<u64> = (0..split.len() as u64).filter(|i| !bad.contains(i)).collect();
    assert_eq!(met, expected, "evaluation leaves bad examples out and keeps the order");
}

#[test]
fn a_batch_without_its_bad_examples_still_has_every_image_beside_its_label() {
    let (_kept, folder) = copied();
    for number in [0, 1, 5, 17] {
        fs::write(file(&folder, "animals", number), "no picture").unwrap();
    }
    let split = split_of(&folder);
    let images = |batch_size, threads| {
        let supply = Supply { threads, prefetch: 1, bad: BadExamples::new(4), lock: None };
        let loader = EvalLoader::new(split.clone(), 32, batch_size, &supply);
        let all = loader.flat_map(|batch| {
            let batch = batch.unwrap();
            let images = batch.images.chunks(3 * 32 * 32).map(<[u8]>::to_vec);
            images.zip(batch.examples.clone()).collect::<Vec<_>>()
        });
        all.collect::<Vec<_>>()
    };
    let one_by_one = images(1, 1);
    assert_eq!(one_by_one.len(), split.len() - 4);
    assert_eq!(images(64, 3), one_by_one);
}

#[test]
fn a_file_that_vanishes_or_shrinks_fails_the_job_however_much_is_tolerated() {
    let (_kept, folder) = copied();
    let split = split_of(&folder);
    let gone = file(&folder, "sport", 2);
    fs::remove_file(&gone).unwrap();
    let tolerant = Supply { threads: 2, prefetch: 2, bad: BadExamples::new(1000), lock: None };
    let error = epoch(&split, &tolerant).unwrap_err();
    let DataError::ReadExample { place, .. } = &error else { panic!("{error}") };
    assert_eq!(place.path, gone);
    assert!(text(&error).contains("it has changed since"), "{}", text(&error));
}

#[test]
fn a_split_without_one_good_picture_fails_instead_of_searching_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("cat")).unwrap();
    for i in 0..5 {
        fs::write(folder.path().join(format!("cat/{i}.jpg")), "nothing").unwrap();
    }
    let split = split_of(folder.path());
    let tolerant = Supply { threads: 2, prefetch: 0, bad: BadExamples::new(1000), lock: None };
    let error = epoch(&split, &tolerant).unwrap_err();
    assert!(matches!(error, DataError::AllBad { .. }), "{error}");
}

#[test]
fn an_empty_class_keeps_its_number_and_other_files_do_not_count() {
    let (_kept, folder) = copied();
    fs::create_dir(folder.join("dragons")).unwrap();
    fs::write(folder.join("food/README.txt"), "not a picture").unwrap();
    fs::write(folder.join("food/.hidden.jpg"), "not a picture").unwrap();
    let (identity, dataset) = open(&definition(Format::ImageFolder, &folder, &TRAIN)).unwrap();
    assert_eq!(identity.classes, 4);
    let train = dataset.split(SplitName::Train).unwrap();
    let labels: std::collections::BTreeSet<_> =
        (0..train.len()).map(|i| train.classes(i)[0]).collect();
    assert_eq!(labels, [0, 2, 3].into(), "animals, food, sport; dragons are class 1");
    epoch(&train, &supply(2, 0)).unwrap();
}

#[test]
fn folders_of_another_form_are_told_what_is_wanted() {
    let (_kept, folder) = copied();
    let error = |folder: &Path| {
        text(&identify(&definition(Format::ImageFolder, folder, &TRAIN)).unwrap_err())
    };
    let inner = error(&folder.join("food"));
    assert!(
        inner.contains("no folder with pictures") && inner.contains("CLASS/PICTURE"),
        "{inner}"
    );
    fs::create_dir_all(folder.join("more/birds")).unwrap();
    let mixed = error(&folder);
    assert!(mixed.contains("pictures in `animals` and folders in `more`"), "{mixed}");
    assert!(error(&folder.join("nowhere")).contains("there is no folder"), "is missing");

    let nested = tempfile::tempdir().unwrap();
    copy(&folder.join("food"), &nested.path().join("valid/food"));
    let text = error(nested.path());
    assert!(text.contains("the data has no split `train`; it has `valid`"), "{text}");
}

/// As the package has them, by class.
const COUNTS: [u32; 12] = [80, 128, 38, 45, 37, 56, 48, 55, 19, 29, 29, 21];

/// Truncated, empty, HTML, too large; CMYK, progressive, 16 bits, turned by EXIF, one pixel, 20,000
/// pixels long, transparent: `make.py` wrote them.
#[test]
fn odd_pictures_are_decoded_or_named() {
    let odd = golden("odd");
    let split = split_of(&odd);
    let supply = Supply { threads: 2, prefetch: 1, bad: BadExamples::new(4), lock: None };
    let loader = EvalLoader::new(split.clone(), 16, 4, &supply);
    let met: Vec<u64> = loader.flat_map(|batch| batch.unwrap().examples.clone()).collect();
    let mut decoded: Vec<_> = met.iter().map(|i| split.place(*i as usize).path).collect();
    decoded.sort();
    let mut good: Vec<_> =
        fs::read_dir(odd.join("good")).unwrap().map(|entry| entry.unwrap().path()).collect();
    good.sort();
    assert_eq!(decoded, good);
    let mut news = supply.bad.take_news();
    news.sort();
    for (news, (file, what)) in news.iter().zip([
        ("cut.jpg", "ends too early"),
        ("empty.png", "is empty"),
        ("page.jpg", "HTML"),
        ("vast.png", "has 20000 × 20000 pixels"),
    ]) {
        assert!(news.contains(file) && news.contains(what), "{news}");
    }
    assert_eq!(news.len(), 4, "{news:?}");
    let strict = epoch(&split, &crate::support::supply(2, 0)).unwrap_err();
    assert!(matches!(strict, DataError::BadExample { .. }), "{strict}");
}

/// Archives are often written with one and the same time, and arrays of a kind have one size.
#[test]
fn a_file_that_was_replaced_is_noticed_though_its_size_and_time_stay() {
    let folder = tempfile::tempdir().unwrap();
    copy(&golden("webdataset"), folder.path());
    let pets = definition(Format::Webdataset, folder.path(), &[(SplitName::Train, "pets-train")]);
    let before = identify(&pets).unwrap();
    let shard = folder.path().join("pets-train-0001.tar");
    let time = fs::metadata(&shard).unwrap().modified().unwrap();
    let mut bytes = fs::read(&shard).unwrap();
    let of_a_picture = bytes.iter().rposition(|byte| !byte.is_ascii()).unwrap();
    bytes[of_a_picture] ^= 1;
    fs::write(&shard, bytes).unwrap();
    fs::File::options().write(true).open(&shard).unwrap().set_modified(time).unwrap();
    assert_ne!(identify(&pets).map(|after| after.content).ok(), Some(before.content));
}
