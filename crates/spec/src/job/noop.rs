//! The job that does nothing.

use serde::{Deserialize, Serialize};

/// A job that does nothing and succeeds. What is left is the cost of running a job at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoopSpec {
    /// Tells jobs of one sweep apart; counts from 0.
    pub index: u64,
    /// Tells sweeps apart that are to run again.
    pub seed: u64,
}
