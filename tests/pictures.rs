//! Sweeps over pictures: real JPEG drawings in folders, whole and damaged.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use augreg_tests::Study;

/// Where `scripts/setup --with-tests` puts the drawings of `Art4Apps`.
fn drawings() -> PathBuf {
    let data = std::env::var_os("AUGREG_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../data"), PathBuf::from);
    data.join("art4apps")
}

/// Copies three of the classes into a study.
fn copied(study: &Study) -> PathBuf {
    let to = study.path("drawings");
    for class in ["animals", "food", "sport"] {
        fs::create_dir_all(to.join(class)).expect("there is room");
        for file in fs::read_dir(drawings().join(class)).expect("the drawings are there") {
            let file = file.expect("reads");
            fs::copy(file.path(), to.join(class).join(file.file_name())).expect("there is room");
        }
    }
    to
}

fn sweep(dataset: &str) -> String {
    format!(
        r#"
name = "drawings"

[dataset.drawings]
format = "image-folder"
path = "drawings"
splits = {{ train = "train[:80%]", val = "train[80%:]" }}
{dataset}

[model."Na/8"]
width = 24
depth = 2
mlp = 48
heads = 2
patch = 8

[pretrain]
dataset = "drawings"
model = "Na/8"
augmentation = "light2"
epochs = 8
resolution = 32
batch_size = 32
learning_rate = 4e-3
evaluations = 2
"#
    )
}

#[test]
fn drawings_in_folders_are_trained_on_and_a_pack_of_them_is_the_same_job() {
    let study = Study::new();
    copied(&study);
    study.write("drawings.toml", &sweep(""));
    study.expect(0, &["launch", "drawings.toml"]);
    let rows = study.query(&["--columns", "id,state,final_val"]);
    assert_eq!((rows.len(), rows[0]["state"].as_str()), (1, "succeeded"));
    let waits = "select count(*) as n from metric where name = 'data_wait_seconds'";
    assert_ne!(study.query(&[waits])[0]["n"], "0", "a person sees whether a job waits for data");

    let sheet = study.path("sheet.svg");
    let show = study.expect(
        0,
        &[
            "data",
            "show",
            "drawings.toml",
            "drawings",
            "--augmentation",
            "strong1",
            "--resolution",
            "64",
            "--out",
            &sheet.to_string_lossy(),
        ],
    );
    assert!(
        show.stdout.contains("example 3, class ") && show.stdout.contains("  epoch 4: "),
        "told"
    );
    let sheet = fs::read_to_string(sheet).expect("the sheet is there");
    assert!(sheet.contains("data:image/png;base64,") && sheet.matches("<text").count() > 50);

    let pack = study.path("packed");
    let out = ["data", "pack", "drawings.toml", "drawings", "--out", &pack.to_string_lossy()];
    let packed = study.expect(0, &out);
    assert!(packed.stdout.contains("train.pack: 213 examples"), "{}", packed.stdout);
    let text = sweep("")
        .replace("image-folder", "pack")
        .replace("\"drawings\"\nsplits", "\"packed\"\nsplits");
    study.write("drawings.toml", &text);
    let plan = study.expect(0, &["plan", "drawings.toml"]);
    assert!(plan.stdout.contains("=1 shared (1 done)"), "{}", plan.stdout);
}

/// Twenty drawings of each class as one shard, `train.tar`, with what `json` says of the drawing of a class
/// and a number.
fn shard(study: &Study, classes: &[&str], json: impl Fn(usize, usize) -> String) {
    let shard = study.path("shard");
    let _ = fs::remove_dir_all(&shard);
    fs::create_dir(&shard).expect("there is room");
    for (class, name) in classes.iter().enumerate() {
        let files = fs::read_dir(drawings().join(name)).expect("the drawings are there");
        let mut files: Vec<_> = files.map(|file| file.expect("reads").path()).collect();
        files.sort();
        for (i, file) in files.iter().take(20).enumerate() {
            let key = shard.join(format!("{i:02}-{class}"));
            fs::copy(file, key.with_extension("jpg")).expect("there is room");
            fs::write(key.with_extension("json"), json(class, i)).expect("there is room");
        }
    }
    let tar = ["--sort=name", "--create", "--file", "train.tar", "--directory", "shard", "."];
    let made = Command::new("tar").args(tar).current_dir(study.path("")).status();
    assert!(made.expect("tar is installed").success());
}

/// Of each drawing two classes: what it shows, and whether that lives.
#[test]
fn shards_with_several_classes_an_image_are_checked_trained_on_and_packed() {
    let study = Study::new();
    shard(&study, &["animals", "food", "people"], |class, _| {
        let lives = [3, 4, 3][class];
        format!("{{\"label\": [{lives}, {class}]}}")
    });
    let text = sweep("").replace("image-folder", "webdataset").replace("epochs = 8", "epochs = 60");
    study.write("drawings.toml", &text.replace("path = \"drawings\"", "path = \"train.tar\""));
    let check = study.expect(0, &["data", "check", "drawings.toml"]).stdout;
    assert!(check.contains("webdataset, 5 classes"), "{check}");
    assert!(check.contains("train  48 examples") && check.contains("2.00 classes each"), "{check}");

    study.expect(0, &["launch", "drawings.toml"]);
    let rows = study.query(&["select final_val, train_loss from v_jobs"]);
    let [accuracy, loss]: [f64; 2] =
        ["final_val", "train_loss"].map(|name| rows[0][name].parse().expect("a number"));
    // Two in three live. Whoever knows no more than how frequent classes are has a loss of 3.2; it
    // would be 1.9 if one class of each drawing were all that is learnt.
    assert!(accuracy > 0.6 && (2.2..3.3).contains(&loss), "{rows:?}");
    let pack = study.path("packed");
    let out = ["data", "pack", "drawings.toml", "drawings", "--out", &pack.to_string_lossy()];
    study.expect(0, &out);
    let text =
        text.replace("webdataset", "pack").replace("path = \"drawings\"", "path = \"packed\"");
    study.write("drawings.toml", &text);
    let plan = study.expect(0, &["plan", "drawings.toml"]);
    assert!(plan.stdout.contains("=1 shared (1 done)"), "{}", plan.stdout);
}

