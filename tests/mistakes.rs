//! Wrong sweep files and wrong requests: exit code 2, the place, the mend, and nothing created.

use augreg_tests::{COMMON, HEAD, Study};

fn good() -> String {
    format!(
        "{HEAD}\n[pretrain]\ndataset = \"fashion\"\naugmentation = [\"none\", \"light2\"]\nepochs = 1\n{COMMON}"
    )
}

/// Launches a sweep file that has `from` replaced by `to`; everything in `said` must be said.
fn refused(from: &str, to: &str, said: &[&str]) {
    let text = good();
    assert!(text.contains(from), "{from}");
    let study = Study::new();
    study.write("bad.toml", &text.replacen(from, to, 1));
    for command in ["launch", "plan"] {
        let ran = study.expect(2, &[command, "bad.toml"]);
        assert!(ran.stdout.is_empty(), "{}", ran.stdout);
        for said in said {
            assert!(ran.stderr.contains(said), "no `{said}` in\n{}", ran.stderr);
        }
    }
    assert!(!study.root().exists(), "nothing is created");
}

/// The line of `text` in the good file, as `bad.toml:line:column`.
fn at(text: &str, column_of: &str) -> String {
    let good = good();
    let offset = good.find(text).expect("it stands there");
    let line_start = good[..offset].rfind('\n').map_or(0, |at| at + 1);
    let line = good[..offset].matches('\n').count() + 1;
    let column = good[line_start..].find(column_of).expect("on that line") + 1;
    format!("bad.toml:{line}:{column}")
}

/// Threads: wandb/wandb#3398, #2317, #293 (a mistyped key is an opaque error, or a warning).
#[test]
fn wandb_3398_an_unknown_key_is_named_with_its_place_and_the_nearest() {
    let place = at("batch_size", "batch_size");
    refused("batch_size", "batch_sise", &["batch_sise", "did you mean `batch_size`", &place]);
}

/// What is misspelt is not missing as well, nor unknown where it is spelt right.
#[test]
fn a_misspelt_key_that_must_be_there_is_told_once() {
    let study = Study::new();
    let exclude = "exclude = [{ augmentation = \"none\", epochs = 1 }]";
    let text = good().replace("epochs = 1", &format!("epocs = 1\n{exclude}"));
    study.write("bad.toml", &text);
    let ran = study.expect(2, &["plan", "bad.toml"]);
    assert!(ran.stderr.contains("did you mean `epochs`?"), "{}", ran.stderr);
    for told in ["mistakes in the sweep file", "is missing", "unknown axis"] {
        assert!(!ran.stderr.contains(told), "`{told}` in\n{}", ran.stderr);
    }
}

#[test]
fn an_unknown_preset_is_named_with_its_place_and_the_nearest() {
    let place = at("\"light2\"", "\"light2\"");
    refused(
        "\"light2\"",
        "\"lihgt2\"",
        &["unknown augmentation `lihgt2`", "did you mean `light2`", &place],
    );
}

#[test]
fn a_wrong_type_is_named_with_its_place() {
    let place = at("epochs", "1");
    refused("epochs = 1", "epochs = \"1\"", &["`epochs` must be a number", &place]);
}

#[test]
fn an_empty_axis_is_named_with_its_place() {
    let place = at("epochs", "1");
    refused("epochs = 1", "epochs = []", &["axis `epochs` has no values", &place]);
}

#[test]
fn a_name_defined_twice_is_named_with_its_place() {
    refused(
        "[model.\"Na/7\"]",
        "[dataset.fashion]\n[model.\"Na/7\"]",
        &["duplicate key", "bad.toml:"],
    );
}

#[test]
fn a_missing_data_folder_is_named_with_its_place() {
    let place = at("path =", "\"$");
    refused("/fashion-mnist", "/nowhere", &["nowhere", "data set `fashion`", &place]);
}

