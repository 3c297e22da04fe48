//! Where parameters come from that a job needs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::JobId;

/// Parameters that are there before the job begins: part of its identity.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Upstream {
    /// Those of an imported file, by the BLAKE3 (hex) of its bytes.
    File(String),
    /// The final ones of a job.
    Job(JobId),
}

impl Upstream {
    /// The job, if they are a job's.
    #[must_use]
    pub fn job(&self) -> Option<JobId> {
        match self {
            Self::Job(job) => Some(*job),
            Self::File(_) => None,
        }
    }
}

/// Short: the first ten characters.
impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Job(job) => f.write_str(&job.short()),
            Self::File(hash) => f.write_str(hash.get(..10).unwrap_or(hash)),
        }
    }
}
