//! Training from random initial values.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{AdamW, Gelu, Loss, Optimizer, Precision, Regularization, Training, is_default};
use crate::augmentation::Augmentation;
use crate::dataset::{DatasetIdentity, SplitName};
use crate::model::ModelSpec;

/// A pre-training job with nothing left open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PretrainSpec {
    /// What is done to training images.
    pub augmentation: Augmentation,
    /// Examples a step.
    pub batch_size: u32,
    /// What it learns from and is judged on.
    pub dataset: Arc<DatasetIdentity>,
    /// Passes over the training split; the study's budget axis.
    pub epochs: f64,
    /// Evaluations on the validation split, evenly spaced; the last is at the end.
    pub evaluations: u32,
    /// The activation function.
    #[serde(default, skip_serializing_if = "is_default")]
    pub gelu: Gelu,
    /// Initial bias of the head.
    pub head_bias: f64,
    /// The objective.
    pub loss: Loss,
    /// The network.
    pub model: ModelSpec,
    /// Optimizer and schedule.
    pub optimizer: AdamW,
    /// Arithmetic.
    pub precision: Precision,
    /// The recipe this job was resolved under, [`RECIPE_VERSION`].
    pub recipe: u32,
    /// Dropout and stochastic depth.
    pub regularization: Regularization,
    /// Side of the square input image in pixels.
    pub resolution: u32,
    /// Seed of every random draw.
    pub seed: u64,
}

impl PretrainSpec {
    /// Optimizer steps: `round(epochs · examples / batch)`, at least 1 (big_vision `utils.py`).
    #[must_use]
    pub fn steps(&self) -> u64 {
        steps(self.epochs, self.dataset.examples(SplitName::Train), self.batch_size)
    }

    /// The training it comes to.
    #[must_use]
    pub fn training(&self) -> Training {
        Training {
            augmentation: self.augmentation,
            batch_size: self.batch_size,
            dataset: Arc::clone(&self.dataset),
            evaluations: self.evaluations,
            gelu: self.gelu,
            head_bias: self.head_bias,
            loss: self.loss,
            model: self.model,
            optimizer: Optimizer::AdamW(self.optimizer),
            precision: self.precision,
            regularization: self.regularization,
            resolution: self.resolution,
            seed: self.seed,
            steps: self.steps(),
            upstream: None,
        }
    }
}

/// Optimizer steps of a budget: `round(epochs · examples / batch)`, at least 1.
pub(crate) fn steps(epochs: f64, examples: u64, batch_size: u32) -> u64 {
    ((epochs * examples as f64 / f64::from(batch_size)).round() as u64).max(1)
}
