//! SQL that is put together from parts, with the values that are bound to it: for sqlx, which answers while
//! others go on, and for `walk`, which answers fast.

use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, SqlSafeStr, Sqlite};

use crate::Value;

/// A statement on its way.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) sql: String,
    /// What stands for the question marks of the text.
    pub(crate) bound: Vec<Value>,
}

/// A statement that sqlx can answer.
pub(crate) type Query = sqlx::query::Query<'static, Sqlite, SqliteArguments>;

impl Question {
    /// A statement that begins so.
    pub(crate) fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), bound: Vec::new() }
    }

    /// Adds text, which must not come from anybody.
    pub(crate) fn push(&mut self, sql: impl AsRef<str>) -> &mut Self {
        self.sql += sql.as_ref();
        self
    }

    /// Adds a value.
    pub(crate) fn push_bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.sql.push('?');
        self.bound.push(value.into());
        self
    }

    /// For sqlx.
    pub(crate) fn build(self) -> Query {
        let query = sqlx::query(AssertSqlSafe(self.sql).into_sql_str());
        self.bound.into_iter().fold(query, bind)
    }
}

/// Binds the next value.
pub(crate) fn bind(query: Query, value: Value) -> Query {
    match value {
        Value::Null => query.bind(None::<i64>),
        Value::Integer(value) => query.bind(value),
        Value::Real(value) => query.bind(value),
        Value::Text(value) => query.bind(value),
    }
}
