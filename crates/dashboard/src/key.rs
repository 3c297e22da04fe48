//! A value of an axis: its place among others, and how the query language asks for it.

use std::cmp::Ordering;

use augreg_spec::Augmentation;
use augreg_store::Value;

use crate::words::value;

/// A value as a place in an order: presets in theirs, models by parameters, numbers by size, then names.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Key {
    rank: usize,
    /// 0 if it is no number.
    pub(crate) size: f64,
    /// As it is shown.
    pub(crate) text: String,
}

impl Key {
    /// A value of an axis, of jobs whose models have so many parameters.
    pub(crate) fn of(axis: &str, from: &Value, parameters: u64) -> Self {
        let text = value(from);
        let is_it = |name: &str| axis == "augmentation" && name == text;
        let rank = match axis {
            "model" => parameters as usize,
            _ => Augmentation::preset_names().position(is_it).unwrap_or(usize::MAX),
        };
        let size = match from {
            Value::Integer(n) => *n as f64,
            Value::Real(x) => *x,
            _ => 0.0,
        };
        Self { rank, size, text }
    }

    /// A condition that this value of the axis meets: `model='a b'`.
    pub(crate) fn condition(&self, axis: &str) -> String {
        // With all its digits.
        let exact = if self.size == 0.0 { self.text.clone() } else { self.size.to_string() };
        condition(axis, &exact)
    }
}

/// A condition of the query language.
pub(crate) fn condition(axis: &str, value: &str) -> String {
    match value {
        "" => format!("{axis}="),
        text if text.contains('\'') => format!("{axis}=\"{text}\""),
        text if text.contains([' ', '"', '=', '<', '>']) => format!("{axis}='{text}'"),
        text => format!("{axis}={text}"),
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        let size = self.size.total_cmp(&other.size);
        self.rank.cmp(&other.rank).then(size).then_with(|| self.text.cmp(&other.text))
    }
}

#[cfg(test)]
mod tests {
    use augreg_store::Filter;

    use super::*;

    fn key(axis: &str, from: impl Into<Value>) -> Key {
        Key::of(axis, &from.into(), 7)
    }

    #[test]
    fn presets_stand_in_their_order_models_and_numbers_by_size_and_each_can_be_asked_for() {
        let mut names = ["strong1", "own", "none", "light1"].map(|name| key("augmentation", name));
        names.sort();
        assert_eq!(names.map(|key| key.text), ["none", "light1", "strong1", "own"]);
        assert!(key("epochs", 3.0) < key("epochs", 30.0));
        assert!(Key::of("model", &"S/32".into(), 8) > key("model", "Ti/16"));
        for name in ["Ti/16", "it's", "a b", "<x>=\"y\""] {
            let condition = key("model", name).condition("model");
            assert!(condition.parse::<Filter>().is_ok(), "{condition}");
        }
        let rate = key("learning_rate", 3e-5).condition("learning_rate");
        assert_eq!(rate, "learning_rate=0.00003");
        assert_eq!(Key::of("mixup", &Value::Null, 0).condition("mixup"), "mixup=");
    }
}
