//! The ResNet that a hybrid cuts its patches from: which convolutions there are, and what they cost.

use serde::{Deserialize, Serialize};

use crate::model::ModelError;

/// Stages a ResNet has at the most.
pub(crate) const STAGES: usize = 4;

/// Channels of the root, and of the middle of the first stage's units.
const ROOT: u32 = 64;

/// A unit puts out this many times the channels of its middle.
const EXPANSION: u32 = 4;

/// Operations that normalising an activation is counted as, and standardising a weight.
const NORM: u64 = 5;
const STANDARDISATION: u64 = 4;

/// Side of the root's kernel.
const ROOT_KERNEL: u32 = 7;

/// A root (7 × 7 convolution, pooling), then stages of bottleneck units. With no stages it is the root
/// alone, as in R+Ti/16.
///
/// # Source
///
/// `vit_jax/models_resnet.py`, width factor 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u32>", into = "Vec<u32>")]
pub struct Resnet {
    /// Units of each stage; 0 where there is no such stage.
    units: [u32; STAGES],
}

/// One bottleneck: 1 × 1, 3 × 3 with the stride, 1 × 1, beside a projection or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    /// The stage it belongs to, from 0.
    pub stage: u32,
    /// Its place in the stage, from 0.
    pub index: u32,
    /// Channels that come in.
    pub input: u32,
    /// Channels between its convolutions.
    pub middle: u32,
    /// Channels that go out.
    pub output: u32,
    /// Pixels its second convolution moves on by.
    pub stride: u32,
}

impl Unit {
    /// Whether a projection stands beside it: where channels or size change, the first of a stage.
    #[must_use]
    pub fn projects(&self) -> bool {
        self.input != self.output || self.stride != 1
    }
}

impl Resnet {
    /// A ResNet with so many units in each stage.
    ///
    /// # Errors
    ///
    /// [`ModelError`] for a stage without units, or more than four.
    pub fn new(stages: &[u32]) -> Result<Self, ModelError> {
        if stages.len() > STAGES {
            return Err(ModelError::Stages(stages.len()));
        }
        if stages.contains(&0) {
            return Err(ModelError::Zero("resnet"));
        }
        let mut units = [0; STAGES];
        units[..stages.len()].copy_from_slice(stages);
        Ok(Self { units })
    }

    /// Units of each stage.
    #[must_use]
    pub fn stages(&self) -> &[u32] {
        let stages = self.units.iter().take_while(|units| **units > 0).count();
        &self.units[..stages]
    }

    /// All units, in the order of the forward pass.
    pub fn units(&self) -> impl Iterator<Item = Unit> {
        (0..).zip(self.stages()).flat_map(|(stage, &units)| {
            let middle = ROOT << stage;
            let output = EXPANSION * middle;
            (0..units).map(move |index| Unit {
                stage,
                index,
                input: match (stage, index) {
                    (0, 0) => ROOT,
                    (_, 0) => output / 2,
                    _ => output,
                },
                middle,
                output,
                stride: if index == 0 && stage > 0 { 2 } else { 1 },
            })
        })
    }

    /// Channels of the root.
    #[must_use]
    pub fn root(&self) -> u32 {
        ROOT
    }

    /// Channels of the map that is cut into patches.
    #[must_use]
    pub fn channels(&self) -> u32 {
        self.units().last().map_or(ROOT, |unit| unit.output)
    }

    /// Side of the map that an image of this resolution becomes: halved by the root's convolution, by
    /// its pooling, and by every stage but the first, rounded up each time.
    #[must_use]
    pub fn side(&self, resolution: u32) -> u32 {
        let halvings = 1 + self.stages().len().max(1);
        (0..halvings).fold(resolution, |side, _| side.div_ceil(2))
    }

    /// Trainable parameters: kernels, and scale and bias of the norm behind each.
    #[must_use]
    pub fn parameters(&self, image_channels: u32) -> u64 {
        let convolution =
            |kernel: u32, from: u32, to: u32| u64::from(kernel.pow(2) * from + 2) * u64::from(to);
        let unit = |unit: Unit| {
            let Unit { input, middle, output, .. } = unit;
            let projection = if unit.projects() { convolution(1, input, output) } else { 0 };
            convolution(1, input, middle)
                + convolution(3, middle, middle)
                + convolution(1, middle, output)
                + projection
        };
        convolution(ROOT_KERNEL, image_channels, ROOT) + self.units().map(unit).sum::<u64>()
    }

    /// Multiply-accumulates for one image: its convolutions, and, because they are some percent here,
    /// its norms and the standardisation of its kernels, as timm's tables (fvcore) count them.
    #[must_use]
    pub fn macs(&self, resolution: u32, image_channels: u32) -> u64 {
        let product = |side: u32, kernel: u32, from: u32, to: u32| {
            let [side, kernel, from, to] = [side, kernel, from, to].map(u64::from);
            let (weights, pixels) = (kernel * kernel * from * to, side * side);
            pixels * weights + NORM * pixels * to + STANDARDISATION * weights
        };
        let half = resolution.div_ceil(2);
        let root = product(half, ROOT_KERNEL, image_channels, ROOT);
        let (mut total, mut side) = (root, half.div_ceil(2));
        for unit in self.units() {
            let Unit { input, middle, output, stride, .. } = unit;
            total += product(side, 1, input, middle);
            side = side.div_ceil(stride);
            total += product(side, 3, middle, middle) + product(side, 1, middle, output);
            total += if unit.projects() { product(side, 1, input, output) } else { 0 };
        }
        total
    }
}

impl TryFrom<Vec<u32>> for Resnet {
    type Error = ModelError;

    fn try_from(stages: Vec<u32>) -> Result<Self, ModelError> {
        Self::new(&stages)
    }
}

impl From<Resnet> for Vec<u32> {
    fn from(resnet: Resnet) -> Self {
        resnet.stages().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Totals as in `vit_jax` and timm, less what the transformer behind them has.
    #[test]
    fn the_studys_stems_have_the_published_parameter_counts() {
        let count = |stages: &[u32]| Resnet::new(stages).expect("stages").parameters(3);
        assert_eq!(count(&[]), 9536);
        assert_eq!(count(&[2, 2, 2, 2]), 13_946_176);
        assert_eq!(count(&[3, 4, 6, 3]), 23_508_032);
    }

    #[test]
    fn every_stage_but_the_first_halves_the_map() {
        let side =
            |stages: &[u32], resolution| Resnet::new(stages).expect("stages").side(resolution);
        assert_eq!(side(&[], 224), 56);
        assert_eq!(side(&[3], 224), 56);
        assert_eq!(side(&[3, 4, 6, 3], 224), 7);
        assert_eq!(side(&[2, 2, 2, 2], 225), 8);
    }

    #[test]
    fn a_stage_needs_units_and_there_are_four_at_most() {
        assert_eq!(Resnet::new(&[2, 0, 2]), Err(ModelError::Zero("resnet")));
        assert_eq!(Resnet::new(&[1; 5]), Err(ModelError::Stages(5)));
        let read: Resnet = serde_json::from_str("[3,4,9]").expect("three stages");
        assert_eq!(serde_json::to_string(&read).expect("a list"), "[3,4,9]");
        assert!(serde_json::from_str::<Resnet>("[0]").is_err());
    }
}
