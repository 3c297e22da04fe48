//! The axes of all stages: their names, what values they take, and the recipe's defaults.

use std::fmt;
use std::ops::Range;

use crate::job::{Regularization, Stage};

/// One varied setting of a stage: a list of values, each with its place in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    pub(super) setting: Setting,
    pub(super) values: Vec<AxisValue>,
    pub(super) spans: Vec<Range<usize>>,
}

impl Axis {
    /// The name in the sweep file.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.setting.name()
    }

    /// The values, as written.
    #[must_use]
    pub fn values(&self) -> &[AxisValue] {
        &self.values
    }
}

/// One value of an axis.
#[derive(Debug, Clone, PartialEq)]
pub enum AxisValue {
    /// The name of a data set, model or augmentation, or one of a fixed set of words.
    Name(String),
    /// A number.
    Number(f64),
    /// A whole number.
    Count(u64),
    /// True or false.
    Flag(bool),
    /// Dropout and stochastic depth.
    Regularization(Regularization),
}

impl fmt::Display for AxisValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Number(number) => write!(f, "{number}"),
            Self::Count(count) => write!(f, "{count}"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Regularization(Regularization { dropout, rescale, stochastic_depth }) => {
                if dropout.to_bits() == stochastic_depth.to_bits() {
                    write!(f, "{dropout}")?;
                } else {
                    write!(f, "dropout {dropout} + stochastic depth {stochastic_depth}")?;
                }
                f.write_str(if *rescale { ", rescaled" } else { "" })
            }
        }
    }
}

/// What kind of value a setting takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Dataset,
    Model,
    Augmentation,
    Regularization,
    /// A number at least 0.
    NonNegative,
    /// A number above 0.
    Positive,
    /// A number in [0, 1).
    Probability,
    Number,
    /// A whole number between the two, both included.
    Count(u64, u64),
    Flag,
    Words(&'static [&'static str]),
}

macro_rules! settings {
    ($($variant:ident $name:literal $kind:expr, $doc:literal;)*) => {
        /// A setting of a stage.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Setting { $($variant),* }

        impl Setting {
            #[cfg(test)]
            pub(super) const ALL: &[Self] = &[$(Self::$variant),*];

            pub(super) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            pub(super) fn kind(self) -> Kind {
                match self { $(Self::$variant => $kind),* }
            }

            /// What it sets, for a person.
            pub(super) fn doc(self) -> &'static str {
                match self { $(Self::$variant => $doc),* }
            }
        }
    };
}

