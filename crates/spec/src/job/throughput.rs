//! Measuring how fast a model is.

use serde::{Deserialize, Serialize};

use super::{Gelu, Precision, is_default};
use crate::model::ModelSpec;

/// A measurement of inference speed with nothing left open. Which device it ran on is with the result,
/// not here: the same measurement on another device is another study's, or another seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThroughputSpec {
    /// Images at once, ascending: the fastest counts.
    pub batch_sizes: Vec<u32>,
    /// The activation function.
    #[serde(default, skip_serializing_if = "is_default")]
    pub gelu: Gelu,
    /// The network. Images have three channels, the head 1,000 classes.
    pub model: ModelSpec,
    /// Arithmetic.
    pub precision: Precision,
    /// The recipe this job was resolved under, [`RECIPE_VERSION`](super::RECIPE_VERSION).
    pub recipe: u32,
    /// Side of the square input image in pixels.
    pub resolution: u32,
    /// Tells measurements apart that are to be made again.
    pub seed: u64,
}

impl ThroughputSpec {
    /// Channels of an image.
    pub const CHANNELS: u32 = 3;

    /// Classes of the head: ImageNet's, as in the published speeds.
    pub const CLASSES: u32 = 1000;
}
