//! From a loader's bytes to tensors on the device.

use augreg_data::Batch;
use augreg_kernels::{InFlight, upload};
use augreg_vit::Architecture;
use tch::{Device, Kind, Tensor};

/// A small tensor on the device. A GPU takes it from pinned memory, which nobody waits for: whatever
/// uses it is queued behind the copy.
pub(crate) fn send(tensor: &Tensor, device: Device) -> Tensor {
    match device {
        Device::Cuda(_) => tensor.pin_memory(device).to_device_(device, tensor.kind(), true, false),
        _ => tensor.to_device(device),
    }
}

/// The images of a batch as floats in [-1, 1]: `x / 255 · 2 − 1` (`value_range(-1, 1)`).
///
/// Bytes travel to the device, floats are made there. A GPU does so after the step before, without
/// anybody waiting for it, and the batch's memory is lent until what is returned beside the floats is
/// dropped; on a CPU they are made of the batch itself, whose memory is free at once.
///
/// # Shapes
///
/// Returns `[B, C, H, W]`.
pub(crate) fn pixels(
    batch: Batch,
    architecture: &Architecture,
    device: Device,
) -> (Tensor, InFlight) {
    let side = i64::from(architecture.resolution());
    let shape = [batch.examples.len() as i64, architecture.channels(), side, side];
    let (bytes, in_flight) = upload(batch, &shape, device);
    let mut floats = bytes.to_kind(Kind::Float);
    let _ = floats.g_div_scalar_(255.0).g_mul_scalar_(2.0).g_sub_scalar_(1.0);
    (floats, in_flight)
}
