//! How the store fails: [`StoreError`] for what augreg asks, [`QueryError`] for what a person asks.

use std::path::PathBuf;

use augreg_protocol::AttemptKey;
use sqlx::migrate::MigrateError;
use thiserror::Error;

use crate::fold::FUNCTIONS;

/// A failure of the store.
///
/// Messages are lowercase fragments that read well after `error: ` and never repeat their source.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The folder holds no study.
    #[error("`{path}` holds no study: there is no `augreg.db` in it", path = path.display())]
    NoStudy {
        /// The folder.
        path: PathBuf,
    },
    /// The file is a database, but not augreg's.
    #[error("`{path}` is not the database of an augreg study", path = path.display())]
    NotAStudy {
        /// The file.
        path: PathBuf,
    },
    /// The file is no database, or a damaged one.
    #[error("the database `{path}` is damaged or no SQLite database", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// The database is shorter than it says itself.
    #[error("the database `{path}` is damaged: it has lost its end", path = path.display())]
    CutOff {
        /// The file.
        path: PathBuf,
    },
    /// The database holds nothing, and yet there are jobs.
    #[error("the database `{path}` is empty, but jobs have run below `runs/`", path = path.display())]
    Emptied {
        /// The file.
        path: PathBuf,
    },
    /// The database was not closed in order, and looking it over found damage.
    #[error(
        "the database `{path}` was not closed in order and is damaged: {finding}; nothing was changed",
        path = path.display()
    )]
    Unsound {
        /// The file.
        path: PathBuf,
        /// What SQLite found first.
        finding: String,
    },
    /// The study's folder or its database cannot be looked at.
    #[error("failed to read `{path}`", path = path.display())]
    Unreadable {
        /// What cannot be read.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The study's folder could not be created.
    #[error("failed to create the study folder `{path}`", path = path.display())]
    CreateFolder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A new database could not be brought to disk.
    #[error("failed to make the database `{path}`", path = path.display())]
    Make {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The database could not be opened or created.
    #[error("failed to open the database `{path}`", path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// The database was made by a newer augreg.
    #[error(
        "the database `{path}` has schema version {found}, this augreg knows up to {known}: \
         use a newer augreg",
        path = path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest version this build knows.
        known: i64,
    },
    /// The database was made by an older augreg and cannot be migrated while only reading.
    #[error(
        "the database `{path}` has schema version {found}, this augreg reads {known}: \
         `augreg resume` brings it up to date",
        path = path.display()
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The version this build reads.
        known: i64,
    },
    /// The schema could not be brought up to date.
    #[error("failed to migrate the database `{path}`", path = path.display())]
    Migrate {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: MigrateError,
    },
    /// A change was asked of a store that was opened for reading.
    #[error("the study was opened for reading only")]
    ReadOnly,
    /// The writer is gone: the store was closed, or the process is shutting down.
    #[error("the study's database is closed")]
    Closed,
    /// The study has no sweep of this name.
    #[error("the study has no sweep `{name}`{hint}", hint = hint(nearest.as_deref()))]
    UnknownSweep {
        /// The name asked for.
        name: String,
        /// The nearest name there is.
        nearest: Option<String>,
    },
    /// Nothing was imported under this name.
    #[error("nothing was imported as `{name}`{}", sources(known))]
    UnknownSource {
        /// The name asked for.
        name: String,
        /// What was imported.
        known: Vec<String>,
    },
    /// No job's id begins so.
    #[error("the study has no job whose id begins with `{prefix}`")]
    UnknownJob {
        /// The prefix asked for.
        prefix: String,
    },
    /// Several jobs' ids begin so.
    #[error("several jobs have ids that begin with `{prefix}`: {}", candidates.join(", "))]
    AmbiguousJob {
        /// The prefix asked for.
        prefix: String,
        /// Some of them, at most ten.
        candidates: Vec<String>,
    },
    /// A change names an attempt that the database does not know.
    #[error("the study has no attempt {attempt}")]
    UnknownAttempt {
        /// The attempt.
        attempt: AttemptKey,
    },
    /// Journal entries that do not follow what was ingested before.
    #[error("the journal of attempt {attempt} jumps from entry {expected} to entry {found}")]
    Gap {
        /// The attempt.
        attempt: AttemptKey,
        /// The next sequence number in line.
        expected: u64,
        /// The one that came.
        found: u64,
    },
    /// A journal that holds entries of another attempt.
    #[error("the journal of attempt {attempt} holds an entry of attempt {found}")]
    Stray {
        /// The attempt whose journal was read.
        attempt: AttemptKey,
        /// The attempt that the entry names.
        found: AttemptKey,
    },
    /// Jobs were registered whose data set was not.
    #[error("job {job} uses a data set that was not registered with its sweep")]
    UnknownDataset {
        /// The job.
        job: augreg_spec::JobId,
    },
    /// A job that an augreg of this version cannot run.
    #[error(
        "job {job} cannot be run by augreg {version}: its spec is of a newer one, or damaged ({why})",
        version = env!("CARGO_PKG_VERSION")
    )]
    NewerJob {
        /// The job's id.
        job: String,
        /// What is not understood.
        why: String,
    },
    /// A row holds something this build cannot read.
    #[error("failed to read {what} of `{row}` from the database")]
    Decode {
        /// What was read.
        what: &'static str,
        /// Which row, for a person.
        row: String,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// SQLite did not answer a question.
    #[error("failed to answer a query in the study's database")]
    Answer {
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// Any other failure of the database.
    #[error("failed to {action} in the study's database")]
    Database {
        /// What was tried.
        action: &'static str,
        /// What SQLite said.
        source: sqlx::Error,
    },
}

impl StoreError {
    /// Whether the disk is full: the same call may succeed when there is room again.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        self.code() == Some(13) // SQLITE_FULL
    }

    /// Whether another process held the database: the same call may succeed if repeated.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self.code(), Some(5 | 6)) // SQLITE_BUSY, SQLITE_LOCKED
    }

    /// Whether SQLite found the file damaged, or no database at all.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        matches!(self, Self::Unsound { .. } | Self::CutOff { .. } | Self::Emptied { .. })
            || matches!(self.code(), Some(11 | 26)) // SQLITE_CORRUPT, SQLITE_NOTADB
    }

    /// SQLite's primary result code, if it is SQLite that failed.
    pub(crate) fn code(&self) -> Option<i32> {
        match self {
            Self::Answer { source } => {
                source.sqlite_error().map(|error| primary(error.extended_code))
            }
            Self::Database { source, .. }
            | Self::Open { source, .. }
            | Self::Damaged { source, .. } => primary_code(source),
            _ => None,
        }
    }
}

