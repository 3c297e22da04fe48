//! Questions over `v_jobs` whose answers are looked at page by page, and rows of jobs known by name.

use augreg_spec::JobId;
use sqlx::{QueryBuilder, Sqlite};

use crate::error::database;
use crate::filter::column;
use crate::query::{collect, push_conditions, push_order};
use crate::rows::json_text;
use crate::status::sweep_id;
use crate::{JobQuery, QueryError, Rows, Store};

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
        let total = if query.filters.is_empty() {
            // Counted as jobs came and went: a page must not count a million.
            let tally = sweep.unwrap_or(0);
            sqlx::query_scalar!(
                r#"SELECT coalesce(sum(total), 0) AS "total!: i64" FROM tally WHERE sweep_id = ?"#,
                tally
            )
            .fetch_one(&mut *reader)
            .await
            .map_err(database("count jobs"))?
        } else {
            let mut sql = QueryBuilder::<Sqlite>::new("SELECT count(*) FROM v_jobs WHERE 1");
            push_conditions(&mut sql, query, sweep);
            let count = sql.build_query_scalar().fetch_one(&mut *reader).await;
            count.map_err(database("count jobs"))?
        };
        // Which rows are on the page is found out without reading what is shown of them: most of the
        // view's tables then need not be looked at for every job.
        let mut sql =
            QueryBuilder::new("WITH chosen AS MATERIALIZED (SELECT ordinal FROM v_jobs WHERE 1");
        push_conditions(&mut sql, query, sweep);
        push_order(&mut sql, &query.sort);
        sql.push(" LIMIT ").push_bind(clamp(query.limit.unwrap_or(u64::MAX)));
        sql.push(" OFFSET ").push_bind(clamp(skip));
        sql.push(") SELECT ").push(columns.join(", "));
        sql.push(" FROM v_jobs WHERE ordinal IN chosen");
        push_order(&mut sql, &query.sort);
        let rows = collect(sql.build().fetch(&mut *reader)).await?;
        Ok(Page { rows: named(&columns, rows), total: total as u64 })
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
        let mut sql = QueryBuilder::new("SELECT ");
        sql.push(columns.join(", "));
        sql.push(" FROM v_jobs WHERE id IN (SELECT value FROM json_each(");
        sql.push_bind(json_text("ids", "a request", &jobs)?).push(")) ORDER BY ordinal");
        let mut reader = self.readers().acquire().await.map_err(database("begin reading"))?;
        let rows = collect(sql.build().fetch(&mut *reader)).await?;
        Ok(named(&columns, rows))
    }
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
