//! The settings of one grid point, with the recipe's defaults where the grid is silent.

use super::axis::{AxisValue, Setting};
use crate::augmentation::Crop;
use crate::job::{Gelu, Loss, Precision, Regularization, Stage};

/// The settings of one grid point.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) dataset: String,
    pub(super) model: String,
    pub(super) augmentation: String,
    pub(super) regularization: Regularization,
    pub(super) weight_decay: f64,
    pub(super) independent_weight_decay: Option<f64>,
    pub(super) epochs: f64,
    pub(super) steps: u64,
    pub(super) seed: u64,
    /// None: that of what is evaluated.
    pub(super) resolution: Option<u32>,
    pub(super) batch_size: u32,
    pub(super) learning_rate: f64,
    pub(super) warmup_steps: Option<u64>,
    pub(super) clip_norm: f64,
    pub(super) momentum: f64,
    pub(super) accumulator_dtype: Precision,
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
    pub(super) shots: Option<u32>,
    pub(super) l2: f64,
    pub(super) index: u64,
}

/// Side of the study's images in pixels.
const RESOLUTION: u32 = 224;

impl Settings {
    /// What a stage leaves to the recipe. Pre-training: paper §3.3 and §3.4, `big_vision`
    /// `configs/vit_i1k.py`; `none` and 0 where the study varies. Transfer: paper §3.5, `big_vision`
    /// `configs/transfer.py`. Probes: `configs/common_fewshot.py`.
    pub(super) fn of(stage: Stage) -> Self {
        let transfer = stage == Stage::Transfer;
        Self {
            dataset: String::new(),
            model: String::new(),
            augmentation: "none".into(),
            regularization: Regularization::default(),
            weight_decay: 0.1,
            independent_weight_decay: None,
            epochs: 300.0,
            steps: 0,
            seed: 0,
            resolution: (stage != Stage::Evaluate).then_some(RESOLUTION),
            batch_size: if transfer { 512 } else { 4096 },
            learning_rate: 1e-3,
            warmup_steps: None,
            clip_norm: 1.0,
            momentum: 0.9,
            accumulator_dtype: Precision::Fp32,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            loss: if transfer { Loss::Softmax } else { Loss::Sigmoid },
            head_bias: None,
            gelu: Gelu::Tanh,
            crop: None,
            flip: None,
            evaluations: if transfer { 1 } else { 10 },
            precision: Precision::Fp32,
            mu_dtype: Precision::Fp32,
            shots: None,
            l2: 1024.0,
            index: 0,
        }
    }

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
            (Setting::IndependentWeightDecay, Number(x)) => {
                self.independent_weight_decay = Some(*x);
            }
            (Setting::Epochs, Number(x)) => self.epochs = *x,
            (Setting::LearningRate, Number(x)) => self.learning_rate = *x,
            (Setting::ClipNorm, Number(x)) => self.clip_norm = *x,
            (Setting::Momentum, Number(x)) => self.momentum = *x,
            (Setting::Beta1, Number(x)) => self.beta1 = *x,
            (Setting::Beta2, Number(x)) => self.beta2 = *x,
            (Setting::Eps, Number(x)) => self.eps = *x,
            (Setting::HeadBias, Number(x)) => self.head_bias = Some(*x),
            (Setting::L2, Number(x)) => self.l2 = *x,
            (Setting::Steps, Count(n)) => self.steps = *n,
            (Setting::Seed, Count(n)) => self.seed = *n,
            (Setting::Resolution, Count(n)) => self.resolution = Some(*n as u32),
            (Setting::BatchSize, Count(n)) => self.batch_size = *n as u32,
            (Setting::WarmupSteps, Count(n)) => self.warmup_steps = Some(*n),
            (Setting::Shots, Count(n)) => self.shots = Some(*n as u32),
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
            (Setting::AccumulatorDtype, Name(name)) => self.accumulator_dtype = precision(name),
            (Setting::Crop, Name(name)) => self.crop = Crop::named(name),
            _ => {}
        }
    }

    /// The value of a setting, as an axis would have it; none where the recipe works it out.
    pub(super) fn get(&self, setting: Setting) -> Option<AxisValue> {
        use AxisValue::{Count, Flag, Name, Number};
        let word = |name: &str| Some(Name(name.to_owned()));
        let count = |n: u32| Some(Count(n.into()));
        match setting {
            Setting::Dataset => word(&self.dataset),
            Setting::Model => word(&self.model),
            Setting::Augmentation => word(&self.augmentation),
            Setting::Regularization => Some(AxisValue::Regularization(self.regularization)),
            Setting::WeightDecay => Some(Number(self.weight_decay)),
            Setting::IndependentWeightDecay => self.independent_weight_decay.map(Number),
            Setting::Epochs => Some(Number(self.epochs)),
            Setting::Steps => Some(Count(self.steps)),
            Setting::Seed => Some(Count(self.seed)),
            Setting::Resolution => self.resolution.and_then(count),
            Setting::BatchSize => count(self.batch_size),
            Setting::LearningRate => Some(Number(self.learning_rate)),
            Setting::WarmupSteps => self.warmup_steps.map(Count),
            Setting::ClipNorm => Some(Number(self.clip_norm)),
            Setting::Momentum => Some(Number(self.momentum)),
            Setting::AccumulatorDtype => word(self.accumulator_dtype.name()),
            Setting::Beta1 => Some(Number(self.beta1)),
            Setting::Beta2 => Some(Number(self.beta2)),
            Setting::Eps => Some(Number(self.eps)),
            Setting::Loss => word(if self.loss == Loss::Softmax { "softmax" } else { "sigmoid" }),
            Setting::HeadBias => self.head_bias.map(Number),
            Setting::Gelu => word(if self.gelu == Gelu::Erf { "erf" } else { "tanh" }),
            Setting::Crop => self.crop.and_then(|crop| word(crop.name())),
            Setting::Flip => self.flip.map(Flag),
            Setting::Evaluations => count(self.evaluations),
            Setting::Precision => word(self.precision.name()),
            Setting::MuDtype => word(self.mu_dtype.name()),
            Setting::Shots => self.shots.and_then(count),
            Setting::L2 => Some(Number(self.l2)),
            Setting::Index => Some(Count(self.index)),
        }
    }
}

