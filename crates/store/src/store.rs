//! Opening a study's database: whose it is, of which version, for reading or for writing.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::Access;
use rustix::io::Errno;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use crate::direct::forbid_other_files;
use crate::error::primary_code;
use crate::writer::Writer;
use crate::{Difference, NewSweep, StoreError, draft};

static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

/// `PRAGMA application_id` of a study: "augr". Set by the first migration.
const APPLICATION_ID: i64 = 0x6175_6772;

/// How many readers one process needs at once: a live display, a report and a question.
const READERS: u32 = 4;

/// Rows that SQLite's thread may be ahead of ours: long answers then need few switches between them.
const ROW_BUFFER: usize = 256;

/// Pages in the log (32 MB) at which SQLite brings them into the database, which takes two syncs: not at
/// every few hundred jobs.
const CHECKPOINT: &str = "8192";

/// How long to wait for another process's write, far longer than any of ours takes.
const BUSY: Duration = Duration::from_secs(30);

/// The database of one study. Cheap to clone; all clones share one writer and one pool of readers.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    /// Readers beside a writer, of this process or another.
    live: SqlitePool,
    /// Readers of a database that nobody has open for writing.
    still: SqlitePool,
    /// None when the store was opened for reading.
    writer: Option<Writer>,
}

impl Store {
    /// Opens the study at `root` for writing, creating folder and database where there are none.
    ///
    /// At most one process does so at a time: the caller holds the study's lock.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the folder cannot be written, or its database is damaged, of a newer
    /// augreg or somebody else's.
    pub async fn create_or_open(root: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(root)
            .map_err(|source| StoreError::CreateFolder { path: root.to_owned(), source })?;
        let path = root.join("augreg.db");
        if path.exists() {
            inspect(&path).await?;
        }
        Self::open_for_writing(root, &path).await
    }

    /// [`Store::create_or_open`], with a sweep to be registered. A new database appears with it, or
    /// not at all.
    ///
    /// # Errors
    ///
    /// Those of [`Store::create_or_open`] and [`Store::register_sweep`]; [`StoreError::Make`].
    pub async fn create_or_open_with(
        root: &Path,
        sweep: NewSweep<'_>,
    ) -> Result<(Self, Difference), StoreError> {
        let path = root.join("augreg.db");
        if path.exists() {
            let store = Self::create_or_open(root).await?;
            let difference = store.register_sweep(sweep).await?;
            return Ok((store, difference));
        }
        std::fs::create_dir_all(root)
            .map_err(|source| StoreError::CreateFolder { path: root.to_owned(), source })?;
        let difference = draft::make(&path, sweep).await?;
        Ok((Self::open_for_writing(root, &path).await?, difference))
    }

    /// Looks whether an existing study can be opened by this augreg, now or after its schema was
    /// brought up to date. Touches nothing, so it may come before the study's lock.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoStudy`], and those of [`Store::create_or_open`].
    pub async fn look(root: &Path) -> Result<(), StoreError> {
        match inspect(&existing(root)?).await? {
            Some(_) => Ok(()),
            None => Err(nothing(root)),
        }
    }

    /// Opens an existing study for small writes beside the scheduler that holds its lock, if one
    /// does. Leaves the schema as it is.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoStudy`], [`StoreError::Older`], and those of [`Store::create_or_open`].
    pub async fn open_beside(root: &Path) -> Result<Self, StoreError> {
        let path = existing(root)?;
        let known = known_version();
        match inspect(&path).await? {
            None => return Err(nothing(root)),
            Some(found) if found < known => return Err(StoreError::Older { path, found, known }),
            Some(_) => {}
        }
        let options = writing(&path);
        let connection = options.connect().await.map_err(|e| cannot_open(&path, e))?;
        Ok(Self::new(root, &path, Some(Writer::new(options, connection))))
    }

    /// Opens an existing study for writing. The caller holds the study's lock.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoStudy`], and those of [`Store::create_or_open`].
    pub async fn open(root: &Path) -> Result<Self, StoreError> {
        let path = existing(root)?;
        if inspect(&path).await?.is_none() {
            return Err(nothing(root));
        }
        Self::open_for_writing(root, &path).await
    }

