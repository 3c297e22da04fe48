//! What jobs cost, at equal cost, within a budget, and as foretold: on a real little sweep.

use augreg_tests::{COMMON, HEAD, Study};

/// Jobs of one and of two epochs, 63 and 125 steps of 64 examples, each evaluated at five steps.
fn sweep(extra: &str) -> String {
    let common = COMMON.replace("evaluations = 2", "evaluations = 5");
    format!(
        "{HEAD}\n{extra}\n[pretrain]\ndataset = \"fashion\"\naugmentation = \"none\"\nepochs = [1, 2]\n{common}"
    )
}

fn rows(study: &Study, sql: &str) -> Vec<serde_json::Value> {
    let ran = study.expect(0, &["query", "--format", "json", sql]);
    serde_json::from_str(&ran.stdout).expect("JSON")
}

fn ids(study: &Study) -> [String; 2] {
    let rows = rows(study, "select id from v_jobs order by epochs limit 2");
    [0, 1].map(|i| rows[i]["id"].as_str().expect("an id").to_owned())
}

#[test]
fn what_jobs_cost_is_counted_compared_and_held_against_the_forecast() {
    let study = Study::new();
    let budget = "[budget]\ndevice_hours = 10\ndisk = \"1 GB\"\nflops = \"1 PFLOP\"\n";
    study.write("tiny.toml", &sweep(budget));
    let plan = study.expect(0, &["plan", "tiny.toml"]).stdout;
    for said in
        ["budget   0 % of 10.00 device-hours: 0.00", "of 1.00 GB: ", "of 1.00 PFLOP: 0 FLOP"]
    {
        assert!(plan.contains(said), "no `{said}` in\n{plan}");
    }
    let said = study.expect(0, &["launch", "tiny.toml", "--workers", "1"]).stderr;
    assert!(said.contains("tiny: about ") && said.contains("nominal until"), "{said}");

    let costs = rows(
        &study,
        "select c.*, j.epochs, j.flops from v_compute c join v_jobs j on j.id = c.job_id order by epochs",
    );
    for (row, steps) in costs.iter().zip([63, 125]) {
        assert_eq!(row["steps_seen"], steps, "{row}");
        assert_eq!(row["images_seen"], steps * 64);
        assert_eq!(row["flops_seen"], row["flops"], "nothing was repeated");
        assert_eq!(row["flops_useful"], row["flops"]);
        assert!(row["device_seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{row}");
        assert!(row["energy_joules"].is_null(), "CPUs are not asked");
    }
    let groups = rows(&study, "select compute, count(*) as n from v_compute group by compute");
    assert_eq!(groups.len(), 2, "{groups:?}");

    compare(&study);

    let status = study.expect(0, &["status"]).stdout;
    assert!(status.contains(" device-hours of 10.00 device-hours spent"), "{status}");
    let forecast = status.lines().find(|line| line.contains("device time: predicted"));
    assert!(forecast.is_some_and(|line| line.contains("the interval")), "{status}");
    assert!(status.contains("wall-clock time: predicted"), "{status}");
    let scored = rows(&study, "select * from v_forecasts");
    assert_eq!((&scored[0]["jobs"], &scored[0]["finished"]), (&2.into(), &2.into()));
    let spent: f64 = costs.iter().filter_map(|row| row["device_seconds"].as_f64()).sum();
    let took = scored[0]["device_seconds"].as_f64().expect("it has ended");
    assert!((took - spent).abs() < 1e-6, "{took} {spent}");

    study.write("tiny.toml", &sweep(budget).replace("[1, 2]", "[1, 2, 3]"));
    let plan = study.expect(0, &["plan", "tiny.toml"]).stdout;
    assert!(plan.contains("measured over 2 jobs"), "{plan}");
}

/// The curves of both jobs have five points; the shorter ends at step 63.
fn compare(study: &Study) {
    let [short, long] = ids(study);
    let json = |extra: &[&str]| -> Vec<serde_json::Value> {
        let args = [&["compare", &short, &long, "--format", "json"], extra].concat();
        serde_json::from_str(&study.expect(0, &args).stdout).expect("JSON")
    };
    for yardstick in ["flops", "device-seconds", "examples"] {
        let found = json(&["--at-equal", yardstick]);
        assert!(!found.is_empty(), "{yardstick}");
        for row in &found {
            let [a, b, difference] =
                ["a", "b", "difference"].map(|name| row[name].as_f64().expect("a number"));
            assert!((0.0..=1.0).contains(&a) && (0.0..=1.0).contains(&b), "{row}");
            assert!((a - b - difference).abs() < 1e-8, "{row}");
        }
    }
    // At 63 steps of 64 examples A has its last point, B is between two.
    let curve = |id: &str, step: u64| {
        let sql = format!(
            "select value from v_curves where job_id = '{id}' and name = 'val_accuracy' and step = {step}"
        );
        rows(study, &sql)[0]["value"].as_f64().expect("a value")
    };
    let found = json(&["--at-equal", "examples"]);
    assert_eq!(found[0]["examples"].as_f64(), Some(63.0 * 64.0));
    assert_eq!(found[0]["a_between_steps"], "63");
    assert_eq!(found[0]["b_between_steps"], "50–75");
    let (before, after) = (curve(&long, 50), curve(&long, 75));
    let expected = before + (after - before) * 13.0 / 25.0;
    assert!((found[0]["b"].as_f64().expect("a value") - expected).abs() < 1e-9);
    assert!((found[0]["a"].as_f64().expect("a value") - curve(&short, 63)).abs() < 1e-9);

    let text = study.expect(0, &["compare", "epochs=1,model=Na/7", "model=Na/7"]).stdout;
    assert!(
        text.starts_with("val_accuracy at equal flops\nA  epochs=1,model=Na/7: 1 run, 5 points")
    );
    assert!(text.contains("B  model=Na/7: 2 runs, their mean, 10 points"), "{text}");

    for (args, said) in [
        (vec!["compare", "zzzz", &long], "zzzz"),
        (vec!["compare", "epochs=7", &long], "no job passes `epochs=7`"),
        (vec!["compare", "epoch=1", &long], "did you mean `epochs`"),
        (vec!["compare", &short, &long, "--metric", "val_acuracy"], "--metric val_accuracy"),
        (vec!["compare", &short, &long, "--at-equal", "watts"], "device-seconds"),
    ] {
        let refused = study.expect(2, &args);
        assert!(refused.stderr.contains(said), "no `{said}` in\n{}", refused.stderr);
    }
    let alone = study.expect(0, &["compare", &short, &long, "--metric", "test_accuracy"]).stdout;
    assert!(alone.contains("not enough points to say: one curve ends at"), "{alone}");
}

#[test]
fn a_sweep_beyond_its_budget_is_refused_with_both_numbers_and_its_place() {
    let study = Study::new();
    study.write("tiny.toml", &sweep("[budget]\nflops = \"1 GFLOP\"\n"));
    let plan = study.expect(0, &["plan", "tiny.toml"]).stdout;
    assert!(
        plan.contains("of 1.00 GFLOP: 0 FLOP spent") && plan.contains("refuses that"),
        "{plan}"
    );
    let refused = study.expect(2, &["launch", "tiny.toml"]).stderr;
    for said in
        ["GFLOP, and its budget is 1.00 GFLOP", "tiny.toml:17:9", "shorten an axis", "--force"]
    {
        assert!(refused.contains(said), "no `{said}` in\n{refused}");
    }
    assert!(!study.root().exists(), "nothing is created");

    // What is only registered spends nothing; what would spend it is refused again.
    study.expect(0, &["launch", "tiny.toml", "--register-only"]);
    let refused = study.expect(2, &["resume"]).stderr;
    assert!(refused.contains("its budget is 1.00 GFLOP"), "{refused}");
    assert!(refused.contains("`tiny` as launched"), "{refused}");
    study.expect(0, &["resume", "--force"]);
    let status = study.expect(0, &["status", "tiny"]).stdout;
    assert!(status.contains("of 1.00 GFLOP spent: over its budget"), "{status}");
    // All is done: it takes nothing more.
    study.expect(0, &["resume"]);

    for (budget, said) in [
        ("device_hours = 0.000001", "and its budget is 1.0e-6 device-hours"),
        ("disk = \"1 kB\"", "MB, and its budget is 1.00 kB"),
    ] {
        let text = sweep(&format!("[budget]\n{budget}\n")).replace("[1, 2]", "[1, 2, 3]");
        study.write("tiny.toml", &text);
        let refused = study.expect(2, &["launch", "tiny.toml"]).stderr;
        assert!(refused.contains(said) && refused.contains("tiny.toml:17:"), "{refused}");
    }
    for (budget, said) in [
        ("device_hours = \"10 h\"", "`device_hours` must be a number of hours"),
        ("disk = -5", "`disk` must be above 0"),
        ("flops = \"3 parsec\"", "`flops` is `3 parsec`, which is no amount"),
        ("wats = 3", "unknown key in [budget]: `wats`"),
    ] {
        study.write("bad.toml", &sweep(&format!("[budget]\n{budget}\n")));
        for command in ["plan", "launch"] {
            let refused = study.expect(2, &[command, "bad.toml"]).stderr;
            assert!(refused.contains(said) && refused.contains("bad.toml:17:"), "{refused}");
        }
    }
}
