//! What determines the tensors of a network: the model's numbers, the images, the classes.

use augreg_spec::{ModelError, ModelSpec, PretrainSpec};

use crate::layout::{TensorSpec, layout};

/// A checked model together with the images it takes and the classes it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Architecture {
    model: ModelSpec,
    channels: u32,
    classes: u32,
    resolution: u32,
}

impl Architecture {
    /// Puts a model before images of `channels` × `resolution` × `resolution` pixels.
    ///
    /// # Errors
    ///
    /// [`ModelError`] if a number is zero, the heads do not divide the width, or the patch does not
    /// divide the resolution.
    pub fn new(
        model: ModelSpec,
        channels: u32,
        classes: u32,
        resolution: u32,
    ) -> Result<Self, ModelError> {
        model.check()?;
        model.patches(resolution)?;
        for (name, value) in [("channels", channels), ("classes", classes)] {
            if value == 0 {
                return Err(ModelError::Zero(name));
            }
        }
        Ok(Self { model, channels, classes, resolution })
    }

    /// The network of a pre-training job.
    ///
    /// # Errors
    ///
    /// As [`Architecture::new`].
    pub fn of(spec: &PretrainSpec) -> Result<Self, ModelError> {
        Self::new(spec.model, spec.dataset.channels, spec.dataset.classes, spec.resolution)
    }

    /// All trainable tensors: kernels first, each group in the order of the forward pass.
    #[must_use]
    pub fn tensors(&self, head_bias: f64) -> Vec<TensorSpec> {
        layout(self, head_bias)
    }

    /// Width D of the token vectors.
    #[must_use]
    pub fn width(&self) -> i64 {
        i64::from(self.model.width)
    }

    /// Number of blocks L.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.model.depth as usize
    }

    /// Width M of the hidden layer of each block's MLP.
    #[must_use]
    pub fn mlp(&self) -> i64 {
        i64::from(self.model.mlp)
    }

    /// Attention heads H.
    #[must_use]
    pub fn heads(&self) -> i64 {
        i64::from(self.model.heads)
    }

    /// Side P of a patch in pixels.
    #[must_use]
    pub fn patch(&self) -> i64 {
        i64::from(self.model.patch)
    }

    /// Colour channels of an image.
    #[must_use]
    pub fn channels(&self) -> i64 {
        i64::from(self.channels)
    }

    /// Classes the head names.
    #[must_use]
    pub fn classes(&self) -> i64 {
        i64::from(self.classes)
    }

    /// Patches along one side of an image.
    #[must_use]
    pub fn grid(&self) -> i64 {
        i64::from(self.resolution / self.model.patch)
    }
}
