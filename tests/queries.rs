//! Questions as people type them: filters, groups, pivots and SQL, in every format; wrong ones are pointed at.

use std::fs;
use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

use augreg_tests::{COMMON, HEAD, Study};

/// Four finished jobs: two presets, two seeds.
fn trained() -> Study {
    let study = Study::new();
    study.write(
        "queries.toml",
        &format!(
            "{HEAD}\n[pretrain]\ndataset = \"fashion\"\naugmentation = [\"none\", \"medium1\"]\nseed = [0, 1]\n\
             epochs = 0.1\n{COMMON}"
        ),
    );
    study.expect(0, &["launch", "queries.toml"]);
    study
}

/// Rows that never end.
const ENDLESS: &str =
    "with recursive n(i) as (select 1 union all select i + 1 from n) select i, 'text' as t from n";

#[test]
fn filters_groups_and_pivots_answer_beside_sql() {
    let study = trained();
    let rows = study.query(&["augmentation~MEDIUM", "seed>=1", "state=succeeded"]);
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0]["augmentation"].as_str(), rows[0]["seed"].as_str()), ("medium1", "1"));
    assert_eq!(study.query(&["seed=1", "--where", "augmentation=none"]).len(), 1);
    assert_eq!(study.query(&["SELECT", "1 AS one"])[0]["one"], "1");
    assert_eq!(study.query(&["--sort", "-seed", "--limit", "1"])[0]["seed"], "1");

    // A filter after `--show` is a filter still.
    let group = ["--group", "augmentation", "--show", "count", "max(seed),min(seed)", "seed<9"];
    let rows = study.query(&group);
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0]["augmentation"].as_str(), rows[0]["count"].as_str()), ("none", "2"));
    assert_eq!((rows[1]["max(seed)"].as_str(), rows[1]["min(seed)"].as_str()), ("1", "0"));

    let pivot = study.query(&["--pivot", "seed,augmentation", "final_val", "--by", "max"]);
    let best = study.query(&["augmentation=none", "seed=1", "--columns", "final_val"]);
    assert_eq!(pivot[1]["none"], best[0]["final_val"]);
    let mut command = study.command(&["query", "--pivot", "augmentation,seed", "final_val"]);
    let map = command.env("COLUMNS", "40").output().expect("runs").stdout;
    let map = String::from_utf8(map).expect("is text");
    assert!(
        map.starts_with("mean(final_val) by augmentation (down)\nand seed (across)\n"),
        "{map}"
    );
    assert!(!map.contains('\u{1b}'), "no colours into a pipe: {map}");
    let coloured = ["query", "--color", "always", "--pivot", "augmentation,seed", "final_val"];
    assert!(study.expect(0, &coloured).stdout.contains("\u{1b}[48;5;"));
}

#[test]
fn a_wrong_question_is_answered_with_the_place_or_the_nearest_name() {
    let study = trained();
    let refused = |question: &[&str], said: &[&str]| {
        let ran = study.expect(2, &[&["query"], question].concat());
        assert!(ran.stdout.is_empty(), "{}", ran.stdout);
        for said in said {
            assert!(ran.stderr.contains(said), "no `{said}` in\n{}", ran.stderr);
        }
    };
    refused(&["model='Ti/16"], &["is never closed", "opens here"]);
    refused(&["model='Ti'16"], &["goes on after", "not part of the value"]);
    refused(&["model=Ti/16 final_val>0.8"], &["two filters", "the second"]);
    refused(&["modle=x"], &["did you mean `model`?"]);
    refused(&["--group", "modle"], &["did you mean `model`?"]);
    refused(&["--group", "model", "--show", "men(final_val)"], &["did you mean `mean`?"]);
    refused(&["--pivot", "model", "final_val"], &["takes two columns"]);
    refused(&["select modle from v_jobs"], &["no such column: modle, did you mean `model`?"]);
    refused(&["select * from v_job"], &["no such table: v_job, did you mean `v_jobs`?"]);
    refused(&["select 1", "--sort", "model"], &["`--sort` is for filters", "ORDER BY"]);
    let before = fs::read(study.root().join("augreg.db")).expect("reads");
    for sql in [
        "delete from job",
        "with x as (select 1) delete from job",
        "pragma query_only = off",
        "attach 'other.db' as other",
        "vacuum into 'copy.db'",
        "select 1; select 2",
    ] {
        refused(&[sql], &[]);
    }
    assert_eq!(fs::read(study.root().join("augreg.db")).expect("reads"), before);
    assert!(!study.path("copy.db").exists() && !study.path("other.db").exists());
}

