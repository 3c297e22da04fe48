//! Migrations: a study of any earlier version comes through with every row.

use std::path::{Path, PathBuf};

use augreg_protocol::JobState;
use augreg_spec::Job;
use augreg_store::{Store, StoreError};
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};

use crate::support::{identity, job};

/// The schema files, oldest first.
fn migrations() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    let entries = std::fs::read_dir(folder).expect("the migrations are there");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

/// A database made by the first of `files`, with a finished job in it.
async fn study_of_version(root: &Path, files: &[PathBuf]) {
    let schema = tempfile::tempdir().expect("a temporary folder");
    for file in files {
        let name = file.file_name().expect("a file");
        std::fs::copy(file, schema.path().join(name)).expect("copies");
    }
    let options =
        SqliteConnectOptions::new().filename(root.join("augreg.db")).create_if_missing(true);
    let mut connection = options.connect().await.expect("opens");
    let migrator = Migrator::new(schema.path()).await.expect("are migrations");
    migrator.run_direct(None, &mut connection, false).await.expect("migrates");
    fill(&mut connection).await;
    connection.close().await.expect("closes");
}

/// The job that [`fill`] puts into a study.
fn old() -> Job {
    job("light1", 7)
}

async fn fill(connection: &mut SqliteConnection) {
    let id = old().id.to_string();
    let spec = old().canonical().to_owned();
    let labels = serde_json::to_string(&old().labels).expect("writes");
    let insert = |spec: &str| {
        format!(
            "INSERT INTO job (id, state, stage, priority, dataset_fingerprint, steps, parameters, \
             flops, created, labels, spec) \
             VALUES (?1, 'queued', 'pretrain', 0, 'f', 4, 10, 1.0, 0, '{labels}', {spec})"
        )
    };
    let (dataset, job) = if has(connection, "pragma_table_info('dataset')", "identity").await {
        let dataset = format!(
            "INSERT INTO dataset (fingerprint, name, source, identity) \
             VALUES ('f', 'fashion', '{{}}', '{}')",
            identity().canonical()
        );
        (dataset, insert(&format!("json_remove('{spec}', '$.dataset')")))
    } else {
        let dataset =
            "INSERT INTO dataset (fingerprint, name, source) VALUES ('f', 'fashion', '{}')";
        (dataset.to_owned(), insert(&format!("'{spec}'")))
    };
    let statements = [
        dataset.as_str(),
        "INSERT INTO sweep (name, text, created, updated) VALUES ('old', '', 0, 0)",
        job.as_str(),
        "INSERT INTO attempt (job_id, number, state, executor, slot, device, started, ended) \
         VALUES (?1, 1, 'succeeded', 'local', '0', 'cpu', 0, 1)",
        "INSERT INTO result (job_id, attempt, train_loss, steps, seconds, images_per_second, \
         peak_memory, parameters_sha256) VALUES (?1, 1, 0.5, 4, 1.0, 1.0, 1, 'ab')",
        "INSERT INTO checkpoint (job_id, step, attempt, at) VALUES (?1, 4, 1, 0)",
        "INSERT INTO event (at, job_id, actor, what, reason) VALUES (0, ?1, 'user', 'x', 'y')",
    ];
    for statement in statements {
        let query = sqlx::query(AssertSqlSafe(statement)).bind(&id);
        query.execute(&mut *connection).await.expect(statement);
    }
    let member = if has(connection, TABLES, "sweep_job").await {
        "INSERT INTO sweep_job (sweep_id, job_id, position) VALUES (1, ?, 0)"
    } else {
        "INSERT INTO member (sweep_id, ordinal, position) SELECT 1, ordinal, 0 FROM job WHERE id = ?"
    };
    sqlx::query(member).bind(&id).execute(&mut *connection).await.expect("joins the sweep");
    let state = "UPDATE job SET state = 'succeeded' WHERE id = ?";
    sqlx::query(state).bind(&id).execute(&mut *connection).await.expect("succeeds");
    let metric = if has(connection, TABLES, "metric").await {
        "INSERT INTO metric (job_id, name, step, attempt, value) VALUES (?, 'train_loss', 3, 1, 0.1)"
    } else {
        "INSERT INTO metric_series (job_id, name, attempt, first, points, value) \
         VALUES (?, 'train_loss', 1, 3, 1, 0.1)"
    };
    sqlx::query(metric).bind(&id).execute(connection).await.expect("inserts a metric");
}

const TABLES: &str = "sqlite_schema WHERE type = 'table'";

async fn has(connection: &mut SqliteConnection, among: &str, name: &str) -> bool {
    let found = format!("SELECT count(*) FROM (SELECT * FROM {among}) WHERE name = ?");
    let found = sqlx::query_scalar(AssertSqlSafe(found)).bind(name).fetch_one(connection);
    found.await.is_ok_and(|found: i64| found == 1)
}

#[tokio::test]
async fn a_small_write_beside_a_scheduler_of_an_older_version_is_refused_and_migrates_nothing() {
    let files = migrations();
    let folder = tempfile::tempdir().expect("a temporary folder");
    study_of_version(folder.path(), &files[..files.len() - 1]).await;
    let database = || std::fs::read(folder.path().join("augreg.db")).expect("reads");
    let before = database();
    Store::look(folder.path()).await.expect("it can be brought up to date");
    let beside = Store::open_beside(folder.path()).await;
    assert!(matches!(beside, Err(StoreError::Older { .. })), "{beside:?}");
    assert_eq!(database(), before);

    Store::open(folder.path()).await.expect("migrates").close().await;
    let beside = Store::open_beside(folder.path()).await.expect("opens");
    assert_eq!(beside.requeue_failed(&[old().id], "x").await.expect("writes"), []);
    beside.close().await;
}

#[tokio::test]
async fn a_study_of_every_earlier_version_keeps_every_row() {
    let files = migrations();
    for version in 1..files.len() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        study_of_version(folder.path(), &files[..version]).await;
        let store = Store::open(folder.path()).await.expect("migrates");
        let job = old().id;
        assert_eq!(store.job(job).await.expect("reads").spec, old().spec);
        let curve = store.curve(job, "train_loss").await.expect("reads");
        assert_eq!(curve, [(3, 0.1)], "from {}", files[version - 1].display());
        for sweep in [None, Some("old")] {
            let counts = store.counts(sweep).await.expect("counts");
            assert_eq!((counts.of(JobState::Succeeded), counts.total()), (1, 1));
        }
        for (table, rows) in [("result", 1), ("checkpoint", 1), ("event", 1), ("attempt", 1)] {
            let found = store.sql(&format!("SELECT * FROM {table}")).await.expect("answers");
            assert_eq!(found.rows.len(), rows, "{table}");
        }
        let sound = store.sql("SELECT * FROM pragma_integrity_check").await.expect("answers");
        assert_eq!(format!("{:?}", sound.rows), r#"[[Text("ok")]]"#);
        let broken = store.sql("SELECT * FROM pragma_foreign_key_check").await.expect("answers");
        assert!(broken.rows.is_empty(), "{:?}", broken.rows);
        store.close().await;
    }
}
