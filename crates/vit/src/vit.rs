//! The network: stem of a hybrid, patches, class token, position embeddings, blocks, head.

use augreg_spec::Regularization;
use augreg_weights::Architecture;
use tch::{Kind, Tensor};

use crate::block::{Affine, Block};
use crate::noise::{Draws, Drop, Noise};
use crate::parameters::Parameters;
use crate::stem::Stem;

/// A Vision Transformer, plain or hybrid, over a set of [`Parameters`], which it shares and never owns alone.
///
/// # Source
///
/// `vit_jax/models_vit.py`, `classifier='token'`, `representation_size=None`: the layout of every
/// released AugReg checkpoint. Dropout sits after the position embeddings, after each attention's
/// output projection, after each GELU and after each MLP's second layer; there is none on
/// attention weights, and none in a hybrid's stem.
#[derive(Debug)]
pub struct Vit {
    architecture: Architecture,
    stem: Option<Stem>,
    embed: Affine,
    class_token: Tensor,
    positions: Tensor,
    blocks: Vec<Block>,
    norm: Affine,
    head: Affine,
    dropout: Option<Drop>,
}

impl Vit {
    /// The network that computes with `parameters`, which must be those of `architecture`.
    #[must_use]
    pub fn new(
        architecture: Architecture,
        parameters: &Parameters,
        regularization: Regularization,
    ) -> Self {
        let block = |i| Block::of(parameters, &architecture, i, regularization);
        Self {
            architecture,
            stem: architecture.resnet().map(|resnet| Stem::of(parameters, resnet)),
            embed: Affine::of(parameters, "patch_embed.proj"),
            class_token: parameters.get("cls_token"),
            positions: parameters.get("pos_embed"),
            blocks: (0..architecture.depth()).map(block).collect(),
            norm: Affine::of(parameters, "norm"),
            head: Affine::of(parameters, "head"),
            dropout: Drop::new(regularization.dropout),
        }
    }

    /// The logits of a batch of images.
    ///
    /// With `noise`, as in training, dropout and stochastic depth draw from it; without, as in
    /// evaluation, nothing is dropped.
    ///
    /// # Shapes and units
    ///
    /// - `images`: `[B, C, H, W]`, 32-bit floats, pixels in [-1, 1].
    /// - returns: `[B, classes]`, 32-bit floats, whatever the precision of the products.
    ///
    /// # Panics
    ///
    /// If the images are not of the architecture's channels and resolution, or libtorch is out of
    /// memory.
    pub fn forward(&self, images: &Tensor, noise: Option<Noise>) -> Tensor {
        self.head.dense(&self.class_tokens(images, noise)).to_kind(Kind::Float)
    }

    /// What the head sees of a batch of images: the class token after the last norm (`pre_logits`).
    ///
    /// # Shapes and units
    ///
    /// `images` as [`Self::forward`] takes them; returns `[B, D]`, 32-bit floats.
    ///
    /// # Panics
    ///
    /// As [`Self::forward`].
    #[must_use]
    pub fn features(&self, images: &Tensor) -> Tensor {
        self.class_tokens(images, None).to_kind(Kind::Float)
    }

    /// What determines the network.
    #[must_use]
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    fn class_tokens(&self, images: &Tensor, noise: Option<Noise>) -> Tensor {
        let draws = noise.map(|noise| Draws::begin(noise, images.device()));
        let draws = draws.as_ref();
        let map = self.stem.as_ref().map(|stem| stem.forward(images)); // [B, C', H', W']
        let patches = self.patches(map.as_ref().unwrap_or(images));
        let patches = self.embed.patches(&patches); // [B, N, D]
        let class_token = self.class_token.expand([images.size()[0], 1, -1], false);
        let tokens = Tensor::cat(&[class_token, patches], 1) + &self.positions; // [B, N + 1, D]
        let mut x = match draws {
            Some(draws) => draws.dropout(self.dropout, tokens),
            None => tokens,
        };
        for (i, block) in self.blocks.iter().enumerate() {
            let keep = if i + 1 == self.blocks.len() { 1 } else { x.size()[1] };
            x = block.forward(&x, keep, draws);
        }
        self.norm.norm(&x.select(1, 0))
    }

    /// Cuts maps into patches: `[B, C, H, W]` to `[B, N, C·P·P]`, N in row-major order.
    fn patches(&self, maps: &Tensor) -> Tensor {
        let (c, g, p) =
            (self.architecture.map_channels(), self.architecture.grid(), self.architecture.patch());
        let b = maps.size()[0];
        maps.reshape([b, c, g, p, g, p]).permute([0, 2, 4, 1, 3, 5]).reshape([b, g * g, c * p * p])
    }
}
