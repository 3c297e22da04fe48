//! The sweep files of the paper: planned by the built binary without a byte of their data, and as large
//! as the paper and its released table say.

use std::path::Path;
use std::time::{Duration, Instant};

use augreg_spec::{SplitName, Surroundings, Sweep, VTAB, vtab_task};
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

/// With all of their data there: 112 pre-trainings and their 448 transfers, 96 from scratch, speeds of two
/// models; and what follows from 4 choices.
#[test]
fn the_miniatures_are_as_large_as_they_say() {
    let study = plan("fashion-study", &[]);
    assert_eq!(jobs_and_days(&study).0, 112 + 112 * 4 + 96 + 2);
    assert!(
        study.contains("4 choices are open: when their candidates have ended, 12 jobs"),
        "{study}"
    );
    assert!(!study.contains("data not found"), "scripts/setup --with-study fetches it");
    assert_eq!(jobs_and_days(&plan("quickstart", &[])).0, 20);
}

/// Reads a sweep file that ships, with no environment.
fn parsed(name: &str) -> Sweep {
    let base = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../sweeps"));
    let read = |path: &Path| std::fs::read_to_string(path);
    let around = Surroundings { base, variable: &|_| None, read: &read, nested: 0 };
    let text = read(&base.join(format!("{name}.toml"))).expect("ships");
    Sweep::parse(name, &text, &around).expect("is right")
}

#[test]
fn the_tasks_of_vtab_are_declared_as_its_source_has_them() {
    let sweep = parsed("augreg-vtab");
    let tasks = sweep.datasets.iter().filter(|(name, _)| name.starts_with("vtab-"));
    assert_eq!(tasks.clone().count(), VTAB.len());
    for (name, definition) in tasks {
        let task = vtab_task(name).unwrap_or_else(|| panic!("`{name}` is no task"));
        let identity = definition.declared_identity().expect("says what it holds");
        let counts = [SplitName::Train, SplitName::Val, SplitName::Test];
        let counts = counts.map(|split| identity.examples(split));
        assert_eq!(counts, [task.train, task.val, task.test].map(u64::from), "{name}");
        assert_eq!(identity.classes, task.classes, "{name}");
    }
}

#[test]
fn vtab_adapts_one_checkpoint_of_every_model_and_upstream_set_to_nineteen_tasks_in_eight_ways() {
    let plan = plan("augreg-vtab", &[]);
    assert_eq!(jobs_and_days(&plan).0, 756, "which they are is open: {plan}");
    assert_eq!(9 * 3 * 19 * 8, 4104);
    assert!(plan.contains("54 choices are open") && plan.contains("4,104 jobs more"), "{plan}");
}

#[test]
fn throughput_is_measured_at_both_resolutions() {
    assert_eq!(jobs_and_days(&plan("augreg-throughput", &[])).0, 9 * 2);
}

/// The page shows what `plan` says, row by row.
#[test]
fn the_page_on_the_papers_sweeps_has_their_plans() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/paper-sweeps.md");
    let page = std::fs::read_to_string(page).expect("is there");
    let files: Vec<_> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../sweeps"))
        .expect("ships")
        .filter_map(|file| Some(file.ok()?.path().file_stem()?.to_str()?.to_owned()))
        .filter(|name| name.starts_with("augreg-"))
        .collect();
    assert_eq!(files.len(), 8, "{files:?}");
    for name in files {
        let plan = plan(&name, &[]);
        let (jobs, days) = jobs_and_days(&plan);
        let compute =
            plan.lines().find_map(|line| line.strip_prefix("compute  ")?.split(" to do").next());
        let row = page.lines().find(|line| {
            line.contains(&format!("({name}.toml")) || line.contains(&format!("/{name}.toml)"))
        });
        let row = row.unwrap_or_else(|| panic!("the page has no row of {name}"));
        let text = row.replace(',', "");
        for said in [jobs.to_string(), compute.expect("is priced").to_owned(), format!("{days:.0}")]
        {
            assert!(text.contains(&format!("| {said} |")), "{name}: no `{said}` in {row}");
        }
    }
}
