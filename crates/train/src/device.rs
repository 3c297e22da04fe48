//! The device of an attempt: threads, placement, waiting, memory.

use std::fs;
use std::sync::Once;

use augreg_kernels::{peak_bytes, reset_peak_bytes};
use augreg_protocol::{Device, FailureKind};

use crate::failure::Failure;

/// Sets the threads of libtorch's kernels, and that nothing but kernels runs in parallel.
pub fn configure_threads(threads: u32) {
    static INTEROP: Once = Once::new();
    // libtorch takes this once a process, before any work.
    INTEROP.call_once(|| tch::set_num_interop_threads(1));
    tch::set_num_threads(threads.max(1) as i32);
}

/// libtorch's name for the device.
pub(crate) fn place(device: Device) -> Result<tch::Device, Failure> {
    match device {
        Device::Cpu => Ok(tch::Device::Cpu),
        Device::Cuda(index) => {
            let count = tch::Cuda::device_count();
            if i64::from(index) >= count {
                let message = format!("there is no device cuda:{index}; libtorch sees {count}");
                return Err(Failure::new(FailureKind::Lost, message));
            }
            Ok(tch::Device::Cuda(index as usize))
        }
    }
}

/// Waits until the device has done all it was asked to, so that a clock means something.
pub(crate) fn synchronize(device: tch::Device) {
    if let tch::Device::Cuda(index) = device {
        tch::Cuda::synchronize(index as i64);
    }
}

/// Lets the peak of memory begin anew: a warm worker's earlier attempts do not count.
pub(crate) fn reset_peak_memory(device: Device) {
    // Refused in some containers; the peak is then that of the process.
    let _ = fs::write("/proc/self/clear_refs", "5");
    if let Ok(device) = place(device) {
        reset_peak_bytes(device);
    }
}

/// Peak memory in bytes: of a GPU what tensors held on it, else what was resident of this process; 0 where
/// the system does not say.
pub(crate) fn peak_memory(device: tch::Device) -> u64 {
    peak_bytes(device).unwrap_or_else(peak_resident)
}

fn peak_resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_follows_what_is_resident() {
        let bytes = vec![1u8; 64 << 20];
        assert!(bytes.iter().map(|&b| u64::from(b)).sum::<u64>() == 64 << 20);
        assert!(peak_memory(tch::Device::Cpu) >= 64 << 20);
    }

    #[test]
    fn a_device_that_is_not_there_is_named() {
        let failure = place(Device::Cuda(999)).expect_err("nobody has a thousand");
        assert_eq!(failure.kind, FailureKind::Lost, "the job can go on elsewhere");
        assert!(failure.message.contains("cuda:999"), "{}", failure.message);
    }
}
