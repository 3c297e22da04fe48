//! One stage of a sweep: its axes, its exclusions, and the points they span.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::DeValue;

use super::Sweep;
use super::axis::{Axis, AxisValue, Setting};
use super::reader::{self, Mistakes, Section};
use super::settings::Settings;
use super::upstream::{self, Origin};
use super::values::{items, read_axis, read_value};
use crate::job::Stage;
use crate::suggest::nearest;

/// More points than any study has; a grid beyond is a slip of the keyboard.
const MOST_POINTS: u128 = 10_000_000;

/// What a stage may refer to by name: everything the file defines, also where the definition has
/// mistakes of its own, because one slip should be reported once.
pub(super) struct Names<'a> {
    pub(super) datasets: Vec<&'a str>,
    pub(super) models: Vec<&'a str>,
    pub(super) augmentations: Vec<&'a str>,
}

impl<'a> Names<'a> {
    /// Takes in what included files define.
    pub(super) fn take_in(&mut self, included: &'a [Sweep]) {
        for sweep in included {
            self.datasets.extend(sweep.datasets.keys().map(String::as_str));
            self.models.extend(sweep.models.keys().map(String::as_str));
            self.augmentations.extend(sweep.augmentations.keys().map(String::as_str));
        }
    }
}

/// The grid of one stage.
#[derive(Debug, Clone)]
pub struct Grid {
    stage: Stage,
    axes: Vec<Axis>,
    excludes: Vec<Exclude>,
    /// Where its parameters come from, if they must be there already.
    pub(super) origin: Option<Origin>,
    /// Images at once, for a measurement of speed.
    pub(super) batch_sizes: Vec<u32>,
    /// Which of the sweep's files it stands in.
    pub(super) file: usize,
}

/// Images at once that are tried where a measurement of speed does not say.
const BATCH_SIZES: [u32; 11] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

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

    /// Whether its jobs start from parameters that are there already.
    #[must_use]
    pub fn has_upstream(&self) -> bool {
        self.origin.is_some()
    }

    /// What its jobs start from, for a person; none where they start from nothing.
    #[must_use]
    pub fn upstream(&self) -> Option<String> {
        self.origin.as_ref().map(|origin| match origin {
            Origin::Jobs(rule) => rule.to_string(),
            Origin::Files(files) => {
                let files: Vec<_> =
                    files.iter().map(|file| file.path.display().to_string()).collect();
                files.join(", ")
            }
        })
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
        axes.fold(vec![Settings::of(self.stage)], |all, axis| {
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
        let mut settings = Settings::of(self.stage);
        for (axis, &i) in self.axes.iter().zip(point) {
            settings.set(axis.setting, &axis.values[i]);
        }
        settings
    }

    pub(super) fn read(
        stage: Stage,
        value: &Spanned<DeValue<'_>>,
        base: &Path,
        names: &Names<'_>,
        mistakes: &mut Mistakes,
    ) -> Option<Self> {
        let title = format!("[{}]", stage.name());
        let mut section = Section::of(&title, value, mistakes)?;
        let mut axes: Vec<Axis> = Vec::new();
        for &setting in Setting::of(stage) {
            let value = if Setting::required(stage).contains(&setting) {
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
        let origin = if matches!(stage, Stage::Transfer | Stage::Evaluate) {
            let value = section.required("upstream", mistakes);
            value.and_then(|value| upstream::read(value, stage, base, names, mistakes))
        } else {
            None
        };
        let batch_sizes = if stage == Stage::Throughput {
            let value = section.get("batch_sizes");
            value.map_or_else(|| BATCH_SIZES.to_vec(), |value| read_batch_sizes(value, mistakes))
        } else {
            Vec::new()
        };
        let excludes = section.get("exclude");
        let written: Vec<&str> = section.entries().iter().map(|(key, ..)| *key).collect();
        section.finish(mistakes);
        axes.sort_by_key(|axis| axis.spans.first().map_or(0, |span| span.start));
        check_weight_decay(&axes, mistakes);
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
        let excludes = excludes.unwrap_or_default();
        Some(Self { stage, axes, excludes, origin, batch_sizes, file: 0 })
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

/// Refuses a grid with both kinds of weight decay.
fn check_weight_decay(axes: &[Axis], mistakes: &mut Mistakes) {
    let find = |setting| axes.iter().find(|axis| axis.setting == setting);
    let both = (find(Setting::WeightDecay), find(Setting::IndependentWeightDecay));
    if let (Some(_), Some(independent)) = both {
        let message = "a stage has `weight_decay` or `independent_weight_decay`, not both";
        let help = "`independent_weight_decay` is what `weight_decay` becomes when it is multiplied by \
                    the peak learning rate: delete one of both";
        let at = independent.spans.first().cloned().unwrap_or_default();
        mistakes.add(at, message, "one too many", Some(help.to_owned()));
    }
    let Some(independent) = find(Setting::IndependentWeightDecay) else { return };
    let number = |value: &AxisValue| if let AxisValue::Number(x) = value { Some(*x) } else { None };
    let rates = find(Setting::LearningRate).into_iter().flat_map(|axis| &axis.values);
    let least = rates.filter_map(number).fold(f64::INFINITY, f64::min);
    for (value, span) in independent.values.iter().zip(&independent.spans) {
        // Without the axis the learning rate is the recipe's, by which anything can be divided.
        if least.is_finite() && number(value).is_some_and(|decay| !(decay / least).is_finite()) {
            let message =
                format!("a decay of that divided by learning rate {least:e} is beyond all numbers");
            mistakes.add(span.clone(), message, "too large for that rate", None);
        }
    }
}

/// `batch_sizes = [1, 8, 64]`: one measurement tries all of them.
fn read_batch_sizes(value: &Spanned<DeValue<'_>>, mistakes: &mut Mistakes) -> Vec<u32> {
    let read = |item: &Spanned<DeValue<'_>>| {
        reader::count(item, "batch_sizes", 1..=1 << 20, mistakes).map(|size| size as u32)
    };
    let mut sizes: Vec<_> = items(value).into_iter().filter_map(read).collect();
    if sizes.is_empty() {
        let message = "`batch_sizes` lists no size";
        mistakes.add(value.span(), message, "empty", Some("list at least one".into()));
    }
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

/// `count = N`: an axis of N indices that nobody wants to write out.
fn read_count(section: &mut Section<'_>, mistakes: &mut Mistakes) -> Option<Axis> {
    let value = section.required("count", mistakes)?;
    let count = reader::count(value, "count", 1..=MOST_POINTS as u64, mistakes)?;
    let values = (0..count).map(AxisValue::Count).collect();
    Some(Axis { setting: Setting::Index, values, spans: vec![value.span()] })
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
                let valid = axes.iter().map(Axis::name);
                // An axis that is misspelt above is told of there.
                let is_axis = |name: &str| axes.iter().any(|axis| axis.name() == name);
                let others = written.iter().copied().filter(|name| !is_axis(name));
                if !written.contains(&key) && nearest(key, others).is_none() {
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
