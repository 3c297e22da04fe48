//! `[budget]`: what a sweep may take at the most.

use std::ops::Range;

use miette::{Diagnostic, NamedSource, SourceSpan};
use thiserror::Error;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::reader::{self, Mistakes, Section};

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Hours of devices, all together.
    DeviceHours,
    /// Bytes of the study's disk.
    Disk,
    /// Floating-point operations.
    Flops,
}

impl Resource {
    /// Every resource, in the order in which they are told.
    pub const ALL: [Self; 3] = [Self::DeviceHours, Self::Disk, Self::Flops];

    /// The key in a sweep file.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::DeviceHours => "device_hours",
            Self::Disk => "disk",
            Self::Flops => "flops",
        }
    }

    /// What its unit is called where amounts are written with one; none where they are bare numbers.
    pub(super) fn unit(self) -> Option<&'static str> {
        match self {
            Self::DeviceHours => None,
            Self::Disk => Some("B"),
            Self::Flops => Some("FLOP"),
        }
    }

    /// Amounts as a person may write them.
    fn examples(self) -> &'static str {
        match self {
            Self::DeviceHours => "a number of hours, such as 24 or 0.5",
            Self::Disk => "a number of bytes or a size, such as \"500 MB\" or \"2 TiB\"",
            Self::Flops => "a number of operations, such as 1.5e18 or \"1.5 EFLOP\"",
        }
    }
}

/// The most that a sweep may take of one thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// Of what.
    pub resource: Resource,
    /// How much: hours, bytes or operations.
    pub most: f64,
    /// The amount as written.
    pub written: String,
    at: Range<usize>,
}

/// The limits of a sweep; none of what it does not name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Budget {
    /// The limits, in the order of [`Resource::ALL`].
    pub limits: Vec<Limit>,
}

/// A sweep that would take more than it may.
#[derive(Debug, Error, Diagnostic)]
#[error("{message}")]
pub struct OverBudget {
    message: String,
    #[help]
    help: String,
    #[source_code]
    text: NamedSource<String>,
    #[label("the limit")]
    at: SourceSpan,
}

impl Budget {
    /// `[budget]`
    pub(super) fn read(value: Option<&Spanned<DeValue<'_>>>, mistakes: &mut Mistakes) -> Self {
        let mut limits = Vec::new();
        let section = value.and_then(|value| Section::of("[budget]", value, mistakes));
        if let Some(mut section) = section {
            for resource in Resource::ALL {
                if let Some(value) = section.get(resource.key()) {
                    limits.extend(limit(resource, value, mistakes));
                }
            }
            section.finish(mistakes);
        }
        Self { limits }
    }

    /// The budget of a sweep file that was found right before.
    #[must_use]
    pub fn asked_for_in(text: &str) -> Self {
        let Ok(root) = DeTable::parse(text) else { return Self::default() };
        Self::read(root.get_ref().get("budget"), &mut Mistakes::default())
    }

    /// That `taken` goes beyond `limit`, shown at its place in the sweep file `text`, called `file`.
    #[must_use]
    pub fn exceeded(
        file: &str,
        text: &str,
        limit: &Limit,
        message: String,
        help: String,
    ) -> OverBudget {
        let text = NamedSource::new(file, text.to_owned());
        OverBudget { message, help, text, at: limit.at.clone().into() }
    }
}

fn limit(
    resource: Resource,
    value: &Spanned<DeValue<'_>>,
    mistakes: &mut Mistakes,
) -> Option<Limit> {
    let key = resource.key();
    let (most, written) = match (value.get_ref(), resource.unit()) {
        (DeValue::String(text), Some(unit)) => {
            let Some(most) = amount(text, unit) else {
                let message = format!("`{key}` is `{text}`, which is no amount");
                let help = format!("write {}", resource.examples());
                mistakes.add(value.span(), message, "not an amount", Some(help));
                return None;
            };
            (most, text.to_string())
        }
        (DeValue::Integer(_) | DeValue::Float(_), _) => {
            let most = reader::number(value, key, mistakes)?;
            (most, most.to_string())
        }
        (other, _) => {
            let what = format!("`{key}`");
            reader::wrong_type(&what, resource.examples(), other, value.span(), mistakes);
            return None;
        }
    };
    if most <= 0.0 || !most.is_finite() {
        let help = format!("write {}; without the key there is no limit", resource.examples());
        mistakes.add(value.span(), format!("`{key}` must be above 0"), "nothing", Some(help));
        return None;
    }
    Some(Limit { resource, most, written, at: value.span() })
}