#[test]
fn a_patch_that_does_not_divide_the_resolution_is_named_with_its_place() {
    let place = at("resolution", "28");
    refused(
        "resolution = 28",
        "resolution = 30",
        &["patch 7 does not divide resolution 30", &place],
    );
}

#[test]
fn a_trillion_jobs_are_refused_before_they_are_built() {
    let list = |scale: f64| {
        let values: Vec<String> = (1..=1000).map(|i| format!("{}", f64::from(i) * scale)).collect();
        format!("[{}]", values.join(", "))
    };
    let axes = format!(
        "weight_decay = {}\nclip_norm = {}\neps = {}\nseed = {}\nepochs = 1",
        list(0.001),
        list(0.01),
        list(1e-9),
        list(1.0)
    );
    refused("epochs = 1", &axes, &["2000000000000 points", "bad.toml:"]);
}

#[test]
fn all_mistakes_of_a_file_are_shown_at_once() {
    let study = Study::new();
    let text = good().replace("batch_size", "batch_sise").replace("\"light2\"", "\"lihgt2\"");
    study.write("bad.toml", &text);
    let ran = study.expect(2, &["plan", "bad.toml"]);
    assert!(ran.stderr.contains("2 mistakes"), "{}", ran.stderr);
    assert!(ran.stderr.contains("batch_sise") && ran.stderr.contains("lihgt2"), "{}", ran.stderr);
}

#[test]
fn wrong_requests_say_what_would_be_right() {
    let study = Study::new();
    let no_study = study.expect(2, &["status"]);
    assert!(no_study.stderr.contains("augreg launch"), "{}", no_study.stderr);
    let no_file = study.expect(2, &["plan", "nowhere.toml"]);
    assert!(no_file.stderr.contains("nowhere.toml"), "{}", no_file.stderr);
    study.expect(2, &["lunch"]);
    study.expect(2, &["launch"]);

    study.write("tiny.toml", &good().replace("epochs = 1", "epochs = 0.1"));
    study.expect(0, &["launch", "tiny.toml"]);
    let column = study.expect(2, &["query", "--where", "final_vall>0.5"]);
    assert!(column.stderr.contains("did you mean `final_val`"), "{}", column.stderr);
    let job = study.expect(2, &["show", "zzzz"]);
    assert!(job.stderr.contains("no job whose id begins with `zzzz`"), "{}", job.stderr);
    let sweep = study.expect(2, &["status", "tini"]);
    assert!(sweep.stderr.contains("did you mean `tiny`"), "{}", sweep.stderr);
    let sql = study.expect(2, &["query", "select final_vall from v_jobs"]);
    assert!(sql.stderr.contains("final_val"), "{}", sql.stderr);
}

/// Of 40 ids several begin with the same of 32 letters.
#[test]
fn jobs_whose_ids_begin_alike_are_named_for_a_choice() {
    let study = Study::new();
    study.write("idle.toml", "name = \"idle\"\n[noop]\ncount = 40\n");
    study.expect(0, &["launch", "idle.toml", "--register-only"]);
    let rows = study.query(&["--columns", "id"]);
    let ids: Vec<&str> = rows.iter().map(|row| &*row["id"]).collect();
    let alike = |id: &&str| ids.iter().filter(|other| other[..1] == id[..1]).count();
    let most = ids.iter().max_by_key(|id| alike(id)).expect("there are some");
    for command in ["show", "logs", "cancel", "retry", "verify-resume"] {
        let ran = study.expect(2, &[command, &most[..1]]);
        for id in ids.iter().filter(|id| id[..1] == most[..1]) {
            assert!(ran.stderr.contains(id), "no {id} in\n{}", ran.stderr);
        }
        assert!(ran.stderr.contains("give more characters"), "{}", ran.stderr);
    }
    assert_eq!(study.query(&["state=queued", "--columns", "id"]).len(), 40, "nothing is changed");
}

