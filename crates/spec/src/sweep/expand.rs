//! From a sweep and the identities of its data sets to jobs.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::slice;
use std::sync::Arc;

use super::axis::{Setting, Settings};
use super::error::SweepErrors;
use super::grid::Points;
use super::reader::Mistakes;
use super::{Grid, Sweep};
use crate::dataset::{DatasetIdentity, SplitName};
use crate::id::JobId;
use crate::job::{
    AdamW, Job, JobSpec, Labels, Loss, NoopSpec, PretrainSpec, RECIPE_VERSION, Stage, steps,
};
use crate::model::ModelSpec;

/// The study warms up for this many steps (`big_vision` `configs/vit_i1k.py`).
const WARMUP_STEPS: u64 = 10_000;

/// The jobs of a sweep, made one by one: a sweep may have a million. In grid order, each id once.
#[derive(Debug, Clone)]
pub struct Expansion<'a> {
    sweep: &'a Sweep,
    datasets: BTreeMap<&'a str, Arc<DatasetIdentity>>,
    /// The grids not begun yet.
    grids: slice::Iter<'a, Grid>,
    current: Option<(&'a Grid, Points<'a>)>,
    seen: HashSet<JobId>,
    /// Of the grids that are done with.
    excluded: u64,
    merged: u64,
}

impl Expansion<'_> {
    /// Points left out by `exclude`, of those gone through.
    #[must_use]
    pub fn excluded(&self) -> u64 {
        self.excluded + self.current.as_ref().map_or(0, |(_, points)| points.excluded())
    }

    /// Points that were the same job as an earlier one, of those gone through.
    #[must_use]
    pub fn merged(&self) -> u64 {
        self.merged
    }

    fn next_point(&mut self) -> Option<(Stage, Settings)> {
        loop {
            if let Some((grid, points)) = &mut self.current {
                if let Some(point) = points.next() {
                    return Some((grid.stage(), grid.settings(&point)));
                }
                self.excluded += points.excluded();
            }
            self.current = self.grids.next().map(|grid| (grid, grid.visit()));
            self.current.as_ref()?;
        }
    }
}

impl Iterator for Expansion<'_> {
    type Item = Job;

    fn next(&mut self) -> Option<Job> {
        loop {
            let sweep = self.sweep;
            let (stage, settings) = self.next_point()?;
            let job = match stage {
                Stage::Pretrain => sweep.job(&settings, &self.datasets),
                Stage::Noop => Some(noop(&settings)),
            };
            let Some(job) = job else { continue };
            if self.seen.insert(job.id) {
                return Some(job);
            }
            self.merged += 1;
        }
    }
}

impl Sweep {
    /// Expands every grid into jobs, given what each data set of the sweep turned out to be.
    ///
    /// # Errors
    ///
    /// Mistakes that only a combination of values shows, such as a patch that does not divide
    /// the resolution.
    pub fn expand<'a>(
        &'a self,
        datasets: &'a BTreeMap<String, DatasetIdentity>,
    ) -> Result<Expansion<'a>, SweepErrors> {
        let mut mistakes = Mistakes::default();
        for grid in &self.grids {
            self.check(grid, &mut mistakes);
        }
        if !mistakes.is_empty() {
            return Err(mistakes.into_errors(self.source.clone()));
        }
        let shared = |(name, identity): (&'a String, &DatasetIdentity)| {
            (name.as_str(), Arc::new(identity.clone()))
        };
        Ok(Expansion {
            sweep: self,
            datasets: datasets.iter().map(shared).collect(),
            grids: self.grids.iter(),
            current: None,
            seen: HashSet::new(),
            excluded: 0,
            merged: 0,
        })
    }

    /// Reports the models of a grid that do not fit a resolution, each pair once.
    fn check(&self, grid: &Grid, mistakes: &mut Mistakes) {
        let misfit =
            |settings: &Settings| self.model(&settings.model)?.patches(settings.resolution).err();
        let pairs = grid.combinations(&[Setting::Model, Setting::Resolution]);
        if grid.stage() != Stage::Pretrain || pairs.iter().all(|pair| misfit(pair).is_none()) {
            return;
        }
        // Whether a pair is asked for at all, only the points tell: some may be excluded.
        let mut reported = BTreeSet::new();
        for point in grid.visit() {
            let settings = grid.settings(&point);
            if let Some(error) = misfit(&settings)
                && reported.insert((settings.model.clone(), settings.resolution))
            {
                report(grid, &point, &settings, &error.to_string(), mistakes);
            }
        }
    }

    fn model(&self, name: &str) -> Option<ModelSpec> {
        self.models.get(name).copied().or_else(|| ModelSpec::named(name))
    }

    fn job(
        &self,
        settings: &Settings,
        datasets: &BTreeMap<&str, Arc<DatasetIdentity>>,
    ) -> Option<Job> {
        let dataset = Arc::clone(datasets.get(settings.dataset.as_str())?);
        let model = self.model(&settings.model)?;
        let mut augmentation = self.augmentation(&settings.augmentation)?;
        augmentation.crop = settings.crop.unwrap_or(augmentation.crop);
        augmentation.flip = settings.flip.unwrap_or(augmentation.flip);
        let total = steps(settings.epochs, dataset.examples(SplitName::Train), settings.batch_size);
        let head_bias =
            settings.head_bias.unwrap_or_else(|| default_head_bias(settings.loss, dataset.classes));
        let spec = JobSpec::Pretrain(PretrainSpec {
            recipe: RECIPE_VERSION,
            dataset,
            model,
            resolution: settings.resolution,
            augmentation,
            regularization: settings.regularization,
            optimizer: AdamW {
                learning_rate: settings.learning_rate,
                weight_decay: settings.weight_decay,
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
        });
        let labels = Labels {
            dataset: settings.dataset.clone(),
            model: settings.model.clone(),
            augmentation: settings.augmentation.clone(),
        };
        Some(Job::new(spec, labels))
    }
}

fn noop(settings: &Settings) -> Job {
    let spec = JobSpec::Noop(NoopSpec { index: settings.index, seed: settings.seed });
    let none = || "none".to_owned();
    let labels = Labels { dataset: none(), model: none(), augmentation: none() };
    Job::new(spec, labels)
}

/// The study's 10,000 steps, but never more than a fifth of the job: what the study itself does
/// where a run is short (100 of 500 steps, paper Table 4).
fn default_warmup(steps: u64) -> u64 {
    WARMUP_STEPS.min(steps / 5)
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

fn report(grid: &Grid, point: &[usize], settings: &Settings, what: &str, mistakes: &mut Mistakes) {
    let at = grid
        .span_of(Setting::Resolution, point)
        .or_else(|| grid.span_of(Setting::Model, point))
        .unwrap_or_default();
    let resolution = settings.resolution;
    let message = format!("model `{}` at resolution {resolution}: {what}", settings.model);
    let help = "choose a resolution that the patch divides, or exclude the pair".to_owned();
    mistakes.add(at, message, "does not fit", Some(help));
}
