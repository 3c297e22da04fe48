//! Where device time went, and whether attempts joined exactly: what a study can be held to.

use sqlx::SqliteConnection;

use crate::answer::collect;
use crate::checked::checked;
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
        let mut reader = self.readers().acquire().await.map_err(database("begin reading"))?;
        let rows = collect(sqlx::query(LEDGER).bind(sweep).fetch(&mut *reader)).await?;
        Ok(Rows { columns: LEDGER_COLUMNS.map(str::to_owned).to_vec(), rows })
    }
}

const LEDGER: &str = checked!(
    "SELECT cause, starts, ends, device_seconds, wasted_seconds, ran_again
     FROM v_ledger WHERE sweep IS ? ORDER BY device_seconds DESC, cause",
    _
);

const LEDGER_COLUMNS: [&str; 6] =
    ["cause", "starts", "ends", "device_seconds", "wasted_seconds", "ran_again"];

/// Where the attempts of a job join, in their order.
pub(crate) async fn boundaries(
    connection: &mut SqliteConnection,
    id: &str,
) -> Result<Vec<Boundary>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT number AS "number: u32", previous AS "previous?: u32",
                  from_step AS "from_step!: i64", why AS "why?: String"
           FROM v_boundaries WHERE job_id = ? ORDER BY number"#,
        id
    )
    .map(|row| Boundary {
        attempt: row.number,
        previous: row.previous,
        from_step: row.from_step as u64,
        inexact: row.why,
    });
    rows.fetch_all(connection).await.map_err(database("read where attempts join"))
}
