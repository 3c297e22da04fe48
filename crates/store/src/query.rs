//! Questions over the view `v_jobs`, put together from filters and sort keys. SQL as people write it is `sql`.

use sqlx::SqliteConnection;

use crate::answer::pass;
use crate::error::database;
use crate::filter::{Filter, Operand, Operator, Sort, column};
use crate::question::Question;
use crate::status::sweep_id;
use crate::views::{Column, DEFAULT_COLUMNS};
use crate::{Heading, QueryError, RowSink, Rows, Store, StoreError};

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
    /// Answers a question over `v_jobs`.
    ///
    /// # Errors
    ///
    /// [`QueryError::UnknownColumn`] for a column to return that there is not;
    /// [`StoreError::UnknownSweep`].
    pub async fn query(&self, query: &JobQuery) -> Result<Rows, QueryError> {
        let mut rows = Rows::default();
        self.query_into(query, &mut rows).await?;
        Ok(rows)
    }

    /// [`Store::query`], with rows passed on as they come.
    ///
    /// # Errors
    ///
    /// Those of [`Store::query`], and [`QueryError::Output`] if the sink fails.
    pub async fn query_into(
        &self,
        query: &JobQuery,
        sink: &mut impl RowSink,
    ) -> Result<(), QueryError> {
        let columns: Result<Vec<&'static Column>, _> = match &query.columns {
            None => DEFAULT_COLUMNS.iter().map(|name| column(name)).collect(),
            Some(names) => names.iter().map(|name| column(name.trim())).collect(),
        };
        let columns = columns?;
        let mut reader = self.readers().acquire().await.map_err(database("begin reading"))?;
        let sweep = sweep_of(&mut reader, query).await?;
        let heading =
            |column: &&Column| Heading { name: column.name.to_owned(), kind: Some(column.kind) };
        let question = statement(query, &columns, sweep);
        pass(&mut reader, &question, |_| columns.iter().map(heading).collect(), sink).await
    }
}

/// The row of the sweep that a question is limited to.
pub(crate) async fn sweep_of(
    connection: &mut SqliteConnection,
    query: &JobQuery,
) -> Result<Option<i64>, StoreError> {
    match &query.sweep {
        Some(name) => Ok(Some(sweep_id(connection, name).await?)),
        None => Ok(None),
    }
}

/// The question as SQL. Only names from the schema's own documentation become text of it; every
/// value is bound.
pub(crate) fn statement(query: &JobQuery, columns: &[&Column], sweep: Option<i64>) -> Question {
    let names: Vec<_> = columns.iter().map(|column| column.name).collect();
    let mut sql = Question::new("SELECT ");
    sql.push(names.join(", ")).push(" FROM v_jobs WHERE 1");
    push_conditions(&mut sql, query, sweep);
    push_order(&mut sql, &query.sort);
    if let Some(limit) = query.limit {
        sql.push(" LIMIT ").push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
    }
    sql
}

/// What a row must be to be in the answer.
pub(crate) fn push_conditions(sql: &mut Question, query: &JobQuery, sweep: Option<i64>) {
    if let Some(sweep) = sweep {
        push_sweep(sql, sweep);
    }
    for filter in &query.filters {
        push_filter(sql, filter);
    }
}

/// That a sweep asks for the job.
pub(crate) fn push_sweep(sql: &mut Question, sweep: i64) {
    sql.push(" AND ordinal IN (SELECT ordinal FROM member WHERE NOT orphaned AND sweep_id = ")
        .push_bind(sweep)
        .push(")");
}

/// The order of the answer.
pub(crate) fn push_order(sql: &mut Question, sort: &[Sort]) {
    sql.push(" ORDER BY ");
    for Sort { column, descending } in sort {
        sql.push(column.name).push(if *descending { " DESC" } else { "" }).push(" NULLS LAST, ");
    }
    sql.push("ordinal");
}

fn push_filter(sql: &mut Question, filter: &Filter) {
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

fn push_operand(sql: &mut Question, operand: &Operand) {
    match operand {
        Operand::Nothing => sql.push("NULL"),
        Operand::Integer(value) => sql.push_bind(*value),
        Operand::Real(value) => sql.push_bind(*value),
        Operand::Text(value) => sql.push_bind(value.clone()),
    };
}
