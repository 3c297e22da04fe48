//! What a training loop needs of a job, whichever stage it is of.

use std::sync::Arc;

use super::{Gelu, Loss, Optimizer, Precision, Regularization, Upstream};
use crate::augmentation::Augmentation;
use crate::dataset::{DatasetIdentity, SplitName};
use crate::model::ModelSpec;

/// A training with nothing left open. Stages differ in what they leave to a sweep file and in how they
/// begin; the steps are the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Training {
    /// What is done to training images.
    pub augmentation: Augmentation,
    /// Examples a step.
    pub batch_size: u32,
    /// What it learns from and is judged on.
    pub dataset: Arc<DatasetIdentity>,
    /// Evaluations on the validation split, evenly spaced; the last is at the end.
    pub evaluations: u32,
    /// The activation function.
    pub gelu: Gelu,
    /// Initial bias of the head.
    pub head_bias: f64,
    /// The objective.
    pub loss: Loss,
    /// The network.
    pub model: ModelSpec,
    /// Optimizer and schedule.
    pub optimizer: Optimizer,
    /// Arithmetic.
    pub precision: Precision,
    /// Dropout and stochastic depth.
    pub regularization: Regularization,
    /// Side of the square input image in pixels.
    pub resolution: u32,
    /// Seed of every random draw.
    pub seed: u64,
    /// Optimizer steps, at least 1.
    pub steps: u64,
    /// The parameters it begins with, but for the head; none: random ones.
    pub upstream: Option<Upstream>,
}

impl Training {
    /// Steps after which the validation split is evaluated, ascending; the last is the last of all.
    #[must_use]
    pub fn evaluation_steps(&self) -> Vec<u64> {
        let count = u64::from(self.evaluations.max(1)).min(self.steps);
        (1..=count).map(|i| self.steps * i / count).collect()
    }

    /// Training images seen.
    #[must_use]
    pub fn images(&self) -> u64 {
        self.steps * u64::from(self.batch_size)
    }

    /// Images judged: the validation split at each evaluation, the test split once.
    #[must_use]
    pub fn evaluated_images(&self) -> u64 {
        let evaluations = u64::from(self.evaluations.max(1)).min(self.steps);
        evaluations * self.dataset.examples(SplitName::Val) + self.dataset.examples(SplitName::Test)
    }
}
