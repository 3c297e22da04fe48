//! Tar shards and tables, whole and damaged.

use std::fs;
use std::path::{Path, PathBuf};

use augreg_data::{DataError, identify};
use augreg_spec::{Format, SplitName};
use proptest::prelude::*;

use crate::support::{copy, definition, golden, open, text};

const TRAIN: [(SplitName, &str); 1] = [(SplitName::Train, "train")];

/// A tar of these members.
fn tar(path: &Path, members: &[(&str, &[u8])]) {
    let mut builder = tar::Builder::new(fs::File::create(path).unwrap());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.finish().unwrap();
}

/// What becomes of a shard of these members.
fn shard(members: &[(&str, &[u8])]) -> Result<augreg_spec::DatasetIdentity, DataError> {
    let folder = tempfile::tempdir().unwrap();
    tar(&folder.path().join("train-000.tar"), members);
    open(&definition(Format::Webdataset, folder.path(), &TRAIN)).map(|(identity, _)| identity)
}

fn refused(members: &[(&str, &[u8])]) -> String {
    text(&shard(members).unwrap_err())
}

#[test]
fn members_of_one_key_are_one_example() {
    let identity = shard(&[
        ("./a/1.jpg", b"picture"),
        ("./a/1.cls", b"3\n"),
        ("./a/1.json", br#"{"label": 9, "size": [4, 4]}"#),
        ("./a/2.seg.png", b"not the picture"),
        ("./a/2.JSON", br#"{"label": 1}"#),
        ("./a/2.png", b"picture"),
        ("__index__.txt", b""),
        ("./b/1.txt", b"beside the examples"),
    ])
    .unwrap();
    assert_eq!(identity.examples(SplitName::Train), 2);
    assert_eq!(identity.classes, 4, "a `.cls` counts before a `.json`");
}

#[test]
fn a_key_that_comes_back_and_a_second_picture_are_refused() {
    let again = refused(&[
        ("1.jpg", b"x"),
        ("1.cls", b"0"),
        ("2.jpg", b"x"),
        ("2.cls", b"0"),
        ("1.jpg", b"y"),
    ]);
    assert!(again.contains("byte 4608: the key `1` was there already, at byte 512"), "{again}");
    let second = refused(&[("1.jpg", b"x"), ("1.png", b"x"), ("1.cls", b"0")]);
    assert!(second.contains("the example `1` has a second picture or label, `1.png`"), "{second}");
    let twice = refused(&[("1.jpg", b"x"), ("1.cls", b"0"), ("1.jpg", b"x")]);
    assert!(twice.contains("the example `1` has a second picture or label"), "{twice}");
}

#[test]
fn an_example_that_lacks_picture_or_label_is_refused() {
    let picture = refused(&[("1.cls", b"0"), ("2.jpg", b"x"), ("2.cls", b"0")]);
    assert!(picture.contains("the example `1` has no picture"), "{picture}");
    let label = refused(&[("1.jpg", b"x"), ("1.json", b"{}")]);
    assert!(label.contains("the example `1` has no label: neither a member `.cls`"), "{label}");
}

#[test]
fn labels_that_are_none_are_refused_where_they_lie() {
    for (label, found) in
        [("cat", "`cat`"), ("", "``"), ("-1", "-1"), ("1 2", "`1 2`"), ("99999999", "99999999")]
    {
        let text = refused(&[("1.jpg", b"x"), ("1.cls", label.as_bytes())]);
        assert!(text.contains(&format!("byte 1536: the label is {found}")), "{text}");
    }
    for (label, found) in
        [(r#""a""#, r#""a""#), (r#"[1,"a"]"#, r#"[1,"a"]"#), ("[1,-2]", "-2"), ("1.5", "1.5")]
    {
        let json = format!("{{\"label\": {label}}}");
        let text = refused(&[("1.jpg", b"x"), ("1.json", json.as_bytes())]);
        assert!(text.contains(&format!("byte 1536: the label is {found}, but")), "{text}");
    }
    let text = refused(&[("1.jpg", b"x"), ("1.json", b"{")]);
    assert!(text.contains("byte 1536: `1.json` is no JSON"), "{text}");
}

/// The golden shards with one cut to `len` bytes.
fn cut_shard(len: u64) -> String {
    let folder = tempfile::tempdir().unwrap();
    copy(&golden("webdataset"), folder.path());
    let shard = folder.path().join("pets-train-0000.tar");
    fs::OpenOptions::new().write(true).open(shard).unwrap().set_len(len).unwrap();
    let splits = [(SplitName::Train, "pets-train")];
    text(&identify(&definition(Format::Webdataset, folder.path(), &splits)).unwrap_err())
}

#[test]
fn a_shard_cut_in_half_is_refused_wherever_it_is_cut() {
    // Within a header, within a member, between two members, between two examples.
    for len in [0, 100, 512, 700, 3_000, 5_000, 5_120, 6_144] {
        let text = cut_shard(len);
        assert!(text.contains("pets-train-0000.tar`, byte"), "{len}: {text}");
        assert!(text.contains("cut off") || text.contains("no member of a tar"), "{len}: {text}");
    }
}

#[test]
fn a_table_cut_in_half_or_without_the_columns_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    copy(&golden("parquet"), folder.path());
    let of = |change: &dyn Fn(&mut augreg_spec::Reading)| {
        let mut definition = definition(Format::Parquet, folder.path(), &TRAIN);
        change(&mut definition.source.reading);
        identify(&definition).map_err(|error| text(&error))
    };
    assert!(of(&|_| {}).is_ok());
    let text = of(&|reading| reading.label = Some("fine_label".into())).unwrap_err();
    for part in ["no column `fine_label` of labels", "image.bytes, image.path, label"] {
        assert!(text.contains(part), "{text}");
    }
    let file = folder.path().join("train-00000-of-00002.parquet");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    let text = of(&|_| {}).unwrap_err();
    assert!(
        text.contains("train-00000-of-00002.parquet`: the Parquet file cannot be read"),
        "{text}"
    );
}

#[test]
fn an_archive_of_other_arrays_says_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("train.npz");
    fs::copy(golden("npz/stored.npz"), &archive).unwrap();
    let of = |image: &str, label: &str| {
        let mut definition = definition(Format::Npz, folder.path(), &TRAIN);
        definition.source.reading.image = Some(image.into());
        definition.source.reading.label = Some(label.into());
        identify(&definition).map_err(|error| text(&error))
    };
    assert_eq!(of("train_images", "train_labels").unwrap().classes, 3);
    let text = of("pictures", "train_labels").unwrap_err();
    assert!(text.contains("among `train_images`, `train_labels`, `test_images`"), "{text}");
    let text = of("test_images", "train_labels").unwrap_err();
    assert!(text.contains("holds 2 images but `train_labels` 6 labels"), "{text}");
    let text = of("train_labels", "train_labels").unwrap_err();
    assert!(text.contains("they must be 8-bit numbers"), "{text}");
    let text = of("train_images", "train_images").unwrap_err();
    assert!(text.contains("they must be whole numbers, one an image"), "{text}");
    let bytes = fs::read(&archive).unwrap();
    fs::write(&archive, &bytes[..bytes.len() / 2]).unwrap();
    let text = of("train_images", "train_labels").unwrap_err();
    assert!(text.contains("train.npz`: the archive cannot be read"), "{text}");
}

fn edit(path: &Path, at: usize, with: &[u8]) {
    let mut bytes = fs::read(path).unwrap();
    let at = at % bytes.len();
    let len = with.len().min(bytes.len() - at);
    bytes[at..at + len].copy_from_slice(&with[..len]);
    fs::write(path, bytes).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_damage_is_read_or_refused(
        which in 0usize..4,
        at: usize,
        with in prop::collection::vec(any::<u8>(), 1..20),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (format, name, split) = [
            (Format::Webdataset, "webdataset/pets-test-0000.tar", "pets-test"),
            (Format::Parquet, "parquet/test-00000-of-00001.parquet", "test"),
            (Format::Npz, "npz/stored.npz", "test"),
            (Format::Npz, "npz/compressed.npz", "test"),
        ][which];
        let file: PathBuf = folder.path().join(Path::new(name).file_name().unwrap());
        fs::copy(golden(name), &file).unwrap();
        edit(&file, at, &with);
        let path = if format == Format::Npz { file } else { folder.path().to_owned() };
        let _ = open(&definition(format, &path, &[(SplitName::Train, split)]));
    }
}
