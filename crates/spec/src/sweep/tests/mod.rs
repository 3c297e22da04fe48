//! Sweep files as people write them, rightly and wrongly.

mod explain;
mod stages;

use std::collections::BTreeMap;
use std::path::Path;

use super::{Found, Known, Surroundings, Sweep, SweepErrors};
use crate::dataset::{DatasetIdentity, Format, Reading, SplitIdentity, SplitName};
use crate::job::{Job, JobSpec};
use crate::label_map::LabelMap;
use crate::split::SourceRange;
use crate::subset::{Subset, SubsetSize};

/// Sweep files that others include, by their paths.
const FILES: [(&str, &str); 3] = [
    ("/sweeps/upstream.toml", GOOD),
    ("/sweeps/bad.toml", "name = 3"),
    ("/sweeps/within-budget.toml", "name = \"b\"\n[noop]\ncount = 1\n[budget]\nflops = 1e9\n"),
];

const GOOD: &str = r#"
name = "mini"

[dataset.fashion]
format = "idx"
path = "${DATA}/fashion-mnist"
splits = { train = "train[:55000]", val = "train[55000:]", test = "test" }

[dataset.fashion-10pct]
extends = "fashion"
splits = { train = "train[:10%]" }

[model."Mu/7"]
width = 64
depth = 4
mlp = 256
heads = 4
patch = 7

[augmentation.tiny]
randaugment = { layers = 1, magnitude = 5 }
mixup = 0.1

[pretrain]
dataset = ["fashion-10pct", "fashion"]
model = "Mu/7"
augmentation = ["none", "tiny"]
regularization = [0.0, { dropout = 0.1, stochastic_depth = 0.2 }]
epochs = [3, 30]
resolution = 28
batch_size = 256
exclude = [{ dataset = "fashion", epochs = 30 }]
"#;

fn parse(text: &str) -> Result<Sweep, SweepErrors> {
    let variable = |name: &str| (name == "DATA").then(|| "/data".to_owned());
    let read = |path: &Path| {
        let found = FILES.iter().find(|file| Path::new(file.0) == path);
        found.map(|file| file.1.to_owned()).ok_or_else(|| std::io::ErrorKind::NotFound.into())
    };
    let base = Path::new("/sweeps");
    let around = Surroundings { base, variable: &variable, read: &read, nested: 0 };
    Sweep::parse("s.toml", text, &around)
}

/// What is wrong with `text`: line, message, help.
fn mistakes(text: &str) -> Vec<(usize, String, Option<String>)> {
    let errors = parse(text).map(|sweep| sweep.expand(&found(&sweep), &Known::default()).map(drop));
    let errors = match errors {
        Ok(Ok(())) => return Vec::new(),
        Ok(Err(errors)) | Err(errors) => errors,
    };
    let line = |offset: usize| text[..offset].matches('\n').count() + 1;
    errors
        .mistakes()
        .iter()
        .map(|mistake| (line(mistake.at.offset()), mistake.to_string(), mistake.help.clone()))
        .collect()
}

/// Data sets in whose names stands what they are.
fn found(sweep: &Sweep) -> Found {
    let ranges = |source: &str, to| vec![SourceRange { source: source.to_owned(), from: 0, to }];
    let identity = |name: &String| {
        let examples = if name.ends_with("10pct") { 6000 } else { 55_000 };
        let split = |source, examples| SplitIdentity {
            examples,
            ranges: ranges(source, examples),
            subset: None,
        };
        let content = if name.starts_with("fashion") { "00" } else { name.as_str() };
        let mut splits = BTreeMap::from([
            (SplitName::Train, split("train", examples)),
            (SplitName::Val, split("train", 5000)),
        ]);
        if name.ends_with("without-val") {
            splits.remove(&SplitName::Val);
        }
        let identity = DatasetIdentity {
            format: Format::Idx,
            content: BTreeMap::from([("train".into(), content.into())]),
            classes: if name.ends_with("of-20") { 20 } else { 10 },
            channels: if name.ends_with("in-colour") { 3 } else { 1 },
            splits,
        };
        (name.clone(), identity)
    };
    let datasets = sweep.datasets.keys().map(identity).collect();
    Found { datasets, ..Found::default() }
}

fn expand(text: &str) -> Vec<Job> {
    let sweep = parse(text).expect("valid");
    sweep.expand(&found(&sweep), &Known::default()).expect("fits").collect()
}

