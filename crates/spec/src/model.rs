//! The model axis: Vision Transformers by their numbers, the study's zoo, parameter counts.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::resnet::{Resnet, STAGES};

/// A Vision Transformer, plain or hybrid. Classes, channels and resolution come from data set and job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Number of blocks L.
    pub depth: u32,
    /// Attention heads; divides the width.
    pub heads: u32,
    /// Width M of the hidden layer of each block's MLP.
    pub mlp: u32,
    /// Side of a patch; divides the resolution, or the side of the map that a hybrid's ResNet makes
    /// of the image.
    pub patch: u32,
    /// The ResNet between image and patches; none in a plain model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resnet: Option<Resnet>,
    /// Width D of the token vectors.
    pub width: u32,
}

/// A line of [`ZOO`].
type ZooModel = (&'static str, u32, u32, u32, u32, u32, Option<&'static [u32]>);

/// The models of the study (paper Table 1; `vit_jax/configs/models.py`):
/// name, width, depth, mlp, heads, patch, units of the ResNet's stages.
///
/// R+Ti/16 is named after the paper's count of halvings; patches of 8 on a map a quarter of the image's
/// size are 32 pixels, and the released weights have 49 positions at 224.
const ZOO: [ZooModel; 10] = [
    ("Ti/16", 192, 12, 768, 3, 16, None),
    ("S/32", 384, 12, 1536, 6, 32, None),
    ("S/16", 384, 12, 1536, 6, 16, None),
    ("B/32", 768, 12, 3072, 12, 32, None),
    ("B/16", 768, 12, 3072, 12, 16, None),
    ("L/16", 1024, 24, 4096, 16, 16, None),
    ("R+Ti/16", 192, 12, 768, 3, 8, Some(&[])),
    ("R26+S/32", 384, 12, 1536, 6, 1, Some(&[2, 2, 2, 2])),
    ("R50+L/32", 1024, 24, 4096, 16, 1, Some(&[3, 4, 6, 3])),
    ("B/8", 768, 12, 3072, 12, 8, None),
];

/// Why numbers are not a model.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum ModelError {
    /// A number is zero.
    #[error("`{0}` must be at least 1")]
    Zero(&'static str),
    /// The heads do not divide the width.
    #[error("{heads} heads do not divide width {width}")]
    Heads {
        /// The heads.
        heads: u32,
        /// The width.
        width: u32,
    },
    /// The patch does not divide the resolution.
    #[error("patch {patch} does not divide resolution {resolution}")]
    Patch {
        /// The patch.
        patch: u32,
        /// The resolution.
        resolution: u32,
    },
    /// The patch does not divide the map that a hybrid's ResNet makes of the image.
    #[error(
        "patch {patch} does not divide the map of {side} × {side} that the ResNet makes of \
         resolution {resolution}"
    )]
    Map {
        /// The patch.
        patch: u32,
        /// Side of the map.
        side: u32,
        /// The resolution.
        resolution: u32,
    },
    /// A ResNet has too many stages.
    #[error("a ResNet has at most {STAGES} stages, not {0}")]
    Stages(usize),
}

impl ModelSpec {
    /// The study's model of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let found = ZOO.iter().find(|model| model.0 == name)?;
        let &(_, width, depth, mlp, heads, patch, stages) = found;
        let resnet = stages.and_then(|stages| Resnet::new(stages).ok());
        Some(Self { depth, heads, mlp, patch, resnet, width })
    }

    /// What the study calls this model, if it has it.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        Self::names().find(|name| Self::named(name).as_ref() == Some(self))
    }

    /// The names of the study's models.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ZOO.iter().map(|model| model.0)
    }

    /// Its numbers in words, but for the heads: what the shapes of its tensors show.
    #[must_use]
    pub fn numbers(&self) -> String {
        let Self { depth, mlp, patch, resnet, width, .. } = self;
        let resnet = resnet.map_or_else(String::new, |r| format!(", resnet {:?}", r.stages()));
        format!("width {width}, depth {depth}, mlp {mlp}, patch {patch}{resnet}")
    }

    /// Checks what holds at any resolution.
    ///
    /// # Errors
    ///
    /// [`ModelError`] if a number is zero or the heads do not divide the width.
    pub fn check(&self) -> Result<(), ModelError> {
        let numbers = [
            ("width", self.width),
            ("depth", self.depth),
            ("mlp", self.mlp),
            ("heads", self.heads),
            ("patch", self.patch),
        ];
        if let Some((name, _)) = numbers.iter().find(|(_, value)| *value == 0) {
            return Err(ModelError::Zero(name));
        }
        if !self.width.is_multiple_of(self.heads) {
            return Err(ModelError::Heads { heads: self.heads, width: self.width });
        }
        Ok(())
    }

    /// Side of the map that is cut into patches: the image itself, or what the ResNet makes of it.
    #[must_use]
    pub fn map(&self, resolution: u32) -> u32 {
        self.resnet.map_or(resolution, |resnet| resnet.side(resolution))
    }

    /// Patches along one side of an image of this resolution.
    ///
    /// # Errors
    ///
    /// [`ModelError`] if the patch does not divide the resolution, or the map of a hybrid.
    pub fn grid(&self, resolution: u32) -> Result<u32, ModelError> {
        let (side, patch) = (self.map(resolution), self.patch);
        if side != 0 && side.is_multiple_of(patch) {
            return Ok(side / patch);
        }
        Err(match self.resnet {
            Some(_) => ModelError::Map { patch, side, resolution },
            None => ModelError::Patch { patch, resolution },
        })
    }

    /// Patches an image of this resolution is cut into, N (the class token comes on top).
    ///
    /// # Errors
    ///
    /// As [`Self::grid`].
    pub fn patches(&self, resolution: u32) -> Result<u64, ModelError> {
        Ok(u64::from(self.grid(resolution)?).pow(2))
    }

    /// Channels of the map that is cut into patches.
    #[must_use]
    pub fn map_channels(&self, image_channels: u32) -> u32 {
        self.resnet.map_or(image_channels, |resnet| resnet.channels())
    }

    /// Trainable parameters: ResNet, embedding, class token, position embeddings, blocks, final
    /// LayerNorm, head (closed form, equal to `vit_jax/models_test.py` for the zoo).
    #[must_use]
    pub fn parameters(&self, patches: u64, channels: u32, classes: u32) -> u64 {
        let stem = self.resnet.map_or(0, |resnet| resnet.parameters(channels));
        let cin = self.map_channels(channels);
        let [d, l, m, p, cin, c] =
            [self.width, self.depth, self.mlp, self.patch, cin, classes].map(u64::from);
        let block = 4 * d + 4 * (d * d + d) + d * m + m + m * d + d;
        stem + (p * p * cin * d + d) + d + (patches + 1) * d + l * block + 2 * d + (d * c + c)
    }

    /// Multiply-accumulates of one image's forward pass: matrix products, as is usual, and what
    /// [`Resnet::macs`] counts.
    ///
    /// # Errors
    ///
    /// As [`Self::grid`].
    pub fn macs(&self, resolution: u32, channels: u32, classes: u32) -> Result<u64, ModelError> {
        let patches = self.patches(resolution)?;
        let stem = self.resnet.map_or(0, |resnet| resnet.macs(resolution, channels));
        let cin = self.map_channels(channels);
        let [d, l, m, p, cin, c] =
            [self.width, self.depth, self.mlp, self.patch, cin, classes].map(u64::from);
        let t = patches + 1;
        let block = 4 * t * d * d + 2 * t * t * d + 2 * t * d * m;
        Ok(stem + patches * p * p * cin * d + l * block + d * c)
    }
}

