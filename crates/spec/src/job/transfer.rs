//! Training on from other parameters, on another data set.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Gelu, Loss, Optimizer, Precision, Regularization, Sgd, Training, Upstream, is_default,
};
use crate::augmentation::Augmentation;
use crate::dataset::DatasetIdentity;
use crate::model::ModelSpec;

/// A transfer job with nothing left open: the upstream parameters with a new head of zeros, position
/// embeddings resized to the resolution, trained by SGD without dropout or weight decay (paper §3.5).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferSpec {
    /// What is done to training images.
    pub augmentation: Augmentation,
    /// Examples a step.
    pub batch_size: u32,
    /// What it learns from and is judged on.
    pub dataset: Arc<DatasetIdentity>,
    /// Evaluations on the validation split, evenly spaced; the last is at the end.
    pub evaluations: u32,
    /// The activation function: that of the upstream network.
    #[serde(default, skip_serializing_if = "is_default")]
    pub gelu: Gelu,
    /// The objective.
    pub loss: Loss,
    /// The network: the upstream one.
    pub model: ModelSpec,
    /// Optimizer and schedule.
    pub optimizer: Sgd,
    /// Arithmetic.
    pub precision: Precision,
    /// The recipe this job was resolved under, [`RECIPE_VERSION`](super::RECIPE_VERSION).
    pub recipe: u32,
    /// Side of the square input image in pixels.
    pub resolution: u32,
    /// Seed of every random draw.
    pub seed: u64,
    /// Optimizer steps.
    pub steps: u64,
    /// The parameters it begins with.
    pub upstream: Upstream,
}

impl TransferSpec {
    /// The training it comes to.
    #[must_use]
    pub fn training(&self) -> Training {
        Training {
            augmentation: self.augmentation,
            batch_size: self.batch_size,
            dataset: Arc::clone(&self.dataset),
            evaluations: self.evaluations,
            gelu: self.gelu,
            head_bias: 0.0,
            loss: self.loss,
            model: self.model,
            optimizer: Optimizer::Sgd(self.optimizer),
            precision: self.precision,
            regularization: Regularization::default(),
            resolution: self.resolution,
            seed: self.seed,
            steps: self.steps.max(1),
            upstream: Some(self.upstream.clone()),
        }
    }
}
