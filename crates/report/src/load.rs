//! Fetching the jobs of a report from the store.

use augreg_store::{JobQuery, QueryError, Store};
use thiserror::Error;

use crate::{JobRow, RowError};

/// The jobs of a report could not be fetched.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The store could not answer; also when it has no sweep of the name.
    #[error("failed to fetch the jobs of the report")]
    Query(#[from] QueryError),
    /// The store answered with something else than jobs.
    #[error("failed to read the jobs of the report")]
    Row(#[from] RowError),
}

/// Fetches the jobs that `sweep` asks for, or all of the study.
///
/// # Errors
///
/// [`LoadError`] if there is no such sweep or the store fails.
pub async fn load(store: &Store, sweep: Option<&str>) -> Result<Vec<JobRow>, LoadError> {
    let query = JobQuery {
        sweep: sweep.map(str::to_owned),
        columns: Some(JobRow::COLUMNS.map(str::to_owned).to_vec()),
        ..JobQuery::default()
    };
    Ok(JobRow::from_rows(&store.query(&query).await?)?)
}
