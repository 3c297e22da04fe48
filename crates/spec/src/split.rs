//! The TFDS slice grammar: `train[:99%]`, `train[51200:]`, `train[10%:20%]+test`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// One end of a slice, as written.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Bound {
    Examples(i64),
    Percent(f64),
}

/// One `source[from:to]` of a split, as written.
#[derive(Debug, Clone, PartialEq)]
struct Slice {
    source: String,
    from: Option<Bound>,
    to: Option<Bound>,
}

/// A split as written: a sum of slices of the source files' own splits.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitExpr {
    text: String,
    slices: Vec<Slice>,
}

/// Examples `from..to` of one source split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceRange {
    /// The first example.
    pub from: u64,
    /// The source split: `train` or `test` for the built-in formats.
    pub source: String,
    /// One past the last example.
    pub to: u64,
}

/// Why a split cannot be read or resolved.
#[derive(Debug, Error, Clone, PartialEq)]
pub enum SplitError {
    /// The text does not follow the grammar.
    #[error(
        "`{text}` is not a split: write `train`, `train[:99%]`, `train[51200:]` or a sum such as `train[:10%]+test`"
    )]
    Grammar {
        /// The text of the slice.
        text: String,
    },
    /// A percentage outside −100 … 100.
    #[error("`{text}`: {percent} % is outside -100 % … 100 %")]
    Percent {
        /// The text of the slice.
        text: String,
        /// The percentage.
        percent: f64,
    },
    /// The data has no source split of this name.
    #[error("the data has no split `{source_split}`; it has {available}")]
    UnknownSource {
        /// The name asked for.
        source_split: String,
        /// The names there are.
        available: String,
    },
    /// A bound lies outside the data.
    #[error("`{text}`: bound {bound} lies outside the {count} examples of `{source_split}`")]
    OutOfRange {
        /// The text of the slice.
        text: String,
        /// The offending bound.
        bound: i64,
        /// How many examples there are.
        count: u64,
        /// The source split.
        source_split: String,
    },
    /// The split holds no example.
    #[error("`{text}` holds no example")]
    Empty {
        /// The text of the split.
        text: String,
    },
}

impl SplitExpr {
    /// The examples this split names, in order, given how many each source split holds.
    ///
    /// Percentages round to the nearest example, halves to even, as TFDS's `closest` does.
    ///
    /// # Errors
    ///
    /// [`SplitError`] if a source is unknown, a bound lies outside it, or nothing is left.
    pub fn resolve(
        &self,
        count: impl Fn(&str) -> Option<u64>,
        available: &str,
    ) -> Result<Vec<SourceRange>, SplitError> {
        let ranges: Vec<SourceRange> = self
            .slices
            .iter()
            .map(|slice| {
                let n = count(&slice.source).ok_or_else(|| SplitError::UnknownSource {
                    source_split: slice.source.clone(),
                    available: available.to_owned(),
                })?;
                let absolute = |bound: Option<Bound>, default: u64| match bound {
                    None => Ok(default),
                    Some(bound) => self.absolute(bound, n, &slice.source),
                };
                let (from, to) = (absolute(slice.from, 0)?, absolute(slice.to, n)?);
                Ok(SourceRange { source: slice.source.clone(), from, to: to.max(from) })
            })
            .collect::<Result<_, _>>()?;
        let ranges: Vec<_> = ranges.into_iter().filter(|range| range.to > range.from).collect();
        if ranges.is_empty() {
            return Err(SplitError::Empty { text: self.text.clone() });
        }
        Ok(ranges)
    }

    fn absolute(&self, bound: Bound, n: u64, source: &str) -> Result<u64, SplitError> {
        let value = match bound {
            Bound::Examples(value) => value,
            Bound::Percent(percent) => (percent * n as f64 / 100.0).round_ties_even() as i64,
        };
        let from_start = if value < 0 { value + n as i64 } else { value };
        u64::try_from(from_start).ok().filter(|&at| at <= n).ok_or_else(|| SplitError::OutOfRange {
            text: self.text.clone(),
            bound: value,
            count: n,
            source_split: source.to_owned(),
        })
    }
}

impl FromStr for SplitExpr {
    type Err = SplitError;

