//! Other people's results: a source comes in whole or not at all.

use augreg_store::{Imported, OWN, Reference, StoreError, Value};

use crate::support::{Study, jobs, text};

/// So many rows, more than travel together, each with another accuracy of many digits.
fn rows(count: i64) -> Vec<Reference> {
    let row = |line: i64| Reference {
        line,
        model: "B/16".to_owned(),
        dataset: "i21k".to_owned(),
        epochs: 30.0,
        augmentation: Some("light2".to_owned()),
        final_val: Some(1.0 / (line as f64 + 2.0)),
        adapt_steps: Some(500),
        ..Reference::default()
    };
    (1..=count).map(row).collect()
}

#[tokio::test]
async fn a_source_is_new_then_unchanged_then_replaced_and_others_are_left_alone() {
    let study = Study::new().await;
    let import = async |source: &str, rows: &[Reference]| study.store.import(source, rows).await;
    assert_eq!(import("a", &rows(600)).await.expect("imports"), Imported::New);
    assert_eq!(import("b", &rows(2)).await.expect("imports"), Imported::New);
    assert_eq!(import("a", &rows(600)).await.expect("imports"), Imported::Unchanged);
    assert_eq!(import("a", &rows(256)).await.expect("imports"), Imported::Replaced(600));
    let counts = study.sql("SELECT source, count(*) FROM reference GROUP BY source").await;
    assert_eq!(counts, [[text("a"), Value::Integer(256)], [text("b"), Value::Integer(2)]]);
    let audit = study.sql("SELECT reason FROM event WHERE what = 'imported' ORDER BY id").await;
    let last = audit.last().map(|row| row[0].clone());
    assert_eq!((audit.len(), last), (3, Some(text("256 results as `a` in place of 600"))));

    let runs = study.store.runs(&["b".to_owned()]).await.expect("reads");
    assert_eq!(runs.len(), 2);
    assert_eq!((runs[1].final_val, runs[1].job_id.as_deref()), (Some(0.25), None));
}

#[tokio::test]
async fn a_source_that_cannot_be_stored_leaves_what_was_there() {
    let study = Study::new().await;
    study.store.import("a", &rows(3)).await.expect("imports");
    let mut twice = rows(600);
    twice[599].line = 1;
    study.store.import("a", &twice).await.expect_err("a line comes twice");
    assert_eq!(study.count("reference").await, 3);
    let mut high = rows(1);
    high[0].final_val = Some(79.5);
    study.store.import("b", &high).await.expect_err("no fraction");
    assert_eq!(study.count("reference").await, 3);
    assert_eq!(study.store.import("a", &rows(3)).await.expect("goes on"), Imported::Unchanged);
}

#[tokio::test]
async fn runs_are_own_or_of_a_source_that_there_is() {
    let study = Study::with(&jobs(2)).await;
    study.finish(jobs(2)[0].id, 0.5).await;
    study.store.import("theirs", &rows(3)).await.expect("imports");
    let own = study.store.runs(&[]).await.expect("reads");
    assert_eq!((own.len(), own[0].source.as_str()), (1, OWN));
    assert_eq!(own[0].job_id, Some(jobs(2)[0].id.to_string()));
    let unknown = study.store.runs(&["their".to_owned()]).await.expect_err("there is none");
    assert!(matches!(unknown, StoreError::UnknownSource { .. }));
    assert_eq!(unknown.to_string(), "nothing was imported as `their`; there is `theirs`");
}
