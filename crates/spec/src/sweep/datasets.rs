//! `[dataset.…]`: where data lie, how they are read, what is learnt from and what is measured on.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::DeValue;

use super::Surroundings;
use super::reader::{self, Mistakes, Section};
use crate::dataset::{DataSource, DatasetDefinition, Format, Reading, SplitName};
use crate::label_map::LabelMap;
use crate::split::SplitExpr;
use crate::subset::{Subset, SubsetSize};

/// A data set with its places.
pub(super) struct ReadDataset {
    pub(super) definition: DatasetDefinition,
    pub(super) places: DatasetPlaces,
}

/// Where in the file a data set says what.
#[derive(Debug, Clone)]
pub(super) struct DatasetPlaces {
    /// Its path.
    pub(super) path: Range<usize>,
    /// How many examples it holds, if it says so.
    pub(super) examples: Option<Range<usize>>,
}

/// A data set as written, before `extends` is followed.
struct WrittenDataset<'a> {
    extends: Option<(String, Range<usize>)>,
    format: Option<Format>,
    path: Option<(PathBuf, Range<usize>)>,
    /// Keys that are there, rightly or wrongly.
    keys: Vec<&'a str>,
    splits: BTreeMap<SplitName, SplitExpr>,
    subset: Option<Subset>,
    /// How many examples the source splits hold.
    examples: Option<(BTreeMap<String, u64>, Range<usize>)>,
    reading: WrittenReading,
    span: Range<usize>,
}

/// How to read it, as far as it says so.
#[derive(Clone, Default)]
struct WrittenReading {
    channels: Option<u32>,
    classes: Option<u32>,
    image: Option<String>,
    label: Option<String>,
    label_map: Option<(LabelMap, Range<usize>)>,
    max_bad_examples: Option<u64>,
}

impl WrittenReading {
    /// What this one leaves open, as `base` has it.
    fn or(self, base: &Self) -> Self {
        Self {
            channels: self.channels.or(base.channels),
            classes: self.classes.or(base.classes),
            image: self.image.or_else(|| base.image.clone()),
            label: self.label.or_else(|| base.label.clone()),
            label_map: self.label_map.or_else(|| base.label_map.clone()),
            max_bad_examples: self.max_bad_examples.or(base.max_bad_examples),
        }
    }

    /// What it comes to.
    fn settled(self) -> Reading {
        let Self { channels, classes, image, label, label_map, max_bad_examples } = self;
        Reading {
            channels,
            classes,
            image,
            label,
            label_map: label_map.map(|(map, _)| map),
            max_bad_examples: max_bad_examples.unwrap_or_default(),
        }
    }
}

/// `[dataset.…]`
pub(super) fn datasets(
    value: Option<&Spanned<DeValue<'_>>>,
    around: &Surroundings<'_>,
    mistakes: &mut Mistakes,
) -> BTreeMap<String, ReadDataset> {
    let Some(all) = value.and_then(|value| Section::of("[dataset]", value, mistakes)) else {
        return BTreeMap::new();
    };
    let mut written = BTreeMap::new();
    for (name, at, value) in all.entries() {
        if let Some(dataset) = written_dataset(name, at, value, around, mistakes) {
            written.insert(name.to_owned(), dataset);
        }
    }
    written
        .keys()
        .filter_map(|name| {
            let read = inherit(name, &written, mistakes)?;
            Some((name.clone(), read))
        })
        .collect()
}

fn written_dataset<'a>(
    name: &str,
    at: Range<usize>,
    value: &'a Spanned<DeValue<'a>>,
    around: &Surroundings<'_>,
    mistakes: &mut Mistakes,
) -> Option<WrittenDataset<'a>> {
    let mut section = Section::of(format!("[dataset.{name}]"), value, mistakes)?;
    let extends = section.get("extends").and_then(|value| {
        let base = reader::text(value, "extends", mistakes)?;
        Some((base.to_owned(), value.span()))
    });
    let format = section.get("format").and_then(|value| {
        let word = reader::text(value, "format", mistakes)?;
        let found = Format::ALL.iter().find(|(name, _)| *name == word);
        if found.is_none() {
            mistakes.unknown(value.span(), "format", word, Format::ALL.map(|(name, _)| name));
        }
        found.map(|(_, format)| *format)
    });
    let path = section.get("path").and_then(|value| {
        let text = reader::text(value, "path", mistakes)?;
        let path = expand_variables(text, around.variable, value.span(), mistakes)?;
        Some((around.base.join(path), value.span()))
    });
    let splits = section.get("splits").map(|value| splits(value, mistakes)).unwrap_or_default();
    let subset = section.get("subset").and_then(|value| subset(value, mistakes));
    let examples = section.get("examples").and_then(|value| declared(value, mistakes));
    let reading = reading(&mut section, mistakes);
    let keys = section.entries().iter().map(|(key, ..)| *key).collect();
    section.finish(mistakes);
    Some(WrittenDataset {
        extends,
        format,
        path,
        keys,
        splits,
        subset,
        examples,
        reading,
        span: at,
    })
}

