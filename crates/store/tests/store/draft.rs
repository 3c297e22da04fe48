//! A new database is made with its first sweep, whole or not at all.

use std::path::Path;
use std::time::Duration;

use augreg_spec::Job;
use augreg_store::{Difference, NewSweep, Rows, Store, StoreError, Value};

use crate::support::{Study, datasets, jobs, text};

async fn create(root: &Path, jobs: Vec<Job>) -> Result<(Store, Difference), StoreError> {
    let (datasets, jobs) = (datasets("/data"), &mut jobs.into_iter());
    let sweep = NewSweep {
        name: "mini",
        text: "name = …",
        jobs,
        datasets: &datasets,
        priority: 0,
        rules: None,
    };
    Store::create_or_open_with(root, sweep).await
}

async fn sql(store: &Store, sql: &str) -> Vec<Vec<Value>> {
    let Rows { rows, .. } = store.sql(sql).await.expect("answers");
    rows
}

fn names(root: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(root).expect("is there").flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

#[tokio::test]
async fn a_database_made_with_its_sweep_holds_what_one_holds_that_came_to_it_later() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (whole, difference) = create(folder.path(), jobs(700)).await.expect("creates");
    assert_eq!(difference, Difference::all_new(700));
    let grown = Study::with(&jobs(700)).await;
    for table in [
        "SELECT ordinal, id, state, stage, dataset_fingerprint, labels, spec, flops FROM job",
        "SELECT * FROM member",
        "SELECT * FROM tally",
        "SELECT fingerprint, name, source FROM dataset",
        "SELECT name, text FROM sweep",
        "SELECT actor, what, reason FROM event",
        "SELECT type, name, sql FROM sqlite_schema",
    ] {
        assert_eq!(sql(&whole, table).await, grown.sql(table).await, "{table}");
    }
    let sound = sql(&whole, "SELECT * FROM pragma_integrity_check").await;
    assert_eq!(sound, [[text("ok")]]);
    assert!(sql(&whole, "SELECT * FROM pragma_foreign_key_check").await.is_empty());
    let log = sql(&whole, "SELECT journal_mode FROM pragma_journal_mode").await;
    assert_eq!(log, [[text("wal")]], "from now on");

    whole.close().await;
    assert_eq!(names(folder.path()), ["augreg.db"]);
    let (again, difference) = create(folder.path(), jobs(701)).await.expect("opens");
    assert_eq!((difference.new, difference.shared), (1, 700));
    again.close().await;
}

#[tokio::test]
async fn a_database_given_up_half_way_is_no_study_and_the_next_begins_anew() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let making = create(folder.path(), jobs(20_000));
    let given_up = tokio::time::timeout(Duration::from_millis(100), making).await;
    assert!(given_up.is_err(), "20,000 jobs take longer than 100 ms");
    assert_eq!(names(folder.path()), ["augreg.db-draft"]);
    let look = Store::look(folder.path()).await;
    assert!(matches!(look, Err(StoreError::NoStudy { .. })), "{look:?}");

    let (store, difference) = create(folder.path(), jobs(2)).await.expect("creates");
    assert_eq!(difference, Difference::all_new(2));
    store.close().await;
    assert_eq!(names(folder.path()), ["augreg.db"]);
}

#[tokio::test]
async fn a_database_that_cannot_be_made_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (jobs, none) = (&mut jobs(2000).into_iter(), []);
    let sweep =
        NewSweep { name: "mini", text: "", jobs, datasets: &none, priority: 0, rules: None };
    let refused = Store::create_or_open_with(folder.path(), sweep).await;
    assert!(matches!(refused, Err(StoreError::UnknownDataset { .. })), "{refused:?}");
    assert!(names(folder.path()).is_empty());
}
