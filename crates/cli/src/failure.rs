//! How a command ends, and what it tells the shell.

use std::io;
use std::process::ExitCode;

use augreg_data::DataError;
use augreg_protocol::with_causes;
use augreg_scheduler::runtime::LockError;
use augreg_spec::{ModelError, OverBudget, SweepErrors};
use augreg_store::{QueryError, StoreError};
use augreg_weights::foreign::WeightsError;
use miette::{Diagnostic, Report, SourceSpan};
use thiserror::Error;

/// How a command ended that did what it was asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Everything succeeded.
    Good,
    /// Some job failed.
    JobsFailed,
    /// Interrupted; `augreg resume` goes on.
    Interrupted,
}

impl Ending {
    pub(crate) fn code(self) -> ExitCode {
        match self {
            Self::Good => ExitCode::SUCCESS,
            Self::JobsFailed => ExitCode::from(1),
            Self::Interrupted => ExitCode::from(130),
        }
    }
}

/// Why a command could not do what it was asked to.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The request was wrong: exit code 2.
    Request(Report),
    /// The request was right, but something broke: exit code 1.
    Broken(Report),
    /// Whoever read our output has left, and needs nothing more.
    NobodyListens,
}

/// An error with advice.
#[derive(Debug, Error, Diagnostic)]
#[error("{message}")]
struct Advised {
    message: String,
    #[help]
    help: Option<String>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Failure {
    /// A wrong request, and what would be right.
    pub(crate) fn request(message: impl Into<String>, help: impl Into<String>) -> Self {
        let (message, help) = (message.into(), Some(help.into()));
        Self::Request(Report::new(Advised { message, help, source: None }))
    }

    /// A request that cannot be met as things are, and what to do.
    pub(crate) fn refused(
        error: impl std::error::Error + Send + Sync + 'static,
        help: &str,
    ) -> Self {
        Self::Request(advised(error, Some(help)))
    }

    /// A sweep that would take more than its file allows.
    pub(crate) fn over_budget(error: OverBudget) -> Self {
        Self::Request(Report::new(error))
    }

    /// Something broke, and what to do.
    pub(crate) fn broken(
        error: impl std::error::Error + Send + Sync + 'static,
        help: Option<&str>,
    ) -> Self {
        Self::Broken(advised(error, help))
    }

    /// What is wrong in a sentence, for whoever does not sit at a terminal.
    pub(crate) fn sentence(self) -> String {
        match self {
            Self::Request(report) | Self::Broken(report) => match report.help() {
                Some(help) => format!("{report}: {help}"),
                None => report.to_string(),
            },
            Self::NobodyListens => String::new(),
        }
    }

    /// Something broke, and nothing can be advised.
    pub(crate) fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::broken(error, None)
    }
}

/// Wraps an error of a library, its chain of causes kept.
fn advised(error: impl std::error::Error + Send + Sync + 'static, help: Option<&str>) -> Report {
    let message = error.to_string();
    let source = error
        .source()
        .map(|source| -> Box<dyn std::error::Error + Send + Sync> { with_causes(source).into() });
    Report::new(Advised { message, help: help.map(str::to_owned), source })
}

impl From<SweepErrors> for Failure {
    fn from(errors: SweepErrors) -> Self {
        Self::Request(Report::new(errors))
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        match &error {
            LockError::Held { .. } => Self::refused(
                error,
                "nothing was changed: wait for it, or stop it with Ctrl-C or `kill` and run this again",
            ),
            LockError::Io { source, .. } => {
                let help = advice(source.kind());
                Self::refused(error, help)
            }
        }
    }
}

/// What to do about a place that the system does not let us use.
pub(crate) fn advice(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::PermissionDenied => {
            "ask whoever owns it for access, or name a study elsewhere with `--root DIR`"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "`augreg status`, `query`, `show` and `report` can be used there; to run jobs, mount it \
             for writing or name a study elsewhere with `--root DIR`"
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "a study is a folder: name one with `--root DIR`"
        }
        io::ErrorKind::StorageFull => "make room, then run this again",
        _ => "name a folder that can be used with `--root DIR`",
    }
}

/// What to do about a database that cannot be read any more.
const MEND: &str = "nothing that was trained is lost: journals and checkpoints below `runs/` are as they \
    were. Move `augreg.db`, `augreg.db-wal` and `augreg.db-shm` to another folder and launch the same \
    sweep files again: a new database takes in what the journals say, and only the rest is run. What \
    people had decided (cancelled jobs, pauses) is in the old file alone: `sqlite3 augreg.db .recover` \
    prints what of it can be read";

