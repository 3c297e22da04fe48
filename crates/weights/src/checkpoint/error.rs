//! Why a checkpoint could not be written or is not what was asked for.

use std::io;
use std::path::PathBuf;

use augreg_spec::JobId;
use thiserror::Error;

/// A checkpoint that cannot be written, read or used.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// The file system refused.
    #[error("failed to {action} the checkpoint `{path}`", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The bytes are not what was written.
    #[error("the checkpoint `{path}` is damaged: {reason}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How it shows.
        reason: String,
    },
    /// A whole file of another job.
    #[error("the checkpoint `{path}` belongs to job {found}, not to job {expected}", path = path.display())]
    OtherJob {
        /// The file.
        path: PathBuf,
        /// The job it belongs to.
        found: String,
        /// The job that asked.
        expected: JobId,
    },
    /// A whole file of this job that does not hold this network.
    #[error("the checkpoint `{path}` does not fit the network: {}", problems.join("; "), path = path.display())]
    Misfit {
        /// The file.
        path: PathBuf,
        /// Every missing, unexpected, mis-shaped and mis-typed tensor.
        problems: Vec<String>,
    },
}

impl CheckpointError {
    /// Whether there is no room on the disk: the same may succeed later. The file that was there is
    /// as it was.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self, Self::Io { source, .. }
            if matches!(source.kind(), StorageFull | QuotaExceeded))
    }
}