fn reading(section: &mut Section<'_>, mistakes: &mut Mistakes) -> WrittenReading {
    let mut word = |key| {
        let value = section.get(key)?;
        reader::text(value, key, mistakes).map(str::to_owned)
    };
    let (image, label) = (word("image"), word("label"));
    let label_map = section.get("label_map").and_then(|value| {
        let word = reader::text(value, "label_map", mistakes)?;
        let found = LabelMap::ALL.iter().find(|(name, _)| *name == word);
        if found.is_none() {
            let names = LabelMap::ALL.map(|(name, _)| name);
            mistakes.unknown(value.span(), "label map", word, names);
        }
        found.map(|(_, map)| (*map, value.span()))
    });
    let channels = section.get("channels").and_then(|value| {
        let channels = reader::count(value, "channels", 1..=3, mistakes)? as u32;
        if channels == 2 {
            mistakes.add(value.span(), "`channels` must be 1 or 3", "grey or colour", None);
        }
        Some(channels)
    });
    let mut number = |key, range| {
        let value = section.get(key)?;
        reader::count(value, key, range, mistakes)
    };
    let classes = number("classes", 1..=1 << 24).map(|n| n as u32);
    let max_bad_examples = number("max_bad_examples", 0..=u64::MAX);
    WrittenReading { channels, classes, image, label, label_map, max_bad_examples }
}

/// A map is for formats whose labels may be numbers, and makes as many classes as it makes.
fn check_label_map(
    map: LabelMap,
    at: &Range<usize>,
    format: Format,
    classes: Option<u32>,
    mistakes: &mut Mistakes,
) {
    if !format.has_raw_labels() {
        let message = format!("data of format `{}` take no label map", format.name());
        let help = "numbers to be mapped are read from `parquet`, `webdataset` and `npz`";
        mistakes.add(at.clone(), message, "not for this format", Some(help.to_owned()));
    }
    if let Some(classes) = classes.filter(|classes| *classes != map.classes()) {
        let (name, made) = (map.name(), map.classes());
        let message = format!("the label map `{name}` makes {made} classes, not {classes}");
        let help = "correct `classes`, or leave it out: the map tells".to_owned();
        mistakes.add(at.clone(), message, "disagrees with `classes`", Some(help));
    }
}

/// `examples = { train = 1281167, test = 50000 }`
fn declared(
    value: &Spanned<DeValue<'_>>,
    mistakes: &mut Mistakes,
) -> Option<(BTreeMap<String, u64>, Range<usize>)> {
    let section = Section::of("`examples`", value, mistakes)?;
    let mut counts = BTreeMap::new();
    for (source, _, value) in section.entries() {
        let count = reader::count(value, source, 1..=u32::MAX.into(), mistakes);
        counts.extend(count.map(|count| (source.to_owned(), count)));
    }
    Some((counts, value.span()))
}

/// `subset = { percent = 10, seed = 0, stratified = true }`
fn subset(value: &Spanned<DeValue<'_>>, mistakes: &mut Mistakes) -> Option<Subset> {
    let mut section = Section::of("`subset`", value, mistakes)?;
    let percent = section.get("percent").map(|value| {
        let percent = reader::number(value, "percent", mistakes)?;
        if !(percent > 0.0 && percent <= 100.0) {
            mistakes.add(value.span(), "`percent` must lie in (0, 100]", "out of range", None);
        }
        Some(SubsetSize::Percent(percent))
    });
    let mut count = |key, size: fn(u64) -> SubsetSize| {
        let value = section.get(key)?;
        Some(reader::count(value, key, 1..=u64::MAX, mistakes).map(size))
    };
    let (examples, per_class) =
        (count("examples", SubsetSize::Examples), count("per_class", SubsetSize::PerClass));
    let seed = section
        .get("seed")
        .map_or(Some(0), |value| reader::count(value, "seed", 0..=u64::MAX, mistakes));
    let stratified = section
        .get("stratified")
        .map_or(Some(false), |value| reader::flag(value, "stratified", mistakes));
    section.finish(mistakes);
    let sizes: Vec<_> = [percent, examples, per_class].into_iter().flatten().collect();
    let [size] = sizes[..] else {
        let message = "`subset` needs one of `percent`, `examples` and `per_class`";
        let help = "such as { percent = 10, seed = 0, stratified = true }".to_owned();
        mistakes.add(value.span(), message, format!("has {} of them", sizes.len()), Some(help));
        return None;
    };
    Some(Subset { size: size?, seed: seed?, stratified: stratified? })
}