/// What to do about a study's database, where there is something to be done.
pub(crate) fn advice_on_store(error: &StoreError) -> Option<&'static str> {
    match error {
        error if error.is_damaged() => Some(MEND),
        StoreError::NewerJob { .. } => Some(
            "use the augreg that registered it, or take it out with `augreg cancel`; \
             jobs of other sweeps can be run by name: `augreg resume SWEEP`",
        ),
        _ => None,
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let help = match &error {
            StoreError::NoStudy { .. } => Some(
                "name a study with `--root DIR` or AUGREG_ROOT; `augreg launch FILE` makes one",
            ),
            StoreError::UnknownSweep { .. } => {
                Some("`augreg status` lists the sweeps of the study")
            }
            StoreError::UnknownSource { .. } => {
                Some("`augreg import FILE --source NAME` takes a table in")
            }
            StoreError::UnknownJob { .. } => Some("`augreg query` lists the jobs of the study"),
            StoreError::AmbiguousJob { .. } => Some("give more characters of the id"),
            StoreError::Unreadable { source, .. }
            | StoreError::CreateFolder { source, .. }
            | StoreError::Make { source, .. } => Some(advice(source.kind())),
            _ => None,
        };
        let is_request = help.is_some()
            || matches!(
                error,
                StoreError::Newer { .. } | StoreError::Older { .. } | StoreError::NotAStudy { .. }
            );
        let help = help.or(advice_on_store(&error));
        let report = advised(error, help);
        if is_request { Self::Request(report) } else { Self::Broken(report) }
    }
}

/// A filter with the place that is wrong.
#[derive(Debug, Error, Diagnostic)]
#[error("{message}")]
struct Pointed {
    message: String,
    #[source_code]
    text: String,
    #[label("{label}")]
    at: SourceSpan,
    label: &'static str,
    #[help]
    help: &'static str,
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Self {
        let message = error.to_string();
        let pointed = |text: String, at: usize, length: usize, label, help| {
            Self::Request(Report::new(Pointed {
                message: message.clone(),
                text,
                at: (at, length).into(),
                label,
                help,
            }))
        };
        match error {
            QueryError::Store(error) => error.into(),
            QueryError::Output(error) => error.into(),
            QueryError::OpenQuote { text, at } => {
                let help = "close it; a quote within the value is written twice. The shell takes one pair of \
                            quotes for itself: `'message=\"a b\"'`";
                pointed(text, at, 1, "opens here", help)
            }
            QueryError::AfterQuote { text, at } => {
                let length = text.len() - at;
                let help = "a quote within the value is written twice";
                pointed(text, at, length, "not part of the value", help)
            }
            QueryError::TwoFilters { text, at } => {
                let length = text.len() - at;
                let help = "each filter is an argument of its own: `model=Ti/16 'final_val>0.8'`";
                pointed(text, at, length, "the second", help)
            }
            error => {
                let help = match &error {
                    QueryError::UnknownColumn { .. } | QueryError::Sql { .. } => {
                        Some("`augreg query --views` lists the views and their columns")
                    }
                    QueryError::NotAReadingStatement => Some(
                        "the study is open for reading only; instead of `PRAGMA table_info(x)` ask \
                         `SELECT * FROM pragma_table_info('x')`",
                    ),
                    QueryError::UnknownGroupKey { .. } => {
                        Some("groups are sorted by what `--group` and `--show` name")
                    }
                    _ => None,
                };
                Self::Request(advised(error, help))
            }
        }
    }
}

/// The message says what to do.
impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        Self::Broken(advised(error, None))
    }
}

impl From<WeightsError> for Failure {
    fn from(error: WeightsError) -> Self {
        let help = match &error {
            WeightsError::Io { action: "read", .. } => "name a file that can be read",
            WeightsError::Io { .. } => {
                return Self::broken(error, Some("what was there is as it was"));
            }
            WeightsError::Damaged { .. } => "copy or download it again",
            WeightsError::NoTransformer { .. } => "docs/weights.md says which files can be read",
            WeightsError::OtherModel { .. } => {
                "without `--model` the file itself says what it holds; name that, or take another file"
            }
            WeightsError::Misfit { .. } => {
                "`--classes N` replaces the head and needs none in the file"
            }
            WeightsError::NoHead { .. } => "`--classes N` gives it one",
            WeightsError::HiddenLayer { .. } => {
                "`--classes N` replaces the head, as every transfer of the study does"
            }
            WeightsError::UnknownHeads { .. } => "say it with `--heads N`",
            WeightsError::Model { source: ModelError::Heads { .. }, .. } => {
                "name a number of heads that divides the width"
            }
            WeightsError::Model { .. } => "the side of the images is set with `--resolution`",
        };
        Self::refused(error, help)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::NobodyListens;
        }
        Self::internal(error)
    }
}

/// Tells the person and the shell.
pub(crate) fn report(failure: Failure) -> ExitCode {
    let (report, code) = match failure {
        Failure::Request(report) => (report, 2),
        Failure::Broken(report) => (report, 1),
        Failure::NobodyListens => return ExitCode::SUCCESS,
    };
    crate::output::say(&format!("{report:?}"));
    ExitCode::from(code)
}
