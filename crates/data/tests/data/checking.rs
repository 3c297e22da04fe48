//! Data sets checked as a whole, and packed.

use std::fs;
use std::path::Path;

use augreg_augment::{ImageView, Picture, Scratch, ShorterSide, shrink};
use augreg_data::{Check, DataError, Dataset, PackAs, header, identify, pack};
use augreg_spec::{DatasetDefinition, Format, SplitName};

use crate::support::{
    SPLITS, copy, definition, drawings, encoded, fashion_folder, golden, open, pixels, text,
};

fn check(definition: &DatasetDefinition) -> Check {
    let (identity, dataset) = open(definition).unwrap();
    Check::of(&dataset, identity.classes).unwrap()
}

#[test]
fn the_drawings_are_jpegs_of_one_size_without_a_fault() {
    let check =
        check(&definition(Format::ImageFolder, &drawings(), &[(SplitName::Train, "train")]));
    let train = &check.splits[&SplitName::Train];
    assert_eq!((train.examples, check.bad()), (585, 0));
    assert_eq!(train.sides, Some([(200, 200); 2]));
    assert_eq!(train.codecs, [("JPEG".to_owned(), 585)].into());
}

#[test]
fn what_fashion_mnist_holds_twice_is_found() {
    let check = check(&definition(Format::Idx, &fashion_folder(), &SPLITS));
    assert_eq!(check.splits[&SplitName::Test].classes, [1000; 10]);
    assert_eq!(check.splits[&SplitName::Train].codecs, [("pixels".to_owned(), 55_000)].into());
    let (across, within): (Vec<_>, Vec<_>) =
        check.duplicates.iter().partition(|duplicate| duplicate.is_across());
    assert_eq!((across.len(), within.len()), DUPLICATES);
}

#[test]
fn bad_pictures_and_those_that_are_measured_on_and_learnt_are_named() {
    let folder = tempfile::tempdir().unwrap();
    copy(&golden("folder"), folder.path());
    let train = folder.path().join("train");
    fs::copy(folder.path().join("test/cat/0.jpg"), train.join("dog/9.jpg")).unwrap();
    fs::write(train.join("owl/1.png"), "<html>").unwrap();
    let splits = [(SplitName::Train, "train"), (SplitName::Test, "test")];
    let check = check(&definition(Format::ImageFolder, folder.path(), &splits));
    let bad = &check.splits[&SplitName::Train].bad;
    assert_eq!(bad.len(), 1);
    assert!(bad[0].0.path.ends_with("owl/1.png") && bad[0].1.contains("HTML"), "{bad:?}");
    let [duplicate] = &check.duplicates[..] else { panic!("{:?}", check.duplicates) };
    assert!(duplicate.is_across());
    let copies: Vec<_> =
        duplicate.copies.iter().map(|(split, _, classes)| (*split, classes.clone())).collect();
    assert_eq!(copies, [(SplitName::Test, vec![0]), (SplitName::Train, vec![1])]);
}

/// The data set of `definition`, packed into `folder`.
fn packed(definition: &DatasetDefinition, folder: &Path, form: PackAs) -> DatasetDefinition {
    let identity = identify(definition).unwrap();
    pack(&definition.source, &identity, folder, form).unwrap();
    let source = augreg_spec::DataSource::new(Format::Pack, folder);
    DatasetDefinition { source, ..definition.clone() }
}

#[test]
fn a_pack_is_the_same_data_set_to_a_job() {
    let folder = tempfile::tempdir().unwrap();
    let drawn = definition(Format::ImageFolder, &drawings(), &[(SplitName::Train, "train")]);
    for (name, original, form) in [
        ("files", &drawn, PackAs::Files),
        ("pixels", &drawn, PackAs::Pixels),
        ("fashion", &fashion(), PackAs::Files),
    ] {
        let pack = packed(original, &folder.path().join(name), form);
        let ((identity, dataset), (known, source)) =
            (open(&pack).unwrap(), open(original).unwrap());
        assert_eq!(identity, known, "{name}");
        assert!(Dataset::open(&pack.source, &known).is_ok(), "a planned job takes either");
        let [packed, source] =
            [dataset, source].map(|dataset| dataset.split(SplitName::Train).unwrap());
        for i in [0, 1, 77, packed.len() - 1] {
            assert_eq!(packed.classes(i)[0], source.classes(i)[0]);
            match name {
                "files" => assert_eq!(encoded(&packed, i), encoded(&source, i)),
                "fashion" => assert_eq!(pixels(&packed, i), pixels(&source, i)),
                _ => assert_eq!(pixels(&packed, i).len(), 3 * 200 * 200),
            }
        }
    }
}

