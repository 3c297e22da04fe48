//! How many images go through the network at once, so that a batch of 4096 trains on any device.
//!
//! What a batch's backward pass keeps grows with its images. A batch that would not fit is cut into
//! micro-batches, whose gradients are summed; the result is that of the whole batch up to the rounding
//! of sums. The size is a function of the job and of the machine, not of what else runs there, so that
//! every attempt computes the same bits, and is in the checkpoint, so that attempts on other machines do.

use std::fs;
use std::thread;

use augreg_protocol::Device;
use augreg_spec::{ModelSpec, Precision, Training};

/// Of a worker's share of the machine's memory, what a batch may take.
const SHARE: f64 = 0.5;

/// The size for a job on this machine: the batch, or the largest half, quarter, … of it that fits. At
/// least 1 image. On a GPU it begins with the whole batch: what does not fit there says so, and
/// [`halved`] is tried.
pub(crate) fn size(spec: &Training, device: Device, threads: u32) -> u32 {
    match device {
        Device::Cuda(_) => spec.batch_size,
        Device::Cpu => {
            let workers = thread::available_parallelism().map_or(1, usize::from);
            let workers = (workers as f64 / f64::from(threads.max(1))).max(1.0);
            let room = memory().map_or(f64::MAX, |bytes| bytes as f64 / workers * SHARE);
            fitting(spec, room)
        }
    }
}

/// The next smaller size after one that did not fit; none after 1.
pub(crate) fn halved(size: u32) -> Option<u32> {
    (size > 1).then(|| size.div_ceil(2))
}

fn fitting(spec: &Training, room: f64) -> u32 {
    let each = bytes_of_an_image(spec);
    let mut size = spec.batch_size;
    while f64::from(size) * each > room {
        match halved(size) {
            Some(half) => size = half,
            None => break,
        }
    }
    size
}

/// About what the backward pass of one image keeps. Within 256² patches, whatever the spec says.
fn bytes_of_an_image(spec: &Training) -> f64 {
    let ModelSpec { width, depth, mlp, heads, .. } = spec.model;
    let tokens = spec.model.patches(spec.resolution).unwrap_or(0) as f64 + 1.0;
    let [d, m, h, l] = [width, mlp, heads, depth].map(f64::from);
    let product = if spec.precision == Precision::Bf16 { 2.0 } else { 4.0 };
    // Of each token and block: the residual stream twice and what both norms give, in 32 bits; queries,
    // keys and values before and after they are laid out, two projections, two hidden layers; scores
    // before and after softmax.
    let block = 4.0 * 4.0 * d + product * (10.0 * d + 2.0 * m + 2.0 * h * tokens);
    let pixels = f64::from(spec.resolution).powi(2) * f64::from(spec.dataset.channels) * 4.0;
    // A stem keeps its maps, the first of a quarter of the pixels and 64 channels.
    let stem = if spec.model.resnet.is_some() { 64.0 * pixels } else { 0.0 };
    tokens * block * l + 3.0 * pixels + stem
}

/// The memory that this machine, or the group that this process is confined to, has in all.
fn memory() -> Option<u64> {
    let group = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let group = group.and_then(|text| text.trim().parse::<u64>().ok());
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = total.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(group.unwrap_or(u64::MAX).min(kilobytes * 1024))
}

#[cfg(test)]
mod tests {
    use super::*;
    use augreg_spec::{
        AdamW, Augmentation, DatasetIdentity, Format, Gelu, Loss, Optimizer, Regularization,
    };
    use std::collections::BTreeMap;

    fn spec(model: &str, batch_size: u32, precision: Precision) -> Training {
        Training {
            dataset: std::sync::Arc::new(DatasetIdentity {
                channels: 3,
                classes: 1000,
                content: BTreeMap::new(),
                format: Format::Idx,
                splits: BTreeMap::new(),
            }),
            model: ModelSpec::named(model).expect("in the zoo"),
            resolution: 224,
            augmentation: Augmentation::preset("none").expect("a preset"),
            regularization: Regularization::default(),
            optimizer: Optimizer::AdamW(AdamW {
                learning_rate: 1e-3,
                weight_decay: 0.1,
                beta1: 0.9,
                beta2: 0.999,
                eps: 1e-8,
                clip_norm: 1.0,
                mu_dtype: Precision::Fp32,
                warmup_steps: 0,
            }),
            steps: 1,
            upstream: None,
            batch_size,
            loss: Loss::Sigmoid,
            gelu: Gelu::Tanh,
            head_bias: -6.9,
            precision,
            evaluations: 1,
            seed: 0,
        }
    }

    #[test]
    fn what_fits_is_whole_and_what_does_not_is_halved_until_it_does() {
        let (b16, giga) = (spec("B/16", 4096, Precision::Fp32), 1e9);
        let sizes = [1e6, 6.0 * giga, 12.0 * giga, 1e15].map(|room| fitting(&b16, room));
        assert_eq!(sizes, [1, 16, 32, 4096]);
        assert_eq!(fitting(&spec("B/16", 4096, Precision::Bf16), 12.0 * giga), 64);
        assert_eq!(fitting(&spec("Ti/16", 4096, Precision::Fp32), 12.0 * giga), 128);
        assert_eq!((halved(7), halved(1)), (Some(4), None));
    }

    /// Jobs of 32 images took 1.57 GiB in fp32 and 1.03 GiB in bf16, 0.25 GiB of it before the first.
    #[test]
    fn an_image_is_estimated_as_it_was_measured() {
        for (precision, gigabytes) in [(Precision::Fp32, 1.32), (Precision::Bf16, 0.78)] {
            let measured = gigabytes * f64::from(1 << 30) / 32.0;
            let ratio = bytes_of_an_image(&spec("Ti/16", 32, precision)) / measured;
            assert!((0.9..1.5).contains(&ratio), "{precision:?}: {ratio}");
        }
    }
}