/// The study's name for it, if it has one, and its numbers.
impl fmt::Display for ModelSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { heads, .. } = self;
        match self.name() {
            Some(name) => write!(f, "{name} ({}, heads {heads})", self.numbers()),
            None => write!(f, "a model of {}, heads {heads}", self.numbers()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `vit_jax/models_test.py` MODEL_SIZES for 1,000 classes at 224; the closed form elsewhere.
    #[test]
    fn the_zoo_has_the_published_parameter_counts() {
        let count = |name, resolution, classes| {
            let model = ModelSpec::named(name).expect("in the zoo");
            model.parameters(model.patches(resolution).expect("divides"), 3, classes)
        };
        for (name, at_224, classes_21k, at_384) in [
            ("Ti/16", 5_717_416, 9_740_115, 5_790_376),
            ("S/32", 22_878_952, 30_903_507, 22_915_432),
            ("S/16", 22_050_664, 30_075_219, 22_196_584),
            ("B/32", 88_224_232, 104_252_499, 88_297_192),
            ("B/16", 86_567_656, 102_595_923, 86_859_496),
            ("L/16", 304_326_632, 325_690_707, 304_715_752),
            ("R+Ti/16", 6_337_704, 10_360_403, 6_355_944),
            ("R26+S/32", 36_431_912, 44_456_467, 36_468_392),
            ("R50+L/32", 328_994_856, 350_358_931, 329_092_136),
            ("B/8", 86_576_872, 102_605_139, 87_744_232),
        ] {
            assert_eq!(count(name, 224, 1000), at_224, "{name}");
            assert_eq!(count(name, 224, 21_843), classes_21k, "{name}");
            assert_eq!(count(name, 384, 1000), at_384, "{name}");
        }
    }

    /// GMACs of timm's `benchmark-infer` tables (pt2.4), which count the same operations.
    #[test]
    fn macs_agree_with_timm_within_two_percent() {
        for (name, resolution, gmacs) in [
            ("Ti/16", 224, 1.26),
            ("S/32", 224, 1.15),
            ("S/16", 224, 4.61),
            ("B/32", 224, 4.41),
            ("B/16", 224, 17.58),
            ("B/16", 384, 55.54),
            ("L/16", 224, 61.6),
            ("R+Ti/16", 224, 0.44),
            ("R+Ti/16", 384, 1.34),
            ("R26+S/32", 224, 3.56),
            ("R26+S/32", 384, 10.43),
            ("R50+L/32", 224, 19.58),
            ("R50+L/32", 384, 57.43),
            ("B/8", 224, 78.22),
        ] {
            let model = ModelSpec::named(name).expect("in the zoo");
            let ours = model.macs(resolution, 3, 1000).expect("divides") as f64 / 1e9;
            assert!((ours / gmacs - 1.0).abs() < 0.02, "{name}: {ours} against {gmacs}");
        }
    }

    #[test]
    fn a_model_of_the_zoo_knows_its_name_and_another_has_none() {
        for name in ModelSpec::names() {
            assert_eq!(ModelSpec::named(name).expect("in the zoo").name(), Some(name));
        }
        let other = ModelSpec { depth: 13, ..ModelSpec::named("B/16").expect("in the zoo") };
        assert_eq!(other.name(), None);
    }

    #[test]
    fn a_patch_must_divide_the_map_of_a_hybrid() {
        let model = ModelSpec::named("R+Ti/16").expect("in the zoo");
        assert_eq!(model.patches(224), Ok(49));
        let error = model.patches(240).expect_err("8 does not divide 60");
        assert_eq!(
            error.to_string(),
            "patch 8 does not divide the map of 60 × 60 that the ResNet makes of resolution 240"
        );
    }
}
