//! The tables of stages: the axes that the reader reads, with its defaults.

use super::super::axis::{Kind, Setting};
use super::super::settings::Settings;
use super::{Key, Table, Value, key};
use crate::augmentation::Augmentation;
use crate::job::Stage;
use crate::model::ModelSpec;

pub(super) fn tables() -> Vec<Table> {
    Stage::ALL.into_iter().map(table).collect()
}

fn table(stage: Stage) -> Table {
    let (title, about) = match stage {
        Stage::Pretrain => (
            "[pretrain] or [[pretrain]]",
            "Training from random parameters. The jobs are the product of the axes, less `exclude`.",
        ),
        Stage::Transfer => (
            "[transfer] or [[transfer]]",
            "Training on from parameters that are there, on another data set.",
        ),
        Stage::Evaluate => (
            "[evaluate] or [[evaluate]]",
            "Judges parameters on the `val` and `test` splits of a data set.",
        ),
        Stage::Throughput => (
            "[throughput] or [[throughput]]",
            "Measures images a second of inference, from random images that lie on the device.",
        ),
        Stage::Noop => ("[noop] or [[noop]]", "Jobs that do nothing and succeed."),
    };
    let mut keys: Vec<Key> =
        Setting::of(stage).iter().map(|setting| axis(stage, *setting)).collect();
    match stage {
        Stage::Transfer | Stage::Evaluate => {
            let upstream = Value::Either(vec![Value::Words(vec!["all"]), Value::Table("upstream")]);
            keys.insert(0, key("upstream", upstream, "What its jobs start from.").required());
        }
        Stage::Throughput => keys.push(
            key(
                "batch_sizes",
                Value::Axis(Box::new(Value::Count(1, 1 << 20))),
                "Images at once that are tried, all of them in one job.",
            )
            .or("1, 2, 4, … 1024"),
        ),
        Stage::Noop => keys.insert(
            0,
            key("count", Value::Count(1, 10_000_000), "How many jobs, numbered from 0.").required(),
        ),
        Stage::Pretrain => {}
    }
    let exclude = Value::Axis(Box::new(Value::Point));
    keys.push(key("exclude", exclude, "Points that agree with all keys of an entry are left out."));
    Table { id: stage.name(), title, about, keys }
}

fn axis(stage: Stage, setting: Setting) -> Key {
    let value = Value::Axis(Box::new(value(setting.kind())));
    let mut key = key(setting.name(), value, setting.doc());
    key.required = Setting::required(stage).contains(&setting);
    if key.required {
        return key;
    }
    let usual = Settings::of(stage).get(setting).map(|value| value.to_string());
    key.or(usual.unwrap_or_else(|| worked_out(stage, setting).to_owned()))
}

/// What the recipe works out where a setting is left out.
fn worked_out(stage: Stage, setting: Setting) -> &'static str {
    match (setting, stage) {
        (Setting::WarmupSteps, Stage::Transfer) => {
            "100 up to 500 steps, 200 up to 2,500, else 500; at most a fifth (paper Table 4)"
        }
        (Setting::WarmupSteps, _) => "10,000, at most a fifth of the steps",
        (Setting::HeadBias, _) => "−ln(classes − 1) to one decimal; 0 with softmax",
        (Setting::Crop, _) => "inception",
        (Setting::Flip, _) => "true",
        (Setting::Resolution, _) => "that of what is judged",
        (Setting::Shots, _) => "the head is judged",
        (Setting::IndependentWeightDecay, _) => "`weight_decay` holds",
        _ => "",
    }
}

fn value(kind: Kind) -> Value {
    let number = |least, above, below| Value::Number { least, above, below };
    match kind {
        Kind::Dataset => Value::Name(Vec::new()),
        Kind::Model => Value::Name(ModelSpec::names().collect()),
        Kind::Augmentation => Value::Name(Augmentation::preset_names().collect()),
        Kind::Regularization => {
            Value::Either(vec![number(Some(0.0), None, Some(1.0)), Value::Table("regularization")])
        }
        Kind::NonNegative => number(Some(0.0), None, None),
        Kind::Positive => number(None, Some(0.0), None),
        Kind::Probability => number(Some(0.0), None, Some(1.0)),
        Kind::Number => number(None, None, None),
        Kind::Count(least, most) => Value::Count(least, most),
        Kind::Flag => Value::Flag,
        Kind::Words(words) => Value::Words(words.to_vec()),
    }
}
