//! The job spec: one point of the grid with every default filled in, and the id it hashes to.

mod evaluate;
mod noop;
mod optimizer;
mod pretrain;
mod setting;
#[cfg(test)]
mod tests;
mod throughput;
mod training;
mod transfer;
mod upstream;

use serde::{Deserialize, Serialize};

use crate::dataset::DatasetIdentity;
use crate::id::JobId;
use crate::model::ModelSpec;

pub use evaluate::{EvaluateSpec, Probe};
pub use noop::NoopSpec;
pub use optimizer::{AdamW, Optimizer, Sgd};
pub use pretrain::PretrainSpec;
pub use setting::{Gelu, Loss, Precision, Regularization};
pub use throughput::ThroughputSpec;
pub use training::Training;
pub use transfer::TransferSpec;
pub use upstream::Upstream;

pub(crate) use pretrain::steps;

/// Version of the training recipe. It changes when the same settings would train differently,
/// so that results of two recipes are never mixed.
pub const RECIPE_VERSION: u32 = 1;

/// A kind of work.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Training from random initial values.
    #[default]
    Pretrain,
    /// Training on from the parameters of another job, or of an imported file, on another data set.
    Transfer,
    /// Measuring how good parameters are.
    Evaluate,
    /// Measuring how fast a model is.
    Throughput,
    /// Nothing at all: for benchmarks and for trying out an installation.
    Noop,
}

impl Stage {
    /// Every stage, those first that others start from.
    pub const ALL: [Self; 5] =
        [Self::Pretrain, Self::Transfer, Self::Evaluate, Self::Throughput, Self::Noop];

    /// The name in sweep files and columns.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pretrain => "pretrain",
            Self::Transfer => "transfer",
            Self::Evaluate => "evaluate",
            Self::Throughput => "throughput",
            Self::Noop => "noop",
        }
    }
}

/// Whether a setting is what it was before it could be set: then it is not written, and the ids of
/// jobs from that time stay.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A job spec of any stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "kebab-case")]
pub enum JobSpec {
    /// Training from random initial values.
    Pretrain(PretrainSpec),
    /// Training on from other parameters.
    Transfer(TransferSpec),
    /// Measuring how good parameters are.
    Evaluate(EvaluateSpec),
    /// Measuring how fast a model is.
    Throughput(ThroughputSpec),
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
    /// What its products of matrices are computed in.
    #[must_use]
    pub fn precision(&self) -> Precision {
        match self {
            Self::Pretrain(spec) => spec.precision,
            Self::Transfer(spec) => spec.precision,
            Self::Evaluate(spec) => spec.precision,
            Self::Throughput(spec) => spec.precision,
            Self::Noop(_) => Precision::Fp32,
        }
    }

