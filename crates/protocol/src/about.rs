//! What a worker says of itself when it is asked (`augreg-worker --about`): one line of JSON.

use serde::{Deserialize, Serialize};

/// A worker and the libtorch that it runs with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Version of the worker.
    pub version: String,
    /// Version of libtorch.
    pub libtorch: String,
    /// The instructions that libtorch uses on this processor, such as `AVX512`.
    pub instructions: String,
    /// The version of CUDA that libtorch was built for; none if it knows no GPUs.
    pub cuda: Option<String>,
    /// How many GPUs libtorch can use here.
    pub gpus: u32,
}