/// Wraps what SQLite said while the store tried to `action`.
pub(crate) fn database(action: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |source| match source {
        sqlx::Error::PoolClosed => StoreError::Closed,
        source => StoreError::Database { action, source },
    }
}

/// Wraps what SQLite said while it answered a question.
pub(crate) fn answering(source: rusqlite::Error) -> StoreError {
    StoreError::Answer { source }
}

/// Wraps why `what` of `row` cannot be read.
pub(crate) fn decode<E>(what: &'static str, row: &impl ToString) -> impl FnOnce(E) -> StoreError
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let row = row.to_string();
    move |source| StoreError::Decode { what, row, source: source.into() }
}

/// SQLite's primary result code, without the extension in the upper bits.
pub(crate) fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let sqlx::Error::Database(error) = error else { return None };
    error.code().and_then(|code| code.parse::<i32>().ok()).map(primary)
}

fn primary(code: i32) -> i32 {
    code & 0xff
}

/// A query, filter or sort key that cannot be answered.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum QueryError {
    /// A filter that does not follow the grammar.
    #[error(
        "`{text}` is not a filter: write column, operator and value, such as `model=Ti/16`, \
         `state!=failed`, `final_val>0.8` or `augmentation~medium`"
    )]
    FilterGrammar {
        /// The filter.
        text: String,
    },
    /// A filter with a quote that is never closed.
    #[error("the quote in `{text}` is never closed")]
    OpenQuote {
        /// The filter.
        text: String,
        /// The byte of the quote.
        at: usize,
    },
    /// A filter with something after its quoted value.
    #[error("`{text}` goes on after its quoted value")]
    AfterQuote {
        /// The filter.
        text: String,
        /// The byte at which it goes on.
        at: usize,
    },
    /// A filter whose value looks like another filter.
    #[error("`{text}` holds two filters: write them apart, or put the value in quotes")]
    TwoFilters {
        /// The filter.
        text: String,
        /// The byte at which the second begins.
        at: usize,
    },
    /// What is no aggregate.
    #[error(
        "`{text}` is no aggregate: write `count`, or one of {} with a column, such as \
         `mean(final_val)`{}", FUNCTIONS, hint(nearest.as_deref())
    )]
    AggregateGrammar {
        /// The text.
        text: String,
        /// The nearest aggregate there is.
        nearest: Option<String>,
    },
    /// An aggregate of numbers over a column of text.
    #[error(
        "`{aggregate}` needs numbers, and column `{column}` holds text: `count`, `min` and `max` take it"
    )]
    NotNumeric {
        /// The aggregate.
        aggregate: String,
        /// Its column.
        column: &'static str,
    },
    /// A sort key that groups do not have.
    #[error("groups have no `{name}` to be sorted by{hint}", hint = hint(nearest.as_deref()))]
    UnknownGroupKey {
        /// The name asked for.
        name: String,
        /// The nearest one there is.
        nearest: Option<String>,
    },
    /// A sort key without a column.
    #[error("`{text}` is not a sort key: write a column, or `-column` for descending order")]
    SortGrammar {
        /// The sort key.
        text: String,
    },
    /// A column that `v_jobs` does not have.
    #[error("there is no column `{name}`{hint}", hint = hint(nearest.as_deref()))]
    UnknownColumn {
        /// The name asked for.
        name: String,
        /// The nearest column.
        nearest: Option<String>,
    },
    /// A column of numbers compared with something else.
    #[error("`{text}`: column `{column}` holds numbers, and `{value}` is none")]
    NotANumber {
        /// The filter.
        text: String,
        /// Its column.
        column: &'static str,
        /// Its value.
        value: String,
    },
    /// Not a reading statement.
    #[error("only one reading statement is allowed: `SELECT`, `WITH`, `VALUES` or `EXPLAIN`")]
    NotAReadingStatement,
    /// SQLite refused the statement.
    #[error("SQLite cannot answer the query: {message}{hint}", hint = hint(nearest.as_deref()))]
    Sql {
        /// What SQLite said.
        message: String,
        /// The nearest name in the schema, when a table or column is unknown.
        nearest: Option<String>,
    },
    /// Whoever took the rows could not.
    #[error("failed to pass rows on")]
    Output(#[from] std::io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!(", did you mean `{name}`?"))
}

fn sources(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!("; there is `{}`", known.join("`, `")) }
}
