//! What the compiler was told of the SQL is what the migrations make.

use std::fs::File;
use std::path::Path;

use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, SqlSafeStr};

use crate::support::Study;

/// Each file of `.sqlx/`.
fn descriptions() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.sqlx");
    let entries = std::fs::read_dir(folder).expect("`.sqlx/` is there");
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let file = File::open(entry.expect("an entry").path()).expect("opens");
        serde_json::from_reader(file).expect("is JSON")
    };
    entries.map(read).collect()
}

#[tokio::test]
async fn every_statement_is_described_as_the_newest_schema_would() {
    let study = Study::new().await;
    let options = SqliteConnectOptions::new().filename(study.database());
    let mut database = options.connect().await.expect("opens");
    let descriptions = descriptions();
    assert!(descriptions.len() > 20, "there are statements");
    for stored in descriptions {
        let sql = stored["query"].as_str().expect("a text").to_owned();
        let now = database.describe(AssertSqlSafe(sql.clone()).into_sql_str()).await;
        let now = now.unwrap_or_else(|error| panic!("{error}\n{sql}"));
        let now = serde_json::to_value(&now).expect("is plain data");
        assert_eq!(now, stored["describe"], "run `scripts/sqlx-prepare`\n{sql}");
    }
}

#[test]
fn nothing_is_described_that_is_not_asked_any_more() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let entries = std::fs::read_dir(folder).expect("the sources are there");
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(entry.expect("an entry").path()).expect("is text")
    };
    let sources: String = entries.map(read).collect();
    for stored in descriptions() {
        let sql = stored["query"].as_str().expect("a text");
        assert!(sources.contains(sql), "run `scripts/sqlx-prepare`; nobody asks\n{sql}");
    }
}
