//! What the allocator of a device has handed out.

use std::ffi::{c_char, c_int};

use tch::Device;

use crate::said;

unsafe extern "C" {
    fn augreg_peak_bytes(device: c_int, anew: c_int, peak: *mut i64) -> *mut c_char;
}

/// The most bytes that tensors on a GPU have held together since [`reset_peak_bytes`]: what PyTorch calls
/// `torch.cuda.max_memory_allocated`. None where the device is no GPU, or its allocator is not there.
#[must_use]
pub fn peak_bytes(device: Device) -> Option<u64> {
    ask(device, false)
}

/// Lets [`peak_bytes`] begin anew, from what tensors hold now. Nothing happens where there is none.
pub fn reset_peak_bytes(device: Device) {
    let _ = ask(device, true);
}

fn ask(device: Device, anew: bool) -> Option<u64> {
    let Device::Cuda(index) = device else { return None };
    let index = c_int::try_from(index).ok()?;
    let mut peak = 0;
    // SAFETY: `peak` outlives the call, which writes nothing else.
    let message = unsafe { augreg_peak_bytes(index, anew.into(), &raw mut peak) };
    match said(message) {
        None => u64::try_from(peak).ok(),
        Some(_) => None,
    }
}