/// How many points of `text` become jobs, are excluded, and are the same as others.
fn points(text: &str) -> (usize, u64, u64) {
    let sweep = parse(text).expect("valid");
    let (found, known) = (found(&sweep), Known::default());
    let mut expansion = sweep.expand(&found, &known).expect("fits");
    let jobs = expansion.by_ref().count();
    (jobs, expansion.excluded(), expansion.merged())
}

fn with(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    GOOD.replace(from, to)
}

#[test]
fn a_grid_is_the_product_of_its_axes_less_the_exclusions() {
    assert_eq!(points(GOOD), (12, 4, 0));
}

#[test]
fn defaults_come_from_the_recipe() {
    let JobSpec::Pretrain(spec) = &expand(GOOD)[0].spec else { panic!("no other stage") };
    assert!((spec.optimizer.weight_decay - 0.1).abs() < 1e-12);
    assert!((spec.head_bias + 2.2).abs() < 1e-12, "-ln 9 to one decimal");
    assert_eq!(spec.steps(), 70, "round(3 · 6000 / 256)");
    assert_eq!(spec.optimizer.warmup_steps, 14, "a fifth of a short job");
}

/// These ids must never change: a study in the field would train everything anew. If this test
/// fails, the recipe version or a default was changed without meaning to.
#[test]
fn golden_ids_do_not_move() {
    let ids: Vec<String> = expand(GOOD).iter().map(|job| job.id.short()).collect();
    insta::assert_debug_snapshot!(ids);
}

#[test]
fn what_cannot_change_a_result_is_not_in_the_id() {
    let ids = |text: &str| expand(text).iter().map(|job| job.id).collect::<Vec<_>>();
    let original = ids(GOOD);
    assert_eq!(ids(&with("name = \"mini\"", "name = \"other\"")), original);
    assert_eq!(ids(&with("${DATA}/fashion-mnist", "elsewhere")), original);
    assert_eq!(ids(&GOOD.replace("Mu/7", "My favourite")), original);
    assert_eq!(
        ids(&with("3, 30]", "3, 30]\nweight_decay = 0.1")),
        original,
        "the default, spelled out"
    );
    assert_ne!(ids(&with("3, 30]", "3, 30]\nweight_decay = 0.03")), original);
}

#[test]
fn settings_that_came_later_are_in_the_id_only_where_they_are_not_the_default() {
    let ids = |text: &str| expand(text).iter().map(|job| job.id).collect::<Vec<_>>();
    let original = ids(GOOD);
    assert_eq!(ids(&with("3, 30]", "3, 30]\ngelu = \"tanh\"")), original);
    let table = "stochastic_depth = 0.2";
    assert_eq!(ids(&with(table, &format!("{table}, rescale = false"))), original);
    for changed in
        [with("3, 30]", "3, 30]\ngelu = \"erf\""), with("patch = 7", "patch = 7\nresnet = []")]
    {
        assert!(ids(&changed).iter().all(|id| !original.contains(id)));
    }
    let rescaled = ids(&with(table, &format!("{table}, rescale = true")));
    let same = rescaled.iter().filter(|id| original.contains(id)).count();
    assert_eq!((rescaled.len(), same), (12, 6), "jobs without stochastic depth stay");
}

#[test]
fn a_hybrid_is_a_model_with_a_resnet() {
    let text = with("patch = 7", "patch = 1\nresnet = [1, 2]");
    let JobSpec::Pretrain(spec) = &expand(&text)[0].spec else { panic!("no other stage") };
    assert_eq!(spec.model.resnet.expect("a hybrid").stages(), [1, 2]);
    assert_eq!(spec.model.patches(spec.resolution), Ok(16), "28 → 14 → 7 → 4");
    assert!(spec.model.to_string().ends_with("resnet [1, 2], heads 4"), "{}", spec.model);
    let text = with("model = \"Mu/7\"", "model = \"R26+S/32\"");
    assert_eq!(expand(&text).len(), 12, "of the zoo");
}

#[test]
fn a_grown_axis_keeps_the_old_jobs() {
    let old: Vec<_> = expand(GOOD).iter().map(|job| job.id).collect();
    let new: Vec<_> =
        expand(&with("\"tiny\"]", "\"tiny\", \"light2\"]")).iter().map(|job| job.id).collect();
    assert_eq!(new.len(), 18);
    assert!(old.iter().all(|id| new.contains(id)));
}

#[test]
fn two_names_for_one_point_are_one_job() {
    let text = with(
        "mixup = 0.1",
        "mixup = 0.1\n[augmentation.same]\nrandaugment = { layers = 1, magnitude = 5 }\nmixup = 0.1",
    );
    let text = text.replace("\"none\", \"tiny\"", "\"same\", \"tiny\"");
    assert_eq!(points(&text), (6, 4, 6));
}

