//! The states of jobs and attempts, as the scheduler moves them and the database stores them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The state of a job: `waiting → queued → running → succeeded | failed | cancelled`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// Its upstream job is not done.
    Waiting,
    /// It can run and waits for a slot.
    Queued,
    /// An attempt is live.
    Running,
    /// Done; its result stands.
    Succeeded,
    /// Given up; the last attempt says why.
    Failed,
    /// Taken out by a person.
    Cancelled,
}

impl JobState {
    /// Every state in the order of a job's life.
    pub const ALL: [Self; 6] = [
        Self::Waiting,
        Self::Queued,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The name in columns and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more will happen to the job by itself.
    #[must_use]
    pub fn is_end(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The state of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptState {
    /// A worker has it.
    Running,
    /// It finished the job.
    Succeeded,
    /// It ended in a failure of some [`FailureKind`](crate::FailureKind).
    Failed,
    /// It was told to stop, wrote a checkpoint and left.
    Stopped,
}

impl AttemptState {
    /// The name in columns and messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}
