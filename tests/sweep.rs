//! A sweep from launch to report, on real data.

use augreg_tests::{COMMON, HEAD, Study};

fn sweep(augmentations: &str) -> String {
    format!(
        "{HEAD}\n[pretrain]\ndataset = \"fashion\"\naugmentation = {augmentations}\n\
         regularization = [0.0, 0.1]\nepochs = 12\n{COMMON}"
    )
}

/// Threads: ray-project/ray#8647 (finished configurations train again), wandb/wandb#5247 (a grid
/// starts over), ray-project/ray#18847 (resuming cannot add trials).
#[test]
fn ray_8647_a_sweep_trains_once_and_growing_it_runs_only_what_is_new() {
    let study = Study::new();
    study.write("tiny.toml", &sweep("[\"none\", \"light2\"]"));

    let plan = study.expect(0, &["plan", "tiny.toml"]);
    assert!(plan.stdout.contains("+4 new, 0 done"), "{}", plan.stdout);
    assert!(!study.root().exists(), "a plan changes nothing");

    study.expect(0, &["launch", "tiny.toml"]);
    let rows = study.query(&["--sweep", "tiny", "--columns", "id,state,final_val,final_test"]);
    assert_eq!(rows.len(), 4);
    for row in &rows {
        assert_eq!(row["state"], "succeeded");
        let accuracy: f64 = row["final_test"].parse().expect("an accuracy");
        assert!(accuracy > 0.55, "chance is 0.1, this model learns more: {row:?}");
    }
    let attempts = "select count(*) as n from attempt";
    assert_eq!(study.query(&[attempts])[0]["n"], "4");

    let again = study.expect(0, &["launch", "tiny.toml"]);
    assert!(again.stderr.contains("nothing to run"), "{}", again.stderr);
    assert_eq!(study.query(&[attempts])[0]["n"], "4");

    study.write("tiny.toml", &sweep("[\"none\", \"light2\", \"medium1\"]"));
    let plan = study.expect(0, &["plan", "tiny.toml"]);
    assert!(plan.stdout.contains("+2 new, =4 shared (4 done)"), "{}", plan.stdout);
    study.expect(0, &["launch", "tiny.toml"]);
    assert_eq!(study.query(&[attempts])[0]["n"], "6");
    assert_eq!(study.query(&["--where", "augmentation=medium1"]).len(), 2);

    let out = study.path("report");
    let report = study.expect(0, &["report", "tiny", "--out", &out.to_string_lossy()]);
    assert!(report.stdout.contains("Na/7"), "{}", report.stdout);
    let page = std::fs::read_to_string(out.join("index.html")).expect("the page is there");
    assert!(page.contains("<svg") && page.contains("medium1"));
    let unknown = study.expect(2, &["report", "--with", "augreg-2021"]);
    assert!(unknown.stderr.contains("nothing was imported as `augreg-2021`"), "{}", unknown.stderr);
    study.expect(0, &["report", "--overlay", "paper", "--out", &out.to_string_lossy()]);
    let page = std::fs::read_to_string(out.join("index.html")).expect("the page is there");
    assert!(page.contains("paper, Table 3") && page.contains("id=\"index\""));
    for name in ["index.csv", "figure6.svg", "figure3.csv", "recommended.csv"] {
        assert!(out.join(name).exists(), "{name}");
    }
}

/// Thread: ray-project/ray#35742 (reading results resumed the experiment).
#[test]
fn ray_35742_reading_commands_change_nothing() {
    let study = Study::new();
    study.write("tiny.toml", &sweep("[\"none\"]").replace("epochs = 12", "epochs = 0.5"));
    study.expect(0, &["launch", "tiny.toml"]);
    let database = || std::fs::read(study.root().join("augreg.db")).expect("reads");
    let before = database();

    let job = study.query(&["--columns", "id"])[0]["id"].clone();
    for args in [
        &["status"][..],
        &["show", &job[..6]],
        &["plan", "tiny.toml"],
        &["query", "--format", "json"],
        &["query", "--format", "jsonl", "select * from v_jobs"],
        &["logs", &job],
        &["report", "--out", "out"],
    ] {
        study.expect(0, args);
    }
    let refused = study.expect(2, &["query", "delete from job"]);
    assert!(refused.stderr.contains("reading statement"), "{}", refused.stderr);
    assert_eq!(before, database());
}

