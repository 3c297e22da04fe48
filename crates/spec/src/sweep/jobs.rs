//! From the settings of a grid point to a job.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::settings::Settings;
use super::{Grid, Sweep};
use crate::dataset::{DatasetIdentity, SplitName};
use crate::job::{
    AdamW, EvaluateSpec, Gelu, Job, JobSpec, Labels, Loss, NoopSpec, PretrainSpec, Probe,
    RECIPE_VERSION, Sgd, Stage, ThroughputSpec, TransferSpec, Upstream, steps,
};
use crate::model::ModelSpec;

/// The study warms up for this many steps (`big_vision` `configs/vit_i1k.py`).
const WARMUP_STEPS: u64 = 10_000;

/// What a sweep file refers to, as it was found.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Its data sets, by name.
    pub datasets: BTreeMap<String, DatasetIdentity>,
    /// The files of parameters that it starts from, by path.
    pub checkpoints: BTreeMap<PathBuf, CheckpointIdentity>,
}

/// What a file of parameters is to a job that starts from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointIdentity {
    /// Channels of the images it takes.
    pub channels: u32,
    /// Classes of its head, if it has one.
    pub classes: Option<u32>,
    /// BLAKE3 (hex) of its bytes.
    pub content: String,
    /// The activation function.
    pub gelu: Gelu,
    /// The network.
    pub model: ModelSpec,
    /// What people call it: the study's name of the model, or the file's.
    pub name: String,
    /// Side of the images it was trained on, in pixels.
    pub resolution: u32,
}

/// Parameters that a point of a grid starts from.
#[derive(Debug, Clone)]
pub(super) struct Start {
    pub(super) upstream: Upstream,
    pub(super) model: ModelSpec,
    pub(super) name: String,
    pub(super) gelu: Gelu,
    pub(super) resolution: u32,
    /// The settings of the job they are of, and of what that started from.
    pub(super) settings: Option<(Arc<Settings>, Option<Arc<Settings>>)>,
}

impl Start {
    /// From an imported file.
    pub(super) fn of_file(file: &CheckpointIdentity) -> Self {
        Self {
            upstream: Upstream::File(file.content.clone()),
            model: file.model,
            name: file.name.clone(),
            gelu: file.gelu,
            resolution: file.resolution,
            settings: None,
        }
    }

    /// From a job, which was made of `settings` and started from `before`.
    pub(super) fn of_job(job: &Job, settings: Settings, before: Option<&Self>) -> Option<Self> {
        let training = job.spec.training()?;
        let settings = Settings { model: job.labels.model.clone(), ..settings };
        let before = before.and_then(|before| before.settings.as_ref());
        Some(Self {
            upstream: Upstream::Job(job.id),
            model: training.model,
            name: job.labels.model.clone(),
            gelu: training.gelu,
            resolution: training.resolution,
            settings: Some((Arc::new(settings), before.map(|before| Arc::clone(&before.0)))),
        })
    }

    /// The job it is of.
    pub(super) fn job(&self) -> Option<crate::id::JobId> {
        self.upstream.job()
    }
}

/// Data sets by name, shared by all jobs of an expansion.
pub(super) type Datasets<'a> = BTreeMap<&'a str, Arc<DatasetIdentity>>;

impl Sweep {
    pub(super) fn model(&self, name: &str) -> Option<ModelSpec> {
        self.models.get(name).copied().or_else(|| ModelSpec::named(name))
    }

    /// The job of a grid point, from `start` where its stage needs one.
    pub(super) fn job(
        &self,
        grid: &Grid,
        settings: &Settings,
        start: Option<&Start>,
        datasets: &Datasets<'_>,
    ) -> Option<Job> {
        let dataset = || datasets.get(settings.dataset.as_str()).map(Arc::clone);
        let spec = match grid.stage() {
            Stage::Pretrain => JobSpec::Pretrain(self.pretrain(settings, dataset()?)?),
            Stage::Transfer => JobSpec::Transfer(self.transfer(settings, start?, dataset()?)?),
            Stage::Evaluate => JobSpec::Evaluate(evaluate(settings, start?, dataset()?)),
            Stage::Throughput => JobSpec::Throughput(self.throughput(grid, settings)?),
            Stage::Noop => JobSpec::Noop(NoopSpec { index: settings.index, seed: settings.seed }),
        };
        let none = || "none".to_owned();
        let named = |name: &str| if name.is_empty() { none() } else { name.to_owned() };
        let labels = Labels {
            dataset: named(&settings.dataset),
            model: start.map_or_else(|| named(&settings.model), |start| start.name.clone()),
            augmentation: settings.augmentation.clone(),
        };
        Some(Job::new(spec, labels))
    }