    /// The stage.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match self {
            Self::Pretrain(_) => Stage::Pretrain,
            Self::Transfer(_) => Stage::Transfer,
            Self::Evaluate(_) => Stage::Evaluate,
            Self::Throughput(_) => Stage::Throughput,
            Self::Noop(_) => Stage::Noop,
        }
    }

    /// The data set the job works on, if it works on one.
    #[must_use]
    pub fn dataset(&self) -> Option<&DatasetIdentity> {
        match self {
            Self::Pretrain(spec) => Some(&spec.dataset),
            Self::Transfer(spec) => Some(&spec.dataset),
            Self::Evaluate(spec) => Some(&spec.dataset),
            Self::Throughput(_) | Self::Noop(_) => None,
        }
    }

    /// The network, if the job has one.
    #[must_use]
    pub fn model(&self) -> Option<ModelSpec> {
        match self {
            Self::Pretrain(spec) => Some(spec.model),
            Self::Transfer(spec) => Some(spec.model),
            Self::Evaluate(spec) => Some(spec.model),
            Self::Throughput(spec) => Some(spec.model),
            Self::Noop(_) => None,
        }
    }

    /// What the job starts from or judges, if it needs parameters that are there already.
    #[must_use]
    pub fn upstream(&self) -> Option<&Upstream> {
        match self {
            Self::Transfer(spec) => Some(&spec.upstream),
            Self::Evaluate(spec) => Some(&spec.upstream),
            Self::Pretrain(_) | Self::Throughput(_) | Self::Noop(_) => None,
        }
    }

    /// The job that must have succeeded before this one can begin.
    #[must_use]
    pub fn parent(&self) -> Option<JobId> {
        self.upstream().and_then(Upstream::job)
    }

    /// The training it comes to, if it trains anything.
    #[must_use]
    pub fn training(&self) -> Option<Training> {
        match self {
            Self::Pretrain(spec) => Some(spec.training()),
            Self::Transfer(spec) => Some(spec.training()),
            Self::Evaluate(_) | Self::Throughput(_) | Self::Noop(_) => None,
        }
    }

    /// The recipe it was resolved under, where that could make a difference.
    #[must_use]
    pub fn recipe(&self) -> Option<u32> {
        match self {
            Self::Pretrain(spec) => Some(spec.recipe),
            Self::Transfer(spec) => Some(spec.recipe),
            Self::Evaluate(spec) => Some(spec.recipe),
            Self::Throughput(spec) => Some(spec.recipe),
            Self::Noop(_) => None,
        }
    }

    /// Optimizer steps of the whole job; 1 where there is nothing to optimize.
    #[must_use]
    pub fn steps(&self) -> u64 {
        match self {
            Self::Pretrain(spec) => spec.steps(),
            Self::Transfer(spec) => spec.steps,
            Self::Evaluate(_) | Self::Throughput(_) | Self::Noop(_) => 1,
        }
    }

    /// Epochs of the whole job, if it counts in them.
    #[must_use]
    pub fn epochs(&self) -> Option<f64> {
        match self {
            Self::Pretrain(spec) => Some(spec.epochs),
            Self::Transfer(_) | Self::Evaluate(_) | Self::Throughput(_) | Self::Noop(_) => None,
        }
    }

    /// Canonical JSON: keys sorted, no white space, shortest floats.
    #[must_use]
    pub fn canonical(&self) -> String {
        let mut text = match self {
            Self::Pretrain(spec) => canonical(spec),
            Self::Transfer(spec) => canonical(spec),
            Self::Evaluate(spec) => canonical(spec),
            Self::Throughput(spec) => canonical(spec),
            Self::Noop(spec) => canonical(spec),
        };
        // `stage` has its place among the sorted keys.
        let stage = format!("\"stage\":\"{}\"", self.stage().name());
        match self {
            Self::Transfer(_) => insert_before(&mut text, &stage, "\"steps\":"),
            Self::Evaluate(_) => insert_before(&mut text, &stage, "\"upstream\":"),
            Self::Pretrain(_) | Self::Throughput(_) | Self::Noop(_) => {
                text.pop();
                text.push(',');
                text += &stage;
                text.push('}');
            }
        }
        text
    }

    /// What a person calls the job: its parts, and the settings that studies vary most.
    #[must_use]
    pub fn title(&self, labels: &Labels) -> String {
        let Labels { dataset, model, augmentation } = labels;
        match self {
            Self::Noop(spec) => format!("noop {}", spec.index),
            Self::Pretrain(spec) => format!(
                "{model} {dataset} {augmentation} reg {} {} ep",
                spec.regularization.dropout, spec.epochs,
            ),
            Self::Transfer(spec) => format!(
                "{model} of {} to {dataset} lr {} {} steps res {}",
                spec.upstream, spec.optimizer.learning_rate, spec.steps, spec.resolution,
            ),
            Self::Evaluate(spec) => match spec.probe {
                None => format!("{model} of {} on {dataset}", spec.upstream),
                Some(probe) => {
                    format!("{model} of {}, {}-shot on {dataset}", spec.upstream, probe.shots)
                }
            },
            Self::Throughput(spec) => format!("speed of {model} res {}", spec.resolution),
        }
    }

    /// The job's id: the hash of its canonical JSON.
    #[must_use]
    pub fn id(&self) -> JobId {
        JobId::of(&self.canonical())
    }
}

/// Puts an entry in front of the key, which stands once in the text outside of any string.
fn insert_before(text: &mut String, entry: &str, key: &str) {
    if let Some(at) = text.rfind(key) {
        text.insert_str(at, &format!("{entry},"));
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
