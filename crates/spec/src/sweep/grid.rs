//! One stage of a sweep: its axes, its exclusions, and the points they span.

use std::collections::HashSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::axis::{Axis, AxisValue, Kind, Setting, Settings};
use super::reader::{self, Mistakes, Section};
use crate::augmentation::Augmentation;
use crate::job::{Regularization, Stage};
use crate::model::ModelSpec;

/// More points than any study has; a grid beyond is a slip of the keyboard.
const MOST_POINTS: u128 = 10_000_000;

/// What a stage may refer to by name: everything the file defines, also where the definition has
/// mistakes of its own, because one slip should be reported once.
pub(super) struct Names<'a> {
    pub(super) datasets: Vec<&'a str>,
    pub(super) models: Vec<&'a str>,
    pub(super) augmentations: Vec<&'a str>,
}

/// The grid of one stage.
#[derive(Debug, Clone)]
pub struct Grid {
    stage: Stage,
    axes: Vec<Axis>,
    excludes: Vec<Exclude>,
}

/// Points that agree with every one of these (axis index, value indices) are left out.
#[derive(Debug, Clone)]
struct Exclude(Vec<(usize, Vec<usize>)>);

impl Grid {
    /// The stage.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// The axes as written, in file order; settings left to the recipe are not among them.
    #[must_use]
    pub fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// How many points the axes span, exclusions not yet taken out.
    #[must_use]
    pub fn points(&self) -> u64 {
        self.axes.iter().map(|axis| axis.values.len() as u64).product()
    }

    /// How many `exclude` entries there are.
    #[must_use]
    pub fn excludes(&self) -> usize {
        self.excludes.len()
    }

    /// The names on the `dataset` axis.
    pub(super) fn datasets(&self) -> impl Iterator<Item = &str> {
        let axis = self.axes.iter().find(|axis| axis.setting == Setting::Dataset);
        axis.into_iter().flat_map(|axis| &axis.values).filter_map(|value| match value {
            AxisValue::Name(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The place of a value of an axis, for mistakes that show only in combination.
    pub(super) fn span_of(&self, setting: Setting, point: &[usize]) -> Option<Range<usize>> {
        let at = self.axes.iter().position(|axis| axis.setting == setting)?;
        self.axes[at].spans.get(point[at]).cloned()
    }

    /// Every combination of the values of some axes, the others left to the recipe.
    pub(super) fn combinations(&self, settings: &[Setting]) -> Vec<Settings> {
        let axes = self.axes.iter().filter(|axis| settings.contains(&axis.setting));
        axes.fold(vec![Settings::default()], |all, axis| {
            let with = |value: &AxisValue, mut settings: Settings| {
                settings.set(axis.setting, value);
                settings
            };
            let each = all.iter().flat_map(|one| axis.values.iter().map(|v| with(v, one.clone())));
            each.collect()
        })
    }

    /// The points that are not excluded; the last axis varies fastest.
    pub(super) fn visit(&self) -> Points<'_> {
        Points { grid: self, next: Some(vec![0; self.axes.len()]), excluded: 0 }
    }

    /// The settings of a point.
    pub(super) fn settings(&self, point: &[usize]) -> Settings {
        let mut settings = Settings::default();
        for (axis, &i) in self.axes.iter().zip(point) {
            settings.set(axis.setting, &axis.values[i]);
        }
        settings
    }

    pub(super) fn read(
        stage: Stage,
        value: &Spanned<DeValue<'_>>,
        names: &Names<'_>,
        mistakes: &mut Mistakes,
    ) -> Option<Self> {
        let title = format!("[{}]", stage.name());
        let mut section = Section::of(&title, value, mistakes)?;
        let mut axes: Vec<Axis> = Vec::new();
        for &setting in settings_of(stage) {
            let required = stage == Stage::Pretrain
                && matches!(setting, Setting::Dataset | Setting::Model | Setting::Epochs);
            let value = if required {
                section.required(setting.name(), mistakes)
            } else {
                section.get(setting.name())
            };
            if let Some(value) = value {
                axes.extend(read_axis(setting, value, names, mistakes));
            }
        }
        if stage == Stage::Noop {
            axes.push(read_count(&mut section, mistakes)?);
        }
        let excludes = section.get("exclude");
        let written: Vec<&str> = section.entries().iter().map(|(key, ..)| *key).collect();
        section.finish(mistakes);
        axes.sort_by_key(|axis| axis.spans.first().map_or(0, |span| span.start));
        let excludes = excludes.map(|value| read_excludes(value, &axes, &written, names, mistakes));
        let points: u128 = axes
            .iter()
            .fold(1, |product: u128, axis| product.saturating_mul(axis.values.len() as u128));
        if points > MOST_POINTS {
            let message = format!(
                "the grid of {title} has {points} points; at most {MOST_POINTS} make sense"
            );
            let help = "shorten an axis, or split the sweep".to_owned();
            mistakes.add(value.span(), message, "this grid", Some(help));
            return None;
        }
        Some(Self { stage, axes, excludes: excludes.unwrap_or_default() })
    }
}

/// Goes from point to point of a grid.
#[derive(Debug, Clone)]
pub(super) struct Points<'a> {
    grid: &'a Grid,
    /// The point to look at next, by the index of its value on each axis; none after the last.
    next: Option<Vec<usize>>,
    /// Points passed over so far.
    excluded: u64,
}

impl Points<'_> {
    /// Points passed over so far because they are excluded.
    pub(super) fn excluded(&self) -> u64 {
        self.excluded
    }

    fn after(&self, mut point: Vec<usize>) -> Option<Vec<usize>> {
        let sizes = self.grid.axes.iter().map(|axis| axis.values.len());
        let axis = sizes.zip(&point).rposition(|(size, &i)| i + 1 < size)?;
        point[axis] += 1;
        point[axis + 1..].fill(0);
        Some(point)
    }
}

impl Iterator for Points<'_> {
    type Item = Vec<usize>;

