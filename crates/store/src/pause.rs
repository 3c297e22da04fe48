//! Pauses: those that people ask for, and the one that a full disk forces on a run.
//!
//! A person's pause is a request that stays open until a person ends it, so it outlives any scheduler.
//! A full disk is known to the scheduler that found it so, which says it in the audit.

use augreg_spec::JobId;

use crate::clock::now;
use crate::error::database;
use crate::rows::job_id;
use crate::{Store, StoreError};

/// A pause that a person asked for and nobody has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// The sweep; the whole study without one.
    pub sweep: Option<String>,
    /// Whether attempts that run go on to their ends.
    pub drain: bool,
    /// Since when, milliseconds since 1970.
    pub since: u64,
    /// Who asked for it, for a person.
    pub by: String,
}

impl Store {
    /// Asks that nothing more of a sweep, or of the study, be started. Asked again, only `drain` may
    /// be new.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownSweep`].
    pub async fn pause(
        &self,
        sweep: Option<&str>,
        drain: bool,
        by: &str,
    ) -> Result<(), StoreError> {
        let sweep_id = self.find(sweep).await?;
        let mut connection = self.writer()?.connection().await;
        let mut transaction = connection.begin().await?;
        let at = now();
        sqlx::query!(
            "INSERT INTO request (at, kind, sweep_id, drain, author) VALUES (?, 'pause', ?, ?, ?)
             ON CONFLICT (ifnull(sweep_id, 0)) WHERE closed IS NULL AND kind = 'pause'
             DO UPDATE SET drain = excluded.drain",
            at,
            sweep_id,
            drain,
            by
        )
        .execute(&mut *transaction)
        .await
        .map_err(database("ask for a pause"))?;
        note(&mut transaction, sweep_id, "pause-requested", by).await?;
        transaction.commit().await.map_err(database("commit"))
    }

    /// Ends what [`Store::pause`] asked for. Returns whether there was anything to end.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownSweep`].
    pub async fn unpause(&self, sweep: Option<&str>, by: &str) -> Result<bool, StoreError> {
        let sweep_id = self.find(sweep).await?;
        let mut connection = self.writer()?.connection().await;
        let mut transaction = connection.begin().await?;
        let at = now();
        let ended = sqlx::query!(
            "UPDATE request SET closed = ?
             WHERE kind = 'pause' AND closed IS NULL AND ifnull(sweep_id, 0) = ifnull(?, 0)",
            at,
            sweep_id
        )
        .execute(&mut *transaction)
        .await
        .map_err(database("end a pause"))?;
        let any = ended.rows_affected() > 0;
        if any {
            note(&mut transaction, sweep_id, "pause-ended", by).await?;
        }
        transaction.commit().await.map_err(database("commit"))?;
        Ok(any)
    }

    /// The pauses that people asked for and nobody has ended, oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn pauses(&self) -> Result<Vec<Pause>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT sweep.name AS "sweep?", drain AS "drain: bool", at, author
               FROM request LEFT JOIN sweep ON sweep.id = request.sweep_id
               WHERE kind = 'pause' AND closed IS NULL ORDER BY request.id"#
        )
        .fetch_all(self.readers())
        .await
        .map_err(database("read what is paused"))?;
        let pauses = rows.into_iter().map(|row| Pause {
            sweep: row.sweep,
            drain: row.drain,
            since: u64::try_from(row.at).unwrap_or(0),
            by: row.author.unwrap_or_else(|| "by somebody".to_owned()),
        });
        Ok(pauses.collect())
    }

    /// The jobs that have not ended and that paused sweeps ask for, but no other sweep.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn paused_jobs(&self) -> Result<Vec<JobId>, StoreError> {
        let ids = sqlx::query_scalar!(
            "WITH paused AS (
                 SELECT sweep_id FROM request
                 WHERE kind = 'pause' AND closed IS NULL AND sweep_id IS NOT NULL
             )
             SELECT id FROM job
             WHERE state IN ('waiting', 'queued', 'running')
               AND EXISTS (
                   SELECT 1 FROM member
                   WHERE member.ordinal = job.ordinal AND NOT orphaned AND sweep_id IN paused
               )
               AND NOT EXISTS (
                   SELECT 1 FROM member
                   WHERE member.ordinal = job.ordinal AND NOT orphaned AND sweep_id NOT IN paused
               )
             ORDER BY ordinal"
        )
        .fetch_all(self.readers())
        .await
        .map_err(database("read the jobs of paused sweeps"))?;
        ids.iter().map(|id| job_id(id)).collect()
    }

    /// When a scheduler last found the disk full and what it said, unless it has found room since.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub async fn disk_full(&self) -> Result<Option<(u64, String)>, StoreError> {
        let last = sqlx::query!(
            "SELECT what, at, reason FROM event
             WHERE what IN ('disk-full', 'disk-has-room') ORDER BY id DESC LIMIT 1"
        )
        .fetch_optional(self.readers())
        .await
        .map_err(database("read what is said of the disk"))?;
        let full = last.filter(|last| last.what == "disk-full");
        Ok(full.map(|full| (u64::try_from(full.at).unwrap_or(0), full.reason)))
    }
}

async fn note(
    connection: &mut sqlx::SqliteConnection,
    sweep_id: Option<i64>,
    what: &str,
    reason: &str,
) -> Result<(), StoreError> {
    let at = now();
    sqlx::query!(
        "INSERT INTO event (at, sweep_id, actor, what, reason) VALUES (?, ?, 'user', ?, ?)",
        at,
        sweep_id,
        what,
        reason
    )
    .execute(connection)
    .await
    .map_err(database("write the audit"))?;
    Ok(())
}
