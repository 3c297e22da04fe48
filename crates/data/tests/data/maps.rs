//! Numbers that are no classes, as libraries write them, and what label maps make of them.

use augreg_data::{PackAs, identify, pack};
use augreg_spec::{DataSource, DatasetDefinition, Format, LabelMap, SplitName};

use crate::support::{definition, golden, open, text};

const FORMATS: [(Format, &str); 3] =
    [(Format::Parquet, "parquet"), (Format::Npz, "npz"), (Format::Webdataset, "webdataset")];

fn mapped(format: Format, folder: &str, label: &str, map: Option<LabelMap>) -> DatasetDefinition {
    let folder = golden("mapped").join(folder);
    let mut definition = definition(format, &folder, &[(SplitName::Train, "train")]);
    definition.source.reading.label = Some(label.to_owned());
    definition.source.reading.label_map = map;
    definition
}

/// The classes of all examples, in order.
fn classes(definition: &DatasetDefinition) -> Vec<u32> {
    let (_, dataset) = open(definition).unwrap();
    let split = dataset.split(SplitName::Train).unwrap();
    (0..split.len()).map(|i| split.classes(i)[0]).collect()
}

/// `make.py`'s distances are −3.5, 8, 8.5, 20, 20.25, 999 and 1000 m, its orientations 0, 2, 3, 5, 39,
/// 38 and 7: by VTAB's thresholds 8, 20 and 999, and by ⌊orientation / 2.5⌋.
#[test]
fn distances_and_factors_become_classes_in_every_format_that_holds_numbers() {
    for (format, folder) in FORMATS {
        let kitti = mapped(format, folder, "distance", Some(LabelMap::KittiDistance));
        assert_eq!(classes(&kitti), [0, 0, 1, 1, 2, 2, 3], "{folder}");
        assert_eq!(identify(&kitti).unwrap().classes, 4, "{folder}");
        let bins = mapped(format, folder, "orientation", Some(LabelMap::DspritesOrientation));
        assert_eq!(classes(&bins), [0, 0, 1, 2, 15, 15, 2], "{folder}");
        assert_eq!(identify(&bins).unwrap().classes, 16, "{folder}: all bins, met or not");
    }
}

#[test]
fn a_map_is_in_the_identity_by_the_classes_it_makes() {
    for (format, folder) in FORMATS {
        let of = |label: &str, map| identify(&mapped(format, folder, label, map)).unwrap();
        let plain = of("orientation", None);
        let bins = of("orientation", Some(LabelMap::DspritesOrientation));
        assert_ne!(plain.fingerprint(), bins.fingerprint(), "{folder}");
        assert_ne!(plain.content, bins.content, "{folder}");
        assert_eq!(plain.classes, 40, "{folder}: as the column says, or the largest and 1");
    }
}

#[test]
fn a_pack_of_mapped_data_is_the_same_data_set() {
    let kitti = mapped(Format::Parquet, "parquet", "distance", Some(LabelMap::KittiDistance));
    let identity = identify(&kitti).unwrap();
    let out = tempfile::tempdir().unwrap();
    pack(&kitti.source, &identity, out.path(), PackAs::Files).unwrap();
    let packed = DatasetDefinition { source: DataSource::new(Format::Pack, out.path()), ..kitti };
    assert_eq!(identify(&packed).unwrap(), identity);
}

#[test]
fn a_number_that_the_map_does_not_take_is_named_with_its_place() {
    for (format, folder) in FORMATS {
        let broken = mapped(format, folder, "broken", Some(LabelMap::KittiDistance));
        let said = text(&identify(&broken).unwrap_err());
        let place = if format == Format::Webdataset { "train.tar`, byte" } else { "`, row 5" };
        let taken = "`kitti-distance` takes metres to the closest vehicle, above -100";
        for part in [place, "the label is -100, but", taken] {
            assert!(said.contains(part), "{folder}: no `{part}` in {said}");
        }
    }
}

#[test]
fn a_column_of_distances_is_no_column_of_classes() {
    let said =
        |format, folder| text(&identify(&mapped(format, folder, "distance", None)).unwrap_err());
    let table = said(Format::Parquet, "parquet");
    assert!(table.contains("there is no column `distance` of labels"), "{table}");
    let archive = said(Format::Npz, "npz");
    assert!(archive.contains("they must be whole numbers"), "{archive}");
    let shards = said(Format::Webdataset, "webdataset");
    assert!(shards.contains("`distance` must be a number, the class"), "{shards}");
    let list = mapped(Format::Npz, "npz", "images", Some(LabelMap::KittiDistance));
    let list = text(&identify(&list).unwrap_err());
    assert!(list.contains("for the label map `kitti-distance` they must be numbers"), "{list}");
}

#[test]
fn a_source_split_of_another_size_than_declared_names_both() {
    let mut kitti = mapped(Format::Npz, "npz", "distance", Some(LabelMap::KittiDistance));
    kitti.declared.insert("train".into(), 7);
    assert!(identify(&kitti).is_ok());
    kitti.declared.insert("train".into(), 6347);
    let said = text(&identify(&kitti).unwrap_err());
    assert!(said.contains("holds 7 examples of the source split `train`, but 6347"), "{said}");
    kitti.declared = [("test".to_owned(), 711)].into();
    let said = text(&identify(&kitti).unwrap_err());
    assert!(said.contains("holds nothing of the source split `test`, but 711"), "{said}");
}
