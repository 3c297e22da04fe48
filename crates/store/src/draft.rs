//! A study's database while it is made: it gets its name when it is whole and on disk.
//!
//! Until then nobody can see it, so it needs neither log nor rollback: every page of a first sweep, be
//! it of a million jobs, is written once, and a draft that fails or is left behind is thrown away.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};

use crate::difference::Difference;
use crate::error::database;
use crate::register::enter;
use crate::store::{cannot_open, migrate, writing};
use crate::{NewSweep, StoreError};

/// Makes the database at `path`, which there is not, with its first sweep.
pub(crate) async fn make(path: &Path, sweep: NewSweep<'_>) -> Result<Difference, StoreError> {
    let draft = path.with_extension("db-draft");
    let fail = |source| StoreError::Make { path: path.to_owned(), source };
    remove(&draft).map_err(fail)?;
    let made = fill(&draft, sweep).await;
    let named = made.and_then(|difference| {
        put(&draft, path).map_err(fail)?;
        Ok(difference)
    });
    if named.is_err() {
        // What it takes of a full disk is given back; if not now, then by the next one.
        let _ = remove(&draft);
    }
    named
}

async fn fill(draft: &Path, sweep: NewSweep<'_>) -> Result<Difference, StoreError> {
    let mut connection = drafting(draft).connect().await.map_err(|e| cannot_open(draft, e))?;
    migrate(draft, &mut connection).await?;
    let mut transaction = connection.begin().await.map_err(database("begin a transaction"))?;
    let difference = enter(&mut transaction, sweep).await?;
    transaction.commit().await.map_err(database("commit a sweep"))?;
    connection.close().await.map_err(database("close a new database"))?;
    Ok(difference)
}

/// How to open a draft. That a job's data set is there is looked at before SQLite sees the job, and
/// nothing else in it refers to anything but what was just inserted.
fn drafting(draft: &Path) -> SqliteConnectOptions {
    writing(draft)
        .journal_mode(SqliteJournalMode::Off)
        .synchronous(SqliteSynchronous::Off)
        .locking_mode(SqliteLockingMode::Exclusive)
        .foreign_keys(false)
}

/// Brings a draft to disk, and then to its name.
fn put(draft: &Path, path: &Path) -> io::Result<()> {
    File::open(draft)?.sync_all()?;
    fs::rename(draft, path)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn remove(draft: &Path) -> io::Result<()> {
    match fs::remove_file(draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
