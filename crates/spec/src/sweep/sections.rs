//! The sections that name things: data sets, models, augmentations, the executor.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::DeValue;

use super::reader::{self, Mistakes, Section};
use super::{ExecutorKind, Surroundings};
use crate::augmentation::{Augmentation, Crop, RandAugment};
use crate::dataset::{DataSource, DatasetDefinition, Format, SplitName};
use crate::keep::Keep;
use crate::model::ModelSpec;
use crate::resnet::Resnet;
use crate::split::SplitExpr;

/// A data set with the place of its path.
pub(super) struct ReadDataset {
    pub(super) definition: DatasetDefinition,
    pub(super) span: Range<usize>,
}

/// The names a section defines, rightly or wrongly.
pub(super) fn defined<'a>(section: Option<&'a Spanned<DeValue<'a>>>) -> Vec<&'a str> {
    let table = section.and_then(|section| section.get_ref().as_table());
    table.into_iter().flat_map(|table| table.keys()).map(|key| key.get_ref().as_ref()).collect()
}

/// A sweep's name becomes part of commands and file names.
pub(super) fn check_name(name: &str, at: Range<usize>, mistakes: &mut Mistakes) -> Option<String> {
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 100 || !name.chars().all(valid) || name.starts_with('.') {
        let help = "use letters, digits, `-`, `_` and `.`, at most 100 of them".to_owned();
        mistakes.add(at, format!("`{name}` cannot name a sweep"), "not a name", Some(help));
        return None;
    }
    Some(name.to_owned())
}

/// `[model."…"]`
pub(super) fn models(
    value: Option<&Spanned<DeValue<'_>>>,
    mistakes: &mut Mistakes,
) -> BTreeMap<String, ModelSpec> {
    let mut models = BTreeMap::new();
    let Some(all) = value.and_then(|value| Section::of("[model]", value, mistakes)) else {
        return models;
    };
    for (name, at, value) in all.entries() {
        if ModelSpec::named(name).is_some() {
            built_in("model", name, at.clone(), mistakes);
        }
        let title = format!("[model.\"{name}\"]");
        let Some(mut section) = Section::of(&title, value, mistakes) else { continue };
        let mut read = |key, most| {
            let value = section.required(key, mistakes)?;
            reader::count(value, key, 1..=most, mistakes).map(|n| n as u32)
        };
        let numbers = [
            read("width", 65_536),
            read("depth", 1024),
            read("mlp", 1 << 20),
            read("heads", 1024),
            read("patch", 8192),
        ];
        let resnet = section.get("resnet").and_then(|value| resnet(value, mistakes));
        section.finish(mistakes);
        if let [Some(width), Some(depth), Some(mlp), Some(heads), Some(patch)] = numbers {
            let model = ModelSpec { depth, heads, mlp, patch, resnet, width };
            if let Err(error) = model.check() {
                mistakes.add(at, format!("model `{name}`: {error}"), "this model", None);
            }
            models.insert(name.to_owned(), model);
        }
    }
    models
}

/// `resnet = [3, 4, 6, 3]`: the units of each stage; none for the root alone.
fn resnet(value: &Spanned<DeValue<'_>>, mistakes: &mut Mistakes) -> Option<Resnet> {
    let DeValue::Array(stages) = value.get_ref() else {
        reader::wrong_type("`resnet`", "a list", value.get_ref(), value.span(), mistakes);
        return None;
    };
    let stages: Option<Vec<_>> = stages
        .iter()
        .map(|stage| reader::count(stage, "resnet", 1..=256, mistakes).map(|units| units as u32))
        .collect();
    match Resnet::new(&stages?) {
        Ok(resnet) => Some(resnet),
        Err(error) => {
            let help = "list the units of each stage, such as [3, 4, 6, 3]; [] is the root alone";
            mistakes.add(value.span(), error.to_string(), "this list", Some(help.to_owned()));
            None
        }
    }
}

