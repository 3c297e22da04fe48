//! The settings of a job that are columns of their own, as SQLite would read them off the spec.

use augreg_spec::JobSpec;
use serde::Serialize;

use crate::Value;

/// One value a column, in the order of the schema; none where a stage has no such setting.
#[derive(Default)]
pub(crate) struct Axes {
    randaugment_layers: u32,
    randaugment_magnitude: u32,
    mixup: Option<f64>,
    dropout: Option<f64>,
    stochastic_depth: Option<f64>,
    weight_decay: Option<f64>,
    learning_rate: Option<f64>,
    epochs: Option<f64>,
    batch_size: Option<u32>,
    resolution: Option<u32>,
    loss: Option<String>,
    precision: Option<String>,
    seed: Option<i64>,
    crop: Option<String>,
    flip: Option<bool>,
    warmup_steps: Option<i64>,
    clip_norm: Option<f64>,
    beta1: Option<f64>,
    beta2: Option<f64>,
    eps: Option<f64>,
    head_bias: Option<f64>,
    evaluations: Option<u32>,
}

impl Axes {
    pub(crate) fn of(spec: &JobSpec) -> Self {
        match spec {
            JobSpec::Noop(spec) => Self { seed: integer(spec.seed), ..Self::default() },
            JobSpec::Transfer(spec) => Self {
                randaugment_layers: spec.augmentation.randaugment.map_or(0, |ra| ra.layers),
                randaugment_magnitude: spec.augmentation.randaugment.map_or(0, |ra| ra.magnitude),
                mixup: Some(spec.augmentation.mixup),
                learning_rate: Some(spec.optimizer.learning_rate),
                batch_size: Some(spec.batch_size),
                resolution: Some(spec.resolution),
                loss: name(&spec.loss),
                precision: name(&spec.precision),
                seed: integer(spec.seed),
                crop: name(&spec.augmentation.crop),
                flip: Some(spec.augmentation.flip),
                warmup_steps: integer(spec.optimizer.warmup_steps),
                clip_norm: Some(spec.optimizer.clip_norm),
                evaluations: Some(spec.evaluations),
                ..Self::default()
            },
            JobSpec::Evaluate(spec) => Self {
                resolution: Some(spec.resolution),
                precision: name(&spec.precision),
                seed: integer(spec.seed),
                ..Self::default()
            },
            JobSpec::Throughput(spec) => Self {
                resolution: Some(spec.resolution),
                precision: name(&spec.precision),
                seed: integer(spec.seed),
                ..Self::default()
            },
            JobSpec::Pretrain(spec) => {
                let randaugment = spec.augmentation.randaugment;
                Self {
                    randaugment_layers: randaugment.map_or(0, |randaugment| randaugment.layers),
                    randaugment_magnitude: randaugment
                        .map_or(0, |randaugment| randaugment.magnitude),
                    mixup: Some(spec.augmentation.mixup),
                    dropout: Some(spec.regularization.dropout),
                    stochastic_depth: Some(spec.regularization.stochastic_depth),
                    weight_decay: Some(spec.optimizer.weight_decay),
                    learning_rate: Some(spec.optimizer.learning_rate),
                    epochs: Some(spec.epochs),
                    batch_size: Some(spec.batch_size),
                    resolution: Some(spec.resolution),
                    loss: name(&spec.loss),
                    precision: name(&spec.precision),
                    seed: integer(spec.seed),
                    crop: name(&spec.augmentation.crop),
                    flip: Some(spec.augmentation.flip),
                    warmup_steps: integer(spec.optimizer.warmup_steps),
                    clip_norm: Some(spec.optimizer.clip_norm),
                    beta1: Some(spec.optimizer.beta1),
                    beta2: Some(spec.optimizer.beta2),
                    eps: Some(spec.optimizer.eps),
                    head_bias: Some(spec.head_bias),
                    evaluations: Some(spec.evaluations),
                }
            }
        }
    }

    pub(crate) fn values(self) -> [Value; 22] {
        [
            self.randaugment_layers.into(),
            self.randaugment_magnitude.into(),
            self.mixup.into(),
            self.dropout.into(),
            self.stochastic_depth.into(),
            self.weight_decay.into(),
            self.learning_rate.into(),
            self.epochs.into(),
            self.batch_size.into(),
            self.resolution.into(),
            self.loss.into(),
            self.precision.into(),
            self.seed.into(),
            self.crop.into(),
            self.flip.map(u32::from).into(),
            self.warmup_steps.into(),
            self.clip_norm.into(),
            self.beta1.into(),
            self.beta2.into(),
            self.eps.into(),
            self.head_bias.into(),
            self.evaluations.into(),
        ]
    }
}

/// None for a number beyond SQLite's: only the spec can tell it.
fn integer(number: u64) -> Option<i64> {
    i64::try_from(number).ok()
}

/// What a word is called in the spec.
fn name(word: &impl Serialize) -> Option<String> {
    match serde_json::to_value(word) {
        Ok(serde_json::Value::String(name)) => Some(name),
        _ => None,
    }
}
