//! `[executor]`: reads where jobs run, what of them stays, and what tasks of a cluster are given.

use std::num::NonZeroU32;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::budget::bytes;
use super::reader::{self, Mistakes, Section};
use super::values::items;
use crate::accelerator::{ACCELERATORS, Accelerator};
use crate::executor::{
    Executor, ExecutorKind, Gpus, Slurm, SlurmOverride, SlurmTask, length_of_time,
};
use crate::job::Stage;
use crate::keep::{Keep, Kept};

/// `[executor]`. `models` are the names there are.
pub(super) fn read(
    value: Option<&Spanned<DeValue<'_>>>,
    models: &dyn Fn(&str) -> bool,
    mistakes: &mut Mistakes,
) -> (Executor, Option<Kept>) {
    let Some(mut section) = value.and_then(|value| Section::of("[executor]", value, mistakes))
    else {
        return (Executor::default(), None);
    };
    let kind = section.get("kind").and_then(|value| kind(value, mistakes));
    let jobs = section.get("keep").and_then(|value| keep(value, "keep", mistakes));
    let transfers = section.get("keep_transfers");
    let transfers = transfers.and_then(|value| keep(value, "keep_transfers", mistakes));
    let said = jobs.is_some() || transfers.is_some();
    let kept = Kept { jobs: jobs.unwrap_or_default(), transfers };
    let task = task(&mut section, mistakes);
    let array_size = section.get("array_size");
    let parallel = section.get("parallel");
    let slurm = Slurm {
        task,
        array_size: array_size.and_then(|value| above_0(value, "array_size", mistakes)),
        parallel: parallel.and_then(|value| above_0(value, "parallel", mistakes)),
        grace: section.get("grace").and_then(|value| time(value, "grace", mistakes)),
        setup: section
            .get("setup")
            .map(|value| lines(value, "setup", mistakes))
            .unwrap_or_default(),
        scratch: section.get("scratch").and_then(|value| word(value, "scratch", mistakes)),
        device: section.get("device").and_then(|value| device(value, mistakes)),
        overrides: overrides(section.get("override"), models, mistakes),
    };
    section.finish(mistakes);
    let executor = Executor { kind: kind.unwrap_or_default(), slurm };
    (executor, said.then_some(kept))
}

impl Executor {
    /// What a sweep file asks for that was found right before.
    #[must_use]
    pub fn asked_for_in(text: &str) -> Self {
        let Ok(root) = DeTable::parse(text) else { return Self::default() };
        let value = root.get_ref().get("executor");
        read(value, &|_| true, &mut Mistakes::default()).0
    }
}

fn kind(value: &Spanned<DeValue<'_>>, mistakes: &mut Mistakes) -> Option<ExecutorKind> {
    let word = reader::text(value, "kind", mistakes)?;
    let found = ExecutorKind::ALL.iter().find(|(name, _)| *name == word);
    if found.is_none() {
        let names = ExecutorKind::ALL.map(|(name, _)| name);
        mistakes.unknown(value.span(), "executor", word, names);
    }
    found.map(|(_, kind)| *kind)
}

fn keep(value: &Spanned<DeValue<'_>>, what: &str, mistakes: &mut Mistakes) -> Option<Keep> {
    let word = reader::text(value, what, mistakes)?;
    let keep = word.parse().ok();
    if keep.is_none() {
        mistakes.unknown(value.span(), "retention", word, Keep::ALL.map(|(name, _)| name));
    }
    keep
}

fn device(value: &Spanned<DeValue<'_>>, mistakes: &mut Mistakes) -> Option<String> {
    let word = reader::text(value, "device", mistakes)?;
    let found = Accelerator::named(word).is_some();
    if !found {
        mistakes.unknown(value.span(), "GPU", word, ACCELERATORS.iter().map(|known| known.name));
    }
    found.then(|| word.to_owned())
}

/// What tasks are given, in `[executor]` and in what overrides it.
fn task(section: &mut Section<'_>, mistakes: &mut Mistakes) -> SlurmTask {
    let mut name = |key| section.get(key).and_then(|value| word(value, key, mistakes));
    let (partition, account) = (name("partition"), name("account"));
    let (qos, constraint) = (name("qos"), name("constraint"));
    let gpus = section.get("gpus").and_then(|value| gpus(value, mistakes));
    let mut number = |key| section.get(key).and_then(|value| above_0(value, key, mistakes));
    let (cpus, jobs_per_task) = (number("cpus"), number("jobs_per_task"));
    let memory = section.get("memory").and_then(|value| bytes(value, "memory", mistakes));
    let mut length = |key| section.get(key).and_then(|value| time(value, key, mistakes));
    SlurmTask {
        partition,
        account,
        qos,
        constraint,
        gpus,
        cpus,
        memory,
        time: length("time"),
        slice: length("slice"),
        jobs_per_task,
        sbatch: section
            .get("sbatch")
            .map(|value| lines(value, "sbatch", mistakes))
            .unwrap_or_default(),
    }
}

