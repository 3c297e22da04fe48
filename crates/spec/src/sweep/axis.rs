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
    ($($variant:ident $name:literal $kind:expr;)*) => {
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
        }
    };
}

settings! {
    Dataset "dataset" Kind::Dataset;
    Model "model" Kind::Model;
    Augmentation "augmentation" Kind::Augmentation;
    Regularization "regularization" Kind::Regularization;
    WeightDecay "weight_decay" Kind::NonNegative;
    Epochs "epochs" Kind::Positive;
    Seed "seed" Kind::Count(0, u64::MAX);
    Resolution "resolution" Kind::Count(1, 8192);
    BatchSize "batch_size" Kind::Count(1, 1 << 20);
    LearningRate "learning_rate" Kind::Positive;
    WarmupSteps "warmup_steps" Kind::Count(0, 1 << 40);
    ClipNorm "clip_norm" Kind::Positive;
    Beta1 "beta1" Kind::Probability;
    Beta2 "beta2" Kind::Probability;
    Eps "eps" Kind::Positive;
    Loss "loss" Kind::Words(&["sigmoid", "softmax"]);
    HeadBias "head_bias" Kind::Number;
    Gelu "gelu" Kind::Words(&["tanh", "erf"]);
    Crop "crop" Kind::Words(&["inception", "torchvision", "resmall", "none"]);
    Flip "flip" Kind::Flag;
    Evaluations "evaluations" Kind::Count(1, 1000);
    Precision "precision" Kind::Words(&["fp32", "bf16"]);
    MuDtype "mu_dtype" Kind::Words(&["fp32", "bf16"]);
    IndependentWeightDecay "independent_weight_decay" Kind::NonNegative;
    Steps "steps" Kind::Count(1, 1 << 40);
    Momentum "momentum" Kind::Probability;
    AccumulatorDtype "accumulator_dtype" Kind::Words(&["fp32", "bf16"]);
    Shots "shots" Kind::Count(1, 1 << 20);
    L2 "l2" Kind::Positive;
    Index "index" Kind::Count(0, u64::MAX);
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
