//! The cost model: what a job will take, from its spec alone.

use crate::dataset::{DatasetIdentity, SplitName};
use crate::job::{EvaluateSpec, JobSpec, ThroughputSpec};
use crate::model::ModelSpec;

/// What a job costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Floating-point operations, training and evaluations together. A multiply-accumulate is two;
    /// a training step is three forward passes.
    pub flops: f64,
    /// Training images seen.
    pub images: u64,
    /// Trainable parameters.
    pub parameters: u64,
}

/// Bytes of one 32-bit number.
const NUMBER: u64 = 4;

/// Images of each batch size that a measurement of speed passes through a network, about.
const TIMED_IMAGES: u64 = 2048;

/// Bytes of a file of so many parameters.
#[must_use]
pub fn parameter_bytes(parameters: u64) -> u64 {
    NUMBER * parameters
}

/// Bytes of a checkpoint of so many parameters to go on from: they, and both moments of the optimizer.
#[must_use]
pub fn state_bytes(parameters: u64) -> u64 {
    3 * NUMBER * parameters
}

/// About the bytes that a job's folder, its journal and its rows of the database take: measured are 240
/// bytes for each of at most a thousand points of its curves, a dozen for the loss of every step, twice
/// that with the database, and some blocks of the file system.
#[must_use]
pub fn record_bytes(spec: &JobSpec) -> u64 {
    const FILES: u64 = 6 * 4096;
    let steps = spec.steps();
    if spec.training().is_none() {
        return FILES;
    }
    FILES + 320 * steps.min(1000) + 24 * steps
}

/// Parameters that the job trains, and so keeps; 0 if it trains none.
#[must_use]
pub fn parameters(spec: &JobSpec) -> u64 {
    let Some(training) = spec.training() else { return 0 };
    count(training.model, training.resolution, &training.dataset)
}

/// Prices a job.
#[must_use]
pub fn cost(spec: &JobSpec) -> Cost {
    match spec {
        JobSpec::Evaluate(spec) => evaluation(spec),
        JobSpec::Throughput(spec) => throughput(spec),
        JobSpec::Pretrain(_) | JobSpec::Transfer(_) | JobSpec::Noop(_) => training(spec),
    }
}

fn training(spec: &JobSpec) -> Cost {
    let Some(training) = spec.training() else {
        return Cost { flops: 0.0, images: 0, parameters: 0 };
    };
    let macs = macs(training.model, training.resolution, &training.dataset);
    let images = training.images();
    let passes = 3.0 * images as f64 + training.evaluated_images() as f64;
    let parameters = count(training.model, training.resolution, &training.dataset);
    Cost { flops: 2.0 * macs * passes, images, parameters }
}

fn evaluation(spec: &EvaluateSpec) -> Cost {
    let judged = [SplitName::Val, SplitName::Test].map(|split| spec.dataset.examples(split));
    let probed = spec.probe.map_or(0, |probe| {
        let shots = u64::from(probe.shots) * u64::from(spec.dataset.classes);
        shots.min(spec.dataset.examples(SplitName::Train))
    });
    let images = judged.iter().sum::<u64>() + probed;
    let macs = macs(spec.model, spec.resolution, &spec.dataset);
    Cost { flops: 2.0 * macs * images as f64, images: 0, parameters: 0 }
}

fn throughput(spec: &ThroughputSpec) -> Cost {
    let (channels, classes) = (ThroughputSpec::CHANNELS, ThroughputSpec::CLASSES);
    let macs = spec.model.macs(spec.resolution, channels, classes).unwrap_or(0) as f64;
    let images = TIMED_IMAGES * spec.batch_sizes.len() as u64;
    Cost { flops: 2.0 * macs * images as f64, images: 0, parameters: 0 }
}

fn macs(model: ModelSpec, resolution: u32, dataset: &DatasetIdentity) -> f64 {
    model.macs(resolution, dataset.channels, dataset.classes).unwrap_or(0) as f64
}

fn count(model: ModelSpec, resolution: u32, dataset: &DatasetIdentity) -> u64 {
    let patches = model.patches(resolution).unwrap_or(0);
    model.parameters(patches, dataset.channels, dataset.classes)
}