#[test]
fn a_bad_picture_fails_the_job_by_name_or_is_skipped_where_it_may_be() {
    let study = Study::new();
    let bad = copied(&study).join("animals/404.jpg");
    fs::write(&bad, "<!DOCTYPE html><title>404</title>").expect("there is room");
    study.write("drawings.toml", &sweep(""));
    study.expect(1, &["launch", "drawings.toml"]);
    let failure = "select failure, message from attempt";
    let row = &study.query(&[failure])[0];
    assert_eq!(row["failure"], "data");
    assert!(row["message"].contains(&*bad.to_string_lossy()), "{row:?}");
    assert!(row["message"].contains("`max_bad_examples` is 0"), "{row:?}");
    let out = study.path("report");
    let report = study.expect(2, &["report", "--out", &out.to_string_lossy()]);
    assert!(report.stderr.contains("no job of the study has finished"), "{}", report.stderr);
    assert!(report.stderr.contains("augreg status") && !out.exists(), "{}", report.stderr);

    study.write("drawings.toml", &sweep("max_bad_examples = 1"));
    let check = study.expect(1, &["data", "check", "drawings.toml"]);
    assert!(check.stdout.contains("animals/404.jpg` is HTML"), "{}", check.stdout);
    let plan = study.expect(0, &["plan", "drawings.toml"]);
    assert!(plan.stdout.contains("=1 shared"), "what is tolerated is not what a job is");
    let _ = study.augreg(&["launch", "drawings.toml"]); // Says what is tolerated now.
    study.expect(0, &["retry", "--sweep", "drawings"]);
    study.expect(0, &["resume"]);
    assert_eq!(study.query(&["--columns", "state"])[0]["state"], "succeeded");
}

/// Seven pictures with KITTI's distances −3.5, 8, 8.5, 20, 20.25, 999 and 1000 m, as `datasets`,
/// `webdataset` and NumPy write them (`crates/data/tests/golden/make.py`): by VTAB's thresholds two
/// examples up to 8 m, two up to 20, two beyond, and one without a vehicle.
#[test]
fn distances_become_classes_wherever_they_are_written() {
    let study = Study::new();
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/data/tests/golden/mapped");
    for format in ["parquet", "webdataset", "npz"] {
        let text = format!(
            "name = \"{format}\"\n[dataset.kitti]\nformat = \"{format}\"\npath = \"{golden}/{format}\"\n\
             label = \"distance\"\nlabel_map = \"kitti-distance\"\nexamples = {{ train = 7 }}\n\
             splits = {{ train = \"train\" }}\n\
             [pretrain]\ndataset = \"kitti\"\nmodel = \"Ti/16\"\nepochs = 1\n"
        );
        study.write("kitti.toml", &text);
        let check = study.expect(0, &["data", "check", "kitti.toml"]).stdout;
        assert!(check.contains(&format!("{format}, 4 classes")), "{check}");
        assert!(check.contains("train  7 examples, 1 (class 3) to 2 (class 2)"), "{check}");
        let plan = study.expect(0, &["plan", "kitti.toml"]).stdout;
        assert!(plan.contains("+1 new, 0 done"), "{plan}");

        study.write("kitti.toml", &text.replace("\"distance\"", "\"broken\""));
        let ran = study.expect(2, &["plan", "kitti.toml"]);
        // What is said is broken into lines wherever it is too long.
        let said = ran.stderr.replace(['│', '\n'], " ");
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("the label is -100, but the label map `kitti-distance`"), "{said}");
        assert!(said.contains("kitti.toml:4:8"), "{said}");
    }
}

/// Drawings at KITTI's distances, a different one each: 4 to 8 m, 10 to 20 m, 30 to 125 m, and none (1000).
#[test]
fn what_is_trained_on_distances_is_the_job_of_the_classes_they_make() {
    let study = Study::new();
    let classes = ["animals", "food", "people", "sport"];
    let text = sweep("")
        .replace("image-folder", "webdataset")
        .replace("path = \"drawings\"", "path = \"train.tar\"");
    let mapped = "label = \"distance\"\nlabel_map = \"kitti-distance\"\n\n[model";
    study.write("distances.toml", &text.replacen("[model", mapped, 1));
    study.write("classes.toml", &text.replace("\"drawings\"\n\n", "\"classes\"\n\n"));
    shard(&study, &classes, |class, i| {
        let share = i as f64 / 19.0;
        let metres = [4.0 + 4.0 * share, 10.0 + 10.0 * share, 30.0 + 95.0 * share, 1000.0][class];
        format!("{{\"distance\": {metres}, \"label\": {class}}}")
    });
    study.expect(0, &["launch", "distances.toml"]);
    let rows = study.query(&["select state, final_val from v_jobs"]);
    assert_eq!((rows.len(), rows[0]["state"].as_str()), (1, "succeeded"));
    let plan = study.expect(0, &["plan", "classes.toml"]).stdout;
    assert!(plan.contains("=1 shared (1 done)"), "{plan}");
}
