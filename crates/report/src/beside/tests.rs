use super::*;

/// The value of a column in the one row that has these values.
fn value(rows: &Rows, about: &[(&str, Value)], column: &str) -> Value {
    let place = |name: &str| rows.columns.iter().position(|c| c == name).expect("a column");
    let mut found =
        rows.rows.iter().filter(|row| about.iter().all(|(name, value)| row[place(name)] == *value));
    let row = found.next().expect("a row");
    assert_eq!(found.next(), None, "one row");
    row[place(column)].clone()
}

/// A run of B/32 on ImageNet-21k for 300 epochs.
fn run(job: &str, augmentation: &str, weight_decay: f64, final_val: f64) -> Run {
    Run {
        job_id: Some(job.to_owned()),
        model: "B/32".to_owned(),
        dataset: "i21k".to_owned(),
        epochs: 300.0,
        learning_rate: Some(0.001),
        augmentation: Some(augmentation.to_owned()),
        weight_decay: Some(weight_decay),
        dropout: Some(0.0),
        stochastic_depth: Some(0.0),
        final_val: Some(final_val),
        final_test: Some(final_val),
        ..Run::default()
    }
}

fn adapted(run: &Run, job: &str, dataset: &str, resolution: u32, val: f64, test: f64) -> Run {
    Run {
        adapt_job_id: Some(job.to_owned()),
        adapt_dataset: Some(dataset.to_owned()),
        adapt_resolution: Some(resolution),
        adapt_final_val: Some(val),
        adapt_final_test: Some(test),
        ..run.clone()
    }
}

#[test]
fn alone_a_table_has_its_published_numbers_and_no_others() {
    let rows = Table::Figure4.alone();
    assert_eq!(rows.rows.len(), 3 * 9 * 14);
    assert_eq!(rows.columns.last().map(String::as_str), Some("published"));
    assert_eq!(Table::Table3.alone().rows.len(), 9 * 11);
    assert_eq!(Table::Table5.alone().rows.len(), 27 * (19 + 3));
    assert_eq!(Table::Figure5.alone().rows.len(), 9 * 6);
}

#[test]
fn a_cell_of_figure_4_is_the_best_weight_decay_by_its_mean_over_seeds() {
    let one = run("a", "light2", 0.1, 0.50);
    let runs = [
        adapted(&one, "x", "cifar100", 224, 0.9, 0.9),
        adapted(&one, "y", "cifar100", 384, 0.9, 0.9),
        run("b", "light2", 0.1, 0.40), // The same setting with another seed: 45 % on average.
        run("c", "light2", 0.03, 0.46),
    ];
    let rows = Table::Figure4.beside(&runs);
    let about = [
        ("dataset", "i21k".into()),
        ("epochs", Value::Integer(300)),
        ("model", "B/32".into()),
        ("augmentation", "light2".into()),
        ("regularization", Value::Real(0.0)),
    ];
    assert_eq!(value(&rows, &about, "published"), Value::Real(48.0));
    assert_eq!(value(&rows, &about, "own"), Value::Real(46.0));
    assert_eq!(value(&rows, &about, "difference"), Value::Real(-2.0));
    assert_eq!(value(&rows, &about, "runs"), Value::Integer(3));
    let others = rows.rows.iter().filter(|row| row[6] != Value::Null);
    assert_eq!(others.count(), 1, "no other cell has a number");
}

/// The upstream run is chosen upstream, its adaptation downstream, and neither by its test accuracy.
#[test]
fn table_3_and_figure_5_choose_by_validation_alone() {
    let (best, other) = (run("a", "light2", 0.1, 0.48), run("b", "none", 0.1, 0.42));
    let runs = [
        adapted(&best, "p", "imagenet2012", 384, 0.80, 0.83),
        adapted(&best, "q", "imagenet2012", 384, 0.81, 0.82),
        adapted(&best, "r", "imagenet2012", 224, 0.70, 0.79),
        adapted(&other, "s", "imagenet2012", 384, 0.90, 0.84),
        adapted(&other, "t", "imagenet2012", 224, 0.69, 0.99),
    ];
    let rows = Table::Table3.beside(&runs);
    let about = |resolution: i64| {
        [
            ("model", "B/32".into()),
            ("what", "fine-tuned".into()),
            ("dataset", "i21k".into()),
            ("epochs", Value::Integer(300)),
            ("resolution", Value::Integer(resolution)),
        ]
    };
    assert_eq!(value(&rows, &about(384), "own"), Value::Real(82.0));
    assert_eq!(value(&rows, &about(384), "difference"), Value::Real(-1.59));
    assert_eq!(value(&rows, &about(224), "own"), Value::Real(79.0));

    let rows = Table::Figure5.beside(&runs);
    let about = |split: &str| {
        let dataset = ("adapt_dataset", "imagenet2012".into());
        [("model", "B/32".into()), dataset, ("chosen_on", split.into())]
    };
    assert_eq!(value(&rows, &about("validation"), "own"), Value::Real(-2.0));
    assert_eq!(value(&rows, &about("validation"), "published"), Value::Real(6.2));
    assert_eq!(value(&rows, &about("ImageNet-V2"), "own"), Value::Null);
}

#[test]
fn a_mean_of_table_5_needs_every_task_of_its_group() {
    let run = run("a", "light2", 0.1, 0.48);
    let specialized = ["patch_camelyon", "eurosat", "resisc45", "diabetic_retinopathy"];
    let mut runs: Vec<_> = specialized
        .iter()
        .zip([0.86, 0.98, 0.96, 0.80])
        .map(|(task, test)| adapted(&run, task, &format!("vtab-{task}"), 224, 0.5, test))
        .collect();
    let mean = |runs: &[Run]| {
        let about = [
            ("dataset", "i21k".into()),
            ("epochs", Value::Integer(300)),
            ("model", "B/32".into()),
            ("group", "specialized".into()),
            ("task", "mean".into()),
        ];
        value(&Table::Table5.beside(runs), &about, "own")
    };
    assert_eq!(mean(&runs), Value::Real(90.0));
    runs.pop();
    assert_eq!(mean(&runs), Value::Null);
}

/// What a study that holds the published cells makes of them is the published figure.
#[test]
fn figure_4_beside_itself_differs_nowhere() {
    let runs: Vec<Run> = paper::figure4_references()
        .into_iter()
        .map(|row| Run {
            model: row.model,
            dataset: row.dataset,
            epochs: row.epochs,
            augmentation: row.augmentation,
            dropout: row.dropout,
            stochastic_depth: row.stochastic_depth,
            final_val: row.final_val,
            ..Run::default()
        })
        .collect();
    let rows = Table::Figure4.beside(&runs);
    assert_eq!(rows.rows.len(), 378);
    assert!(rows.rows.iter().all(|row| row[7] == Value::Real(0.0) && row[8] == Value::Integer(1)));
}
