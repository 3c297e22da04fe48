//! Questions over `v_jobs` whose answers are looked at page by page, and rows of jobs known by name.

use augreg_spec::JobId;
use sqlx::{Row, SqliteConnection};

use crate::answer::collect;
use crate::error::database;
use crate::filter::{Sort, column};
use crate::query::{push_conditions, push_order};
use crate::question::Question;
use crate::rows::json_text;
use crate::status::{WHOLE_STUDY, sweep_id};
use crate::{JobQuery, QueryError, Rows, Store, StoreError, Value};

/// One page of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Its rows.
    pub rows: Rows,
    /// Rows of the whole answer.
    pub total: u64,
}

impl Store {
    /// The rows of a question from number `skip` on, at most as many as it asks for, and how many there
    /// are in all.
    ///
    /// # Errors
    ///
    /// Those of [`Store::query`].
    pub async fn page(&self, query: &JobQuery, skip: u64) -> Result<Page, QueryError> {
        let mut reader = self.readers().begin().await.map_err(database("begin reading"))?;
        let sweep = match &query.sweep {
            Some(name) => Some(sweep_id(&mut reader, name).await?),
            None => None,
        };
        let columns = columns(query)?;
        // Which rows are on the page is found out without reading what is shown of them: most of the
        // view's tables then need not be looked at for every job. Where there are conditions, the rows
        // that pass are counted on the way; else they were, as jobs came and went.
        let counts = !query.filters.is_empty();
        let mut sql = Question::new("WITH matching AS ");
        sql.push(if counts { "MATERIALIZED" } else { "NOT MATERIALIZED" });
        sql.push(" (SELECT ordinal");
        for Sort { column, .. } in &query.sort {
            sql.push(", ").push(column.name);
        }
        sql.push(" FROM v_jobs WHERE 1");
        push_conditions(&mut sql, query, sweep);
        sql.push("), chosen AS MATERIALIZED (SELECT ordinal FROM matching");
        push_order(&mut sql, &query.sort);
        sql.push(" LIMIT ").push_bind(clamp(query.limit.unwrap_or(u64::MAX)));
        sql.push(" OFFSET ").push_bind(clamp(skip));
        sql.push(") SELECT ").push(columns.join(", "));
        sql.push(if counts { ", (SELECT count(*) FROM matching)" } else { ", NULL" });
        sql.push(" FROM v_jobs WHERE ordinal IN chosen");
        push_order(&mut sql, &query.sort);
        let mut rows = collect(sql.build().fetch(&mut *reader)).await?;
        let counted = rows.iter_mut().filter_map(Vec::pop).last();
        let total = match counted {
            Some(Value::Integer(total)) => total as u64,
            _ => count(&mut reader, query, sweep).await?,
        };
        Ok(Page { rows: named(&columns, rows), total })
    }

    /// These columns of these jobs, in the order of registration.
    ///
    /// # Errors
    ///
    /// [`QueryError::UnknownColumn`].
    pub async fn rows_of(&self, jobs: &[JobId], columns: &[&str]) -> Result<Rows, QueryError> {
        let columns: Vec<&'static str> = columns
            .iter()
            .map(|name| column(name).map(|column| column.name))
            .collect::<Result<_, _>>()?;
        let mut sql = Question::new("SELECT ");
        sql.push(columns.join(", "));
        sql.push(" FROM v_jobs WHERE id IN (SELECT value FROM json_each(");
        sql.push_bind(json_text("ids", "a request", &jobs)?).push(")) ORDER BY ordinal");
        let mut reader = self.readers().acquire().await.map_err(database("begin reading"))?;
        let rows = collect(sql.build().fetch(&mut *reader)).await?;
        Ok(named(&columns, rows))
    }
}

/// How many rows an answer has.
async fn count(
    connection: &mut SqliteConnection,
    query: &JobQuery,
    sweep: Option<i64>,
) -> Result<u64, StoreError> {
    if query.filters.is_empty() {
        let tally = sweep.unwrap_or(WHOLE_STUDY);
        let total = sqlx::query_scalar!(
            r#"SELECT coalesce(sum(total), 0) AS "total!: i64" FROM tally WHERE sweep_id = ?"#,
            tally
        );
        let total = total.fetch_one(connection).await.map_err(database("count jobs"))?;
        return Ok(total as u64);
    }
    let mut sql = Question::new("SELECT count(*) FROM v_jobs WHERE 1");
    push_conditions(&mut sql, query, sweep);
    let total = sql.build().fetch_one(connection).await.and_then(|row| row.try_get::<i64, _>(0));
    Ok(total.map_err(database("count jobs"))? as u64)
}

fn columns(query: &JobQuery) -> Result<Vec<&'static str>, QueryError> {
    let Some(names) = &query.columns else { return Ok(crate::DEFAULT_COLUMNS.to_vec()) };
    names.iter().map(|name| column(name.trim()).map(|column| column.name)).collect()
}

fn named(columns: &[&str], rows: Vec<Vec<crate::Value>>) -> Rows {
    Rows { columns: columns.iter().map(|name| (*name).to_owned()).collect(), rows }
}

fn clamp(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
