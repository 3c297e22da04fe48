//! Where device time went, and whether attempts joined exactly: what a study can be held to.

use sqlx::SqliteConnection;

use crate::error::database;
use crate::{QueryError, Rows, Store, StoreError};

/// Where one attempt of a job went on from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boundary {
    /// The attempt that went on.
    pub attempt: u32,
    /// The attempt whose state it went on with; none if none before it began.
    pub previous: Option<u32>,
    /// The step it went on from.
    pub from_step: u64,
    /// Why the job's bits need not be those of an uninterrupted run; none if they are.
    pub inexact: Option<String>,
}

impl Store {
    /// Starts, ends and device time of a sweep, or of the whole study: the rows of
    /// [`V_LEDGER`](crate::V_LEDGER) without the sweep's name, those with most device time first.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownSweep`].
    pub async fn ledger(&self, sweep: Option<&str>) -> Result<Rows, QueryError> {
        self.find(sweep).await?;
        let which =
            sweep.map_or("NULL".to_owned(), |name| format!("'{}'", name.replace('\'', "''")));
        self.sql(&format!(
            "SELECT cause, starts, ends, device_seconds, wasted_seconds, ran_again
             FROM v_ledger WHERE sweep IS {which} ORDER BY device_seconds DESC, cause"
        ))
        .await
    }
}

/// Where the attempts of a job join, in their order.
pub(crate) async fn boundaries(
    connection: &mut SqliteConnection,
    id: &str,
) -> Result<Vec<Boundary>, StoreError> {
    let rows: Vec<(u32, Option<u32>, i64, Option<String>)> = sqlx::query_as(
        "SELECT number, previous, from_step, why FROM v_boundaries
         WHERE job_id = ? ORDER BY number",
    )
    .bind(id)
    .fetch_all(connection)
    .await
    .map_err(database("read where attempts join"))?;
    let boundary = |(attempt, previous, from_step, inexact): (_, _, i64, _)| Boundary {
        attempt,
        previous,
        from_step: from_step as u64,
        inexact,
    };
    Ok(rows.into_iter().map(boundary).collect())
}
