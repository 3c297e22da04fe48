//! How an answer leaves the database: row by row, into whatever takes rows.
//!
//! Nothing here keeps rows, so memory does not grow with an answer; what is to be kept is [`Rows`],
//! which takes rows like any other sink. What a question says is `query` and `sql`.

use std::io;

use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row, SqliteConnection, TypeInfo, ValueRef as _};

use crate::direct::{Part, walk};
use crate::error::database;
use crate::question::Question;
use crate::views::{Kind, kind_of};
use crate::{QueryError, Rows, Value, ValueRef};

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

    /// Takes a row: a value for each column. Text is SQLite's own and goes with the row.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from going on. No row follows.
    fn row(&mut self, row: &[ValueRef<'_>]) -> io::Result<()>;
}

impl RowSink for Rows {
    fn begin(&mut self, headings: &[Heading]) -> io::Result<()> {
        self.columns = headings.iter().map(|heading| heading.name.clone()).collect();
        Ok(())
    }

    fn row(&mut self, row: &[ValueRef<'_>]) -> io::Result<()> {
        self.rows.push(row.iter().map(Value::to_value).collect());
        Ok(())
    }
}

/// Answers a statement, and answers it before for its kinds where the sink needs them.
pub(crate) async fn answer(
    connection: &mut SqliteConnection,
    question: &Question,
    sink: &mut impl RowSink,
) -> Result<(), QueryError> {
    let kinds = if sink.needs_kinds() { Some(kinds(connection, question).await?) } else { None };
    let heading = |(at, name): (usize, &String)| Heading {
        name: name.clone(),
        kind: kinds.as_ref().and_then(|kinds| kinds.get(at).copied()),
    };
    let headings = |names: &[String]| names.iter().enumerate().map(heading).collect();
    pass(connection, question, headings, sink).await
}

/// Passes on the rows of a question under headings made of its columns' names.
pub(crate) async fn pass(
    connection: &mut SqliteConnection,
    question: &Question,
    headings: impl Fn(&[String]) -> Vec<Heading>,
    sink: &mut impl RowSink,
) -> Result<(), QueryError> {
    let take = |part: Part<'_>| match part {
        Part::Columns(names) => Ok(sink.begin(&headings(names))?),
        Part::Row(row) => Ok(sink.row(row)?),
    };
    walk(connection, question, take).await
}

/// What the columns of an answer hold. A column of nulls alone holds what documented columns of its
/// name do, or else text.
async fn kinds(
    connection: &mut SqliteConnection,
    question: &Question,
) -> Result<Vec<Kind>, QueryError> {
    let mut columns: Vec<(String, Option<Kind>)> = Vec::new();
    let take = |part: Part<'_>| {
        match part {
            Part::Columns(names) => columns.extend(names.iter().map(|name| (name.clone(), None))),
            Part::Row(row) => {
                for ((_, seen), value) in columns.iter_mut().zip(row) {
                    *seen = widest(*seen, kind(value));
                }
            }
        }
        Ok::<_, QueryError>(())
    };
    walk(connection, question, take).await?;
    let known = |(name, seen): (String, Option<Kind>)| seen.or_else(|| kind_of(&name));
    Ok(columns.into_iter().map(known).map(|kind| kind.unwrap_or(Kind::Text)).collect())
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

/// What a value is; nothing if it is null.
fn kind(value: &ValueRef<'_>) -> Option<Kind> {
    match value {
        Value::Null => None,
        Value::Integer(_) => Some(Kind::Integer),
        Value::Real(_) => Some(Kind::Real),
        Value::Text(_) => Some(Kind::Text),
    }
}

/// The rows of a question that others are to go on beside.
pub(crate) async fn collect(
    mut rows: BoxStream<'_, Result<SqliteRow, sqlx::Error>>,
) -> Result<Vec<Vec<Value>>, QueryError> {
    let mut collected = Vec::new();
    // Values are taken out as rows arrive: SQLite's own copies take far more memory.
    while let Some(row) = rows.try_next().await.map_err(database("answer a query"))? {
        let values = (0..row.len()).map(|at| value(&row, at)).collect::<Result<_, _>>();
        collected.push(values.map_err(database("read a value"))?);
    }
    Ok(collected)
}

fn value(row: &SqliteRow, at: usize) -> Result<Value, sqlx::Error> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    match raw.type_info().name() {
        "INTEGER" => i64::decode(raw).map(Value::Integer),
        "REAL" => f64::decode(raw).map(Value::Real),
        _ => String::decode(raw).map(Value::Text),
    }
    .map_err(sqlx::Error::Decode)
}
