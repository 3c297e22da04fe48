//! Opening: what is there, whose it is, of which version.

use std::path::Path;

use augreg_store::{Store, StoreError};
use sqlx::{ConnectOptions, Connection, Executor};

use crate::support::{Study, jobs};

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("reads the folder");
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.expect("an entry").file_name().to_string_lossy().into_owned()
    };
    let mut names: Vec<_> = entries.map(name).collect();
    names.sort();
    names
}

async fn execute(path: &Path, sql: &'static str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.connect().await.expect("opens");
    connection.execute(sql).await.expect("executes");
    connection.close().await.expect("closes");
}

#[tokio::test]
async fn a_folder_without_a_study_is_named_and_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for root in [folder.path().to_owned(), folder.path().join("nowhere")] {
        let opened = Store::open(&root).await;
        assert!(matches!(opened, Err(StoreError::NoStudy { path }) if path == root));
        let opened = Store::open_read_only(&root).await;
        assert!(matches!(opened, Err(StoreError::NoStudy { path }) if path == root));
    }
    assert_eq!(names(folder.path()), [""; 0]);
}

#[tokio::test]
async fn a_study_is_created_from_scratch_and_opened_again() {
    let study = Study::with(&jobs(3)).await;
    study.store.clone().close().await;
    assert_eq!(names(study.root()), ["augreg.db"], "no log is left behind");

    for store in [
        Store::open(study.root()).await.expect("opens"),
        Store::create_or_open(study.root()).await.expect("opens"),
        Store::open_read_only(study.root()).await.expect("opens"),
    ] {
        assert_eq!(store.counts(None).await.expect("counts").total(), 3);
        store.close().await;
    }
}

#[tokio::test]
async fn reading_changes_no_byte_and_leaves_no_file() {
    let study = Study::with(&jobs(3)).await;
    study.store.clone().close().await;
    let before = std::fs::read(study.database()).expect("reads");

    let reader = Store::open_read_only(study.root()).await.expect("opens");
    assert_eq!(reader.pending(Some("mini")).await.expect("reads").len(), 3);
    assert!(matches!(reader.apply(&[]).await, Err(StoreError::ReadOnly)));
    assert!(matches!(reader.set_cancelled(&[], "").await, Err(StoreError::ReadOnly)));
    reader.close().await;

    assert_eq!(std::fs::read(study.database()).expect("reads"), before);
    assert_eq!(names(study.root()), ["augreg.db"]);
}

#[tokio::test]
async fn a_closed_store_neither_writes_nor_reads() {
    let study = Study::with(&jobs(1)).await;
    study.store.clone().close().await;
    assert!(matches!(study.store.apply(&[]).await, Err(StoreError::Closed)));
    assert!(matches!(study.store.set_cancelled(&[], "").await, Err(StoreError::Closed)));
    assert!(matches!(study.store.counts(None).await, Err(StoreError::Closed)));
}

#[tokio::test]
async fn a_database_of_a_newer_augreg_is_refused_with_both_versions() {
    let study = Study::with(&jobs(1)).await;
    study.store.clone().close().await;
    execute(
        &study.database(),
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9000, 'from the future', 1, x'00', 0)",
    )
    .await;
    let before = std::fs::read(study.database()).expect("reads");

    for opened in [
        Store::open(study.root()).await,
        Store::create_or_open(study.root()).await,
        Store::open_read_only(study.root()).await,
    ] {
        let error = opened.expect_err("is newer");
        assert!(matches!(error, StoreError::Newer { found: 9000, .. }), "{error}");
        assert!(error.to_string().contains("use a newer augreg"), "{error}");
    }
    assert_eq!(std::fs::read(study.database()).expect("reads"), before);
}

#[tokio::test]
async fn a_database_of_an_older_augreg_cannot_be_read_before_it_is_migrated() {
    let study = Study::new().await;
    study.store.clone().close().await;
    execute(&study.database(), "DELETE FROM _sqlx_migrations WHERE version > 1").await;
    let opened = Store::open_read_only(study.root()).await;
    assert!(matches!(opened, Err(StoreError::Older { found: 1, .. })));
}

#[tokio::test]
async fn somebody_elses_database_and_a_damaged_one_are_told_apart_and_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("augreg.db");
    execute(&path, "CREATE TABLE recipes (name TEXT)").await;
    let before = std::fs::read(&path).expect("reads");
    for opened in [Store::create_or_open(folder.path()).await, Store::open(folder.path()).await] {
        assert!(matches!(opened, Err(StoreError::NotAStudy { .. })));
    }
    assert_eq!(std::fs::read(&path).expect("reads"), before);

    std::fs::write(&path, "no database at all ".repeat(100)).expect("writes");
    for opened in [Store::create_or_open(folder.path()).await, Store::open(folder.path()).await] {
        assert!(matches!(opened, Err(StoreError::Damaged { .. })));
    }
}

#[tokio::test]
async fn a_database_that_was_never_finished_is_no_study_but_can_become_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("augreg.db"), "").expect("writes");
    assert!(matches!(Store::open(folder.path()).await, Err(StoreError::NoStudy { .. })));
    let store = Store::create_or_open(folder.path()).await.expect("begins anew");
    assert_eq!(store.counts(None).await.expect("counts").total(), 0);
}

#[tokio::test]
async fn readers_see_whole_writes_while_one_writes() {
    let study = Study::with(&jobs(40)).await;
    let reader = Store::open_read_only(study.root()).await.expect("opens beside the writer");
    let jobs = jobs(40);
    let writing = async {
        for job in &jobs {
            study.finish(job.id, 0.5).await;
        }
    };
    let reading = async {
        let mut done = 0;
        while done < 40 {
            // A job's result and its state are written together.
            let rows = reader
                .sql(
                    "SELECT count(*), count(final_val), sum(state = 'succeeded') FROM v_jobs
                     WHERE state = 'succeeded' OR final_val IS NOT NULL",
                )
                .await
                .expect("reads");
            let counts: Vec<i64> = rows.rows[0]
                .iter()
                .map(|value| match value {
                    augreg_store::Value::Integer(count) => *count,
                    _ => 0,
                })
                .collect();
            assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
            assert!(counts[0] >= done, "nothing that was seen disappears");
            done = counts[0];
        }
    };
    tokio::join!(writing, reading);
}

#[tokio::test]
async fn damage_is_found_when_a_database_was_not_closed_in_order() {
    let study = Study::with(&jobs(2000)).await;
    study.store.clone().close().await;
    let log = study.database().with_extension("db-wal");
    std::fs::write(&log, []).expect("writes");
    let sound = Store::open(study.root()).await.expect("a sound database opens");
    sound.close().await;

    let mut bytes = std::fs::read(study.database()).expect("reads");
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 512].fill(0xa5);
    std::fs::write(study.database(), &bytes).expect("writes");
    std::fs::write(&log, []).expect("writes");
    let error = Store::open(study.root()).await.expect_err("is damaged");
    let text = error.to_string();
    assert!(matches!(error, StoreError::Unsound { .. }), "{error:?}");
    assert!(text.contains("augreg.db") && text.contains("nothing was changed"), "{text}");
    assert_eq!(std::fs::read(study.database()).expect("reads"), bytes, "nothing was changed");
}
