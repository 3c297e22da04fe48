//! What determines a network: the model's numbers, the images, the classes, the activation function.

use augreg_spec::{Gelu, ModelError, ModelSpec, Resnet, Training};

use crate::layout::{TensorSpec, layout};

/// A checked model together with the images it takes and the classes it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Architecture {
    model: ModelSpec,
    channels: u32,
    classes: u32,
    resolution: u32,
    gelu: Gelu,
}

impl Architecture {
    /// Puts a model before images of `channels` × `resolution` × `resolution` pixels.
    ///
    /// # Errors
    ///
    /// [`ModelError`] if a number is zero, the heads do not divide the width, or the patch does not
    /// divide the resolution or the map that a hybrid makes of it.
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
        Ok(Self { model, channels, classes, resolution, gelu: Gelu::default() })
    }

    /// The network that is trained.
    ///
    /// # Errors
    ///
    /// As [`Architecture::new`].
    pub fn of(training: &Training) -> Result<Self, ModelError> {
        let (channels, classes) = (training.dataset.channels, training.dataset.classes);
        let network = Self::new(training.model, channels, classes, training.resolution)?;
        Ok(network.with_gelu(training.gelu))
    }

    /// The same network with another activation function. It has the same tensors.
    #[must_use]
    pub fn with_gelu(self, gelu: Gelu) -> Self {
        Self { gelu, ..self }
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> ModelSpec {
        self.model
    }

    /// Side of an image in pixels.
    #[must_use]
    pub fn resolution(&self) -> u32 {
        self.resolution
    }

    /// The activation function of the MLPs.
    #[must_use]
    pub fn gelu(&self) -> Gelu {
        self.gelu
    }

    /// The ResNet of a hybrid.
    #[must_use]
    pub fn resnet(&self) -> Option<Resnet> {
        self.model.resnet
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

    /// Side P of a patch, in pixels of the image or of a hybrid's map.
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

    /// Channels of what is cut into patches: the image, or a hybrid's map.
    #[must_use]
    pub fn map_channels(&self) -> i64 {
        i64::from(self.model.map_channels(self.channels))
    }

    /// Patches along one side of an image.
    #[must_use]
    pub fn grid(&self) -> i64 {
        i64::from(self.model.map(self.resolution) / self.model.patch)
    }
}
