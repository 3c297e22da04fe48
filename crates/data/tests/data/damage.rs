//! Damaged data: each kind has its error, naming the file and what to do.

use std::fs;
use std::path::Path;

use augreg_data::{DataError, identify};
use augreg_spec::{Format, SplitName};
use proptest::prelude::*;

use crate::support::{FILES, definition, gzip, open, small_fashion, text};

/// What becomes of a small data set after `damage`.
fn after(damage: impl FnOnce(&Path)) -> DataError {
    let folder = tempfile::tempdir().unwrap();
    small_fashion(folder.path(), 20);
    damage(folder.path());
    let splits = [(SplitName::Train, "train"), (SplitName::Test, "test")];
    identify(&definition(Format::Idx, folder.path(), &splits)).unwrap_err()
}

fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_truncated_file_tells_both_lengths() {
    let error = after(|folder| edit(&folder.join(FILES[0]), |bytes| bytes.truncate(5000)));
    assert!(matches!(error, DataError::Size { found: 5000, .. }));
    let text = text(&error);
    for part in [FILES[0], "15696 bytes", "has 5000 bytes", "fetch it again"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_file_that_is_too_long_is_not_trusted_either() {
    let error = after(|folder| edit(&folder.join(FILES[1]), |bytes| bytes.push(0)));
    assert!(matches!(error, DataError::Size { found: 29, .. }), "{error}");
}

#[test]
fn an_empty_file_and_a_cut_header_are_too_short() {
    for len in [0, 3, 12] {
        let error = after(|folder| edit(&folder.join(FILES[0]), |bytes| bytes.truncate(len)));
        assert!(text(&error).contains("at least 16 bytes, the IDX header"), "{}", text(&error));
    }
}

#[test]
fn a_file_of_another_kind_is_known_by_its_magic() {
    let error = after(|folder| {
        fs::copy(folder.join(FILES[1]), folder.join(FILES[0])).unwrap();
    });
    assert!(matches!(error, DataError::Magic { .. }));
    assert!(text(&error).contains("0x00000801") && text(&error).contains("0x00000803"));
}

#[test]
fn a_header_of_absurd_size_is_an_error_not_an_allocation() {
    let error = after(|folder| edit(&folder.join(FILES[0]), |bytes| bytes[4..16].fill(0xff)));
    assert!(matches!(error, DataError::Size { .. }), "{error}");
}

#[test]
fn images_without_pixels_and_files_without_images_are_refused() {
    for (field, len) in [(4, 16), (8, 16), (12, 16)] {
        let error = after(|folder| {
            edit(&folder.join(FILES[0]), |bytes| {
                bytes[field..field + 4].fill(0);
                bytes.truncate(len);
            });
        });
        assert!(matches!(error, DataError::NoPixels { .. }), "{error}");
    }
}

#[test]
fn labels_of_another_set_do_not_match_the_images() {
    let error = after(|folder| {
        edit(&folder.join(FILES[1]), |bytes| {
            bytes[7] = 19;
            bytes.truncate(8 + 19);
        });
    });
    assert!(matches!(error, DataError::Count { images: 20, labels: 19, .. }), "{error}");
}

#[test]
fn a_missing_file_lists_the_names_that_would_do() {
    let error = after(|folder| fs::remove_file(folder.join(FILES[2])).unwrap());
    let text = text(&error);
    for part in ["source split `test`", "`t10k-images-idx3-ubyte`", "`t10k-images.idx3-ubyte.gz`"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_missing_folder_is_named() {
    let folder = Path::new("/nowhere/to/be/found");
    let error =
        identify(&definition(Format::Idx, folder, &[(SplitName::Train, "train")])).unwrap_err();
    assert!(matches!(error, DataError::MissingFolder { .. }));
    assert!(text(&error).contains("/nowhere/to/be/found"));
}

#[test]
fn a_folder_in_the_place_of_a_file_is_an_error() {
    let error = after(|folder| {
        fs::remove_file(folder.join(FILES[0])).unwrap();
        fs::create_dir(folder.join(FILES[0])).unwrap();
    });
    assert!(matches!(error, DataError::Read { .. }), "{error}");
}

#[test]
fn a_truncated_or_damaged_gzip_file_tells_how_far_it_came() {
    let truncated = after(|folder| {
        let packed = gzip(&folder.join(FILES[0]));
        edit(&packed, |bytes| bytes.truncate(bytes.len() / 2));
    });
    let DataError::Gzip { decompressed, .. } = truncated else { panic!("{truncated}") };
    assert!(decompressed < 15_696);
    let damaged = after(|folder| {
        let packed = gzip(&folder.join(FILES[1]));
        edit(&packed, |bytes| bytes[12..16].fill(0xff));
    });
    assert!(matches!(damaged, DataError::Gzip { .. }), "{damaged}");
    let no_gzip = after(|folder| {
        fs::rename(folder.join(FILES[0]), folder.join(format!("{}.gz", FILES[0]))).unwrap();
    });
    assert!(matches!(no_gzip, DataError::Gzip { decompressed: 0, .. }), "{no_gzip}");
}

#[test]
fn a_job_planned_over_more_examples_than_there_are_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    small_fashion(folder.path(), 20);
    let definition = definition(Format::Idx, folder.path(), &[(SplitName::Train, "train")]);
    let (mut identity, _) = open(&definition).unwrap();
    let range = &mut identity.splits.get_mut(&SplitName::Train).unwrap().ranges[0];
    range.to = 21;
    let error = augreg_data::Dataset::open(&definition.source, &identity).unwrap_err();
    assert!(matches!(error, DataError::Range { to: 21, count: 20, .. }), "{error}");

    identity.splits.clear();
    identity.classes = 3;
    let error = augreg_data::Dataset::open(&definition.source, &identity).unwrap_err();
    assert!(matches!(error, DataError::Label { example: 0, offset: 8, label: 9, .. }), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_in_place_of_a_file_are_read_or_refused(
        file in 0usize..4,
        header in prop::collection::vec(any::<u8>(), 0..20),
        keep in 0usize..16_000,
    ) {
        let folder = tempfile::tempdir().unwrap();
        small_fashion(folder.path(), 20);
        edit(&folder.path().join(FILES[file]), |bytes| {
            let len = header.len().min(bytes.len());
            bytes[..len].copy_from_slice(&header[..len]);
            bytes.truncate(keep);
        });
        let splits = [(SplitName::Train, "train"), (SplitName::Test, "test")];
        let _ = open(&definition(Format::Idx, folder.path(), &splits));
    }
}
