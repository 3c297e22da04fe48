//! Label maps: how a number that a data set has of an example, such as a distance, becomes a class.
//!
//! VTAB's structured tasks ask for such classes. Every rule is that of
//! `google-research/task_adaptation`, `task_adaptation/data/*.py`, or of the TensorFlow Datasets
//! that it reads, `tensorflow_datasets/image_classification/*.py`; the functions are named.

use serde::{Deserialize, Serialize};

/// A rule that makes a class of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelMap {
    /// How many objects there are, 3 to 10 (`clevr.py`, `_count_preprocess_fn`).
    ClevrCount,
    /// The depth of the closest object (`clevr.py`, `_closest_object_preprocess_fn`).
    ClevrDistance,
    /// Orientation of a sprite, of 40, in 16 bins (`dsprites.py`).
    DspritesOrientation,
    /// Position of a sprite along one side, of 32, in 16 bins (`dsprites.py`).
    DspritesPosition,
    /// Metres to the closest vehicle, 1000 for none (`kitti.py`, `_closest_vehicle_distance_pp`).
    KittiDistance,
    /// The data set's own azimuth, 0, 2, … 34 for 0° to 340° (TFDS `smallnorb.py`, `_load_chunk`).
    SmallnorbAzimuth,
    /// The data set's own elevation, 0 to 8 for 30° to 70° (TFDS `smallnorb.py`).
    SmallnorbElevation,
    /// The data set's own digits, 1 to 9, and 10 for the digit 0 (TFDS `svhn.py`).
    Svhn,
}

/// Lower ends of KITTI's classes in metres (`kitti.py`: `thrs`).
const KITTI: [f32; 4] = [-100.0, 8.0, 20.0, 999.0];

/// Lower ends of CLEVR's classes, and the upper end of the last (`clevr.py`: `thrs`).
const CLEVR: [f32; 7] = [0.0, 8.0, 8.5, 9.0, 9.5, 10.0, 100.0];

/// Bins of dSprites' tasks (`task_adaptation/adapt_and_eval.py`'s arguments: `num_classes=16`).
const BINS: u32 = 16;

impl LabelMap {
    /// Every map with its name in a sweep file.
    pub const ALL: [(&'static str, Self); 8] = [
        ("clevr-count", Self::ClevrCount),
        ("clevr-distance", Self::ClevrDistance),
        ("dsprites-orientation", Self::DspritesOrientation),
        ("dsprites-position", Self::DspritesPosition),
        ("kitti-distance", Self::KittiDistance),
        ("smallnorb-azimuth", Self::SmallnorbAzimuth),
        ("smallnorb-elevation", Self::SmallnorbElevation),
        ("svhn", Self::Svhn),
    ];

    /// The name in a sweep file.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, map)| *map == self).map_or("", |(name, _)| name)
    }

    /// How many classes it makes.
    #[must_use]
    pub fn classes(self) -> u32 {
        match self {
            Self::ClevrCount => 8,
            Self::ClevrDistance => 6,
            Self::DspritesOrientation | Self::DspritesPosition => BINS,
            Self::KittiDistance => 4,
            Self::SmallnorbAzimuth => 18,
            Self::SmallnorbElevation => 9,
            Self::Svhn => 10,
        }
    }

    /// The numbers that it takes, for a person.
    #[must_use]
    pub fn domain(self) -> &'static str {
        match self {
            Self::ClevrCount => "the number of objects, a whole number from 3 to 10",
            Self::ClevrDistance => "a distance above 0 and at most 100",
            Self::DspritesOrientation => "an orientation, a whole number from 0 to 39",
            Self::DspritesPosition => "a position, a whole number from 0 to 31",
            Self::KittiDistance => "metres to the closest vehicle, above -100, and 1000 for none",
            Self::SmallnorbAzimuth => "an even number from 0 to 34",
            Self::SmallnorbElevation => "a whole number from 0 to 8",
            Self::Svhn => "a whole number from 1 to 10",
        }
    }

    /// The class of a number; none if the map does not take it.
    ///
    /// Distances are compared as 32-bit floats, as VTAB does.
    #[must_use]
    pub fn class(self, raw: f64) -> Option<u32> {
        match self {
            Self::ClevrCount => whole(raw, 3..=10).map(|count| count - 3),
            Self::ClevrDistance => highest_below(&CLEVR, raw).filter(|class| *class < 6),
            Self::DspritesOrientation => whole(raw, 0..=39).map(|label| label * BINS / 40),
            Self::DspritesPosition => whole(raw, 0..=31).map(|label| label * BINS / 32),
            Self::KittiDistance => highest_below(&KITTI, raw),
            Self::SmallnorbAzimuth => {
                whole(raw, 0..=34).filter(|azimuth| azimuth % 2 == 0).map(|azimuth| azimuth / 2)
            }
            Self::SmallnorbElevation => whole(raw, 0..=8),
            Self::Svhn => whole(raw, 1..=10).map(|digit| digit % 10),
        }
    }
}

/// The whole number `raw` is, if it is one of these.
fn whole(raw: f64, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
    let number = raw as u32;
    (f64::from(number).to_bits() == (raw + 0.0).to_bits() && range.contains(&number))
        .then_some(number)
}

