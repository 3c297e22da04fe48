//! Classes as a file writes them, or what a label map makes of its numbers.

use augreg_spec::LabelMap;

use crate::DataError;
use crate::labels::MOST_CLASSES;
use crate::place::Place;

/// The class of this number.
pub(crate) fn class(label: i64, place: impl FnOnce() -> Place) -> Result<u32, DataError> {
    let class = u32::try_from(label).ok().filter(|class| *class < MOST_CLASSES);
    class.ok_or_else(|| DataError::BadLabel {
        place: place(),
        found: label.to_string(),
        wanted: "classes are counted from 0: correct the data, or leave the example out".to_owned(),
    })
}

/// The class that a map makes of this number.
pub(crate) fn mapped(
    map: LabelMap,
    raw: f64,
    place: impl FnOnce() -> Place,
) -> Result<u32, DataError> {
    map.class(raw).ok_or_else(|| DataError::BadLabel {
        place: place(),
        found: raw.to_string(),
        wanted: format!(
            "the label map `{}` takes {}: correct the data, or name another column or map",
            map.name(),
            map.domain()
        ),
    })
}

/// The classes of these numbers, in ascending order, each once.
pub(crate) fn classes(labels: &[i64], place: impl Fn() -> Place) -> Result<Vec<u32>, DataError> {
    let classes = labels.iter().map(|label| class(*label, &place));
    let mut classes = classes.collect::<Result<Vec<_>, _>>()?;
    classes.sort_unstable();
    classes.dedup();
    Ok(classes)
}

/// The classes that have a 1 in a row of zeros and ones.
pub(crate) fn marked(row: &[i64], place: impl Fn() -> Place) -> Result<Vec<u32>, DataError> {
    let is_mark = |mark: &&i64| (0..=1).contains(*mark);
    if let Some(other) = row.iter().find(|mark| !is_mark(mark)) {
        return Err(DataError::BadLabel {
            place: place(),
            found: other.to_string(),
            wanted:
                "in an array of images × classes there is a 1 for every class of an image, and a \
                     0 for the others: correct the data, or take a column of classes"
                    .to_owned(),
        });
    }
    let marks = (0..).zip(row).filter(|(_, mark)| **mark == 1);
    Ok(marks.map(|(class, _)| class).collect())
}