/// A number of bytes, or a size with a unit.
pub(super) fn bytes(
    value: &Spanned<DeValue<'_>>,
    what: &str,
    mistakes: &mut Mistakes,
) -> Option<u64> {
    let most = match value.get_ref() {
        DeValue::String(text) => amount(text, "B"),
        DeValue::Integer(_) => Some(reader::number(value, what, mistakes)?),
        other => {
            let examples = Resource::Disk.examples();
            reader::wrong_type(&format!("`{what}`"), examples, other, value.span(), mistakes);
            return None;
        }
    };
    let found = most.filter(|most| (1.0..1e18).contains(most)).map(|most| most as u64);
    if found.is_none() {
        let help = format!("write {}", Resource::Disk.examples());
        mistakes.add(value.span(), format!("`{what}` is no size"), "not a size", Some(help));
    }
    found
}

/// A number with a unit: SI prefixes, and powers of 1024 for bytes; without a unit the number itself.
fn amount(text: &str, unit: &str) -> Option<f64> {
    const PREFIXES: &str = "KMGTPEZY";
    let text = text.trim();
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let end = text.find(|c| !is_number(c)).unwrap_or(text.len());
    // An exponent, but not the prefix of exa.
    let end = match text[end..].strip_prefix('e') {
        Some(rest) => {
            let digits = rest.strip_prefix(['+', '-']).unwrap_or(rest);
            let count = digits.chars().take_while(char::is_ascii_digit).count();
            if count > 0 { text.len() - digits.len() + count } else { end }
        }
        None => end,
    };
    let number: f64 = text[..end].parse().ok()?;
    let name = text[end..].trim().to_uppercase();
    if name.is_empty() {
        return Some(number);
    }
    let name = match unit {
        "FLOP" => name.strip_suffix("FLOPS").or_else(|| name.strip_suffix("FLOP"))?,
        unit => name.strip_suffix(unit)?,
    };
    let (name, base) = match name.strip_suffix('I') {
        Some(name) if unit == "B" && !name.is_empty() => (name, 1024.0_f64),
        _ => (name, 1000.0),
    };
    let power = match name {
        "" => 0,
        name if name.len() == 1 => PREFIXES.find(name)? + 1,
        _ => return None,
    };
    Some(number * base.powi(power as i32))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Budget, Vec<String>) {
        let root = DeTable::parse(text).expect("is TOML");
        let mut mistakes = Mistakes::default();
        let budget = Budget::read(root.get_ref().get("budget"), &mut mistakes);
        let errors = mistakes.into_errors(NamedSource::new("a.toml", text.to_owned()));
        let errors = errors.mistakes().iter().map(|mistake| {
            let at = mistake.at.offset()..mistake.at.offset() + mistake.at.len();
            format!("{} [{}] {}", mistake.message, &text[at], mistake.help.as_deref().unwrap_or(""))
        });
        (budget, errors.collect())
    }

    #[test]
    fn amounts_are_read_with_and_without_units() {
        for (text, unit, amount) in [
            ("500 MB", "B", 5e8),
            ("1.5gb", "B", 1.5e9),
            ("2 MiB", "B", 2_097_152.0),
            ("7", "B", 7.0),
            ("1 PB", "B", 1e15),
            ("1.5 EFLOP", "FLOP", 1.5e18),
            ("3e15 flops", "FLOP", 3e15),
            ("2.5e+3", "FLOP", 2500.0),
            ("12 kFLOP", "FLOP", 12_000.0),
        ] {
            assert_eq!(super::amount(text, unit), Some(amount), "{text}");
        }
        for text in
            ["", "MB", "-1 MB", "1 parsec", "1.2.3 MB", "5é", "1 iB", "1 KKB", "e5 B", "1 TFLOP"]
        {
            assert_eq!(super::amount(text, "B"), None, "{text}");
        }
        assert_eq!(super::amount("1 KiFLOP", "FLOP"), None);
        assert_eq!(super::amount("1 GB", "FLOP"), None);
    }

    #[test]
    fn a_budget_limits_what_it_names() {
        let text = "[budget]\nflops = \"3 PFLOP\"\ndevice_hours = 1.5\ndisk = 1000\n";
        let (budget, errors) = read(text);
        assert!(errors.is_empty(), "{errors:?}");
        let limits = budget.limits.iter().map(|limit| (limit.resource, limit.most));
        assert_eq!(
            limits.collect::<Vec<_>>(),
            [(Resource::DeviceHours, 1.5), (Resource::Disk, 1000.0), (Resource::Flops, 3e15)]
        );
        assert_eq!(Budget::asked_for_in(text), budget);
        assert_eq!(Budget::asked_for_in("name = \"a\""), Budget::default());
        assert_eq!(Budget::asked_for_in("not TOML"), Budget::default());
    }

    #[test]
    fn every_mistake_in_a_budget_is_named_at_its_place_with_what_to_write() {
        let text =
            "[budget]\ndevice_hours = \"24 h\"\ndisk = \"5 parsec\"\nflops = -1\nwatts = 3\n";
        insta::assert_snapshot!(read(text).1.join("\n"));
        insta::assert_snapshot!(
            read("[budget]\ndevice_hours = 0\ndisk = true\nflops = inf\n").1.join("\n")
        );
        insta::assert_snapshot!(read("budget = 3\n").1.join("\n"));
    }
}