#[test]
fn every_mistake_is_reported_at_once_with_its_line_and_the_nearest_name() {
    let text = with("\"none\", \"tiny\"", "\"nonne\", \"medum1\"")
        .replace("batch_size = 256", "batch_sise = 256")
        .replace("patch = 7", "patch = \"7\"")
        .replace("epochs = [3, 30]", "epochs = []");
    insta::assert_debug_snapshot!(mistakes(&text));
}

#[test]
fn each_kind_of_mistake_is_understood() {
    let cases = [
        with("format = \"idx\"", "format = \"idxx\""),
        with("${DATA}", "${NOWHERE}"),
        with("extends = \"fashion\"", "extends = \"fashon\""),
        with("extends = \"fashion\"", "extends = \"fashion-10pct\""),
        with("train[:10%]", "train[:10%"),
        with("heads = 4", "heads = 5"),
        with("[augmentation.tiny]", "[augmentation.light2]"),
        with("epochs = [3, 30]", "epochs = [3, 3]"),
        with("epochs = [3, 30]", "epochs = [3, -30]"),
        with("regularization = [0.0,", "regularization = [1.5,"),
        with("epochs = 30 }", "epochs = 31 }"),
        with("epochs = 30 }", "epoch = 30 }"),
        with("resolution = 28", "resolution = 30"),
        with("patch = 7", "patch = 7\nresnet = [2, 0]"),
        with("patch = 7", "patch = 7\nresnet = [1, 1, 1, 1, 1]"),
        with("patch = 7", "patch = 7\nresnet = true"),
        with("patch = 7", "patch = 2\nresnet = [2]"),
        with("epochs = [3, 30]", "epochs = [3, 30]\ngelu = \"relu\""),
        with("stochastic_depth = 0.2", "stochastic_depth = 0.2, rescale = 1"),
        with("[dataset.fashion-10pct]", "[dataset.fashion]"),
        with("batch_size = 256", "batch_size = 0"),
        with("model = \"Mu/7\"", ""),
        with("name = \"mini\"", "name = \"a/b\""),
        GOOD[..GOOD.find("[pretrain]").expect("there")].to_owned(),
    ];
    let found: Vec<_> = cases.iter().map(|text| mistakes(text)).collect();
    assert!(found.iter().all(|mistakes| !mistakes.is_empty()));
    insta::assert_debug_snapshot!(found);
}

#[test]
fn a_grid_of_a_trillion_points_is_refused_before_it_is_built() {
    let list = (0..1000).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
    let text = with(
        "batch_size = 256",
        &format!(
            "seed = [{list}]\nwarmup_steps = [{list}]\nlearning_rate = [{}]",
            list.replacen('0', "0.5", 1)
        ),
    );
    let found = mistakes(&text);
    assert_eq!(found.len(), 1);
    assert!(found[0].1.contains("16000000000 points"), "{found:?}");
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(cut in 0usize..1000, junk in "[\\[\\]{}=\",.a-z0-9\n]{0,12}") {
        let cut = (0..=cut.min(GOOD.len())).rev().find(|at| GOOD.is_char_boundary(*at)).unwrap_or(0);
        let _ = mistakes(&format!("{}{junk}{}", &GOOD[..cut], &GOOD[cut..]));
    }
}

