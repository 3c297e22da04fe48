//! The job spec: one point of the grid with every default filled in, and the id it hashes to.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

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

/// The arithmetic of forward and backward passes, or the kind of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32-bit floats throughout, as in the study.
    #[default]
    Fp32,
    /// Products of matrices in bfloat16; parameters, their updates, the residual stream, norms and the
    /// loss in 32-bit floats.
    Bf16,
}

impl Precision {
    /// The name in sweep files and columns.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Bf16 => "bf16",
        }
    }
}

/// The activation function of the MLPs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gelu {
    /// The approximation by a hyperbolic tangent: flax's default, which the study's weights saw.
    #[default]
    Tanh,
    /// x Φ(x) itself: timm's default.
    Erf,
}

/// Dropout and stochastic depth.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regularization {
    /// Probability of dropping an activation, in [0, 1).
    pub dropout: f64,
    /// Whether a branch that stochastic depth keeps is scaled by 1 / (1 − p), so that its expectation
    /// is what it is without. timm's `DropPath` does; the study's code most likely did not, as its
    /// siblings in `big_vision` (`models/mlp_mixer.py`) and Scenic do not.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rescale: bool,
    /// Probability of dropping a branch of the last block, in [0, 1); grows linearly from 0.
    pub stochastic_depth: f64,
}

/// AdamW with the study's clipping and schedule (paper §3.4; big_vision `optax.py`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamW {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Gradients are scaled down to this global norm.
    pub clip_norm: f64,
    /// Added to the root of the second moment after bias correction.
    pub eps: f64,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// What the first moment is kept in. The study keeps it in bfloat16 (`mu_dtype` in big_vision
    /// `configs/vit_i1k.py`), which saves memory and changes little.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mu_dtype: Precision,
    /// Steps of linear warm-up from 0; a cosine to 0 follows.
    pub warmup_steps: u64,
    /// Decoupled weight decay, multiplied by the learning rate; kernels only.
    pub weight_decay: f64,
}

/// A pre-training job with nothing left open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PretrainSpec {
    /// What is done to training images.
    pub augmentation: Augmentation,
    /// Examples a step.
    pub batch_size: u32,
    /// What it learns from and is judged on.
    pub dataset: Arc<DatasetIdentity>,
    /// Passes over the training split; the study's budget axis.
    pub epochs: f64,
    /// Evaluations on the validation split, evenly spaced; the last is at the end.
    pub evaluations: u32,
    /// The activation function.
    #[serde(default, skip_serializing_if = "is_default")]
    pub gelu: Gelu,
    /// Initial bias of the head.
    pub head_bias: f64,
    /// The objective.
    pub loss: Loss,
    /// The network.
    pub model: ModelSpec,
    /// Optimizer and schedule.
    pub optimizer: AdamW,
    /// Arithmetic.
    pub precision: Precision,
    /// The recipe this job was resolved under, [`RECIPE_VERSION`].
    pub recipe: u32,
    /// Dropout and stochastic depth.
    pub regularization: Regularization,
    /// Side of the square input image in pixels.
    pub resolution: u32,
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

/// Whether a setting is what it was before it could be set: then it is not written, and the ids of
/// jobs from that time stay.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
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
        let mut text = match self {
            Self::Pretrain(spec) => canonical(spec),
            Self::Noop(spec) => canonical(spec),
        };
        // `stage` comes after the keys of every stage.
        text.pop();
        text += ",\"stage\":\"";
        text += self.stage().name();
        text += "\"}";
        text
    }

    /// What a person calls the job: its parts, and the settings that studies vary most.
    #[must_use]
    pub fn title(&self, labels: &Labels) -> String {
        match self {
            Self::Noop(spec) => format!("noop {}", spec.index),
            Self::Pretrain(spec) => format!(
                "{} {} {} reg {} {} ep",
                labels.model,
                labels.dataset,
                labels.augmentation,
                spec.regularization.dropout,
                spec.epochs,
            ),
        }
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
    /// Its id, the hash of its spec.
    pub id: JobId,
    /// What to do.
    pub spec: JobSpec,
    /// What the sweep file calls its parts.
    pub labels: Labels,
    canonical: String,
}

