//! The sections that name things: models, augmentations.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::DeValue;

use super::reader::{self, Mistakes, Section};
use crate::augmentation::{Augmentation, Crop, RandAugment};
use crate::model::ModelSpec;
use crate::resnet::Resnet;

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
