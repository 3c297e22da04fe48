//! A class as a file writes it.

use crate::DataError;
use crate::place::Place;

/// More classes than anybody has: a larger label is damage.
pub(crate) const MOST_CLASSES: u32 = 1 << 24;

/// The class of this number.
pub(crate) fn class(label: i64, place: impl FnOnce() -> Place) -> Result<u32, DataError> {
    let class = u32::try_from(label).ok().filter(|class| *class < MOST_CLASSES);
    class.ok_or_else(|| DataError::BadLabel {
        place: place(),
        found: label.to_string(),
        wanted: "classes are counted from 0: correct the data, or leave the example out".to_owned(),
    })
}
