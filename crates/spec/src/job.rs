//! The job spec: one point of the grid with every default filled in, and the id it hashes to.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::augmentation::Augmentation;
use crate::dataset::{DatasetIdentity, SplitName};
use crate::id::JobId;
use crate::model::ModelSpec;

/// Version of the training recipe. It changes when the same settings would train differently,
/// so that results of two recipes are never mixed.
pub const RECIPE_VERSION: u32 = 1;

/// A kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Training from random initial values.
    Pretrain,
    /// Nothing at all: for benchmarks and for trying out an installation.
    Noop,
}

impl Stage {
    /// The name in sweep files and columns.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pretrain => "pretrain",
            Self::Noop => "noop",
        }
    }
}

/// The training objective.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Sigmoid cross-entropy, summed over classes, mean over the batch (the study's).
    Sigmoid,
    /// Softmax cross-entropy, mean over the batch.
    Softmax,
}

/// The arithmetic of forward and backward passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32-bit floats throughout, as in the study.
    Fp32,
}

/// Dropout and stochastic depth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regularization {
    /// Probability of dropping an activation, in [0, 1).
    pub dropout: f64,
    /// Probability of dropping a branch of the last block, in [0, 1); grows linearly from 0.
    pub stochastic_depth: f64,
}

/// AdamW with the study's clipping and schedule (paper §3.4; big_vision `optax.py`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamW {
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Decoupled weight decay, multiplied by the learning rate; kernels only.
    pub weight_decay: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment after bias correction.
    pub eps: f64,
    /// Gradients are scaled down to this global norm.
    pub clip_norm: f64,
    /// Steps of linear warm-up from 0; a cosine to 0 follows.
    pub warmup_steps: u64,
}

/// A pre-training job with nothing left open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PretrainSpec {
    /// The recipe this job was resolved under, [`RECIPE_VERSION`].
    pub recipe: u32,
    /// What it learns from and is judged on.
    pub dataset: DatasetIdentity,
    /// The network.
    pub model: ModelSpec,
    /// Side of the square input image in pixels.
    pub resolution: u32,
    /// What is done to training images.
    pub augmentation: Augmentation,
    /// Dropout and stochastic depth.
    pub regularization: Regularization,
    /// Optimizer and schedule.
    pub optimizer: AdamW,
    /// Passes over the training split; the study's budget axis.
    pub epochs: f64,
    /// Examples a step.
    pub batch_size: u32,
    /// The objective.
    pub loss: Loss,
    /// Initial bias of the head.
    pub head_bias: f64,
    /// Arithmetic.
    pub precision: Precision,
    /// Evaluations on the validation split, evenly spaced; the last is at the end.
    pub evaluations: u32,
    /// Seed of every random draw.
    pub seed: u64,
}

impl PretrainSpec {
    /// Optimizer steps: `round(epochs · examples / batch)`, at least 1 (big_vision `utils.py`).
    #[must_use]
    pub fn steps(&self) -> u64 {
        steps(self.epochs, self.dataset.examples(SplitName::Train), self.batch_size)
    }

    /// Steps after which the validation split is evaluated, ascending; the last is [`Self::steps`].
    #[must_use]
    pub fn evaluation_steps(&self) -> Vec<u64> {
        let steps = self.steps();
        let count = u64::from(self.evaluations.max(1)).min(steps);
        (1..=count).map(|i| steps * i / count).collect()
    }
}

/// Optimizer steps of a budget: `round(epochs · examples / batch)`, at least 1.
pub(crate) fn steps(epochs: f64, examples: u64, batch_size: u32) -> u64 {
    ((epochs * examples as f64 / f64::from(batch_size)).round() as u64).max(1)
}

/// A job that does nothing and succeeds. What is left is the cost of running a job at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoopSpec {
    /// Tells jobs of one sweep apart; counts from 0.
    pub index: u64,
    /// Tells sweeps apart that are to run again.
    pub seed: u64,
}

/// A job spec of any stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "kebab-case")]
#[expect(
    clippy::large_enum_variant,
    reason = "a study is of one stage mostly: a box for each job would save nothing"
)]
pub enum JobSpec {
    /// Training from random initial values.
    Pretrain(PretrainSpec),
    /// Nothing at all.
    Noop(NoopSpec),
}

/// The names a sweep file gives to the parts of a job. They are shown, queried and grouped by,
/// but never hashed: the same point under another name is the same job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// Name of the data set.
    pub dataset: String,
    /// Name of the model.
    pub model: String,
    /// Name of the augmentation.
    pub augmentation: String,
}

impl JobSpec {
    /// The stage.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match self {
            Self::Pretrain(_) => Stage::Pretrain,
            Self::Noop(_) => Stage::Noop,
        }
    }

    /// The data set the job works on, if it works on one.
    #[must_use]
    pub fn dataset(&self) -> Option<&DatasetIdentity> {
        match self {
            Self::Pretrain(spec) => Some(&spec.dataset),
            Self::Noop(_) => None,
        }
    }

    /// Optimizer steps of the whole job; 1 where there is nothing to optimize.
    #[must_use]
    pub fn steps(&self) -> u64 {
        match self {
            Self::Pretrain(spec) => spec.steps(),
            Self::Noop(_) => 1,
        }
    }

    /// Canonical JSON: keys sorted, no white space, shortest floats.
    #[must_use]
    pub fn canonical(&self) -> String {
        canonical(self)
    }

    /// The job's id: the hash of its canonical JSON.
    #[must_use]
    pub fn id(&self) -> JobId {
        JobId::of(&self.canonical())
    }
}

/// One point of a sweep's grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its id, the hash of `spec`.
    pub id: JobId,
    /// What to do.
    pub spec: JobSpec,
    /// What the sweep file calls its parts.
    pub labels: Labels,
}

/// Canonical JSON of plain data: keys sorted, no white space, shortest floats.
pub(crate) fn canonical(data: &impl Serialize) -> String {
    let value = serde_json::to_value(data).expect("specs hold only text, finite numbers and lists");
    let mut text = String::new();
    write_canonical(&value, &mut text);
    text
}

/// Sorts keys itself: whether `serde_json`'s map does depends on the features other crates turn on.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (i, (key, value)) in entries.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write_canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}
