//! A connection without sqlx in between, for what sqlx lacks: the limits of a connection, and rows that are looked
//! at where SQLite has them.
//!
//! sqlx copies every value of every row and hands each row from thread to thread, which takes several times as
//! long as SQLite does. What is done here blocks its thread, so it is for whoever has nothing else to do.

#![expect(unsafe_code, reason = "sqlx lends its connection as a pointer")]

use std::borrow::Cow;

use rusqlite::limits::Limit;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef as Raw};
use rusqlite::{Connection, params_from_iter};
use sqlx::SqliteConnection;

use crate::error::{answering, database};
use crate::question::Question;
use crate::{StoreError, Value, ValueRef};

/// Takes from a connection the means to name other files.
///
/// A connection that is opened read-only refuses to change its database, but SQLite lets it `ATTACH` another file
/// and `VACUUM INTO` one, and makes those. Both count as attached databases, of which it is allowed none from now on.
pub(crate) async fn forbid_other_files(
    connection: &mut SqliteConnection,
) -> Result<(), sqlx::Error> {
    let limited =
        with(connection, |direct| direct.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)).await?;
    limited.map(drop).map_err(failed)
}

/// A part of an answer.
pub(crate) enum Part<'a> {
    /// The names of its columns: first, and when SQLite has not refused the question.
    Columns(&'a [String]),
    /// A row.
    Row(&'a [ValueRef<'a>]),
}

/// Answers a question part by part.
pub(crate) async fn walk<E: From<StoreError>>(
    connection: &mut SqliteConnection,
    question: &Question,
    take: impl FnMut(Part<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let answered = with(connection, |direct| answer(direct, question, take)).await;
    answered.map_err(database("answer a query"))?
}

fn answer<E: From<StoreError>>(
    direct: &Connection,
    question: &Question,
    mut take: impl FnMut(Part<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut statement = direct.prepare(&question.sql).map_err(answering)?;
    let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let mut rows = statement.query(params_from_iter(&question.bound)).map_err(answering)?;
    let mut next = rows.next().map_err(answering)?;
    take(Part::Columns(&names))?;
    while let Some(row) = next {
        let mut values = Vec::with_capacity(names.len());
        for at in 0..names.len() {
            values.push(value(row.get_ref(at).map_err(answering)?));
        }
        take(Part::Row(&values))?;
        drop(values);
        next = rows.next().map_err(answering)?;
    }
    Ok(())
}

/// Lends out the connection below sqlx's.
async fn with<T>(
    connection: &mut SqliteConnection,
    lent: impl FnOnce(&Connection) -> T,
) -> Result<T, sqlx::Error> {
    let mut handle = connection.lock_handle().await?;
    // SAFETY: the pointer is that of an open connection, which nobody else uses or closes as long as `handle`
    // lives, which is longer than what is made of it here: that is dropped first, and lent out by reference only.
    let direct = unsafe { Connection::from_handle(handle.as_raw_handle().as_ptr()) };
    Ok(lent(&direct.map_err(failed)?))
}

fn failed(error: rusqlite::Error) -> sqlx::Error {
    sqlx::Error::Configuration(error.into())
}

fn value(raw: Raw<'_>) -> ValueRef<'_> {
    match raw {
        Raw::Null => Value::Null,
        Raw::Integer(value) => Value::Integer(value),
        Raw::Real(value) => Value::Real(value),
        Raw::Text(text) => Value::Text(String::from_utf8_lossy(text)),
        Raw::Blob(bytes) => Value::Text(Cow::Owned(hex(bytes))),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => Raw::Null,
            Self::Integer(value) => Raw::Integer(*value),
            Self::Real(value) => Raw::Real(*value),
            Self::Text(text) => Raw::Text(text.as_bytes()),
        }))
    }
}