    async fn open_for_writing(root: &Path, path: &Path) -> Result<Self, StoreError> {
        let options = writing(path);
        let crashed = has_log(path);
        let mut connection = options.connect().await.map_err(|e| cannot_open(path, e))?;
        if crashed {
            check(path, &mut connection).await?;
        }
        migrate(path, &mut connection).await?;
        Ok(Self::new(root, path, Some(Writer::new(options, connection))))
    }

    /// Opens an existing study for reading. Creates and changes nothing; any number of readers may
    /// read while one process writes, and what it writes is seen by the next question.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoStudy`], and those of [`Store::create_or_open`].
    pub async fn open_read_only(root: &Path) -> Result<Self, StoreError> {
        let path = existing(root)?;
        let known = known_version();
        match inspect(&path).await? {
            None => Err(nothing(root)),
            Some(found) if found < known => Err(StoreError::Older { path, found, known }),
            Some(_) => Ok(Self::new(root, &path, None)),
        }
    }

    fn new(root: &Path, path: &Path, writer: Option<Writer>) -> Self {
        // A connection to a file does not go away, and to ask it costs as much as a small question.
        let pool = SqlitePoolOptions::new()
            .max_connections(READERS)
            .test_before_acquire(false)
            .after_connect(|connection, _| Box::pin(forbid_other_files(connection)));
        let live = pool.clone().connect_lazy_with(reading(path, false));
        // Used once each: what such a connection has cached is not looked at again.
        let still = pool
            .after_release(|_, _| Box::pin(async { Ok(false) }))
            .connect_lazy_with(reading(path, true));
        Self { inner: Arc::new(Inner { root: root.to_owned(), live, still, writer }) }
    }

    /// The study's folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// Waits for writes under way and closes all connections, of clones too. What was written is
    /// on disk already; this makes the end of the database's files orderly.
    pub async fn close(self) {
        self.inner.live.close().await;
        self.inner.still.close().await;
        if let Some(writer) = &self.inner.writer {
            writer.close().await;
        }
    }

    pub(crate) fn readers(&self) -> &SqlitePool {
        let Inner { root, live, still, writer } = &*self.inner;
        if writer.is_some() || has_log(&root.join("augreg.db")) { live } else { still }
    }

    pub(crate) fn writer(&self) -> Result<&Writer, StoreError> {
        self.inner.writer.as_ref().ok_or(StoreError::ReadOnly)
    }
}

/// Brings a database's schema up to date.
pub(crate) async fn migrate(
    path: &Path,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let done = MIGRATOR.run_direct(None, connection, false).await;
    done.map_err(|source| StoreError::Migrate { path: path.to_owned(), source })
}

fn existing(root: &Path) -> Result<PathBuf, StoreError> {
    let path = root.join("augreg.db");
    // Asked of the system, because SQLite does not say why it cannot open a file.
    match rustix::fs::access(&path, Access::READ_OK) {
        Ok(()) if path.is_file() => Ok(path),
        Ok(()) => Err(StoreError::NotAStudy { path }),
        Err(Errno::NOENT) => Err(StoreError::NoStudy { path: root.to_owned() }),
        Err(error) => Err(StoreError::Unreadable { path, source: error.into() }),
    }
}

/// What to say of a database without a table.
fn nothing(root: &Path) -> StoreError {
    let jobs = std::fs::read_dir(root.join("runs")).is_ok_and(|mut jobs| jobs.next().is_some());
    if jobs {
        StoreError::Emptied { path: root.join("augreg.db") }
    } else {
        StoreError::NoStudy { path: root.to_owned() }
    }
}

/// How to open the database for writing.
pub(crate) fn writing(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .pragma("cache_size", "-131072") // KiB: the index on job ids of a million jobs fits.
        .pragma("temp_store", "memory")
        .pragma("wal_autocheckpoint", CHECKPOINT)
        .disable_statement_logging()
}