#[test]
fn a_noop_stage_needs_no_data_and_its_ids_are_golden() {
    let text = "name = \"idle\"\n[noop]\ncount = 3\nseed = [0, 1]\n";
    let sweep = parse(text).expect("valid");
    assert!(sweep.datasets.is_empty());
    let jobs = expand(text);
    assert_eq!(jobs.len(), 6);
    assert!(jobs.iter().all(|job| job.spec.dataset().is_none()));
    insta::assert_snapshot!(jobs[0].spec.canonical(), @r#"{"index":0,"seed":0,"stage":"noop"}"#);
    let longer = expand(&text.replace("= 3", "= 4"));
    assert!(jobs.iter().all(|job| longer.iter().any(|other| other.id == job.id)), "a sweep grows");
}

#[test]
fn a_noop_stage_says_what_it_lacks() {
    let found = mistakes("name = \"idle\"\n[noop]\nmodel = \"Ti/16\"\n");
    assert!(found.iter().any(|(_, message, _)| message.contains("no `count`")), "{found:?}");
    let found = mistakes("name = \"idle\"\n[noop]\ncount = 1\nmodel = \"Ti/16\"\n");
    assert!(found.iter().any(|(_, message, _)| message.contains("`model`")), "{found:?}");
}

/// The data set `fashion` of the good file with these lines more.
fn dataset_with(lines: &str) -> String {
    with("format = \"idx\"\n", &format!("format = \"idx\"\n{lines}\n"))
}

#[test]
fn a_subset_is_of_one_size_and_inherited() {
    let subset_of = |lines: &str, name: &str| {
        parse(&dataset_with(lines)).expect("valid").datasets[name].subset.expect("has one")
    };
    let tenth = Subset { size: SubsetSize::Percent(10.0), seed: 0, stratified: false };
    for name in ["fashion", "fashion-10pct"] {
        assert_eq!(subset_of("subset = { percent = 10 }", name), tenth);
    }
    let subset = subset_of("subset = { per_class = 5, seed = 3, stratified = true }", "fashion");
    assert_eq!(subset, Subset { size: SubsetSize::PerClass(5), seed: 3, stratified: true });

    for (lines, message) in [
        ("subset = { seed = 1 }", "`subset` needs one of `percent`, `examples` and `per_class`"),
        (
            "subset = { percent = 1, examples = 5 }",
            "`subset` needs one of `percent`, `examples` and `per_class`",
        ),
        ("subset = { percent = 0 }", "`percent` must lie in (0, 100]"),
        ("subset = { percent = 101 }", "`percent` must lie in (0, 100]"),
        ("subset = { examples = 0 }", "`examples` must lie between 1 and 18446744073709551615"),
        ("subset = 10", "`subset` must be a table, not an integer"),
    ] {
        let found = mistakes(&dataset_with(lines));
        assert_eq!((found[0].0, found[0].1.as_str()), (6, message), "{lines}");
    }
}

#[test]
fn a_data_set_says_how_it_is_read_and_what_extends_it_is_read_alike() {
    let lines = "channels = 3\nclasses = 10\nlabel = \"fine_label\"\nmax_bad_examples = 4";
    let sweep = parse(&dataset_with(lines)).expect("valid");
    let reading = Reading {
        channels: Some(3),
        classes: Some(10),
        image: None,
        label: Some("fine_label".into()),
        label_map: None,
        max_bad_examples: 4,
    };
    for name in ["fashion", "fashion-10pct"] {
        assert_eq!(sweep.datasets[name].source.reading, reading);
    }
    let found = mistakes(&dataset_with("channels = 2\nmax_bad_example = 1"));
    assert_eq!((found[0].0, found[0].1.as_str()), (6, "`channels` must be 1 or 3"));
    assert_eq!((found[1].0, found[1].2.as_deref()), (7, Some("did you mean `max_bad_examples`?")));
}

#[test]
fn a_data_set_may_say_what_it_holds_and_what_its_numbers_mean() {
    let lines = "examples = { train = 60_000, test = 10_000 }\nclasses = 10";
    let sweep = parse(&dataset_with(lines)).expect("valid");
    for name in ["fashion", "fashion-10pct"] {
        let declared = &sweep.datasets[name].declared;
        assert_eq!(declared, &BTreeMap::from([("test".into(), 10_000), ("train".into(), 60_000)]));
    }
    let found = mistakes(&dataset_with("examples = { train = 0 }"));
    assert_eq!(found[0].1, "`train` must lie between 1 and 4294967295");

    let of_parquet = |lines| dataset_with(lines).replace("\"idx\"", "\"parquet\"");
    let sweep = parse(&of_parquet("label = \"z\"\nlabel_map = \"kitti-distance\"")).expect("valid");
    let reading = &sweep.datasets["fashion-10pct"].source.reading;
    assert_eq!(reading.label_map, Some(LabelMap::KittiDistance));
    let misspelt = mistakes(&of_parquet("label_map = \"kiti-distance\""));
    assert_eq!((misspelt[0].0, misspelt[0].1.as_str()), (6, "unknown label map `kiti-distance`"));
    assert_eq!(misspelt[0].2.as_deref(), Some("did you mean `kitti-distance`?"));
    let odd = mistakes(&of_parquet("label_map = \"clevr-count\"\nclasses = 10"));
    assert_eq!(odd[0].1, "the label map `clevr-count` makes 8 classes, not 10");
    let bytes = mistakes(&dataset_with("label_map = \"svhn\""));
    assert_eq!([misspelt.len(), odd.len(), bytes.len()], [1; 3], "each is said once");
    assert_eq!((bytes[0].0, bytes[0].1.as_str()), (6, "data of format `idx` take no label map"));
}
