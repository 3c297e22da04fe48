//! `upstream = …`: which parameters a transfer or an evaluation starts from, as a person writes it.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::DeValue;

use super::axis::{AxisValue, Setting};
use super::grid::Names;
use super::reader::{self, Mistakes, Section};
use super::settings::Settings;
use super::values::{items, read_value};
use crate::job::Stage;

/// Where the parameters of a stage come from.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    /// Other jobs of the sweep.
    Jobs(Rule),
    /// Files that somebody else made.
    Files(Vec<ImportedFile>),
}

/// A file of parameters, and the place where the sweep file names it.
#[derive(Debug, Clone)]
pub(super) struct ImportedFile {
    pub(super) path: PathBuf,
    pub(super) span: Range<usize>,
}

/// Which jobs of a sweep are started from.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    /// Their stage.
    pub(super) stage: Stage,
    pub(super) choose: Choose,
    /// What the members of a group have alike; of each group some are chosen.
    pub(super) per: Vec<Key>,
    /// Only jobs that have one of the values.
    pub(super) only: Vec<(Key, Vec<AxisValue>)>,
    pub(super) span: Range<usize>,
}

/// How many of a group are started from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choose {
    All,
    /// So many of the highest validation accuracy at the end.
    Best(u64),
}

/// A setting of a candidate, or of what that started from itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    of_upstream: bool,
    setting: Setting,
}

/// Prefix of the settings of what a candidate started from.
const UPSTREAM: &str = "upstream.";

impl Key {
    /// The value that a candidate has, whose own upstream had `upstream`.
    pub(super) fn of(self, own: &Settings, upstream: Option<&Settings>) -> Option<AxisValue> {
        if self.of_upstream { upstream?.get(self.setting) } else { own.get(self.setting) }
    }

    fn read(name: &str, stage: Stage) -> Option<Self> {
        let (of_upstream, name, stage) = match name.strip_prefix(UPSTREAM) {
            Some(name) if stage == Stage::Transfer => (true, name, Stage::Pretrain),
            Some(_) => return None,
            None => (false, name, stage),
        };
        let settings = || Setting::of(stage).iter().chain(&[Setting::Model]);
        let setting = *settings().find(|setting| setting.name() == name)?;
        Some(Self { of_upstream, setting })
    }

    fn names(stage: Stage) -> Vec<&'static str> {
        let settings = Setting::of(stage).iter().chain(&[Setting::Model]);
        settings.map(|setting| setting.name()).collect()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.of_upstream { UPSTREAM } else { "" }, self.setting.name())
    }
}

impl Rule {
    /// Whether a job with these settings is among those that the rule is about.
    pub(super) fn concerns(&self, own: &Settings, upstream: Option<&Settings>) -> bool {
        self.only
            .iter()
            .all(|(key, values)| key.of(own, upstream).is_some_and(|value| values.contains(&value)))
    }

    /// What its group has in common: `model=B/16 dataset=i21k`; empty if there is one group.
    pub(super) fn group(&self, own: &Settings, upstream: Option<&Settings>) -> String {
        let part = |key: &Key| {
            let value = key.of(own, upstream);
            format!("{key}={}", value.map_or_else(|| "–".to_owned(), |value| value.to_string()))
        };
        self.per.iter().map(part).collect::<Vec<_>>().join(" ")
    }
}

/// `best final_val of pretrain per model, dataset where epochs = 300`
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.choose {
            Choose::All => f.write_str("all")?,
            Choose::Best(1) => f.write_str("best final_val")?,
            Choose::Best(count) => write!(f, "top {count} by final_val")?,
        }
        write!(f, " of {}", self.stage.name())?;
        for (place, key) in self.per.iter().enumerate() {
            write!(f, "{}{key}", if place == 0 { " per " } else { ", " })?;
        }
        for (place, (key, values)) in self.only.iter().enumerate() {
            let values: Vec<_> = values.iter().map(ToString::to_string).collect();
            let before = if place == 0 { " where " } else { " and " };
            write!(f, "{before}{key} = {}", values.join(" or "))?;
        }
        Ok(())
    }
}

/// Reads `upstream`: `"all"`, `{ select = "best-val", per = […], where = {…} }`, `{ top = 3, … }` or
/// `{ checkpoint = "….npz" }`.
pub(super) fn read(
    value: &Spanned<DeValue<'_>>,
    stage: Stage,
    base: &Path,
    names: &Names<'_>,
    mistakes: &mut Mistakes,
) -> Option<Origin> {
    let span = value.span();
    if let Some(word) = value.get_ref().as_str() {
        if word == "all" {
            let (stage, choose) = (Stage::Pretrain, Choose::All);
            let rule = Rule { stage, choose, per: Vec::new(), only: Vec::new(), span };
            return Some(Origin::Jobs(rule));
        }
        let help = "\"all\", { select = \"best-val\", per = [\"model\"] }, { top = 3 } or \
                    { checkpoint = \"….npz\" }";
        let message = format!("unknown upstream `{word}`");
        mistakes.add(span, message, "not known", Some(format!("write {help}")));
        return None;
    }
    let mut section = Section::of("`upstream`", value, mistakes)?;
    if let Some(checkpoint) = section.get("checkpoint") {
        section.finish(mistakes);
        return files(checkpoint, base, mistakes).map(Origin::Files);
    }
    let rule = rule(&mut section, span, stage, names, mistakes);
    section.finish(mistakes);
    rule.map(Origin::Jobs)
}