    fn pretrain(&self, settings: &Settings, dataset: Arc<DatasetIdentity>) -> Option<PretrainSpec> {
        let model = self.model(&settings.model)?;
        let total = steps(settings.epochs, dataset.examples(SplitName::Train), settings.batch_size);
        let head_bias =
            settings.head_bias.unwrap_or_else(|| default_head_bias(settings.loss, dataset.classes));
        let weight_decay = settings
            .independent_weight_decay
            .map_or(settings.weight_decay, |decay| decay / settings.learning_rate);
        Some(PretrainSpec {
            recipe: RECIPE_VERSION,
            dataset,
            model,
            resolution: settings.resolution?,
            augmentation: self.augmented(settings)?,
            regularization: settings.regularization,
            optimizer: AdamW {
                learning_rate: settings.learning_rate,
                weight_decay,
                beta1: settings.beta1,
                beta2: settings.beta2,
                eps: settings.eps,
                clip_norm: settings.clip_norm,
                mu_dtype: settings.mu_dtype,
                warmup_steps: settings.warmup_steps.unwrap_or_else(|| default_warmup(total)),
            },
            epochs: settings.epochs,
            batch_size: settings.batch_size,
            loss: settings.loss,
            head_bias,
            gelu: settings.gelu,
            precision: settings.precision,
            evaluations: settings.evaluations,
            seed: settings.seed,
        })
    }

    fn transfer(
        &self,
        settings: &Settings,
        start: &Start,
        dataset: Arc<DatasetIdentity>,
    ) -> Option<TransferSpec> {
        let warmup = settings.warmup_steps.unwrap_or_else(|| transfer_warmup(settings.steps));
        Some(TransferSpec {
            augmentation: self.augmented(settings)?,
            batch_size: settings.batch_size,
            dataset,
            evaluations: settings.evaluations,
            gelu: start.gelu,
            loss: settings.loss,
            model: start.model,
            optimizer: Sgd {
                accumulator_dtype: settings.accumulator_dtype,
                clip_norm: settings.clip_norm,
                learning_rate: settings.learning_rate,
                momentum: settings.momentum,
                warmup_steps: warmup,
            },
            precision: settings.precision,
            recipe: RECIPE_VERSION,
            resolution: settings.resolution?,
            seed: settings.seed,
            steps: settings.steps,
            upstream: start.upstream.clone(),
        })
    }

    fn throughput(&self, grid: &Grid, settings: &Settings) -> Option<ThroughputSpec> {
        Some(ThroughputSpec {
            batch_sizes: grid.batch_sizes.clone(),
            gelu: settings.gelu,
            model: self.model(&settings.model)?,
            precision: settings.precision,
            recipe: RECIPE_VERSION,
            resolution: settings.resolution?,
            seed: settings.seed,
        })
    }

    /// The augmentation of a point, with what the point says of crop and flip.
    fn augmented(&self, settings: &Settings) -> Option<crate::augmentation::Augmentation> {
        let mut augmentation = self.augmentation(&settings.augmentation)?;
        augmentation.crop = settings.crop.unwrap_or(augmentation.crop);
        augmentation.flip = settings.flip.unwrap_or(augmentation.flip);
        Some(augmentation)
    }
}

fn evaluate(settings: &Settings, start: &Start, dataset: Arc<DatasetIdentity>) -> EvaluateSpec {
    EvaluateSpec {
        dataset,
        gelu: start.gelu,
        model: start.model,
        precision: settings.precision,
        probe: settings.shots.map(|shots| Probe { l2: settings.l2, shots }),
        recipe: RECIPE_VERSION,
        resolution: settings.resolution.unwrap_or(start.resolution),
        // Nothing is drawn where there is no probe.
        seed: if settings.shots.is_some() { settings.seed } else { 0 },
        upstream: start.upstream.clone(),
    }
}

/// The study's 10,000 steps, but never more than a fifth of the job: what the study itself does
/// where a run is short (100 of 500 steps, paper Table 4).
fn default_warmup(steps: u64) -> u64 {
    WARMUP_STEPS.min(steps / 5)
}

/// The study's warm-up of transfers: 100 of 500 steps, 200 of 2,500, 500 of 10,000 and 20,000 (paper
/// Table 4). Between them that of the next longer budget, never more than a fifth.
fn transfer_warmup(steps: u64) -> u64 {
    let longest = match steps {
        ..=500 => 100,
        501..=2_500 => 200,
        _ => 500,
    };
    longest.min(steps / 5)
}

/// −ln(classes − 1) to one decimal: a class is as likely as its share from the first step on. The
/// study's −6.9 for 1,000 classes and −10.0 for 21,843 (`big_vision` `configs/vit_i1k.py`,
/// `vit_i21k.py`). Softmax is blind to a common bias: 0.
fn default_head_bias(loss: Loss, classes: u32) -> f64 {
    match loss {
        Loss::Sigmoid if classes > 2 => (-f64::from(classes - 1).ln() * 10.0).round() / 10.0,
        Loss::Sigmoid | Loss::Softmax => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::transfer_warmup;

    /// (steps, warm-up) of paper Table 4.
    #[test]
    fn transfers_warm_up_as_the_paper_says() {
        for (steps, warmup) in [(500, 100), (2_500, 200), (10_000, 500), (20_000, 500), (10, 2)] {
            assert_eq!(transfer_warmup(steps), warmup, "{steps}");
        }
    }
}
