//! Measuring how good parameters are, as they are or by a linear probe.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Gelu, Precision, Upstream, is_default};
use crate::dataset::DatasetIdentity;
use crate::model::ModelSpec;

/// A linear probe on few images of each class: least squares, L2-regularised, on the features before
/// the head (`big_vision` `evaluators/fewshot_lsr.py`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Strength of the L2 regularization. The study's evaluators have 2¹⁰
    /// (`configs/common_fewshot.py`).
    pub l2: f64,
    /// Training images of each class.
    pub shots: u32,
}

/// An evaluation with nothing left open. It judges the validation and the test split, whichever of
/// them the data set has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluateSpec {
    /// What it is judged on.
    pub dataset: Arc<DatasetIdentity>,
    /// The activation function: that of the upstream network.
    #[serde(default, skip_serializing_if = "is_default")]
    pub gelu: Gelu,
    /// The network: the upstream one.
    pub model: ModelSpec,
    /// Arithmetic.
    pub precision: Precision,
    /// The probe that takes the place of the head; none judges the head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Probe>,
    /// The recipe this job was resolved under, [`RECIPE_VERSION`](super::RECIPE_VERSION).
    pub recipe: u32,
    /// Side of the square input image in pixels.
    pub resolution: u32,
    /// Seed of the draw of a probe's images.
    pub seed: u64,
    /// The parameters that are judged.
    pub upstream: Upstream,
}
