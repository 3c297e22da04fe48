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
    /// Bytes that stay on disk when the job is done: its best and its final parameters, 32 bits each.
    pub disk_bytes: u64,
}

/// Prices a job.
#[must_use]
pub fn cost(spec: &JobSpec) -> Cost {
    let JobSpec::Pretrain(spec) = spec else {
        return Cost { flops: 0.0, images: 0, parameters: 0, disk_bytes: 0 };
    };
    let (channels, classes) = (spec.dataset.channels, spec.dataset.classes);
    let patches = spec.model.patches(spec.resolution).unwrap_or(0);
    let macs = spec.model.macs(patches, channels, classes) as f64;
    let images = spec.steps() * u64::from(spec.batch_size);
    let evaluated = spec.evaluation_steps().len() as u64 * spec.dataset.examples(SplitName::Val)
        + spec.dataset.examples(SplitName::Test);
    let parameters = spec.model.parameters(patches, channels, classes);
    Cost {
        flops: 2.0 * macs * (3.0 * images as f64 + evaluated as f64),
        images,
        parameters,
        disk_bytes: 2 * 4 * parameters,
    }
}