/// The precision of a name that the reader has let pass.
fn precision(name: &str) -> Precision {
    if name == Precision::Bf16.name() { Precision::Bf16 } else { Precision::Fp32 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::axis::Kind;

    /// Of every kind a value that is nobody's default.
    fn other(setting: Setting) -> AxisValue {
        match setting.kind() {
            Kind::Dataset | Kind::Model | Kind::Augmentation => AxisValue::Name("other".into()),
            Kind::Words(words) => {
                // The default is whatever `of` says; the crop alone takes its names from elsewhere.
                let now = Settings::of(Stage::Pretrain).get(setting);
                let differs = |word: &&&str| now != Some(AxisValue::Name((**word).to_owned()));
                let word = words.iter().find(differs).copied();
                AxisValue::Name(word.unwrap_or_default().to_owned())
            }
            Kind::Regularization => AxisValue::Regularization(Regularization {
                dropout: 0.3,
                rescale: true,
                stochastic_depth: 0.2,
            }),
            Kind::NonNegative | Kind::Positive | Kind::Probability | Kind::Number => {
                AxisValue::Number(0.125)
            }
            Kind::Count(..) => AxisValue::Count(77),
            Kind::Flag => AxisValue::Flag(false),
        }
    }

    #[test]
    fn every_setting_that_is_set_is_got_again_and_changes_no_other() {
        for &setting in Setting::ALL {
            let (before, value) = (Settings::of(Stage::Pretrain), other(setting));
            let mut after = before.clone();
            after.set(setting, &value);
            assert_eq!(after.get(setting), Some(value), "{}", setting.name());
            assert_ne!(before.get(setting), after.get(setting), "{}", setting.name());
            for &another in Setting::ALL.iter().filter(|another| **another != setting) {
                assert_eq!(before.get(another), after.get(another), "{}", another.name());
            }
        }
    }
}
