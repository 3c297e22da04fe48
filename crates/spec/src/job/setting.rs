//! Settings that several stages have.

use serde::{Deserialize, Serialize};

use super::is_default;

/// The training objective.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Sigmoid cross-entropy, summed over classes, mean over the batch (the study's).
    Sigmoid,
    /// Softmax cross-entropy, mean over the batch.
    Softmax,
}

/// The arithmetic of forward and backward passes, or the kind of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32-bit floats throughout, as in the study.
    #[default]
    Fp32,
    /// Products of matrices in bfloat16; parameters, their updates, the residual stream, norms and the
    /// loss in 32-bit floats.
    Bf16,
}

impl Precision {
    /// The name in sweep files and columns.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Bf16 => "bf16",
        }
    }
}

/// The activation function of the MLPs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gelu {
    /// The approximation by a hyperbolic tangent: flax's default, which the study's weights saw.
    #[default]
    Tanh,
    /// x Φ(x) itself: timm's default.
    Erf,
}

/// Dropout and stochastic depth.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regularization {
    /// Probability of dropping an activation, in [0, 1).
    pub dropout: f64,
    /// Whether a branch that stochastic depth keeps is scaled by 1 / (1 − p), so that its expectation
    /// is what it is without. timm's `DropPath` does; the study's code most likely did not, as its
    /// siblings in `big_vision` (`models/mlp_mixer.py`) and Scenic do not.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rescale: bool,
    /// Probability of dropping a branch of the last block, in [0, 1); grows linearly from 0.
    pub stochastic_depth: f64,
}
