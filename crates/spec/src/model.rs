//! The model axis: Vision Transformers by their five numbers, the study's zoo, parameter counts.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A plain Vision Transformer. Classes, channels and resolution come from data set and job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Number of blocks L.
    pub depth: u32,
    /// Attention heads; divides the width.
    pub heads: u32,
    /// Width M of the hidden layer of each block's MLP.
    pub mlp: u32,
    /// Side of a patch in pixels; divides the resolution.
    pub patch: u32,
    /// Width D of the token vectors.
    pub width: u32,
}

/// The plain models of the study (paper Table 1; `vit_jax/configs/models.py`):
/// name, width, depth, mlp, heads, patch.
const ZOO: [(&str, u32, u32, u32, u32, u32); 7] = [
    ("Ti/16", 192, 12, 768, 3, 16),
    ("S/32", 384, 12, 1536, 6, 32),
    ("S/16", 384, 12, 1536, 6, 16),
    ("B/32", 768, 12, 3072, 12, 32),
    ("B/16", 768, 12, 3072, 12, 16),
    ("L/16", 1024, 24, 4096, 16, 16),
    ("B/8", 768, 12, 3072, 12, 8),
];

/// Why five numbers are not a model.
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
}

impl ModelSpec {
    /// The study's model of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        ZOO.iter().find(|model| model.0 == name).map(|&(_, width, depth, mlp, heads, patch)| Self {
            depth,
            heads,
            mlp,
            patch,
            width,
        })
    }

    /// The names of the study's plain models.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ZOO.iter().map(|model| model.0)
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

    /// Patches an image of this resolution is cut into, N (the class token comes on top).
    ///
    /// # Errors
    ///
    /// [`ModelError::Patch`] if the patch does not divide the resolution.
    pub fn patches(&self, resolution: u32) -> Result<u64, ModelError> {
        if resolution == 0 || !resolution.is_multiple_of(self.patch) {
            return Err(ModelError::Patch { patch: self.patch, resolution });
        }
        Ok(u64::from(resolution / self.patch).pow(2))
    }

    /// Trainable parameters: embedding, class token, position embeddings, blocks, final
    /// LayerNorm, head (closed form, equal to `vit_jax/models_test.py` for the zoo).
    #[must_use]
    pub fn parameters(&self, patches: u64, channels: u32, classes: u32) -> u64 {
        let [d, l, m, p, cin, c] =
            [self.width, self.depth, self.mlp, self.patch, channels, classes].map(u64::from);
        let block = 4 * d + 4 * (d * d + d) + d * m + m + m * d + d;
        (p * p * cin * d + d) + d + (patches + 1) * d + l * block + 2 * d + (d * c + c)
    }

    /// Multiply-accumulates of one image's forward pass: matrix products only, as is usual.
    #[must_use]
    pub fn macs(&self, patches: u64, channels: u32, classes: u32) -> u64 {
        let [d, l, m, p, cin, c] =
            [self.width, self.depth, self.mlp, self.patch, channels, classes].map(u64::from);
        let t = patches + 1;
        let block = 4 * t * d * d + 2 * t * t * d + 2 * t * d * m;
        patches * p * p * cin * d + l * block + d * c
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
            ("B/8", 86_576_872, 102_605_139, 87_744_232),
        ] {
            assert_eq!(count(name, 224, 1000), at_224, "{name}");
            assert_eq!(count(name, 224, 21_843), classes_21k, "{name}");
            assert_eq!(count(name, 384, 1000), at_384, "{name}");
        }
    }

    /// GMACs of timm's `benchmark-infer` tables at 224 (pt2.4), which count the same products.
    #[test]
    fn macs_agree_with_timm_within_two_percent() {
        for (name, gmacs) in [
            ("Ti/16", 1.26),
            ("S/32", 1.15),
            ("S/16", 4.61),
            ("B/32", 4.41),
            ("B/16", 17.58),
            ("L/16", 61.6),
            ("B/8", 78.22),
        ] {
            let model = ModelSpec::named(name).expect("in the zoo");
            let ours = model.macs(model.patches(224).expect("divides"), 3, 1000) as f64 / 1e9;
            assert!((ours / gmacs - 1.0).abs() < 0.02, "{name}: {ours} against {gmacs}");
        }
    }
}
