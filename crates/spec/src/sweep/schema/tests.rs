use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::*;
use crate::sweep::reader::asked_for;
use crate::sweep::{Surroundings, Sweep};

/// Every table once, in ways that let the reader ask for all it knows.
const EVERYTHING: &str = r#"
name = "all"
[dataset.a]
format = "idx"
path = "/x"
splits = { train = "train", val = "train", test = "test" }
subset = { percent = 10 }
[model."X/7"]
width = 8
depth = 1
mlp = 8
heads = 1
patch = 7
[augmentation.mine]
randaugment = { layers = 2, magnitude = 3 }
[pretrain]
dataset = "a"
model = "X/7"
epochs = 1
regularization = { dropout = 0.1, stochastic_depth = 0.1 }
resolution = 28
[[transfer]]
upstream = { select = "all" }
dataset = "a"
learning_rate = 0.1
steps = 5
resolution = 28
[[transfer]]
upstream = { checkpoint = "/x.npz" }
dataset = "a"
learning_rate = 0.1
steps = 5
resolution = 28
[evaluate]
upstream = "all"
dataset = "a"
[throughput]
model = "X/7"
resolution = 28
[noop]
count = 1
[executor]
kind = "local"
[[executor.override]]
stage = "pretrain"
[budget]
disk = "1 GB"
"#;

fn parse(text: &str) {
    let around = Surroundings {
        base: Path::new("/"),
        variable: &|_| None,
        read: &|_| Err(std::io::ErrorKind::NotFound.into()),
        nested: 0,
    };
    Sweep::parse("all.toml", text, &around).expect("is valid");
}

/// The id of the table that the reader calls so.
fn id_of(title: &str) -> String {
    let name = title.trim_start_matches(['[', '`']).trim_end_matches([']', '`']);
    let name = match name {
        "the sweep file" => "sweep",
        "executor.override" => "override",
        name => name.split('.').next().unwrap_or(name),
    };
    name.to_owned()
}

#[test]
fn the_schema_has_exactly_the_keys_that_the_reader_asks_for() {
    parse(EVERYTHING);
    let mut read: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (title, keys) in asked_for() {
        read.entry(id_of(&title)).or_default().extend(keys);
    }
    let told: BTreeMap<String, BTreeSet<&str>> = tables()
        .into_iter()
        .map(|table| (table.id.to_owned(), table.keys.iter().map(|key| key.name).collect()))
        .collect();
    // Read as wholes: their keys are names.
    read.retain(|id, _| told.contains_key(id));
    assert_eq!(read.len(), told.len(), "the file has every table");
    for (id, keys) in told {
        assert_eq!(read[&id], keys, "{id}");
    }
}

#[test]
fn every_axis_that_may_be_left_out_says_what_holds_then() {
    for table in tables().into_iter().filter(|table| table.title.contains("[[")) {
        for key in table.keys.iter().filter(|key| matches!(key.value, Value::Axis(_))) {
            let told = key.required || !key.default.is_empty();
            let may_be_silent =
                table.id == "override" || key.name == "exclude" || key.name == "sbatch";
            assert!(told || may_be_silent, "{}: {}", table.id, key.name);
        }
    }
}
