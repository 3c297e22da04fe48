//! A seeded part of a training split: what a sweep file says of it, and what a job knows of it.
//!
//! Choosing examples needs their labels, so that is done where data are read; here is how many.

use serde::{Deserialize, Serialize};

/// The part of the training split to learn from, as written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Subset {
    /// How large it is.
    pub size: SubsetSize,
    /// Which of all parts of this size and kind.
    pub seed: u64,
    /// Whether every class keeps its share of the whole.
    pub stratified: bool,
}

/// How large a part is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SubsetSize {
    /// A share of the split, in percent.
    Percent(f64),
    /// So many examples.
    Examples(u64),
    /// So many examples of every class, or all that a class has.
    PerClass(u64),
}

impl SubsetSize {
    /// How many of `n` examples that are, unless it depends on the classes. Percentages round to
    /// the nearest example, halves to even, as those of slices do.
    #[must_use]
    pub fn of(self, n: u64) -> Option<u64> {
        match self {
            Self::Percent(percent) => Some((percent * n as f64 / 100.0).round_ties_even() as u64),
            Self::Examples(examples) => Some(examples),
            Self::PerClass(_) => None,
        }
    }
}

/// What the choice of a part is to a job: with the ranges it is of, the labels there, and how many
/// examples were to be chosen, it decides which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubsetIdentity {
    /// How many of every class, if that is how it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_class: Option<u64>,
    /// Which of all parts.
    pub seed: u64,
    /// Whether every class keeps its share.
    pub stratified: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_rounds_to_the_nearest_example_and_halves_to_even() {
        let tenth = SubsetSize::Percent(10.0);
        assert_eq!([5, 15, 16, 1_281_167].map(|n| tenth.of(n)), [0, 2, 2, 128_117].map(Some));
        assert_eq!(SubsetSize::Examples(7).of(3), Some(7));
        assert_eq!(SubsetSize::PerClass(7).of(3), None);
    }
}
