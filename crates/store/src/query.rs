//! Questions of a person: read-only SQL, and filters over the view `v_jobs`.

use augreg_spec::nearest;
use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use sqlx::sqlite::{SqliteColumn, SqliteRow};
use sqlx::{
    AssertSqlSafe, Column as _, Executor, QueryBuilder, Row, SqlSafeStr, Sqlite, SqliteConnection,
    Statement, TypeInfo, ValueRef,
};

use crate::error::{database, primary_code};
use crate::filter::{Filter, Operand, Operator, Sort, column};
use crate::statement::is_one_reading_statement;
use crate::status::sweep_id;
use crate::views::DEFAULT_COLUMNS;
use crate::{QueryError, Rows, Store, StoreError, Value};

/// A question over the view `v_jobs`, one row a job.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JobQuery {
    /// Only jobs that this sweep asks for.
    pub sweep: Option<String>,
    /// Only jobs that pass all of these.
    pub filters: Vec<Filter>,
    /// The columns to return; none means [`DEFAULT_COLUMNS`].
    pub columns: Option<Vec<String>>,
    /// The order: by the first key, then the next, then as registered.
    pub sort: Vec<Sort>,
    /// At most so many rows.
    pub limit: Option<u64>,
}

impl Store {
    /// Answers one reading SQL statement over the tables and views of the schema.
    ///
    /// # Errors
    ///
    /// [`QueryError::NotAReadingStatement`], or [`QueryError::Sql`] with SQLite's reason and the
    /// nearest name when a table or column is unknown.
    pub async fn sql(&self, sql: &str) -> Result<Rows, QueryError> {
        if !is_one_reading_statement(sql) {
            return Err(QueryError::NotAReadingStatement);
        }
        let mut reader = self.readers().acquire().await.map_err(database("begin reading"))?;
        match answer(&mut reader, sql).await {
            Ok(rows) => Ok(rows),
            Err(error) => Err(explain(&mut reader, error).await),
        }
    }

    /// Answers a question over `v_jobs`.
    ///
    /// # Errors
    ///
    /// [`QueryError::UnknownColumn`] for a column to return that there is not;
    /// [`StoreError::UnknownSweep`].
    pub async fn query(&self, query: &JobQuery) -> Result<Rows, QueryError> {
        let mut reader = self.readers().acquire().await.map_err(database("begin reading"))?;
        let sweep = match &query.sweep {
            Some(name) => Some(sweep_id(&mut reader, name).await?),
            None => None,
        };
        let columns: Vec<&'static str> = match &query.columns {
            None => DEFAULT_COLUMNS.to_vec(),
            Some(names) => names
                .iter()
                .map(|name| column(name.trim()).map(|column| column.name))
                .collect::<Result<_, _>>()?,
        };
        let mut statement = statement(query, &columns, sweep);
        let rows = collect(statement.build().fetch(&mut *reader)).await?;
        Ok(Rows { columns: columns.into_iter().map(str::to_owned).collect(), rows })
    }
}

/// The question as SQL. Only names from the schema's own documentation become text of it; every
/// value is bound.
fn statement(query: &JobQuery, columns: &[&str], sweep: Option<i64>) -> QueryBuilder<Sqlite> {
    let mut sql = QueryBuilder::new("SELECT ");
    sql.push(columns.join(", ")).push(" FROM v_jobs WHERE 1");
    push_conditions(&mut sql, query, sweep);
    push_order(&mut sql, &query.sort);
    if let Some(limit) = query.limit {
        sql.push(" LIMIT ").push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
    }
    sql
}

/// What a row must be to be in the answer.
pub(crate) fn push_conditions(
    sql: &mut QueryBuilder<Sqlite>,
    query: &JobQuery,
    sweep: Option<i64>,
) {
    if let Some(sweep) = sweep {
        push_sweep(sql, sweep);
    }
    for filter in &query.filters {
        push_filter(sql, filter);
    }
}

/// That a sweep asks for the job.
pub(crate) fn push_sweep(sql: &mut QueryBuilder<Sqlite>, sweep: i64) {
    sql.push(" AND ordinal IN (SELECT ordinal FROM member WHERE NOT orphaned AND sweep_id = ")
        .push_bind(sweep)
        .push(")");
}

