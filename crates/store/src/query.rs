//! Questions of a person: read-only SQL, and filters over the view `v_jobs`.

use crate::{Filter, QueryError, Rows, Sort, Store};

/// A question over the view `v_jobs`, one row a job.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JobQuery {
    /// Only jobs that this sweep asks for.
    pub sweep: Option<String>,
    /// Only jobs that pass all of these.
    pub filters: Vec<Filter>,
    /// The columns to return; none means a useful selection (`JOB_COLUMNS`).
    pub columns: Option<Vec<String>>,
    /// The order: by the first key, then the next. Without one, as registered.
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
        let _ = sql;
        todo!()
    }

    /// Answers a question over `v_jobs`.
    ///
    /// # Errors
    ///
    /// [`QueryError::UnknownColumn`] for a column to return that there is not;
    /// [`StoreError::UnknownSweep`](crate::StoreError::UnknownSweep).
    pub async fn query(&self, query: &JobQuery) -> Result<Rows, QueryError> {
        let _ = query;
        todo!()
    }
}
