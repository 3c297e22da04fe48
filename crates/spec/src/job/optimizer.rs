//! The study's two optimizers, with their schedules.

use serde::{Deserialize, Serialize};

use super::{Precision, is_default};

/// AdamW with the study's clipping and schedule (paper §3.4; big_vision `optax.py`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamW {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Gradients are scaled down to this global norm.
    pub clip_norm: f64,
    /// Added to the root of the second moment after bias correction.
    pub eps: f64,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// What the first moment is kept in. The study keeps it in bfloat16 (`mu_dtype` in big_vision
    /// `configs/vit_i1k.py`), which saves memory and changes little.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mu_dtype: Precision,
    /// Steps of linear warm-up from 0; a cosine to 0 follows.
    pub warmup_steps: u64,
    /// Decoupled weight decay, multiplied by the learning rate; kernels only.
    pub weight_decay: f64,
}

/// SGD with momentum, the study's clipping and schedule (paper §3.5; `vit_jax` `configs/augreg.py`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sgd {
    /// What the accumulator is kept in. The study keeps it in bfloat16 (`accumulator_dtype` in
    /// `vit_jax` `train.py`), which saves memory and changes little.
    #[serde(default, skip_serializing_if = "is_default")]
    pub accumulator_dtype: Precision,
    /// Gradients are scaled down to this global norm.
    pub clip_norm: f64,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// What stays of the accumulator at each step.
    pub momentum: f64,
    /// Steps of linear warm-up from 0; a cosine to 0 follows.
    pub warmup_steps: u64,
}

/// What moves the parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Optimizer {
    /// The study's for training from random initial values.
    AdamW(AdamW),
    /// The study's for transfers.
    Sgd(Sgd),
}

impl Optimizer {
    /// Peak learning rate.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        match self {
            Self::AdamW(settings) => settings.learning_rate,
            Self::Sgd(settings) => settings.learning_rate,
        }
    }

    /// Steps of linear warm-up from 0; a cosine to 0 follows.
    #[must_use]
    pub fn warmup_steps(&self) -> u64 {
        match self {
            Self::AdamW(settings) => settings.warmup_steps,
            Self::Sgd(settings) => settings.warmup_steps,
        }
    }

    /// Numbers it keeps of each parameter.
    #[must_use]
    pub fn moments(&self) -> u64 {
        match self {
            Self::AdamW(_) => 2,
            Self::Sgd(_) => 1,
        }
    }
}