    fn next(&mut self) -> Option<Vec<usize>> {
        loop {
            let point = self.next.take()?;
            self.next = self.after(point.clone());
            if !self.grid.excludes.iter().any(|exclude| exclude.matches(&point)) {
                return Some(point);
            }
            self.excluded += 1;
        }
    }
}

impl Exclude {
    fn matches(&self, point: &[usize]) -> bool {
        self.0.iter().all(|(axis, values)| values.contains(&point[*axis]))
    }
}

/// The settings a stage reads as axes.
fn settings_of(stage: Stage) -> &'static [Setting] {
    match stage {
        Stage::Pretrain => Setting::PRETRAIN,
        Stage::Noop => &[Setting::Seed],
    }
}

/// `count = N`: an axis of N indices that nobody wants to write out.
fn read_count(section: &mut Section<'_>, mistakes: &mut Mistakes) -> Option<Axis> {
    let value = section.required("count", mistakes)?;
    let count = reader::count(value, "count", 1..=MOST_POINTS as u64, mistakes)?;
    let values = (0..count).map(AxisValue::Count).collect();
    Some(Axis { setting: Setting::Index, values, spans: vec![value.span()] })
}

/// An axis: a scalar is a list of one.
fn read_axis(
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

fn items<'a>(value: &'a Spanned<DeValue<'a>>) -> Vec<&'a Spanned<DeValue<'a>>> {
    match value.get_ref() {
        DeValue::Array(items) => items.iter().collect(),
        _ => vec![value],
    }
}

fn read_value(
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

/// `exclude = [{ axis = value, … }, …]`
fn read_excludes(
    value: &Spanned<DeValue<'_>>,
    axes: &[Axis],
    written: &[&str],
    names: &Names<'_>,
    mistakes: &mut Mistakes,
) -> Vec<Exclude> {
    let mut excludes = Vec::new();
    for item in items(value) {
        let Some(section) = Section::of("an `exclude` entry", item, mistakes) else { continue };
        let mut exclude = Exclude(Vec::new());
        for (key, at, value) in section.entries() {
            let Some(at_axis) = axes.iter().position(|axis| axis.name() == key) else {
                if !written.contains(&key) {
                    let valid = axes.iter().map(Axis::name);
                    mistakes.unknown(at, "axis of this stage:", key, valid);
                }
                continue;
            };
            let mut chosen = Vec::new();
            for item in items(value) {
                let Some(read) = read_value(axes[at_axis].setting, item, names, mistakes) else {
                    continue;
                };
                if let Some(index) = axes[at_axis].values.iter().position(|value| *value == read) {
                    chosen.push(index);
                } else {
                    let help = format!("axis `{key}` has {}", list(&axes[at_axis].values));
                    let message = format!("`exclude` names {read}, which is not on axis `{key}`");
                    mistakes.add(item.span(), message, "excludes nothing", Some(help));
                }
            }
            exclude.0.push((at_axis, chosen));
        }
        if exclude.0.is_empty() {
            mistakes.add(
                item.span(),
                "an empty `exclude` entry would leave out every point",
                "empty",
                None,
            );
        } else {
            excludes.push(exclude);
        }
    }
    excludes
}

fn list(values: &[AxisValue]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
