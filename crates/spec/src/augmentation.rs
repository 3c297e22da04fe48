//! The augmentation axis: RandAugment and mixup settings, and the study's named presets.

use serde::{Deserialize, Serialize};

/// RandAugment's two numbers (Cubuk et al. 2019; `RandAug(l, m)` in the study).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandAugment {
    /// How many ops are applied to each image, one after the other. At least 1.
    pub layers: u32,
    /// The magnitude of every op, 0 to 30; levels above 10 extrapolate.
    pub magnitude: u32,
}

/// How a training image is cut out of its source before flip and RandAugment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Crop {
    /// TensorFlow's `sample_distorted_bounding_box` with area 5 % to 100 % and aspect ratio 0.75
    /// to 1.33, then a bilinear resize: the study's (big_vision `configs/vit_i1k.py`).
    Inception,
    /// torchvision's `RandomResizedCrop` at its defaults, with Pillow's bilinear resize.
    Torchvision,
    /// `big_vision`'s `resize_small|random_crop`: the shorter side as in evaluation, area resize, then
    /// a square anywhere.
    Resmall,
    /// The whole image, resized to the training resolution when it has another size.
    None,
}

impl Crop {
    /// Every crop and its name in sweep files.
    pub const ALL: [(&'static str, Self); 4] = [
        ("inception", Self::Inception),
        ("torchvision", Self::Torchvision),
        ("resmall", Self::Resmall),
        ("none", Self::None),
    ];

    /// The crop of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|crop| crop.0 == name).map(|crop| crop.1)
    }

    /// The name in sweep files.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|crop| crop.1 == self).map_or("", |crop| crop.0)
    }
}

/// Everything done to a training image and its batch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// How the training image is cut out of its source.
    pub crop: Crop,
    /// Whether the image is mirrored left to right with probability one half.
    pub flip: bool,
    /// The α of mixup's Beta(α, α); 0 turns mixup off.
    pub mixup: f64,
    /// RandAugment, or none.
    pub randaugment: Option<RandAugment>,
}

/// The presets of the study: name, RandAugment layers and magnitude, mixup α
/// (paper §3.3; `RANDAUG_DEF` and `MIXUP_DEF` in big_vision `configs/vit_i1k.py`). The last two are of
/// its sweeps from scratch alone, which do not name them (paper, appendix A).
const PRESETS: [(&str, u32, u32, f64); 9] = [
    ("none", 0, 0, 0.0),
    ("light1", 2, 0, 0.0),
    ("light2", 2, 10, 0.2),
    ("medium1", 2, 15, 0.2),
    ("medium2", 2, 15, 0.5),
    ("strong1", 2, 20, 0.5),
    ("strong2", 2, 20, 0.8),
    ("scratch1", 4, 15, 0.5),
    ("scratch2", 4, 20, 0.8),
];

impl Augmentation {
    /// The study's preset of this name, with its inception crop and flip.
    #[must_use]
    pub fn preset(name: &str) -> Option<Self> {
        PRESETS.iter().find(|preset| preset.0 == name).map(|&(_, layers, magnitude, mixup)| Self {
            randaugment: (layers > 0).then_some(RandAugment { layers, magnitude }),
            mixup,
            crop: Crop::Inception,
            flip: true,
        })
    }

    /// The names of the study's presets, from none to the strongest.
    pub fn preset_names() -> impl Iterator<Item = &'static str> {
        PRESETS.iter().map(|preset| preset.0)
    }
}
