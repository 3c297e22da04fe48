//! Slots: the shares of this machine that a worker is bound to, and how they are found.

use std::fmt;
use std::num::NonZeroU32;

use augreg_protocol::Device;

use crate::gpus::Gpus;

/// Names a slot of one run; counts from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(pub u32);

impl fmt::Display for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slot {}", self.0)
    }
}

/// A share of this machine for one worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Its name.
    pub id: SlotId,
    /// The device as the worker sees it: a GPU worker sees one GPU, so its index is always 0.
    pub device: Device,
    /// UUID of the GPU, which becomes the worker's `CUDA_VISIBLE_DEVICES`; none on a CPU slot.
    pub gpu: Option<String>,
    /// Threads for libtorch's kernels.
    pub threads: u32,
}

/// The slots of this machine: one a GPU, or, where there is none, equal groups of CPU threads.
///
/// `workers` sets their number; on GPUs they are dealt out in turn, on CPUs each gets
/// `cores / workers` threads, at least one. Without it there is a slot a GPU, or a slot of one
/// thread a core. Cores are those this process may use: affinity mask and cgroup quota count.
#[must_use]
pub fn detect(workers: Option<NonZeroU32>) -> Vec<Slot> {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    layout(cores, &Gpus::open().map(|gpus| gpus.uuids()).unwrap_or_default(), workers)
}

fn layout(cores: u32, gpus: &[String], workers: Option<NonZeroU32>) -> Vec<Slot> {
    let default = if gpus.is_empty() { cores } else { gpus.len() as u32 };
    let count = workers.map_or(default.max(1), NonZeroU32::get);
    let threads = (cores / count).max(1);
    let slot = |i: u32| {
        let gpu = (!gpus.is_empty()).then(|| gpus[i as usize % gpus.len()].clone());
        let device = if gpu.is_some() { Device::Cuda(0) } else { Device::Cpu };
        Slot { id: SlotId(i), device, gpu, threads }
    };
    (0..count).map(slot).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(cores: u32, gpus: &[&str], workers: Option<u32>) -> Vec<(Option<String>, u32)> {
        let gpus: Vec<_> = gpus.iter().map(|&uuid| uuid.to_owned()).collect();
        let slots = layout(cores, &gpus, workers.and_then(NonZeroU32::new));
        slots.into_iter().map(|slot| (slot.gpu, slot.threads)).collect()
    }

    #[test]
    fn without_a_gpu_the_cores_are_shared_out_equally() {
        assert_eq!(shape(4, &[], None), [(None, 1), (None, 1), (None, 1), (None, 1)]);
        assert_eq!(shape(8, &[], Some(3)), [(None, 2), (None, 2), (None, 2)]);
        assert_eq!(shape(2, &[], Some(3)), [(None, 1), (None, 1), (None, 1)]);
    }

    #[test]
    fn gpus_are_dealt_out_in_turn_by_uuid() {
        let gpu = |uuid: &str, threads| (Some(uuid.to_owned()), threads);
        assert_eq!(shape(8, &["GPU-a", "GPU-b"], None), [gpu("GPU-a", 4), gpu("GPU-b", 4)]);
        assert_eq!(
            shape(8, &["GPU-a", "GPU-b"], Some(4)),
            [gpu("GPU-a", 2), gpu("GPU-b", 2), gpu("GPU-a", 2), gpu("GPU-b", 2)]
        );
        assert!(layout(8, &["GPU-a".to_owned()], None)[0].device == Device::Cuda(0));
    }

    #[test]
    fn this_machine_has_a_slot() {
        let slots = detect(None);
        assert!(!slots.is_empty() && slots.iter().all(|slot| slot.threads > 0));
        assert_eq!(detect(NonZeroU32::new(3)).len(), 3);
    }
}
