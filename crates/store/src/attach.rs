//! Takes from a connection the means to name other files.
//!
//! A connection that is opened read-only refuses to change its database, but SQLite lets it `ATTACH` another file and
//! `VACUUM INTO` one, and makes those. Both count as attached databases, of which a connection can be allowed none.

#![expect(unsafe_code, reason = "sqlx does not offer the limits of a connection")]

use libsqlite3_sys::{SQLITE_LIMIT_ATTACHED, sqlite3_limit};
use sqlx::SqliteConnection;

/// From now on the connection refuses every statement that would open another file.
pub(crate) async fn forbid_other_files(
    connection: &mut SqliteConnection,
) -> Result<(), sqlx::Error> {
    let mut handle = connection.lock_handle().await?;
    // SAFETY: the handle is that of an open connection, which is locked as long as `handle` lives.
    unsafe { sqlite3_limit(handle.as_raw_handle().as_ptr(), SQLITE_LIMIT_ATTACHED, 0) };
    Ok(())
}
