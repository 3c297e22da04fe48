//! The sweep files of the paper: planned by the built binary without a byte of their data, and as large
//! as the paper and its released table say.

use std::time::{Duration, Instant};

use augreg_tests::{Ran, Study};

/// Plans a sweep file that ships, on an A100, in a place where there are no data.
fn plan(name: &str, more: &[&str]) -> String {
    let file = format!("{}/../sweeps/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let study = Study::new();
    let mut command = study.command(&["plan", &file, "--device", "A100"]);
    for variable in ["IMAGENET", "IMAGENET21K", "CIFAR100", "PETS37", "RESISC45", "KITTI", "VTAB"] {
        command.env_remove(variable);
    }
    let output = command.args(more).output().expect("run `cargo build --workspace` first");
    let ran = Ran::from(output);
    assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
    assert!(!study.root().exists(), "nothing is created");
    ran.stdout
}

/// How many jobs a plan says there are, and in days of an A100 what they take.
fn jobs_and_days(plan: &str) -> (u64, f64) {
    let number = |text: &str| text.replace(',', "").parse::<f64>().expect("a number");
    let jobs = plan.lines().find_map(|line| line.strip_suffix(" jobs")?.rsplit(' ').next());
    let days = plan.lines().find_map(|line| line.strip_prefix("device   ")?.split(' ').next());
    (number(jobs.expect("says how many jobs")) as u64, number(days.expect("is priced")))
}

#[test]
fn the_two_pretraining_sweeps_are_the_studys_756() {
    let [small, large] = ["augreg-imagenet1k", "augreg-imagenet21k"].map(|name| plan(name, &[]));
    assert_eq!(jobs_and_days(&small).0, 252, "paper §3.3: 9 × 7 × 2 × 2");
    assert_eq!(jobs_and_days(&large).0, 504, "for 30 and for 300 epochs");
    for plan in [small, large] {
        assert!(plan.contains("data not found at /path/to/imagenet"), "{plan}");
        assert!(
            plan.contains("counts are as declared; nothing is compared with the study"),
            "{plan}"
        );
    }
}

/// 92,897 steps are the reference's `round(300 · 1,268,355 / 4096)`, `big_vision` `utils.py`.
#[test]
fn a_declared_data_set_gives_the_steps_that_the_study_took_and_no_ids() {
    let jobs = plan("augreg-imagenet1k", &["--jobs"]);
    let steps = jobs.lines().filter(|line| line.contains(" 92897 steps ")).count();
    assert_eq!(steps, 252);
    assert!(jobs.lines().any(|line| line.starts_with("--------------------------  i1k  L/16")));
}

/// The operations of a forward pass of B/16 at 224 are published: 17.58 G multiply-accumulates (timm,
/// `benchmark-infer-*.csv`). Its 300 epochs take three passes an example, and ten validations.
#[test]
fn a_job_costs_what_published_operations_make_of_it() {
    let jobs = plan("augreg-imagenet1k", &["--jobs"]);
    let b16 = jobs.lines().find(|line| line.contains("  B/16  none  reg 0  ")).expect("is planned");
    let images = 92_897.0 * 4096.0 * 3.0 + 10.0 * 12_812.0 + 50_000.0;
    let expected = 2.0 * 17.58e9 * images / 1e18;
    let said = b16.rsplit("  ").next().and_then(|last| last.strip_suffix(" EFLOP"));
    let said: f64 = said.and_then(|number| number.parse().ok()).expect("a price");
    assert!((said / expected - 1.0).abs() < 0.02, "{said} against {expected} EFLOP");
}

#[test]
fn training_from_scratch_is_as_large_as_appendix_a_says() {
    for (name, counts) in [("pets37", [1920, 288]), ("resisc45", [2304, 240])] {
        let plan = plan(&format!("augreg-scratch-{name}"), &["--jobs"]);
        assert_eq!(jobs_and_days(&plan).0, counts[0] + counts[1], "{name}");
        for (model, count) in [("B/32", counts[0]), ("B/16", counts[1])] {
            let of_model =
                plan.lines().filter(|line| line.contains(&format!("  {model}  "))).count();
            assert_eq!(of_model as u64, count, "{name} {model}");
        }
    }
}

#[test]
fn fifty_one_thousand_transfers_are_planned_in_a_moment() {
    let begun = Instant::now();
    let released = plan("augreg-transfer", &[]);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(jobs_and_days(&released).0, 756 + 756 * 68);
    assert_eq!(jobs_and_days(&plan("augreg-transfer-table4", &[])).0, 756 + 756 * 52);
}