fn files(
    value: &Spanned<DeValue<'_>>,
    base: &Path,
    mistakes: &mut Mistakes,
) -> Option<Vec<ImportedFile>> {
    let file = |item: &Spanned<DeValue<'_>>, mistakes: &mut Mistakes| {
        let path = base.join(reader::text(item, "checkpoint", mistakes)?);
        Some(ImportedFile { path, span: item.span() })
    };
    items(value).into_iter().map(|item| file(item, mistakes)).collect()
}

fn rule(
    section: &mut Section<'_>,
    span: Range<usize>,
    of: Stage,
    names: &Names<'_>,
    mistakes: &mut Mistakes,
) -> Option<Rule> {
    let stage = section
        .get("stage")
        .map_or(Some(Stage::Pretrain), |value| started_from(value, of, mistakes));
    let choose = choose(section, &span, mistakes);
    let (per_value, only_value) = (section.get("per"), section.get("where"));
    let stage = stage?;
    let per = per_value.map_or_else(Vec::new, |value| per(value, stage, mistakes));
    let only = only_value.map_or_else(Vec::new, |value| only(value, stage, names, mistakes));
    Some(Rule { stage, choose: choose?, per, only, span })
}

/// The stage whose jobs those of stage `of` may start from.
fn started_from(value: &Spanned<DeValue<'_>>, of: Stage, mistakes: &mut Mistakes) -> Option<Stage> {
    let valid: &[Stage] = match of {
        Stage::Evaluate => &[Stage::Pretrain, Stage::Transfer],
        _ => &[Stage::Pretrain],
    };
    let word = reader::text(value, "stage", mistakes)?;
    let found = valid.iter().find(|stage| stage.name() == word).copied();
    if found.is_none() {
        let valid = valid.iter().map(|stage| stage.name());
        mistakes.unknown(value.span(), "stage to start from", word, valid);
    }
    found
}

fn choose(
    section: &mut Section<'_>,
    span: &Range<usize>,
    mistakes: &mut Mistakes,
) -> Option<Choose> {
    let select = section.get("select");
    let top = section.get("top");
    match (select, top) {
        (Some(value), None) => match reader::text(value, "select", mistakes)? {
            "all" => Some(Choose::All),
            "best-val" => Some(Choose::Best(1)),
            word => {
                mistakes.unknown(value.span(), "selection", word, ["all", "best-val"]);
                None
            }
        },
        (None, Some(value)) => {
            reader::count(value, "top", 1..=1_000_000, mistakes).map(Choose::Best)
        }
        (Some(_), Some(value)) => {
            let help =
                "`top = 1` is what `select = \"best-val\"` is: delete one of both".to_owned();
            let message = "`upstream` has both `select` and `top`";
            mistakes.add(value.span(), message, "one too many", Some(help));
            None
        }
        (None, None) => {
            let help = "add `select = \"best-val\"`, `select = \"all\"` or `top = 3`".to_owned();
            let message = "`upstream` does not say which jobs to start from";
            mistakes.add(span.clone(), message, "no `select`, no `top`", Some(help));
            None
        }
    }
}

fn per(value: &Spanned<DeValue<'_>>, stage: Stage, mistakes: &mut Mistakes) -> Vec<Key> {
    let key = |item: &Spanned<DeValue<'_>>| {
        let name = reader::text(item, "per", mistakes)?;
        let key = Key::read(name, stage);
        if key.is_none() {
            let kind = format!("axis of `{}`:", stage.name());
            mistakes.unknown(item.span(), &kind, name, Key::names(stage));
        }
        key
    };
    items(value).into_iter().filter_map(key).collect()
}

fn only(
    value: &Spanned<DeValue<'_>>,
    stage: Stage,
    names: &Names<'_>,
    mistakes: &mut Mistakes,
) -> Vec<(Key, Vec<AxisValue>)> {
    let Some(section) = Section::of("`where`", value, mistakes) else { return Vec::new() };
    let mut only = Vec::new();
    for (name, at, value) in section.entries() {
        let Some(key) = Key::read(name, stage) else {
            let kind = format!("axis of `{}`:", stage.name());
            mistakes.unknown(at, &kind, name, Key::names(stage));
            continue;
        };
        let values = items(value).into_iter();
        let values = values.filter_map(|item| read_value(key.setting, item, names, mistakes));
        only.push((key, values.collect()));
    }
    only
}