/// The order of the answer.
pub(crate) fn push_order(sql: &mut QueryBuilder<Sqlite>, sort: &[Sort]) {
    sql.push(" ORDER BY ");
    for Sort { column, descending } in sort {
        sql.push(column.name).push(if *descending { " DESC" } else { "" }).push(" NULLS LAST, ");
    }
    sql.push("ordinal");
}

fn push_filter(sql: &mut QueryBuilder<Sqlite>, filter: &Filter) {
    let name = filter.column.name;
    let sign = match filter.operator {
        Operator::Equal => " IS ",
        Operator::NotEqual => " IS NOT ",
        Operator::Less => " < ",
        Operator::LessOrEqual => " <= ",
        Operator::Greater => " > ",
        Operator::GreaterOrEqual => " >= ",
        Operator::Contains => {
            sql.push(" AND instr(lower(").push(name).push("), lower(");
            push_operand(sql, &filter.operand);
            sql.push(")) > 0");
            return;
        }
    };
    sql.push(" AND ").push(name).push(sign);
    push_operand(sql, &filter.operand);
}

fn push_operand(sql: &mut QueryBuilder<Sqlite>, operand: &Operand) {
    match operand {
        Operand::Nothing => sql.push("NULL"),
        Operand::Integer(value) => sql.push_bind(*value),
        Operand::Real(value) => sql.push_bind(*value),
        Operand::Text(value) => sql.push_bind(value.clone()),
    };
}

async fn answer(connection: &mut SqliteConnection, sql: &str) -> Result<Rows, QueryError> {
    let sql = AssertSqlSafe(sql.to_owned()).into_sql_str();
    let mut found = sqlx::query(sql.clone()).fetch(&mut *connection);
    let mut rows = Vec::new();
    let mut columns = Vec::new();
    while let Some(row) = found.try_next().await.map_err(database("answer a query"))? {
        if rows.is_empty() {
            columns = names_of(row.columns());
        }
        rows.push(values(&row)?);
    }
    drop(found);
    if rows.is_empty() {
        // An answer without rows has columns too.
        let statement = connection.prepare(sql).await.map_err(database("answer a query"))?;
        columns = names_of(statement.columns());
    }
    Ok(Rows { columns, rows })
}

fn names_of(columns: &[SqliteColumn]) -> Vec<String> {
    columns.iter().map(|column| column.name().to_owned()).collect()
}

/// Turns rows into values as they arrive: SQLite's own copies take far more memory.
pub(crate) async fn collect(
    mut rows: BoxStream<'_, Result<SqliteRow, sqlx::Error>>,
) -> Result<Vec<Vec<Value>>, QueryError> {
    let mut collected = Vec::new();
    while let Some(row) = rows.try_next().await.map_err(database("answer a query"))? {
        collected.push(values(&row)?);
    }
    Ok(collected)
}

fn values(row: &SqliteRow) -> Result<Vec<Value>, QueryError> {
    (0..row.len()).map(|at| value(row, at)).collect()
}

fn value(row: &SqliteRow, at: usize) -> Result<Value, QueryError> {
    let fail = database("read a value");
    let raw = row.try_get_raw(at).map_err(&fail)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    match raw.type_info().name() {
        "INTEGER" => row.try_get_unchecked(at).map(Value::Integer),
        "REAL" => row.try_get_unchecked(at).map(Value::Real),
        "BLOB" => row.try_get_unchecked(at).map(|bytes: Vec<u8>| Value::Text(hex(&bytes))),
        _ => row.try_get_unchecked(at).map(Value::Text),
    }
    .map_err(|error| fail(error).into())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Says what is wrong with a statement that SQLite refused. A failure that is not the statement's
/// stays what it is.
async fn explain(connection: &mut SqliteConnection, error: QueryError) -> QueryError {
    let QueryError::Store(StoreError::Database { source, .. }) = &error else { return error };
    // SQLITE_ERROR is about the statement; SQLITE_READONLY and SQLITE_AUTH refuse what it asks.
    let (Some(1 | 3 | 8 | 23), sqlx::Error::Database(refusal)) = (primary_code(source), source)
    else {
        return error;
    };
    let message = refusal.message().to_owned();
    let nearest = match unknown_name(&message) {
        Some((name, is_table)) => names(connection, is_table)
            .await
            .ok()
            .and_then(|names| nearest(name, names.iter().map(String::as_str)).map(str::to_owned)),
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
