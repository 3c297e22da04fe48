//! The cost model: what a job will take, from its spec alone.

use crate::dataset::SplitName;
use crate::job::JobSpec;

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
    let JobSpec::Pretrain(spec) = spec else { return FILES };
    FILES + 320 * spec.steps().min(1000) + 24 * spec.steps()
}

/// Trainable parameters.
#[must_use]
pub fn parameters(spec: &JobSpec) -> u64 {
    let JobSpec::Pretrain(spec) = spec else { return 0 };
    let patches = spec.model.patches(spec.resolution).unwrap_or(0);
    spec.model.parameters(patches, spec.dataset.channels, spec.dataset.classes)
}

/// Prices a job.
#[must_use]
pub fn cost(spec: &JobSpec) -> Cost {
    let JobSpec::Pretrain(spec) = spec else {
        return Cost { flops: 0.0, images: 0, parameters: 0 };
    };
    let (channels, classes) = (spec.dataset.channels, spec.dataset.classes);
    let macs = spec.model.macs(spec.resolution, channels, classes).unwrap_or(0) as f64;
    let images = spec.steps() * u64::from(spec.batch_size);
    let evaluated = spec.evaluation_steps().len() as u64 * spec.dataset.examples(SplitName::Val)
        + spec.dataset.examples(SplitName::Test);
    let patches = spec.model.patches(spec.resolution).unwrap_or(0);
    let parameters = spec.model.parameters(patches, channels, classes);
    Cost { flops: 2.0 * macs * (3.0 * images as f64 + evaluated as f64), images, parameters }
}
