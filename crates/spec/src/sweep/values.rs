//! The values of axes, as a person writes them.

use std::collections::HashSet;

use toml::Spanned;
use toml::de::DeValue;

use super::axis::{Axis, AxisValue, Kind, Setting};
use super::grid::Names;
use super::reader::{self, Mistakes, Section};
use crate::augmentation::Augmentation;
use crate::job::Regularization;
use crate::model::ModelSpec;

/// An axis: a scalar is a list of one.
pub(super) fn read_axis(
    setting: Setting,
    value: &Spanned<DeValue<'_>>,
    names: &Names<'_>,
    mistakes: &mut Mistakes,
) -> Option<Axis> {
    let mut axis = Axis { setting, values: Vec::new(), spans: Vec::new() };
    let mut seen = HashSet::new();
    for item in items(value) {
        let Some(read) = read_value(setting, item, names, mistakes) else { continue };
        if seen.insert(read.to_string()) {
            axis.values.push(read);
            axis.spans.push(item.span());
        } else {
            let message = format!("`{read}` stands twice on axis `{}`", setting.name());
            mistakes.add(item.span(), message, "again", Some("delete one".into()));
        }
    }
    if matches!(value.get_ref(), DeValue::Array(items) if items.is_empty()) {
        let help = "delete the axis to use its default, or list at least one value".to_owned();
        let message = format!("axis `{}` has no values", setting.name());
        mistakes.add(value.span(), message, "empty", Some(help));
    }
    (!axis.values.is_empty()).then_some(axis)
}

pub(super) fn items<'a>(value: &'a Spanned<DeValue<'a>>) -> Vec<&'a Spanned<DeValue<'a>>> {
    match value.get_ref() {
        DeValue::Array(items) => items.iter().collect(),
        _ => vec![value],
    }
}

pub(super) fn read_value(
    setting: Setting,
    value: &Spanned<DeValue<'_>>,
    names: &Names<'_>,
    mistakes: &mut Mistakes,
) -> Option<AxisValue> {
    let what = setting.name();
    let number = |valid: fn(f64) -> bool, rule: &str, mistakes: &mut Mistakes| {
        let number = reader::number(value, what, mistakes)?;
        if !valid(number) {
            mistakes.add(value.span(), format!("`{what}` must be {rule}"), "this value", None);
            return None;
        }
        Some(AxisValue::Number(number))
    };
    match setting.kind() {
        Kind::Dataset => read_name(value, what, "data set", names.datasets.clone(), mistakes),
        Kind::Model => {
            let mut valid: Vec<&str> = ModelSpec::names().collect();
            valid.extend(&names.models);
            read_name(value, what, "model", valid, mistakes)
        }
        Kind::Augmentation => {
            let mut valid: Vec<&str> = Augmentation::preset_names().collect();
            valid.extend(&names.augmentations);
            read_name(value, what, "augmentation", valid, mistakes)
        }
        Kind::Words(words) => read_name(value, what, what, words.to_vec(), mistakes),
        Kind::Regularization => read_regularization(value, mistakes).map(AxisValue::Regularization),
        Kind::NonNegative => number(|x| x >= 0.0, "at least 0", mistakes),
        Kind::Positive => number(|x| x > 0.0, "above 0", mistakes),
        Kind::Probability => number(is_probability, "at least 0 and below 1", mistakes),
        Kind::Number => number(|_| true, "", mistakes),
        Kind::Count(least, most) => {
            reader::count(value, what, least..=most, mistakes).map(AxisValue::Count)
        }
        Kind::Flag => reader::flag(value, what, mistakes).map(AxisValue::Flag),
    }
}

fn read_name(
    value: &Spanned<DeValue<'_>>,
    what: &str,
    kind: &str,
    valid: Vec<&str>,
    mistakes: &mut Mistakes,
) -> Option<AxisValue> {
    let name = reader::text(value, what, mistakes)?;
    if !valid.contains(&name) {
        mistakes.unknown(value.span(), kind, name, valid);
        return None;
    }
    Some(AxisValue::Name(name.to_owned()))
}

fn is_probability(x: f64) -> bool {
    (0.0..1.0).contains(&x)
}

fn read_regularization(
    value: &Spanned<DeValue<'_>>,
    mistakes: &mut Mistakes,
) -> Option<Regularization> {
    let rate = |value: &Spanned<DeValue<'_>>, what: &str, mistakes: &mut Mistakes| {
        let rate = reader::number(value, what, mistakes)?;
        if !is_probability(rate) {
            let message = format!("`{what}` must be at least 0 and below 1");
            mistakes.add(value.span(), message, "this value", None);
            return None;
        }
        Some(rate)
    };
    if value.get_ref().is_table() {
        let mut section = Section::of("`regularization`", value, mistakes)?;
        let dropout = section.required("dropout", mistakes);
        let stochastic_depth = section.required("stochastic_depth", mistakes);
        let rescale = section.get("rescale");
        section.finish(mistakes);
        let dropout = rate(dropout?, "dropout", mistakes);
        let stochastic_depth = rate(stochastic_depth?, "stochastic_depth", mistakes);
        let rescale = rescale
            .is_some_and(|value| reader::flag(value, "rescale", mistakes).unwrap_or_default());
        let (dropout, stochastic_depth) = (dropout?, stochastic_depth?);
        return Some(Regularization { dropout, rescale, stochastic_depth });
    }
    let both = rate(value, "regularization", mistakes)?;
    Some(Regularization { dropout: both, rescale: false, stochastic_depth: both })
}
