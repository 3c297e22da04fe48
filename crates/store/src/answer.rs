//! How an answer leaves the database: row by row, into whatever takes rows.
//!
//! Nothing here keeps rows, so memory does not grow with an answer; what is to be kept is [`Rows`],
//! which takes rows like any other sink. What a question says is `query` and `sql`.

use std::io;

use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use sqlx::sqlite::{SqliteColumn, SqliteRow};
use sqlx::{
    AssertSqlSafe, Column as _, Decode, Executor, Row, SqlSafeStr, SqliteConnection, Statement,
};
use sqlx::{TypeInfo, ValueRef};

use crate::error::database;
use crate::views::{Kind, kind_of};
use crate::{QueryError, Rows, Value};

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// Its name; several may be called the same.
    pub name: String,
    /// What all of its values are, but for those that are null. Known for documented columns, and
    /// where [`RowSink::needs_kinds`] asked for it.
    pub kind: Option<Kind>,
}

impl Heading {
    /// A column whose values may be anything.
    #[must_use]
    pub fn untyped(name: &str) -> Self {
        Self { name: name.to_owned(), kind: None }
    }
}

/// What takes the rows of an answer as they come.
pub trait RowSink {
    /// Whether all headings must have kinds. SQL is then answered twice, on the same snapshot: only
    /// its values tell what they are.
    fn needs_kinds(&self) -> bool {
        false
    }

    /// Takes the columns, once, before the first row.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from going on. No row follows.
    fn begin(&mut self, headings: &[Heading]) -> io::Result<()>;

    /// Takes a row.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from going on. No row follows.
    fn row(&mut self, row: Vec<Value>) -> io::Result<()>;
}

impl RowSink for Rows {
    fn begin(&mut self, headings: &[Heading]) -> io::Result<()> {
        self.columns = headings.iter().map(|heading| heading.name.clone()).collect();
        Ok(())
    }

    fn row(&mut self, row: Vec<Value>) -> io::Result<()> {
        self.rows.push(row);
        Ok(())
    }
}

/// Answers a statement, and answers it before for its kinds where the sink needs them.
pub(crate) async fn answer(
    connection: &mut SqliteConnection,
    sql: &str,
    sink: &mut impl RowSink,
) -> Result<(), QueryError> {
    let kinds = if sink.needs_kinds() { Some(kinds(connection, sql).await?) } else { None };
    let sql = AssertSqlSafe(sql.to_owned()).into_sql_str();
    let headings = |columns: &[SqliteColumn]| -> Vec<Heading> {
        let heading = |(at, column): (usize, &SqliteColumn)| Heading {
            name: column.name().to_owned(),
            kind: kinds.as_ref().and_then(|kinds| kinds.get(at).copied()),
        };
        columns.iter().enumerate().map(heading).collect()
    };
    let mut found = sqlx::query(sql.clone()).fetch(&mut *connection);
    let mut is_first = true;
    while let Some(row) = found.try_next().await.map_err(database("answer a query"))? {
        if std::mem::take(&mut is_first) {
            sink.begin(&headings(row.columns()))?;
        }
        sink.row(values(&row)?)?;
    }
    drop(found);
    if is_first {
        // An answer without rows has columns too.
        let statement = connection.prepare(sql).await.map_err(database("answer a query"))?;
        sink.begin(&headings(statement.columns()))?;
    }
    Ok(())
}

/// What the columns of an answer hold. A column of nulls alone holds what documented columns of its
/// name do, or else text.
async fn kinds(connection: &mut SqliteConnection, sql: &str) -> Result<Vec<Kind>, QueryError> {
    let sql = AssertSqlSafe(sql.to_owned()).into_sql_str();
    let mut names: Vec<String> = Vec::new();
    let mut seen: Vec<Option<Kind>> = Vec::new();
    let mut found = sqlx::query(sql.clone()).fetch(&mut *connection);
    while let Some(row) = found.try_next().await.map_err(database("answer a query"))? {
        if seen.is_empty() {
            names = row.columns().iter().map(|column| column.name().to_owned()).collect();
            seen = vec![None; names.len()];
        }
        for (at, seen) in seen.iter_mut().enumerate() {
            *seen = widest(*seen, kind(&row, at)?);
        }
    }
    drop(found);
    if seen.is_empty() {
        let statement = connection.prepare(sql).await.map_err(database("answer a query"))?;
        names = statement.columns().iter().map(|column| column.name().to_owned()).collect();
        seen = vec![None; names.len()];
    }
    let known = |(name, seen): (&String, Option<Kind>)| seen.or_else(|| kind_of(name));
    Ok(names.iter().zip(seen).map(known).map(|kind| kind.unwrap_or(Kind::Text)).collect())
}

/// The kind that holds values of both: text holds everything, reals hold whole numbers.
fn widest(a: Option<Kind>, b: Option<Kind>) -> Option<Kind> {
    match (a, b) {
        (None, kind) | (kind, None) => kind,
        (Some(a), Some(b)) if a == b => Some(a),
        (Some(Kind::Text), _) | (_, Some(Kind::Text)) => Some(Kind::Text),
        _ => Some(Kind::Real),
    }
}

/// Passes on rows of a statement of our own, whose columns are known.
pub(crate) async fn pass(
    mut rows: BoxStream<'_, Result<SqliteRow, sqlx::Error>>,
    sink: &mut impl RowSink,
) -> Result<(), QueryError> {
    while let Some(row) = rows.try_next().await.map_err(database("answer a query"))? {
        sink.row(values(&row)?)?;
    }
    Ok(())
}

/// Turns rows into values as they arrive: SQLite's own copies take far more memory.
pub(crate) async fn collect(
    rows: BoxStream<'_, Result<SqliteRow, sqlx::Error>>,
) -> Result<Vec<Vec<Value>>, QueryError> {
    let mut collected = Rows::default();
    pass(rows, &mut collected).await?;
    Ok(collected.rows)
}

/// A row as values.
pub(crate) fn values(row: &SqliteRow) -> Result<Vec<Value>, QueryError> {
    (0..row.len()).map(|at| value(row, at)).collect()
}

fn value(row: &SqliteRow, at: usize) -> Result<Value, QueryError> {
    let fail = database("read a value");
    let raw = row.try_get_raw(at).map_err(&fail)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    match raw.type_info().name() {
        "INTEGER" => i64::decode(raw).map(Value::Integer),
        "REAL" => f64::decode(raw).map(Value::Real),
        "BLOB" => <Vec<u8>>::decode(raw).map(|bytes| Value::Text(hex(&bytes))),
        _ => String::decode(raw).map(Value::Text),
    }
    .map_err(|error| fail(sqlx::Error::Decode(error)).into())
}

/// What a value is; nothing if it is null.
fn kind(row: &SqliteRow, at: usize) -> Result<Option<Kind>, QueryError> {
    let raw = row.try_get_raw(at).map_err(database("read a value"))?;
    Ok(match raw.type_info().name() {
        _ if raw.is_null() => None,
        "INTEGER" => Some(Kind::Integer),
        "REAL" => Some(Kind::Real),
        _ => Some(Kind::Text),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