#[test]
fn the_control_plane_does_not_link_libtorch() {
    let links = |name: &str| {
        let bytes = std::fs::read(augreg_tests::binary(name)).expect("it is built");
        bytes.windows(15).any(|window| window == b"libtorch_cpu.so")
    };
    assert!(links("augreg-worker"));
    assert!(!links("augreg"));
}

/// The good file with its data said to be elsewhere, and to hold this much.
fn declared(path: &str, examples: &str) -> String {
    let splits = "splits =";
    good().replace("${AUGREG_DATA}/fashion-mnist", path).replacen(
        splits,
        &format!("{examples}\n{splits}"),
        1,
    )
}

#[test]
fn data_of_another_size_than_declared_name_both_counts_at_the_declaration() {
    let study = Study::new();
    let examples = "examples = { train = 60_000, test = 10_001 }";
    study.write("bad.toml", &declared("${AUGREG_DATA}/fashion-mnist", examples));
    for command in ["launch", "plan"] {
        let ran = study.expect(2, &[command, "bad.toml"]);
        for said in [
            "holds 10000 examples of the source split `test`, but 10001 are declared",
            "bad.toml:7:12",
            "declared here",
        ] {
            assert!(ran.stderr.contains(said), "no `{said}` in\n{}", ran.stderr);
        }
    }
    study.write(
        "good.toml",
        &declared("${AUGREG_DATA}/fashion-mnist", &examples.replace("01", "00")),
    );
    let plan = study.expect(0, &["plan", "good.toml"]).stdout;
    assert!(plan.contains("+2 new, 0 done"), "{plan}");
    assert!(!study.root().exists(), "nothing is created");
}

#[test]
fn a_plan_needs_no_data_that_are_declared_and_a_launch_does() {
    let study = Study::new();
    let examples = "examples = { train = 60_000, test = 10_000 }\nclasses = 10";
    study.write("there.toml", &declared("${AUGREG_DATA}/fashion-mnist", examples));
    study.write("away.toml", &declared("/nowhere/fashion", examples));
    let [there, away] = ["there.toml", "away.toml"].map(|file| {
        let plan = study.expect(0, &["plan", file, "--device", "tpuv3-core"]).stdout;
        let prices = plan
            .lines()
            .filter(|line| ["compute", "time", "device"].iter().any(|of| line.starts_with(of)));
        (prices.map(str::to_owned).collect::<Vec<_>>(), plan)
    });
    assert_eq!(there.0.len(), 3, "{}", there.1);
    assert_eq!(there.0, away.0, "declared counts price as the data do");
    assert!(away.1.contains("data not found at /nowhere/fashion:"), "{}", away.1);
    assert!(!away.1.contains("+2 new"), "nothing is compared: {}", away.1);

    let ran = study.expect(2, &["launch", "away.toml"]);
    assert!(ran.stderr.contains("there is no folder `/nowhere/fashion`"), "{}", ran.stderr);
    study.write("silent.toml", &declared("/nowhere/fashion", ""));
    let ran = study.expect(2, &["plan", "silent.toml"]);
    assert!(ran.stderr.contains("`examples = { train = … }` and `classes`"), "{}", ran.stderr);
    study.write(
        "vague.toml",
        &declared("/nowhere/fashion", "examples = { train = 60_000, test = 1 }"),
    );
    let ran = study.expect(2, &["plan", "vague.toml"]);
    assert!(ran.stderr.contains("`classes` must be declared as well"), "{}", ran.stderr);
    assert!(!study.root().exists(), "nothing is created");
}

#[test]
fn an_unknown_device_is_named_with_the_nearest() {
    let study = Study::new();
    study.write("good.toml", &good());
    let ran = study.expect(2, &["plan", "good.toml", "--device", "A10"]);
    assert!(ran.stderr.contains("did you mean `A100`?"), "{}", ran.stderr);
    let ran = study.expect(2, &["plan", "good.toml", "--device", "abacus"]);
    assert!(ran.stderr.contains("known are A100, H100"), "{}", ran.stderr);
}