fn overrides(
    value: Option<&Spanned<DeValue<'_>>>,
    models: &dyn Fn(&str) -> bool,
    mistakes: &mut Mistakes,
) -> Vec<SlurmOverride> {
    let mut all = Vec::new();
    for value in value.map(items).unwrap_or_default() {
        let Some(mut section) = Section::of("[[executor.override]]", value, mistakes) else {
            continue;
        };
        let mut one = SlurmOverride::default();
        for value in section.get("stage").map(items).unwrap_or_default() {
            let Some(word) = reader::text(value, "stage", mistakes) else { continue };
            let found = Stage::ALL.iter().find(|stage| stage.name() == word);
            if found.is_none() {
                mistakes.unknown(value.span(), "stage", word, Stage::ALL.map(Stage::name));
            }
            one.stages.extend(found);
        }
        for value in section.get("model").map(items).unwrap_or_default() {
            let Some(word) = reader::text(value, "model", mistakes) else { continue };
            if !models(word) {
                let help = "name a model of the zoo, or one that the file defines".to_owned();
                let message = format!("unknown model `{word}`");
                mistakes.add(value.span(), message, "not known", Some(help));
            }
            one.models.push(word.to_owned());
        }
        one.task = task(&mut section, mistakes);
        section.finish(mistakes);
        all.push(one);
    }
    all
}

/// A word or path that becomes part of a line of a script: without line breaks.
fn word(
    value: &Spanned<DeValue<'_>>,
    what: &'static str,
    mistakes: &mut Mistakes,
) -> Option<String> {
    let text = reader::text(value, what, mistakes)?;
    if text.is_empty() || text.chars().any(char::is_control) {
        let help = "it becomes part of a line of the batch script; leave it out to leave it to the cluster";
        let message = format!("`{what}` must be one line, and not empty");
        mistakes.add(value.span(), message, "not a line", Some(help.to_owned()));
        return None;
    }
    Some(text.to_owned())
}

fn lines(value: &Spanned<DeValue<'_>>, what: &'static str, mistakes: &mut Mistakes) -> Vec<String> {
    items(value).into_iter().filter_map(|item| word(item, what, mistakes)).collect()
}

fn above_0(
    value: &Spanned<DeValue<'_>>,
    what: &'static str,
    mistakes: &mut Mistakes,
) -> Option<NonZeroU32> {
    let count = reader::count(value, what, 1..=u32::MAX.into(), mistakes)?;
    NonZeroU32::new(u32::try_from(count).ok()?)
}

fn time(
    value: &Spanned<DeValue<'_>>,
    what: &'static str,
    mistakes: &mut Mistakes,
) -> Option<std::time::Duration> {
    let text = reader::text(value, what, mistakes)?;
    match length_of_time(text) {
        Ok(length) => Some(length),
        Err(why) => {
            mistakes.add(value.span(), format!("`{what}`: {why}"), "not a length of time", None);
            None
        }
    }
}

fn gpus(value: &Spanned<DeValue<'_>>, mistakes: &mut Mistakes) -> Option<Gpus> {
    if let DeValue::Integer(_) = value.get_ref() {
        let count = reader::count(value, "gpus", 0..=1024, mistakes)?;
        return Some(Gpus { kind: None, count: u32::try_from(count).ok()? });
    }
    let text = reader::text(value, "gpus", mistakes)?;
    match text.parse() {
        Ok(gpus) => Some(gpus),
        Err(why) => {
            mistakes.add(value.span(), why, "not GPUs", None);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Executor, Vec<String>) {
        let root = DeTable::parse(text).expect("is TOML");
        let mut mistakes = Mistakes::default();
        let models = |name: &str| name == "L/16";
        let (executor, _) = super::read(root.get_ref().get("executor"), &models, &mut mistakes);
        let errors = mistakes.into_errors(miette::NamedSource::new("a.toml", text.to_owned()));
        let errors = errors.mistakes().iter().map(|mistake| {
            let at = mistake.at.offset()..mistake.at.offset() + mistake.at.len();
            format!("{} [{}] {}", mistake.message, &text[at], mistake.help.as_deref().unwrap_or(""))
        });
        (executor, errors.collect())
    }

    const ALL: &str = r#"
[executor]
kind = "slurm"
partition = "gpu"
account = "vision"
qos = "long"
constraint = "a100|h100"
gpus = "h100:2"
cpus = 8
memory = "32 GB"
time = "1-12:00:00"
slice = "2 h"
jobs_per_task = 40
array_size = 500
parallel = 64
grace = "90 s"
setup = ["module load cuda", "export A=1"]
sbatch = ["--exclude=n7"]
scratch = "$TMPDIR"
device = "h100"

[[executor.override]]
model = "L/16"
stage = ["pretrain", "transfer"]
memory = 64_000_000_000
gpus = 4
"#;

    #[test]
    fn every_key_is_read() {
        let (executor, errors) = read(ALL);
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(executor.kind, ExecutorKind::Slurm);
        insta::assert_debug_snapshot!(executor.slurm);
        assert_eq!(Executor::asked_for_in(ALL), executor);
        assert_eq!(Executor::asked_for_in("not TOML"), Executor::default());
    }

    #[test]
    fn every_mistake_is_named_at_its_place_with_what_to_write() {
        let text = "[executor]\nkind = \"slurmm\"\npartition = \"\"\ngpus = \"h100:two\"\ncpus = 0\n\
                    memory = \"much\"\ntime = \"4\"\nsetup = [\"a\\nb\"]\nparallell = 3\n\
                    [[executor.override]]\nmodel = \"L/61\"\nstage = \"pretraining\"\nkeep = \"none\"\n";
        insta::assert_snapshot!(read(text).1.join("\n"));
    }
}