fn splits(value: &Spanned<DeValue<'_>>, mistakes: &mut Mistakes) -> BTreeMap<SplitName, SplitExpr> {
    let mut splits = BTreeMap::new();
    let Some(mut section) = Section::of("`splits`", value, mistakes) else { return splits };
    for (key, name) in SplitName::ALL {
        let Some(value) = section.get(key) else { continue };
        match reader::text(value, key, mistakes).map(str::parse) {
            Some(Ok(split)) => {
                splits.insert(name, split);
            }
            Some(Err(error)) => mistakes.add(value.span(), error.to_string(), "this split", None),
            None => {}
        }
    }
    section.finish(mistakes);
    splits
}

fn inherit(
    name: &str,
    written: &BTreeMap<String, WrittenDataset<'_>>,
    mistakes: &mut Mistakes,
) -> Option<ReadDataset> {
    let own = written.get(name)?;
    let (mut format, mut path, mut splits) = (own.format, own.path.clone(), own.splits.clone());
    let (mut subset, mut reading) = (own.subset, own.reading.clone());
    let mut examples = own.examples.clone();
    let mut keys = own.keys.clone();
    let mut seen = vec![name];
    let mut current = own;
    while let Some((base, at)) = &current.extends {
        if seen.contains(&base.as_str()) {
            let message = format!("data set `{name}` extends itself");
            mistakes.add(at.clone(), message, "leads back", None);
            return None;
        }
        let Some(next) = written.get(base) else {
            mistakes.unknown(at.clone(), "data set", base, written.keys().map(String::as_str));
            return None;
        };
        seen.push(base);
        format = format.or(next.format);
        path = path.or_else(|| next.path.clone());
        for (split, expr) in &next.splits {
            splits.entry(*split).or_insert_with(|| expr.clone());
        }
        subset = subset.or(next.subset);
        examples = examples.or_else(|| next.examples.clone());
        reading = reading.or(&next.reading);
        keys.extend(&next.keys);
        current = next;
    }
    for (key, missing) in [
        ("format", !keys.contains(&"format")),
        ("path", !keys.contains(&"path")),
        ("splits", !keys.contains(&"splits")),
    ] {
        if missing {
            let message = format!("[dataset.{name}] has no `{key}`");
            mistakes.add(own.span.clone(), message, format!("`{key}` is missing"), None);
        }
    }
    if keys.contains(&"splits") && splits.is_empty() {
        return None;
    }
    if !splits.is_empty() && !splits.contains_key(&SplitName::Train) {
        let message = format!("[dataset.{name}] has no `train` split");
        mistakes.add(own.span.clone(), message, "nothing to learn from", None);
    }
    let (format, (path, span)) = (format?, path?);
    // What a data set has from its base has been looked at there.
    let is_own = own.keys.iter().any(|key| ["format", "classes", "label_map"].contains(key));
    if let (Some((map, at)), true) = (&reading.label_map, is_own) {
        check_label_map(*map, at, format, reading.classes, mistakes);
    }
    let reading = reading.settled();
    let (declared, examples) = examples.unzip();
    let definition = DatasetDefinition {
        name: name.to_owned(),
        source: DataSource { format, path, reading },
        splits,
        subset,
        declared: declared.unwrap_or_default(),
    };
    Some(ReadDataset { definition, places: DatasetPlaces { path: span, examples } })
}

/// Fills in `${NAME}` and `${NAME:-default}`.
fn expand_variables(
    text: &str,
    variable: &dyn Fn(&str) -> Option<String>,
    at: Range<usize>,
    mistakes: &mut Mistakes,
) -> Option<PathBuf> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let Some((inside, tail)) = after.split_once('}') else {
            mistakes.add(at, "`${` without a closing `}`", "in this path", None);
            return None;
        };
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default.to_owned())),
            None => (inside, None),
        };
        let Some(value) = variable(name).or(default) else {
            let help = format!("export {name}=…, or write ${{{name}:-some/folder}}");
            let message = format!("the environment variable `{name}` is not set");
            mistakes.add(at, message, "used here", Some(help));
            return None;
        };
        out.push_str(&value);
        rest = tail;
    }
    out.push_str(rest);
    Some(PathBuf::from(out))
}
