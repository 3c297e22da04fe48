//! Reads spanned TOML values, collecting mistakes instead of stopping at the first.

use std::ops::Range;

use miette::NamedSource;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Mistake, SweepErrors};
use crate::suggest::nearest;

/// Mistakes found so far.
#[derive(Debug, Default)]
pub(super) struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// Records one mistake at `at`.
    pub(super) fn add(
        &mut self,
        at: Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
        help: Option<String>,
    ) {
        self.0.push(Mistake { message: message.into(), help, at: at.into(), label: label.into() });
    }

    /// Records a mistake in TOML's own grammar.
    pub(super) fn syntax(&mut self, error: &toml::de::Error) {
        let at = error.span().unwrap_or_default();
        self.add(at, error.message().replace('\n', ", "), "here", None);
    }

    /// Records a name that nothing is called by.
    pub(super) fn unknown<'a>(
        &mut self,
        at: Range<usize>,
        kind: &str,
        name: &str,
        valid: impl IntoIterator<Item = &'a str>,
    ) {
        let valid: Vec<&str> = valid.into_iter().collect();
        let help = match nearest(name, valid.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if valid.is_empty() => format!("no {kind} is defined"),
            None => format!("valid: {}", valid.join(", ")),
        };
        self.add(at, format!("unknown {kind} `{name}`"), "not known", Some(help));
    }

    /// Takes back a mistake that another tells of.
    fn take_back(&mut self, at: &Range<usize>, message: &str) {
        let is_it =
            |mistake: &Mistake| mistake.at == at.clone().into() && mistake.message == message;
        self.0.retain(|mistake| !is_it(mistake));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds mistakes that were found apart.
    pub(super) fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    /// All mistakes as one error, in file order.
    pub(super) fn into_errors(mut self, text: NamedSource<String>) -> SweepErrors {
        self.0.sort_by_key(|mistake| mistake.at.offset());
        SweepErrors { count: self.0.len(), text, mistakes: self.0 }
    }
}

/// A table being read. It learns its valid keys from what is asked of it.
pub(super) struct Section<'a> {
    title: String,
    table: &'a DeTable<'a>,
    span: Range<usize>,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// The whole file.
    pub(super) fn root(root: &'a Spanned<DeTable<'a>>) -> Self {
        let table = root.get_ref();
        Self { title: "the sweep file".into(), table, span: 0..0, known: Vec::new() }
    }

    /// A value that must be a table; `title` names it in mistakes.
    pub(super) fn of(
        title: impl Into<String>,
        value: &'a Spanned<DeValue<'a>>,
        mistakes: &mut Mistakes,
    ) -> Option<Self> {
        let title = title.into();
        match value.get_ref() {
            DeValue::Table(table) => {
                Some(Self { title, table, span: value.span(), known: Vec::new() })
            }
            other => {
                wrong_type(&title, "a table", other, value.span(), mistakes);
                None
            }
        }
    }

    /// The value of a key that may be absent.
    pub(super) fn get(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.known.push(key);
        self.table.get(key)
    }

    /// The value of a key that must be there.
    pub(super) fn required(
        &mut self,
        key: &'static str,
        mistakes: &mut Mistakes,
    ) -> Option<&'a Spanned<DeValue<'a>>> {
        let value = self.get(key);
        if value.is_none() {
            let label = format!("`{key}` is missing");
            mistakes.add(self.span.clone(), self.misses(key), label, None);
        }
        value
    }

    fn misses(&self, key: &str) -> String {
        format!("{} has no `{key}`", self.title)
    }

    /// Every entry, in file order.
    pub(super) fn entries(&self) -> Vec<(&'a str, Range<usize>, &'a Spanned<DeValue<'a>>)> {
        let mut entries: Vec<_> = self
            .table
            .iter()
            .map(|(key, value)| (key.get_ref().as_ref(), key.span(), value))
            .collect();
        entries.sort_by_key(|(_, span, _)| span.start);
        entries
    }

    /// Reports every key that was never asked for. Where it is taken for one that is missing, that is not
    /// reported as well.
    pub(super) fn finish(self, mistakes: &mut Mistakes) {
        #[cfg(test)]
        ASKED.with_borrow_mut(|asked| asked.push((self.title.clone(), self.known.clone())));
        for (key, span, _) in self.entries() {
            if !self.known.contains(&key) {
                let kind = format!("key in {}:", self.title);
                mistakes.unknown(span, &kind, key, self.known.iter().copied());
                if let Some(meant) = nearest(key, self.known.iter().copied()) {
                    mistakes.take_back(&self.span, &self.misses(meant));
                }
            }
        }
    }
}

#[cfg(test)]
thread_local! {
    static ASKED: std::cell::RefCell<Vec<(String, Vec<&'static str>)>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// The tables that were read on this thread, and the keys that were asked for.
#[cfg(test)]
pub(super) fn asked_for() -> Vec<(String, Vec<&'static str>)> {
    ASKED.take()
}

/// Reports a value of the wrong type.
pub(super) fn wrong_type(
    what: &str,
    expected: &str,
    found: &DeValue<'_>,
    at: Range<usize>,
    mistakes: &mut Mistakes,
) {
    let article = match found {
        DeValue::Integer(_) | DeValue::Array(_) => "an",
        _ => "a",
    };
    let message = format!("{what} must be {expected}, not {article} {}", found.type_str());
    mistakes.add(at, message, format!("expected {expected}"), None);
}

/// A string.
pub(super) fn text<'a>(
    value: &'a Spanned<DeValue<'a>>,
    what: &str,
    mistakes: &mut Mistakes,
) -> Option<&'a str> {
    let text = value.get_ref().as_str();
    if text.is_none() {
        wrong_type(&format!("`{what}`"), "a string", value.get_ref(), value.span(), mistakes);
    }
    text
}

/// An integer or float.
pub(super) fn number(
    value: &Spanned<DeValue<'_>>,
    what: &str,
    mistakes: &mut Mistakes,
) -> Option<f64> {
    let parsed = match value.get_ref() {
        DeValue::Integer(integer) => {
            i128::from_str_radix(integer.as_str(), integer.radix()).ok().map(|i| i as f64)
        }
        DeValue::Float(float) => float.as_str().parse::<f64>().ok(),
        other => {
            wrong_type(&format!("`{what}`"), "a number", other, value.span(), mistakes);
            return None;
        }
    };
    let finite = parsed.filter(|number| number.is_finite());
    if finite.is_none() {
        mistakes.add(value.span(), format!("`{what}` must be a finite number"), "not finite", None);
    }
    finite
}

/// A whole number in `range`.
pub(super) fn count(
    value: &Spanned<DeValue<'_>>,
    what: &str,
    range: std::ops::RangeInclusive<u64>,
    mistakes: &mut Mistakes,
) -> Option<u64> {
    let DeValue::Integer(integer) = value.get_ref() else {
        let found = value.get_ref();
        wrong_type(&format!("`{what}`"), "a whole number", found, value.span(), mistakes);
        return None;
    };
    let parsed = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
    let valid = parsed.filter(|number| range.contains(number));
    if valid.is_none() {
        let message = format!("`{what}` must lie between {} and {}", range.start(), range.end());
        mistakes.add(value.span(), message, "out of range", None);
    }
    valid
}

/// True or false.
pub(super) fn flag(
    value: &Spanned<DeValue<'_>>,
    what: &str,
    mistakes: &mut Mistakes,
) -> Option<bool> {
    let flag = value.get_ref().as_bool();
    if flag.is_none() {
        let found = value.get_ref();
        wrong_type(&format!("`{what}`"), "true or false", found, value.span(), mistakes);
    }
    flag
}