/// `[augmentation.…]`
pub(super) fn augmentations(
    value: Option<&Spanned<DeValue<'_>>>,
    mistakes: &mut Mistakes,
) -> BTreeMap<String, Augmentation> {
    let mut augmentations = BTreeMap::new();
    let Some(all) = value.and_then(|value| Section::of("[augmentation]", value, mistakes)) else {
        return augmentations;
    };
    for (name, at, value) in all.entries() {
        if Augmentation::preset(name).is_some() {
            built_in("augmentation", name, at, mistakes);
        }
        let title = format!("[augmentation.{name}]");
        let Some(mut section) = Section::of(&title, value, mistakes) else { continue };
        let randaugment = section.get("randaugment").and_then(|value| randaugment(value, mistakes));
        let mixup = section.get("mixup").and_then(|value| {
            let alpha = reader::number(value, "mixup", mistakes)?;
            if alpha < 0.0 {
                mistakes.add(value.span(), "`mixup` must be at least 0", "negative", None);
            }
            Some(alpha)
        });
        section.finish(mistakes);
        let augmentation = Augmentation {
            randaugment,
            mixup: mixup.unwrap_or(0.0),
            crop: Crop::Inception,
            flip: true,
        };
        augmentations.insert(name.to_owned(), augmentation);
    }
    augmentations
}

fn randaugment(value: &Spanned<DeValue<'_>>, mistakes: &mut Mistakes) -> Option<RandAugment> {
    let mut section = Section::of("`randaugment`", value, mistakes)?;
    let mut read = |key, range| {
        let value = section.required(key, mistakes)?;
        reader::count(value, key, range, mistakes).map(|n| n as u32)
    };
    let (layers, magnitude) = (read("layers", 0..=16), read("magnitude", 0..=30));
    section.finish(mistakes);
    let read = RandAugment { layers: layers?, magnitude: magnitude? };
    (read.layers > 0).then_some(read)
}

fn built_in(kind: &str, name: &str, at: Range<usize>, mistakes: &mut Mistakes) {
    let help = "a name means the same in every study; choose another".to_owned();
    let message = format!("{kind} `{name}` is built in and cannot be defined again");
    mistakes.add(at, message, "name taken", Some(help));
}

/// A data set as written, before `extends` is followed.
struct WrittenDataset<'a> {
    extends: Option<(String, Range<usize>)>,
    format: Option<Format>,
    path: Option<(PathBuf, Range<usize>)>,
    /// Keys that are there, rightly or wrongly.
    keys: Vec<&'a str>,
    splits: BTreeMap<SplitName, SplitExpr>,
    span: Range<usize>,
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
    let keys = section.entries().iter().map(|(key, ..)| *key).collect();
    section.finish(mistakes);
    Some(WrittenDataset { extends, format, path, keys, splits, span: at })
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
    let (path, span) = path?;
    let source = DataSource { format: format?, path };
    Some(ReadDataset {
        definition: DatasetDefinition { name: name.to_owned(), source, splits },
        span,
    })
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

/// `[executor]`
pub(super) fn executor(
    value: Option<&Spanned<DeValue<'_>>>,
    mistakes: &mut Mistakes,
) -> (ExecutorKind, Option<Keep>) {
    let mut keep = None;
    if let Some(mut section) = value.and_then(|value| Section::of("[executor]", value, mistakes)) {
        if let Some(value) = section.get("kind")
            && let Some(word) = reader::text(value, "kind", mistakes)
            && word != "local"
        {
            mistakes.unknown(value.span(), "executor", word, ["local"]);
        }
        if let Some(value) = section.get("keep")
            && let Some(word) = reader::text(value, "keep", mistakes)
        {
            keep = word.parse().ok();
            if keep.is_none() {
                mistakes.unknown(value.span(), "retention", word, Keep::ALL.map(|(name, _)| name));
            }
        }
        section.finish(mistakes);
    }
    (ExecutorKind::Local, keep)
}