#[test]
fn a_diverging_job_and_a_truncated_data_set_fail_by_name_and_the_sweep_goes_on() {
    let study = Study::new();
    let (from, to) = (augreg_tests::data().join("fashion-mnist"), study.path("copy"));
    std::fs::create_dir(&to).expect("creates");
    for file in std::fs::read_dir(from).expect("scripts/setup fetched the data") {
        let file = file.expect("an entry");
        std::fs::copy(file.path(), to.join(file.file_name())).expect("copies");
    }
    let copied =
        "[dataset.copy]\nformat = \"idx\"\npath = \"copy\"\nsplits = { train = \"train[:640]\" }\n";
    study.write(
        "tiny.toml",
        &format!(
            "{HEAD}\n{copied}\n\
             [[pretrain]]\ndataset = \"fashion\"\nepochs = 30\n{COMMON}\n\
             [[pretrain]]\ndataset = \"fashion\"\nepochs = 2\n{}\n\
             [[pretrain]]\ndataset = \"copy\"\nepochs = 1\n{COMMON}",
            COMMON.replace("4e-3", "1e6")
        ),
    );
    // One worker takes the longest job first, so the short one starts after its data were cut.
    let mut launch = study.start(&["launch", "tiny.toml", "--workers", "1"]);
    study.wait_for("select * from attempt");
    let images = to.join("train-images-idx3-ubyte");
    let file = std::fs::OpenOptions::new().write(true).open(&images).expect("opens");
    file.set_len(100_000).expect("truncates");
    let (status, stderr) = launch.wait(std::time::Duration::from_mins(2));
    assert_eq!(status.code(), Some(1), "{stderr}");

    let rows = study.query(&["--columns", "id,epochs,state,failure,message"]);
    let of = |epochs: f64| {
        let same =
            |text: &str| text.parse::<f64>().is_ok_and(|value| (value - epochs).abs() < 1e-9);
        rows.iter().find(|row| same(&row["epochs"])).expect("a row")
    };
    assert_eq!(of(30.0)["state"], "succeeded", "{rows:?}");
    assert_eq!(of(2.0)["failure"], "diverged", "{rows:?}");
    assert_eq!(of(1.0)["failure"], "data", "{rows:?}");
    let diverged = study.expect(0, &["show", &of(2.0)["id"]]).stdout;
    assert!(diverged.contains("diverged") && diverged.contains("step"), "{diverged}");
    let damaged = study.expect(0, &["show", &of(1.0)["id"]]).stdout;
    assert!(damaged.contains("train-images-idx3-ubyte") && damaged.contains("100000"), "{damaged}");
}

/// Thread: hydra-ecosystem/hydra#2919 (a cross product is silently incomplete).
#[test]
fn hydra_2919_the_quickstart_sweep_shows_how_its_jobs_are_counted() {
    let study = Study::new();
    let quickstart = concat!(env!("CARGO_MANIFEST_DIR"), "/../sweeps/quickstart.toml");
    let plan = study.expect(0, &["plan", quickstart]);
    let promised = "2 × 2 × 3 × 2 × 2 = 48 points, 28 excluded: 20 jobs";
    assert!(plan.stdout.contains(promised), "{}", plan.stdout);
    assert!(plan.stdout.contains("+20 new, 0 done"), "{}", plan.stdout);
}

#[test]
fn a_sweep_of_noops_needs_no_data_and_leaves_a_row_and_a_result_each() {
    let study = Study::new();
    study.write("idle.toml", "name = \"idle\"\n[noop]\ncount = 200\n");
    let plan = study.expect(0, &["plan", "idle.toml"]);
    assert!(plan.stdout.contains("+200 new"), "{}", plan.stdout);

    study.expect(0, &["--quiet", "launch", "idle.toml", "--workers", "2"]);
    let done = "select state, dataset, count(*) as n from v_jobs group by 1, 2";
    let rows = study.query(&[done]);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(
        (&*rows[0]["state"], &*rows[0]["dataset"], &*rows[0]["n"]),
        ("succeeded", "none", "200")
    );
    assert_eq!(study.query(&["select count(*) as n from attempt"])[0]["n"], "200");
    assert_eq!(study.query(&["select count(*) as n from result"])[0]["n"], "200");

    let again = study.expect(0, &["launch", "idle.toml"]);
    assert!(again.stderr.contains("nothing to run"), "{}", again.stderr);
    let job = study.query(&["--columns", "id", "--limit", "1"])[0]["id"].clone();
    let refused = study.augreg(&["verify-resume", &job]);
    assert!(
        refused.code != Some(0) && refused.stderr.contains("trains nothing"),
        "{}",
        refused.stderr
    );
}
