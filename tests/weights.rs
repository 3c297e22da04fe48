//! Weights go out to other people's formats and come back the same.

use std::collections::BTreeMap;
use std::fs;

use augreg_tests::{COMMON, HEAD, Study};

/// Two finished jobs: a plain model and a hybrid, both with settings that are not the study's.
fn trained() -> Study {
    let study = Study::new();
    let hybrid =
        "[model.\"Hy/28\"]\nwidth = 24\ndepth = 1\nmlp = 48\nheads = 2\npatch = 7\nresnet = [1]\n";
    let common = COMMON.replace("model = \"Na/7\"", "model = [\"Na/7\", \"Hy/28\"]");
    let regularization = "{ dropout = 0.1, stochastic_depth = 0.1, rescale = true }";
    let text = format!(
        "{HEAD}\n{hybrid}\n[pretrain]\ndataset = \"fashion\"\nepochs = 0.1\ngelu = \"erf\"\n\
         regularization = {regularization}\n{common}"
    );
    study.write("weights.toml", &text);
    study.expect(0, &["launch", "weights.toml"]);
    study
}

/// The one row that `augreg import` says of a file.
fn imported(study: &Study, file: &str, more: &[&str]) -> BTreeMap<String, String> {
    let ran = study.expect(0, &[&["import", file, "--format", "csv"], more].concat());
    let mut reader = csv::Reader::from_reader(ran.stdout.as_bytes());
    reader.deserialize().next().expect("a row").expect("a row of CSV")
}

#[test]
fn a_jobs_weights_go_out_in_every_format_and_come_back_the_same() {
    let study = trained();
    let hashes = study.hashes();
    assert_eq!(hashes.len(), 2);
    for (job, hash) in &hashes {
        let checkpoint = format!("study/runs/{job}/checkpoint/final.safetensors");
        study.expect(0, &["export", job, "--to", "npz", "--out", "x.npz"]);
        study.expect(0, &["export", &job[..10], "--to", "timm", "--out", "out/x.safetensors"]);
        for (file, format) in
            [("x.npz", "npz"), ("out/x.safetensors", "timm"), (checkpoint.as_str(), "augreg")]
        {
            let row = imported(&study, file, &[]);
            assert_eq!(&row["parameters_sha256"], hash, "{file}");
            assert_eq!(row["format"], format);
            assert_eq!((row["channels"].as_str(), row["classes"].as_str()), ("1", "10"));
            assert_eq!(row["resolution"], "28");
        }
        // Through both formats, each written by an import.
        study.expect(0, &["import", "x.npz", "--out", "y.safetensors"]);
        study.expect(0, &["import", "y.safetensors", "--to", "npz", "--out", "z.npz"]);
        assert_eq!(fs::read(study.path("z.npz")).ok(), fs::read(study.path("x.npz")).ok());
        let best =
            study.expect(0, &["export", job, "--which", "best", "--to", "npz", "--out", "b.npz"]);
        assert!(best.stderr.contains("b.npz"), "{}", best.stderr);
    }
}

#[test]
fn what_cannot_go_out_or_come_in_says_why() {
    let study = trained();
    let (job, _) = study.hashes().pop_first().expect("a job");
    let refused = |args: &[&str], said: &[&str]| {
        let ran = study.expect(2, args);
        for said in said {
            assert!(ran.stderr.contains(said), "no `{said}` in\n{}", ran.stderr);
        }
    };
    study.expect(0, &["export", &job, "--to", "npz", "--out", "x.npz"]);
    refused(&["import", "nowhere.npz"], &["nowhere.npz"]);
    refused(&["import", "x.npz", "--model", "B/16"], &["x.npz", "B/16 (width 768", "width 24"]);
    refused(&["import", "x.npz", "--model", "B/61"], &["unknown model `B/61`"]);
    refused(&["import", "x.npz", "--classes", "0"], &["0"]);
    refused(&["import", "x.npz", "--resolution", "30"], &["x.npz", "patch 7 does not divide"]);
    study.write("text.npz", "not weights");
    refused(&["import", "text.npz"], &["text.npz", "cannot be read as"]);

    refused(&["export", "zzzz", "--to", "npz", "--out", "y.npz"], &["zzzz"]);
    let last = study.root().join(format!("runs/{job}/checkpoint/final.safetensors"));
    let whole = fs::read(&last).expect("kept");
    let mut flipped = whole.clone();
    *flipped.last_mut().expect("not empty") ^= 1;
    fs::write(&last, flipped).expect("writes");
    let ran = study.expect(1, &["export", &job, "--to", "npz", "--out", "y.npz"]);
    assert!(ran.stderr.contains("final.safetensors` is damaged"), "{}", ran.stderr);
    fs::remove_file(&last).expect("removes");
    refused(
        &["export", &job, "--to", "npz", "--out", "y.npz"],
        &["no final parameters", "--which"],
    );
    assert!(!study.path("y.npz").exists());
}