impl Job {
    /// The job of this spec, under these names.
    #[must_use]
    pub fn new(spec: JobSpec, labels: Labels) -> Self {
        let canonical = spec.canonical();
        Self { id: JobId::of(&canonical), spec, labels, canonical }
    }

    /// The canonical JSON of its spec, as [`JobSpec::canonical`] makes it.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

/// Canonical JSON of plain data: keys sorted, no white space, shortest floats.
///
/// A sweep may have a million points, so nothing is sorted here: everything a spec is made of declares
/// its fields in the order of their names. A test holds all of it to that.
pub(crate) fn canonical(data: &impl Serialize) -> String {
    serde_json::to_string(data).expect("specs hold only text, finite numbers and lists")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::augmentation::RandAugment;
    use crate::dataset::{Format, SplitIdentity};
    use crate::split::SourceRange;
    use crate::subset::SubsetIdentity;

    /// Sorts keys itself: whether `serde_json`'s map does depends on the features other crates turn on.
    fn sorted(value: &Value) -> String {
        match value {
            Value::Object(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_by_key(|(key, _)| *key);
                let entries: Vec<_> = entries
                    .into_iter()
                    .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), sorted(value)))
                    .collect();
                format!("{{{}}}", entries.join(","))
            }
            Value::Array(items) => {
                format!("[{}]", items.iter().map(sorted).collect::<Vec<_>>().join(","))
            }
            scalar => scalar.to_string(),
        }
    }

    fn pretrain() -> JobSpec {
        let range =
            |source: &str, from| SourceRange { source: source.to_owned(), from, to: 50_000 };
        let split = |source| SplitIdentity {
            examples: 9,
            ranges: vec![range(source, 0), range(source, 7)],
            subset: Some(SubsetIdentity { per_class: Some(3), seed: 1, stratified: true }),
        };
        let splits = SplitName::ALL.map(|(source, name)| (name, split(source)));
        let content = ["train", "test"].map(|name| (name.to_owned(), "\"quoted\"".to_owned()));
        JobSpec::Pretrain(PretrainSpec {
            augmentation: Augmentation {
                randaugment: Some(RandAugment { layers: 2, magnitude: 15 }),
                ..Augmentation::preset("none").expect("a preset")
            },
            batch_size: 256,
            dataset: Arc::new(DatasetIdentity {
                channels: 3,
                classes: 10,
                content: content.into(),
                format: Format::Cifar,
                splits: splits.into(),
            }),
            epochs: 300.0,
            evaluations: 10,
            gelu: Gelu::Erf,
            head_bias: -6.9,
            loss: Loss::Sigmoid,
            model: ModelSpec::named("R26+S/32").expect("of the zoo"),
            optimizer: AdamW {
                beta1: 0.9,
                beta2: 0.999,
                clip_norm: 1.0,
                eps: 1e-8,
                learning_rate: 0.1 + 0.2,
                mu_dtype: Precision::Fp32,
                warmup_steps: 10_000,
                weight_decay: 0.03,
            },
            precision: Precision::Fp32,
            recipe: RECIPE_VERSION,
            regularization: Regularization { dropout: 0.1, rescale: true, stochastic_depth: 1e21 },
            resolution: 224,
            seed: u64::MAX,
        })
    }

    #[test]
    fn the_canonical_json_of_every_stage_has_its_keys_sorted_and_reads_back() {
        for spec in [pretrain(), JobSpec::Noop(NoopSpec { index: 3, seed: 0 })] {
            let value = serde_json::to_value(&spec).expect("is plain data");
            assert_eq!(spec.canonical(), sorted(&value));
            assert_eq!(serde_json::from_str::<JobSpec>(&spec.canonical()).expect("reads"), spec);
        }
    }
}
