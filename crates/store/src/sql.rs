//! SQL of a person: one reading statement, answered by a connection that cannot write.
//!
//! That a statement only reads is SQLite's to see to, not ours: the connection is opened read-only and may name
//! no other file, so no text can talk it into a write. What is looked at here is its first word and its end: no setting of
//! a connection that others use after it is to change, and rows are to be those of one statement.

use augreg_spec::nearest;
use sqlx::{Connection, SqliteConnection};

use crate::answer::answer;
use crate::error::database;
use crate::question::Question;
use crate::statement::is_one_reading_statement;
use crate::{QueryError, RowSink, Rows, Store, StoreError};

impl Store {
    /// Answers one reading SQL statement over the tables and views of the schema.
    ///
    /// # Errors
    ///
    /// [`QueryError::NotAReadingStatement`], or [`QueryError::Sql`] with SQLite's reason and the
    /// nearest name when a table or column is unknown.
    pub async fn sql(&self, sql: &str) -> Result<Rows, QueryError> {
        let mut rows = Rows::default();
        self.sql_into(sql, &mut rows).await?;
        Ok(rows)
    }

    /// [`Store::sql`], with rows passed on as they come.
    ///
    /// # Errors
    ///
    /// Those of [`Store::sql`], and [`QueryError::Output`] if the sink fails.
    pub async fn sql_into(&self, sql: &str, sink: &mut impl RowSink) -> Result<(), QueryError> {
        if !is_one_reading_statement(sql) {
            return Err(QueryError::NotAReadingStatement);
        }
        let mut reader = self.readers().acquire().await.map_err(database("begin reading"))?;
        // One snapshot, for sinks that have the question answered twice.
        let mut snapshot = reader.begin().await.map_err(database("begin reading"))?;
        match answer(&mut snapshot, &Question::new(sql), sink).await {
            Ok(()) => Ok(()),
            Err(error) => Err(explain(&mut snapshot, error).await),
        }
    }
}

/// Says what is wrong with a statement that SQLite refused. A failure that is not the statement's
/// stays what it is.
async fn explain(connection: &mut SqliteConnection, error: QueryError) -> QueryError {
    let QueryError::Store(refusal @ StoreError::Answer { source }) = &error else { return error };
    // SQLITE_ERROR is about the statement; SQLITE_READONLY and SQLITE_AUTH refuse what it asks.
    let Some(1 | 3 | 8 | 23) = refusal.code() else { return error };
    let message = source.to_string();
    let nearest = match unknown_name(&message) {
        Some((name, is_table)) => names(connection, is_table).await.ok().and_then(|names| {
            // One of that very name is of another table.
            let others = names.iter().map(String::as_str).filter(|other| *other != name);
            nearest(name, others).map(str::to_owned)
        }),
        None => None,
    };
    QueryError::Sql { message, nearest }
}

/// The name in `no such column: x` or `no such table: x`, without what qualifies it, and whether it was
/// to be a table's.
fn unknown_name(message: &str) -> Option<(&str, bool)> {
    let (name, is_table) = [("no such column: ", false), ("no such table: ", true)]
        .into_iter()
        .find_map(|(prefix, is_table)| Some((message.strip_prefix(prefix)?, is_table)))?;
    Some((name.rsplit('.').next()?, is_table))
}

/// The names of all tables and views, and of columns unless only tables are sought.
async fn names(
    connection: &mut SqliteConnection,
    only_tables: bool,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT name AS "name!: String" FROM sqlite_schema WHERE type IN ('table', 'view')
           UNION SELECT info.name
           FROM sqlite_schema AS object, pragma_table_xinfo(object.name) AS info
           WHERE object.type IN ('table', 'view') AND NOT ?"#,
        only_tables
    )
    .fetch_all(connection)
    .await
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use sqlx::{AssertSqlSafe, Executor};

    use crate::Store;

    /// All files of a folder with their bytes, but for what readers share in memory.
    fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
        let paths =
            std::fs::read_dir(folder).expect("reads").map(|file| file.expect("a file").path());
        let mut paths: Vec<_> =
            paths.filter(|path| !path.to_string_lossy().ends_with("-shm")).collect();
        paths.sort();
        let read = |path: PathBuf| (path.clone(), std::fs::read(path).expect("reads"));
        paths.into_iter().map(read).collect()
    }

    /// What the check of the first word keeps out is given to a reader as it is.
    #[tokio::test]
    async fn a_readers_connection_refuses_by_itself_whatever_would_leave_a_trace() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        let writer = Store::create_or_open(root).await.expect("makes a study");
        let beside = Store::open_read_only(root).await.expect("opens");
        let before = files(root);
        let new = root.join("new.db");
        let file = new.display();
        for sql in [
            format!("VACUUM INTO '{file}'"),
            format!("ATTACH '{file}' AS other"),
            format!("ATTACH 'file:{file}?mode=rwc' AS other"),
            "ATTACH ':memory:' AS other".to_owned(),
            "PRAGMA user_version = 7".to_owned(),
            "PRAGMA journal_mode = DELETE".to_owned(),
            "CREATE TABLE x (y)".to_owned(),
            "CREATE TEMP TABLE x (y)".to_owned(),
            "UPDATE job SET priority = 1".to_owned(),
            "WITH x AS (SELECT 1) DELETE FROM event".to_owned(),
            "SELECT load_extension('x')".to_owned(),
            "SELECT writefile('x', 'y')".to_owned(),
        ] {
            for store in [&writer, &beside] {
                let mut reader = store.readers().acquire().await.expect("a reader");
                let answer = reader.execute(AssertSqlSafe(sql.clone())).await;
                let is_pragma = sql.starts_with("PRAGMA"); // One that is refused may say nothing.
                assert!(answer.is_err() || is_pragma, "{sql}: {answer:?}");
                assert!(files(root) == before, "{sql}");
            }
        }
        // Without a writer the database is opened as a file that does not change.
        drop(beside);
        writer.close().await;
        let still = Store::open_read_only(root).await.expect("opens");
        let before = files(root);
        for sql in [format!("VACUUM INTO '{file}'"), format!("ATTACH '{file}' AS other")] {
            let mut reader = still.readers().acquire().await.expect("a reader");
            reader.execute(AssertSqlSafe(sql.clone())).await.expect_err(&sql);
            assert!(files(root) == before, "{sql}");
        }
    }
}
