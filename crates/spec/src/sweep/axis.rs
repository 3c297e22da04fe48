//! The axes of all stages: their names, what values they take, and the recipe's defaults.

use std::fmt;
use std::ops::Range;

use crate::augmentation::Crop;
use crate::job::{Gelu, Loss, Precision, Regularization};

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
            pub(super) const ALL: &[Self] = &[$(Self::$variant),*];

            /// What the `pretrain` stage varies: all but the last, the index of a job.
            pub(super) const PRETRAIN: &[Self] = Self::ALL.split_at(Self::ALL.len() - 1).0;

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
    Index "index" Kind::Count(0, u64::MAX);
}

/// The settings of one grid point, starting from the recipe's defaults.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) dataset: String,
    pub(super) model: String,
    pub(super) augmentation: String,
    pub(super) regularization: Regularization,
    pub(super) weight_decay: f64,
    pub(super) epochs: f64,
    pub(super) seed: u64,
    pub(super) resolution: u32,
    pub(super) batch_size: u32,
    pub(super) learning_rate: f64,
    pub(super) warmup_steps: Option<u64>,
    pub(super) clip_norm: f64,
    pub(super) beta1: f64,
    pub(super) beta2: f64,
    pub(super) eps: f64,
    pub(super) loss: Loss,
    pub(super) head_bias: Option<f64>,
    pub(super) gelu: Gelu,
    pub(super) crop: Option<Crop>,
    pub(super) flip: Option<bool>,
    pub(super) evaluations: u32,
    pub(super) precision: Precision,
    pub(super) mu_dtype: Precision,
    pub(super) index: u64,
}

/// Paper §3.3 and §3.4, `big_vision` `configs/vit_i1k.py`; `none` and 0 where the study varies.
impl Default for Settings {
    fn default() -> Self {
        Self {
            dataset: String::new(),
            model: String::new(),
            augmentation: "none".into(),
            regularization: Regularization::default(),
            weight_decay: 0.1,
            epochs: 300.0,
            seed: 0,
            resolution: 224,
            batch_size: 4096,
            learning_rate: 1e-3,
            warmup_steps: None,
            clip_norm: 1.0,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            loss: Loss::Sigmoid,
            head_bias: None,
            gelu: Gelu::Tanh,
            crop: None,
            flip: None,
            evaluations: 10,
            precision: Precision::Fp32,
            mu_dtype: Precision::Fp32,
            index: 0,
        }
    }
}

impl Settings {
    /// Sets one setting. The reader has made sure that the value is of the setting's kind.
    pub(super) fn set(&mut self, setting: Setting, value: &AxisValue) {
        use AxisValue::{Count, Flag, Name, Number};
        match (setting, value) {
            (Setting::Dataset, Name(name)) => self.dataset.clone_from(name),
            (Setting::Model, Name(name)) => self.model.clone_from(name),
            (Setting::Augmentation, Name(name)) => self.augmentation.clone_from(name),
            (_, AxisValue::Regularization(regularization)) => {
                self.regularization = *regularization;
            }
            (Setting::WeightDecay, Number(x)) => self.weight_decay = *x,
            (Setting::Epochs, Number(x)) => self.epochs = *x,
            (Setting::LearningRate, Number(x)) => self.learning_rate = *x,
            (Setting::ClipNorm, Number(x)) => self.clip_norm = *x,
            (Setting::Beta1, Number(x)) => self.beta1 = *x,
            (Setting::Beta2, Number(x)) => self.beta2 = *x,
            (Setting::Eps, Number(x)) => self.eps = *x,
            (Setting::HeadBias, Number(x)) => self.head_bias = Some(*x),
            (Setting::Seed, Count(n)) => self.seed = *n,
            (Setting::Resolution, Count(n)) => self.resolution = *n as u32,
            (Setting::BatchSize, Count(n)) => self.batch_size = *n as u32,
            (Setting::WarmupSteps, Count(n)) => self.warmup_steps = Some(*n),
            (Setting::Index, Count(n)) => self.index = *n,
            (Setting::Evaluations, Count(n)) => self.evaluations = *n as u32,
            (Setting::Flip, Flag(flag)) => self.flip = Some(*flag),
            (Setting::Loss, Name(name)) => {
                self.loss = if name == "softmax" { Loss::Softmax } else { Loss::Sigmoid };
            }
            (Setting::Gelu, Name(name)) => {
                self.gelu = if name == "erf" { Gelu::Erf } else { Gelu::Tanh };
            }
            (Setting::Precision, Name(name)) => self.precision = precision(name),
            (Setting::MuDtype, Name(name)) => self.mu_dtype = precision(name),
            (Setting::Crop, Name(name)) => self.crop = Crop::named(name),
            _ => {}
        }
    }
}

/// The precision of a name that the reader has let pass.
fn precision(name: &str) -> Precision {
    if name == Precision::Bf16.name() { Precision::Bf16 } else { Precision::Fp32 }
}