settings! {
    Dataset "dataset" Kind::Dataset,
        "Names of `[dataset.…]`.";
    Model "model" Kind::Model,
        "Names of built-in models or of `[model.\"…\"]`.";
    Augmentation "augmentation" Kind::Augmentation,
        "Names of built-in augmentations or of `[augmentation.…]`.";
    Regularization "regularization" Kind::Regularization,
        "Drop rate of dropout and stochastic depth together, or both apart.";
    WeightDecay "weight_decay" Kind::NonNegative,
        "Decoupled, times the learning rate; kernels only.";
    Epochs "epochs" Kind::Positive,
        "Passes over the training split; fractions are allowed. Steps are epochs · examples / batch size, rounded.";
    Seed "seed" Kind::Count(0, u64::MAX),
        "Every random draw follows from it.";
    Resolution "resolution" Kind::Count(1, 8192),
        "Side of the square input image in pixels.";
    BatchSize "batch_size" Kind::Count(1, 1 << 20),
        "Images of a step.";
    LearningRate "learning_rate" Kind::Positive,
        "The peak, after the warm-up; cosine decay to 0 follows.";
    WarmupSteps "warmup_steps" Kind::Count(0, 1 << 40),
        "Steps over which the learning rate rises from 0.";
    ClipNorm "clip_norm" Kind::Positive,
        "Largest global norm of the gradient.";
    Beta1 "beta1" Kind::Probability,
        "AdamW's decay of the first moment.";
    Beta2 "beta2" Kind::Probability,
        "AdamW's decay of the second moment.";
    Eps "eps" Kind::Positive,
        "AdamW's addend to the root of the second moment.";
    Loss "loss" Kind::Words(&["sigmoid", "softmax"]),
        "`sigmoid` is summed over classes, `softmax` is the cross-entropy.";
    HeadBias "head_bias" Kind::Number,
        "Initial bias of the head.";
    Gelu "gelu" Kind::Words(&["tanh", "erf"]),
        "`tanh` is flax's approximation and the study's, `erf` is timm's.";
    Crop "crop" Kind::Words(&["inception", "torchvision", "resmall", "none"]),
        "How training images are cropped: `inception` area 5 to 100 %, `torchvision` area 8 to 100 %, `resmall` a random square of the image shrunk to 8/7 of the resolution, `none` the whole image.";
    Flip "flip" Kind::Flag,
        "Whether half of the training images are mirrored.";
    Evaluations "evaluations" Kind::Count(1, 1000),
        "Evaluations on the validation split, evenly spaced, the last at the end.";
    Precision "precision" Kind::Words(&["fp32", "bf16"]),
        "`bf16` multiplies matrices in bfloat16 and does all else in 32-bit floats.";
    MuDtype "mu_dtype" Kind::Words(&["fp32", "bf16"]),
        "What AdamW's first moment is kept in.";
    IndependentWeightDecay "independent_weight_decay" Kind::NonNegative,
        "What `weight_decay` becomes when it is multiplied by the peak learning rate; instead of that.";
    Steps "steps" Kind::Count(1, 1 << 40),
        "Steps of training.";
    Momentum "momentum" Kind::Probability,
        "Of SGD.";
    AccumulatorDtype "accumulator_dtype" Kind::Words(&["fp32", "bf16"]),
        "What the momentum is kept in.";
    Shots "shots" Kind::Count(1, 1 << 20),
        "Training images of each class for a linear probe, which is judged instead of the head.";
    L2 "l2" Kind::Positive,
        "Strength of the probe's regularization.";
    Index "index" Kind::Count(0, u64::MAX),
        "The number of a job that does nothing.";
}

impl Setting {
    /// What a stage can vary.
    pub(super) fn of(stage: Stage) -> &'static [Self] {
        use Setting::{
            AccumulatorDtype, Augmentation, BatchSize, Beta1, Beta2, ClipNorm, Crop, Dataset,
            Epochs, Eps, Evaluations, Flip, Gelu, HeadBias, IndependentWeightDecay, L2,
            LearningRate, Loss, Model, Momentum, MuDtype, Precision, Regularization, Resolution,
            Seed, Shots, Steps, WarmupSteps, WeightDecay,
        };
        match stage {
            Stage::Pretrain => &[
                Dataset,
                Model,
                Augmentation,
                Regularization,
                WeightDecay,
                IndependentWeightDecay,
                Epochs,
                Seed,
                Resolution,
                BatchSize,
                LearningRate,
                WarmupSteps,
                ClipNorm,
                Beta1,
                Beta2,
                Eps,
                Loss,
                HeadBias,
                Gelu,
                Crop,
                Flip,
                Evaluations,
                Precision,
                MuDtype,
            ],
            Stage::Transfer => &[
                Dataset,
                LearningRate,
                Steps,
                Resolution,
                Seed,
                BatchSize,
                WarmupSteps,
                ClipNorm,
                Momentum,
                AccumulatorDtype,
                Augmentation,
                Loss,
                Crop,
                Flip,
                Evaluations,
                Precision,
            ],
            Stage::Evaluate => &[Dataset, Resolution, Shots, L2, Seed, Precision],
            Stage::Throughput => &[Model, Resolution, Precision, Gelu, Seed],
            Stage::Noop => &[Seed],
        }
    }

    /// What a stage leaves to nobody's default.
    pub(super) fn required(stage: Stage) -> &'static [Self] {
        match stage {
            Stage::Pretrain => &[Self::Dataset, Self::Model, Self::Epochs],
            Stage::Transfer => &[Self::Dataset, Self::LearningRate, Self::Steps],
            Stage::Evaluate => &[Self::Dataset],
            Stage::Throughput => &[Self::Model],
            Stage::Noop => &[],
        }
    }
}
