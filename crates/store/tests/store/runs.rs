//! The finished runs that figures are drawn from.

use augreg_protocol::FailureKind;
use augreg_store::{AUGREG_INDEX, StoreError};
use sqlx::{ConnectOptions, Executor};

use crate::support::{Study, jobs};

#[tokio::test]
async fn own_runs_come_with_the_size_of_their_data_and_imported_ones_where_they_are_asked_for() {
    let grid = jobs(3);
    let study = Study::with(&grid).await;
    study.finish(grid[1].id, 0.75).await;
    study.fail(grid[2].id, FailureKind::Diverged, "the loss is not a number").await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(study.database());
    let mut connection = options.connect().await.expect("opens");
    for (source, line, test) in [("paper", 2, 0.5), ("paper", 1, 0.25), ("other", 1, 0.125)] {
        let row = format!(
            "INSERT INTO reference (source, line, model, dataset, epochs, adapt_dataset,
                 adapt_resolution, adapt_final_test, infer_images_per_second)
             VALUES ('{source}', {line}, 'B/16', 'i21k', 300.0, 'pets', 384, {test}, 138.0)"
        );
        connection.execute(sqlx::AssertSqlSafe(row)).await.expect("inserts");
    }

    let own = study.store.runs(&[]).await.expect("reads");
    assert_eq!(own.len(), 1, "what has no result is no run");
    assert_eq!(own[0].source, "own");
    assert_eq!(own[0].job_id.as_deref(), Some(grid[1].id.to_string().as_str()));
    assert_eq!((own[0].train_examples, own[0].final_val), (Some(1000), Some(0.75)));
    assert_eq!(own[0].adapt_dataset, None);

    let with = study.store.runs(&["paper".to_owned()]).await.expect("reads");
    let tests: Vec<_> = with.iter().map(|run| (&*run.source, run.adapt_final_test)).collect();
    assert_eq!(tests, [("own", None), ("paper", Some(0.25)), ("paper", Some(0.5))]);
    assert_eq!(with[1].infer_images_per_second, Some(138.0));
    assert_eq!((with[1].job_id.as_ref(), with[1].train_examples), (None, None));

    let error = study.store.runs(&["papers".to_owned()]).await.expect_err("nobody's");
    let StoreError::UnknownSource { name, known } = error else { panic!("{error}") };
    assert_eq!((name.as_str(), known), ("papers", vec!["other".to_owned(), "paper".to_owned()]));
    let index = study.store.index().await.expect("reads");
    let names: Vec<_> = AUGREG_INDEX.columns.iter().map(|column| column.name).collect();
    assert_eq!(
        (index.columns, index.rows.len()),
        (names.iter().map(|n| (*n).to_owned()).collect(), 1)
    );
    assert_eq!(index.rows[0].len(), names.len());
}