#[test]
fn whoever_reads_the_first_rows_of_an_endless_answer_is_served_at_once() {
    let study = trained();
    for format in ["table", "csv", "json", "jsonl"] {
        let began = Instant::now();
        let mut command = study.command(&["query", ENDLESS, "--format", format]);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let mut first = [0; 64];
        let mut out = child.stdout.take().expect("is piped");
        out.read_exact(&mut first).expect("reads the first rows");
        drop(out);
        let ended = child.wait_with_output().expect("ends");
        assert_eq!(ended.status.code(), Some(0), "{format}");
        assert!(ended.stderr.is_empty(), "{format}: {}", String::from_utf8_lossy(&ended.stderr));
        assert!(began.elapsed() < Duration::from_secs(10), "{format} took {:?}", began.elapsed());
    }
}

#[test]
fn a_file_is_written_in_the_format_of_its_name_and_whole_or_not_at_all() {
    let study = trained();
    study.expect(0, &["query", "--columns", "seed,model", "--out", "rows.csv"]);
    assert_eq!(fs::read_to_string(study.path("rows.csv")).expect("is there").lines().count(), 5);
    study.expect(0, &["query", "select * from v_jobs", "--out", "new/rows.parquet"]);
    let parquet = fs::read(study.path("new/rows.parquet")).expect("is there");
    assert_eq!((&parquet[..4], &parquet[parquet.len() - 4..]), (&b"PAR1"[..], &b"PAR1"[..]));
    let piped = study.command(&["query", "--format", "parquet"]).output().expect("runs");
    assert_eq!(&piped.stdout[..4], b"PAR1");

    study.expect(2, &["query", "select nothing from v_jobs", "--out", "rows.csv"]);
    assert_eq!(fs::read_to_string(study.path("rows.csv")).expect("stays").lines().count(), 5);
    let named =
        fs::read_dir(study.path("")).expect("reads").map(|file| file.expect("a file").file_name());
    assert!(named.into_iter().all(|name| !name.to_string_lossy().contains(".part")));
}

#[test]
fn curves_go_out_as_a_run_of_tensorboard_for_each_job() {
    let study = trained();
    study.expect(0, &["export", "augmentation=none", "--to", "tensorboard", "--out", "logs"]);
    let mut runs: Vec<String> = fs::read_dir(study.path("logs"))
        .expect("reads")
        .map(|run| run.expect("a run").file_name().to_string_lossy().into_owned())
        .collect();
    runs.sort();
    assert_eq!(runs.len(), 2);
    assert!(runs.iter().all(|run| run.starts_with("pretrain-fashion-Na-7-none-")), "{runs:?}");
    // Again, it replaces its files.
    study.expect(0, &["export", "--to", "tensorboard", "--out", "logs"]);
    for run in fs::read_dir(study.path("logs")).expect("reads") {
        let files = fs::read_dir(run.expect("a run").path()).expect("reads").count();
        assert_eq!(files, 1);
    }
    let none = study.expect(2, &["export", "seed=7", "--to", "tensorboard", "--out", "logs"]);
    assert!(none.stderr.contains("no job passes"), "{}", none.stderr);
    let many = study.expect(2, &["export", "seed<2", "--to", "timm", "--out", "x"]);
    assert!(many.stderr.contains("weights are of one job"), "{}", many.stderr);
}

#[test]
fn weights_for_timm_come_with_a_configuration_and_a_card() {
    let study = trained();
    let job = study
        .query(&["seed=0", "augmentation=none", "--columns", "id"])
        .remove(0)
        .remove("id")
        .expect("id");
    study.expect(0, &["export", &job, "--to", "timm", "--out", "hub"]);
    let config = fs::read_to_string(study.path("hub/config.json")).expect("is there");
    let config: serde_json::Value = serde_json::from_str(&config).expect("is JSON");
    assert_eq!(config["pretrained_cfg"]["num_classes"], 10);
    assert_eq!(config["model_args"]["embed_dim"], 24);
    let card = fs::read_to_string(study.path("hub/README.md")).expect("is there");
    assert!(card.contains(&job) && card.contains("local-dir:hub"), "{card}");
    assert!(study.path("hub/model.safetensors").exists());
    // Beside a file of its own name nothing of another name is touched.
    study.write("README.md", "mine");
    study.expect(0, &["export", &job, "--to", "timm", "--out", "x.safetensors"]);
    assert!(study.path("x.json").exists() && study.path("x.md").exists());
    assert_eq!(fs::read_to_string(study.path("README.md")).expect("is there"), "mine");
}