#[test]
fn shrunk_pictures_are_small_jpegs_of_the_same_things_and_another_data_set() {
    let folder = tempfile::tempdir().unwrap();
    let drawn = definition(Format::ImageFolder, &drawings(), &[(SplitName::Train, "train")]);
    let small = packed(&drawn, &folder.path().join("64"), PackAs::Shrunk(ShorterSide::new(64)));
    let same = packed(&drawn, &folder.path().join("200"), PackAs::Shrunk(ShorterSide::new(200)));
    let ((identity, small), (known, source)) = (open(&small).unwrap(), open(&drawn).unwrap());
    assert_ne!(identity.fingerprint(), known.fingerprint());
    let [small, same, source] = [small, open(&same).unwrap().1, source]
        .map(|dataset| dataset.split(SplitName::Train).unwrap());
    let mut scratch = Scratch::default();
    for i in [0, 77, source.len() - 1] {
        let (file, original) = (encoded(&small, i), encoded(&source, i));
        assert_eq!(encoded(&same, i), original, "nothing is enlarged or written anew");
        assert_eq!(small.classes(i)[0], source.classes(i)[0]);
        assert!(file.len() < original.len());
        let found = header(&file).unwrap();
        assert_eq!((found.width, found.height), (64, 64));
        let side = ShorterSide::new(64);
        let exact = shrink(Picture::Encoded(&original), side, 3, &mut scratch).unwrap().unwrap();
        let again = augreg_decode::Decoder::default().decode(&file, 3).unwrap().pixels.to_vec();
        let exact = ImageView::new(&exact.pixels, 64, 64, 3).pixels();
        let distance: u32 = again.iter().zip(exact).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
        assert!(distance < 4 * exact.len() as u32, "{distance}");
    }
}

fn fashion() -> DatasetDefinition {
    definition(Format::Idx, &fashion_folder(), &[(SplitName::Train, "test")])
}

#[test]
fn pixels_and_files_make_the_same_batches() {
    let folder = tempfile::tempdir().unwrap();
    let drawn = definition(Format::ImageFolder, &drawings(), &[(SplitName::Train, "train")]);
    let batches = |definition: &DatasetDefinition| {
        let split = open(definition).unwrap().1.split(SplitName::Train).unwrap();
        let augmentation = augreg_spec::Augmentation::preset("medium1").unwrap();
        let supply = crate::support::supply(2, 1);
        augreg_data::TrainLoader::new(split, &augmentation, 64, 32, 5, 0..4, &supply)
            .map(|batch| batch.unwrap().images.to_vec())
            .collect::<Vec<_>>()
    };
    let pack = packed(&drawn, folder.path(), PackAs::Pixels);
    assert_eq!(batches(&pack), batches(&drawn));
}

#[test]
fn pixels_of_a_pack_do_not_pass_for_those_of_another_number_of_channels() {
    let folder = tempfile::tempdir().unwrap();
    let mut grey = definition(Format::ImageFolder, &drawings(), &[(SplitName::Train, "train")]);
    grey.source.reading.channels = Some(1);
    let mut pack = packed(&grey, folder.path(), PackAs::Pixels);
    assert_eq!(identify(&pack).unwrap(), identify(&grey).unwrap());
    pack.source.reading.channels = Some(3);
    let text = text(&identify(&pack).unwrap_err());
    assert!(text.contains("decoded in another number of channels than 3"), "{text}");
}

#[test]
fn a_pack_that_was_cut_off_or_changed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let splits = [(SplitName::Train, "train")];
    let pack = packed(
        &definition(Format::ImageFolder, &golden("folder"), &splits),
        folder.path(),
        PackAs::Files,
    );
    let file = folder.path().join("train.pack");
    let whole = fs::read(&file).unwrap();
    let after = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        text(&identify(&pack).unwrap_err())
    };
    for len in [0, 10, whole.len() / 2, whole.len() - 1] {
        let text = after(&whole[..len]);
        assert!(
            text.contains("train.pack`, byte") && text.contains("cut off or damaged"),
            "{text}"
        );
    }
    let mut bytes = whole.clone();
    bytes[40] ^= 1;
    let text = after(&bytes);
    assert!(text.contains("are not those that its index was made of"), "{text}");
}

/// A map of a file that has become shorter must not be touched there.
#[test]
fn a_pack_that_is_cut_short_while_it_is_open_fails_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let splits = [(SplitName::Train, "train")];
    let original = definition(Format::ImageFolder, &drawings(), &splits);
    let pack = packed(&original, folder.path(), PackAs::Files);
    let split = open(&pack).unwrap().1.split(SplitName::Train).unwrap();
    let mut buffer = Vec::new();
    assert!(split.picture(200, &mut buffer).is_ok());
    assert!(buffer.is_empty(), "it is neither read nor copied");
    let file = fs::OpenOptions::new().write(true).open(folder.path().join("train.pack")).unwrap();
    file.set_len(4096).unwrap();
    let error = split.picture(200, &mut buffer).unwrap_err();
    let DataError::ReadExample { example: 200, place, .. } = &error else { panic!("{error}") };
    assert_eq!(place.path, folder.path().join("train.pack"));
}

#[test]
fn pictures_of_several_sizes_do_not_become_pixels() {
    let folder = tempfile::tempdir().unwrap();
    copy(&golden("folder/train"), folder.path());
    fs::copy(
        drawings().join("sport").read_dir().unwrap().next().unwrap().unwrap().path(),
        folder.path().join("owl/1.jpg"),
    )
    .unwrap();
    let definition = definition(Format::ImageFolder, folder.path(), &[(SplitName::Train, "train")]);
    let identity = identify(&definition).unwrap();
    let error = pack(&definition.source, &identity, &folder.path().join("out"), PackAs::Pixels)
        .unwrap_err();
    assert!(matches!(error, DataError::Column { .. }), "{error}");
    assert!(text(&error).contains("owl/1.jpg` is of another size"), "{error}");
    assert!(!folder.path().join("out/train.pack").exists(), "nothing half is left");
}

/// Pictures of Fashion-MNIST in several of the quickstart's splits, and twice in one: its authors took care.
const DUPLICATES: (usize, usize) = (0, 0);