    fn from_str(text: &str) -> Result<Self, SplitError> {
        let slices =
            text.split('+').map(|part| parse_slice(part.trim())).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), slices })
    }
}

fn parse_slice(text: &str) -> Result<Slice, SplitError> {
    let grammar = || SplitError::Grammar { text: text.to_owned() };
    let (source, inside) = match text.split_once('[') {
        None => (text, None),
        Some((source, rest)) => (source, Some(rest.strip_suffix(']').ok_or_else(grammar)?)),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if source.is_empty() || !source.chars().all(is_name) {
        return Err(grammar());
    }
    let (from, to) = match inside {
        None => (None, None),
        Some(inside) => {
            let (from, to) = inside.split_once(':').ok_or_else(grammar)?;
            (parse_bound(from.trim(), text)?, parse_bound(to.trim(), text)?)
        }
    };
    Ok(Slice { source: source.to_owned(), from, to })
}

fn parse_bound(bound: &str, text: &str) -> Result<Option<Bound>, SplitError> {
    let grammar = || SplitError::Grammar { text: text.to_owned() };
    if bound.is_empty() {
        return Ok(None);
    }
    if let Some(percent) = bound.strip_suffix('%') {
        let percent: f64 = percent.parse().map_err(|_| grammar())?;
        if !(-100.0..=100.0).contains(&percent) {
            return Err(SplitError::Percent { text: text.to_owned(), percent });
        }
        return Ok(Some(Bound::Percent(percent)));
    }
    bound.replace('_', "").parse().map(|n| Some(Bound::Examples(n))).map_err(|_| grammar())
}

impl fmt::Display for SplitExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn resolve(text: &str, n: u64) -> Result<Vec<(u64, u64)>, SplitError> {
        let split: SplitExpr = text.parse()?;
        let ranges = split.resolve(|name| (name == "train").then_some(n), "`train`")?;
        Ok(ranges.into_iter().map(|range| (range.from, range.to)).collect())
    }

    #[test]
    fn slices_resolve_as_tfds_resolves_them() {
        assert_eq!(resolve("train", 100), Ok(vec![(0, 100)]));
        assert_eq!(resolve("train[:99%]", 1_281_167), Ok(vec![(0, 1_268_355)]));
        assert_eq!(resolve("train[99%:]", 1_281_167), Ok(vec![(1_268_355, 1_281_167)]));
        assert_eq!(resolve("train[51_200:]", 60_000), Ok(vec![(51_200, 60_000)]));
        assert_eq!(resolve("train[-10%:]", 50), Ok(vec![(45, 50)]));
        assert_eq!(resolve("train[:2]+train[4:6]", 9), Ok(vec![(0, 2), (4, 6)]));
        assert_eq!(resolve("train[:50%]", 5), Ok(vec![(0, 2)]), "2.5 rounds to even");
    }

    #[test]
    fn what_is_no_split_says_so() {
        for text in ["", "train[", "train[5]", "train[a:]", "tr ain", "train[:10%", "+train"] {
            assert!(matches!(resolve(text, 10), Err(SplitError::Grammar { .. })), "{text}");
        }
        assert!(matches!(resolve("train[:101%]", 10), Err(SplitError::Percent { .. })));
        assert!(matches!(resolve("train[:11]", 10), Err(SplitError::OutOfRange { .. })));
        assert!(matches!(resolve("train[5:5]", 10), Err(SplitError::Empty { .. })));
        assert!(matches!(resolve("validation", 10), Err(SplitError::UnknownSource { .. })));
    }

    proptest! {
        #[test]
        fn any_text_parses_or_errs_without_panic(text in "[a-z0-9:%+\\[\\]_-]{0,20}", n in 0u64..1000) {
            let _ = resolve(&text, n);
        }

        #[test]
        fn two_complementary_slices_share_no_example_and_miss_none(percent in 0u32..=100, n in 1u64..10_000) {
            let head = resolve(&format!("train[:{percent}%]"), n).map_or(0, |ranges| ranges[0].1);
            let tail = resolve(&format!("train[{percent}%:]"), n).map_or(n, |ranges| ranges[0].0);
            prop_assert_eq!(head, tail);
        }
    }
}