/// The last threshold that lies below `raw`: VTAB's `reduce_max(where((thrs - dist) < 0))`.
fn highest_below(thresholds: &[f32], raw: f64) -> Option<u32> {
    let raw = raw as f32;
    thresholds.iter().rposition(|threshold| threshold - raw < 0.0).map(|class| class as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(map: LabelMap, raw: &[f64]) -> Vec<Option<u32>> {
        raw.iter().map(|raw| map.class(*raw)).collect()
    }

    /// `thrs = np.array([-100.0, 8.0, 20.0, 999.0])`,
    /// `label = tf.reduce_max(tf.where((thrs - dist) < 0))`: a threshold itself belongs below.
    #[test]
    fn kitti_is_up_to_8_metres_up_to_20_farther_or_no_vehicle() {
        let raw = [-99.9, 0.0, 7.9, 8.0, 8.001, 20.0, 20.5, 999.0, 999.5, 1000.0];
        let expected = [0, 0, 0, 0, 1, 1, 2, 2, 3, 3].map(Some);
        assert_eq!(classes(LabelMap::KittiDistance, &raw), expected);
        assert_eq!(classes(LabelMap::KittiDistance, &[-100.0, f64::NAN]), [None, None]);
    }

    /// `thrs = np.array([0.0, 8.0, 8.5, 9.0, 9.5, 10.0, 100.0])`, the same rule, 6 classes.
    #[test]
    fn clevr_is_six_bins_of_depth() {
        let raw = [0.1, 8.0, 8.1, 8.5, 8.6, 9.0, 9.2, 9.5, 9.7, 10.0, 10.1, 100.0];
        let expected = [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5].map(Some);
        assert_eq!(classes(LabelMap::ClevrDistance, &raw), expected);
        assert_eq!(classes(LabelMap::ClevrDistance, &[0.0, -1.0, 100.5]), [None; 3]);
        let rounded = 8.0 + 1e-9;
        assert_eq!(LabelMap::ClevrDistance.class(rounded), Some(0), "a 32-bit float is 8.0");
    }

    /// `"label": tf.size(x["objects"]["size"]) - 3`, 8 classes.
    #[test]
    fn clevr_counts_from_three_objects_on() {
        let expected = [0, 1, 7].map(Some);
        assert_eq!(classes(LabelMap::ClevrCount, &[3.0, 4.0, 10.0]), expected);
        assert_eq!(
            classes(LabelMap::ClevrCount, &[2.0, 11.0, 3.5, -3.0, f64::INFINITY]),
            [None; 5]
        );
    }

    /// `tf.math.floordiv(label, class_division_factor)`, with 32 / 16 = 2 and 40 / 16 = 2.5.
    #[test]
    fn dsprites_bins_are_two_positions_or_two_and_a_half_orientations_wide() {
        let raw = [0.0, 1.0, 2.0, 15.0, 30.0, 31.0];
        assert_eq!(classes(LabelMap::DspritesPosition, &raw), [0, 0, 1, 7, 15, 15].map(Some));
        let raw = [0.0, 2.0, 3.0, 4.0, 5.0, 7.0, 8.0, 37.0, 38.0, 39.0];
        let expected = [0, 0, 1, 1, 2, 2, 3, 14, 15, 15].map(Some);
        assert_eq!(classes(LabelMap::DspritesOrientation, &raw), expected);
        for label in 0..40_u16 {
            let floor = (f32::from(label) / 2.5).floor() as u32;
            assert_eq!(LabelMap::DspritesOrientation.class(label.into()), Some(floor));
        }
        assert_eq!(LabelMap::DspritesPosition.class(32.0), None);
        assert_eq!(LabelMap::DspritesOrientation.class(40.0), None);
    }

    /// "Azimuth values are 0, 2, 4, .., 34. We divide by 2 to get proper labels."; elevations stay.
    #[test]
    fn smallnorb_azimuths_are_halved() {
        let raw = [0.0, 2.0, 34.0];
        assert_eq!(classes(LabelMap::SmallnorbAzimuth, &raw), [0, 1, 17].map(Some));
        assert_eq!(classes(LabelMap::SmallnorbAzimuth, &[1.0, 36.0]), [None, None]);
        assert_eq!(
            classes(LabelMap::SmallnorbElevation, &[0.0, 8.0, 9.0]),
            [Some(0), Some(8), None]
        );
    }

    /// `"label": label % 10,  # digit 0 is saved as 0 (instead of 10)`.
    #[test]
    fn svhn_writes_the_digit_0_as_10() {
        let raw = [1.0, 9.0, 10.0, 0.0, 11.0];
        assert_eq!(classes(LabelMap::Svhn, &raw), [Some(1), Some(9), Some(0), None, None]);
    }

    #[test]
    fn no_map_makes_a_class_beyond_its_own_and_every_class_is_made() {
        for (name, map) in LabelMap::ALL {
            let steps = (-2_100_i32..21_000).map(|step| f64::from(step) / 20.0);
            let made: std::collections::BTreeSet<_> = steps.filter_map(|x| map.class(x)).collect();
            assert_eq!(made, (0..map.classes()).collect(), "{name}");
            assert_eq!(map.name(), name);
        }
    }
}
