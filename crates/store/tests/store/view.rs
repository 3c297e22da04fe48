//! The views are a contract: their columns, their order, and what stands in them.

use std::collections::BTreeMap;

use augreg_protocol::{AttemptKey, FailureKind, JobState, JournalEvent};
use augreg_store::{Change, VIEWS, Value};

use crate::support::{Study, job, jobs, journal, start_of, text};

#[tokio::test]
async fn the_documented_columns_are_those_of_the_schema() {
    let study = Study::new().await;
    for view in VIEWS {
        let rows = study.store.sql(&format!("SELECT * FROM {}", view.name)).await;
        let documented: Vec<_> = view.columns.iter().map(|column| column.name).collect();
        assert_eq!(rows.expect("answers").columns, documented, "{}", view.name);
    }
    let views = study.sql("SELECT name FROM sqlite_schema WHERE type = 'view'").await;
    assert_eq!(views.len(), VIEWS.len(), "every view is documented");
}

/// Scripts and notebooks rely on these: add columns, never rename or remove one.
#[tokio::test]
async fn v_jobs_keeps_its_columns() {
    let study = Study::new().await;
    let rows = study.store.sql("SELECT * FROM v_jobs").await.expect("answers");
    insta::assert_snapshot!(rows.columns.join("\n"));
}

/// 1,000 training images in batches of 250: four steps an epoch.
#[tokio::test]
async fn an_epoch_is_summed_up_from_its_steps() {
    let grid = [job("light2", 3)];
    let study = Study::with(&grid).await;
    let attempt = AttemptKey { job: grid[0].id, number: 1 };
    study.start(attempt).await;
    let name = || "train_loss".to_owned();
    let evaluation = |step, accuracy| JournalEvent::Metrics {
        step,
        values: BTreeMap::from([("val_accuracy".to_owned(), accuracy)]),
    };
    let events = [
        start_of(0),
        JournalEvent::Series { name: name(), first: 1, values: vec![4.0, 3.0, 3.0] },
        evaluation(2, 0.25),
        JournalEvent::Series { name: name(), first: 4, values: vec![2.0, 1.5, 0.5] },
        evaluation(4, 0.5),
    ];
    study.store.ingest(attempt, &journal(attempt, events), 9, &[]).await.expect("ingests");

    let epochs = study
        .sql("SELECT epoch, step, train_loss, val_accuracy FROM v_epochs ORDER BY epoch")
        .await;
    let row = |epoch, step, loss, accuracy| {
        vec![Value::Integer(epoch), Value::Integer(step), Value::Real(loss), accuracy]
    };
    assert_eq!(epochs, [row(1, 4, 3.0, Value::Real(0.5)), row(2, 6, 1.0, Value::Null)]);
    let curve = study.store.curve(attempt.job, "train_loss").await.expect("reads");
    assert_eq!(curve, [(1, 4.0), (2, 3.0), (3, 3.0), (4, 2.0), (5, 1.5), (6, 0.5)]);
}

#[tokio::test]
async fn a_run_longer_than_a_row_is_split_and_a_later_attempt_overrides_only_what_it_saw() {
    let grid = [job("light2", 3)];
    let study = Study::with(&grid).await;
    let series =
        |first, values| JournalEvent::Series { name: "train_loss".to_owned(), first, values };
    let first = AttemptKey { job: grid[0].id, number: 1 };
    study.start(first).await;
    let lost = JournalEvent::Failed { kind: FailureKind::Lost, message: String::new(), step: 9 };
    let entries = journal(first, [start_of(0), series(1, vec![1.0; 3000]), lost]);
    study.store.ingest(first, &entries, 9, &[]).await.expect("ingests");
    let second = AttemptKey { job: grid[0].id, number: 2 };
    study.start(second).await;
    let entries = journal(second, [start_of(1023), series(1024, vec![2.0; 2])]);
    study.store.ingest(second, &entries, 9, &[]).await.expect("ingests");

    let curve = study.store.curve(first.job, "train_loss").await.expect("reads");
    let expected: Vec<_> = (1..=3000)
        .map(|step| (step, if matches!(step, 1024 | 1025) { 2.0 } else { 1.0 }))
        .collect();
    assert_eq!(curve, expected);
    assert_eq!(study.count("metric").await, 3002, "nothing is overwritten");
}

/// A study has millions of steps: whoever asks about one job must not wait for all of them.
#[tokio::test]
async fn a_question_about_one_job_reads_that_job_only() {
    let study = Study::new().await;
    for view in ["metric", "v_curves", "v_metrics", "v_epochs", "v_compute"] {
        let sql = format!("EXPLAIN QUERY PLAN SELECT * FROM {view} WHERE job_id = 'x'");
        for step in study.sql(&sql).await {
            let Some(Value::Text(step)) = step.last() else { panic!("{step:?}") };
            let whole = ["SCAN metric_series", "SCAN series", "SCAN job", "SCAN again"];
            assert!(!whole.iter().any(|scan| step.starts_with(scan)), "{view}: {step}");
        }
    }
}