/// How to open the database for reading.
///
/// SQLite creates bookkeeping files beside a database in WAL mode even for readers, and leaves them
/// behind. While a writer has it open they are there already. Otherwise it is opened as a file that
/// does not change (`immutable`), which needs none and works in a folder that cannot be written.
fn reading(path: &Path, immutable: bool) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .immutable(immutable)
        .busy_timeout(BUSY)
        .pragma("query_only", "on")
        .pragma("temp_store", "memory")
        .row_buffer_size(ROW_BUFFER)
        .disable_statement_logging()
}

/// Whether a writer has the database open, or left without closing it.
fn has_log(path: &Path) -> bool {
    path.with_extension("db-wal").exists()
}

/// Looks a database over that was not closed in order: its log was still there. (It also is while
/// another process has it open; then the look is for nothing, and does no harm.)
async fn check(path: &Path, connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let finding = sqlx::query_scalar!(
        r#"SELECT CAST(quick_check AS TEXT) AS "finding!: String" FROM pragma_quick_check"#
    )
    .fetch_one(connection)
    .await
    .map_err(|source| cannot_open(path, source))?;
    if finding == "ok" {
        tracing::info!("the database was not closed in order; it is sound");
        return Ok(());
    }
    Err(StoreError::Unsound { path: path.to_owned(), finding })
}

fn known_version() -> i64 {
    MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// The schema version of a file that calls itself `augreg.db`; none if it holds no table yet.
/// Looks without touching: a file that is not ours stays as it is.
async fn inspect(path: &Path) -> Result<Option<i64>, StoreError> {
    // Else it is found out when a page is asked for that is not there, or never.
    if !has_log(path) && is_cut_off(path) {
        return Err(StoreError::CutOff { path: path.to_owned() });
    }
    let fail = |source| cannot_open(path, source);
    let mut connection = reading(path, !has_log(path)).connect().await.map_err(fail)?;
    let version = schema_version(path, &mut connection).await;
    connection.close().await.map_err(fail)?;
    version
}

async fn schema_version(
    path: &Path,
    connection: &mut SqliteConnection,
) -> Result<Option<i64>, StoreError> {
    let fail = |source| cannot_open(path, source);
    let tables = sqlx::query_scalar!(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name <> '_sqlx_migrations'"
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(fail)?;
    if tables == 0 {
        return Ok(None); // New, or a crash came before the first migration.
    }
    let application = sqlx::query_scalar!(
        r#"SELECT CAST(application_id AS INTEGER) AS "id!: i64" FROM pragma_application_id"#
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(fail)?;
    if application != APPLICATION_ID {
        return Err(StoreError::NotAStudy { path: path.to_owned() });
    }
    let found = sqlx::query_scalar!(
        r#"SELECT coalesce(max(version), 0) AS "version!: i64" FROM _sqlx_migrations"#
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(fail)?;
    let known = known_version();
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    Ok(Some(found))
}

/// Whether the file is shorter than its own header says. What cannot be read is left to SQLite.
fn is_cut_off(path: &Path) -> bool {
    let read = || {
        let mut header = [0; 100];
        let mut file = std::fs::File::open(path)?;
        file.read_exact(&mut header)?;
        Ok::<_, std::io::Error>((header, file.metadata()?.len()))
    };
    let Ok((header, length)) = read() else { return false };
    let number = |at: usize| header[at..at + 4].iter().fold(0, |n, byte| n << 8 | u64::from(*byte));
    let page = match number(14) & 0xffff {
        1 => 65_536,
        page => page,
    };
    // The count of pages holds only if whoever wrote the file last knew of it.
    let holds = header.starts_with(b"SQLite format 3\0") && number(24) == number(92);
    holds && length < number(28) * page
}

pub(crate) fn cannot_open(path: &Path, source: sqlx::Error) -> StoreError {
    let path = path.to_owned();
    match primary_code(&source) {
        Some(11 | 26) => StoreError::Damaged { path, source }, // SQLITE_CORRUPT, SQLITE_NOTADB
        _ => StoreError::Open { path, source },
    }
}