/// The order of the published index.csv.
#[tokio::test]
async fn augreg_index_has_the_published_columns_in_the_published_order() {
    let study = Study::new().await;
    let rows = study.store.sql("SELECT * FROM augreg_index").await.expect("answers");
    assert_eq!(
        rows.columns,
        [
            "name",
            "ds",
            "epochs",
            "lr",
            "aug",
            "wd",
            "do",
            "sd",
            "best_val",
            "final_val",
            "final_test",
            "adapt_ds",
            "adapt_lr",
            "adapt_steps",
            "adapt_resolution",
            "adapt_final_val",
            "adapt_final_test",
            "params",
            "infer_samples_per_sec",
            "filename",
            "adapt_filename",
        ]
    );
}

#[tokio::test]
async fn augreg_index_names_presets_and_files_as_the_published_table_does() {
    let presets = ["none", "light1", "light2", "medium1", "medium2", "strong1", "strong2"];
    let grid: Vec<_> = presets.iter().map(|preset| job(preset, 0)).collect();
    let study = Study::with(&grid).await;
    for job in &grid[1..] {
        study.finish(job.id, 0.5).await;
    }
    let names = study.sql("SELECT aug FROM augreg_index").await;
    let published = ["light0", "light1", "medium1", "medium2", "strong1", "strong2"];
    assert_eq!(names, published.map(|name| vec![text(name)]), "an unfinished job has no row");
    let files = study.sql("SELECT filename FROM augreg_index WHERE aug = 'light0'").await;
    let stem = "R_Mu_7-fashion-30ep-lr_0.001-aug_light0-wd_0.03-do_0.1-sd_0.0";
    assert_eq!(files, [[text(stem)]]);
}

#[tokio::test]
async fn v_jobs_tells_a_job_in_one_row() {
    let grid = [job("light2", 3)];
    let study = Study::with(&grid).await;
    study.finish(grid[0].id, 0.75).await;
    let row = study
        .sql(
            "SELECT short_id, stage, dataset, model, augmentation, randaugment_layers,
                    randaugment_magnitude, mixup, dropout, stochastic_depth, weight_decay,
                    learning_rate, epochs, batch_size, resolution, loss, precision, seed, state,
                    final_val, final_test, steps, attempts, failure, device, host, started, ended
             FROM v_jobs",
        )
        .await;
    assert_eq!(
        row,
        [[
            text(&grid[0].id.short()),
            text("pretrain"),
            text("fashion"),
            text("R+Mu/7"),
            text("light2"),
            Value::Integer(2),
            Value::Integer(10),
            Value::Real(0.2),
            Value::Real(0.1),
            Value::Real(0.0),
            Value::Real(0.03),
            Value::Real(0.001),
            Value::Real(30.0),
            Value::Integer(250),
            Value::Integer(28),
            text("sigmoid"),
            text("fp32"),
            Value::Integer(3),
            text("succeeded"),
            Value::Real(0.75),
            Value::Real(0.74),
            Value::Integer(120),
            Value::Integer(1),
            Value::Null,
            text("cuda:1"),
            text("gpu7"),
            text("2023-11-14T22:13:20Z"),
            text("2023-11-14T22:13:22Z"),
        ]]
    );
}

#[tokio::test]
async fn v_jobs_has_every_setting_a_sweep_can_vary() {
    let study = Study::with(&[job("light2", 3)]).await;
    let columns = "crop, flip, warmup_steps, clip_norm, beta1, beta2, eps, head_bias, evaluations";
    let row = study.sql(&format!("SELECT {columns} FROM v_jobs")).await;
    assert_eq!(
        row,
        [[
            text("inception"),
            Value::Integer(1),
            Value::Integer(10),
            Value::Real(1.0),
            Value::Real(0.9),
            Value::Real(0.999),
            Value::Real(1e-8),
            Value::Real(-10.0),
            Value::Integer(3),
        ]]
    );
}

#[tokio::test]
async fn an_attempt_that_goes_on_in_other_micro_batches_is_not_exact_and_says_why() {
    let (study, job) = (Study::with(&jobs(1)).await, jobs(1)[0].id);
    for (number, from, images) in [(1, 0, 32), (2, 5, 32), (3, 6, 16)] {
        let attempt = AttemptKey { job, number };
        study.start(attempt).await;
        let images = JournalEvent::MicroBatch { images: images.try_into().expect("not 0") };
        let checkpoint = JournalEvent::Checkpoint { step: u64::from(number) + 4 };
        let stopped = JournalEvent::Stopped { step: u64::from(number) + 4 };
        let entries = journal(attempt, [start_of(from), images, checkpoint, stopped]);
        let queued = Change::JobState { job, state: JobState::Queued };
        study.store.ingest(attempt, &entries, 200, &[queued]).await.expect("ingests");
    }
    let boundaries = study.store.job(job).await.expect("reads").boundaries;
    let why: Vec<_> = boundaries.iter().map(|boundary| boundary.inexact.as_deref()).collect();
    assert_eq!(why, [None, Some("from 32 to 16 images at once")]);
    let images = study.sql("SELECT micro_batch FROM v_attempts ORDER BY number").await;
    assert_eq!(images, [[Value::Integer(32)], [Value::Integer(32)], [Value::Integer(16)]]);
}
