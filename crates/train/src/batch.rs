//! From a loader's bytes to tensors on the device.

use augreg_data::Batch;
use augreg_spec::PretrainSpec;
use tch::{Device, Kind, Tensor};

/// The images of a batch as floats in [-1, 1]: `x / 255 · 2 − 1` (`value_range(-1, 1)`).
///
/// Bytes travel to the device, floats are made there.
///
/// # Shapes
///
/// Returns `[B, C, H, W]`.
pub(crate) fn pixels(batch: &Batch, spec: &PretrainSpec, device: Device) -> Tensor {
    let side = i64::from(spec.resolution);
    let shape = [batch.examples.len() as i64, i64::from(spec.dataset.channels), side, side];
    let bytes = Tensor::from_data_size(&batch.images, &shape, Kind::Uint8);
    let mut floats = send(&bytes, device).to_kind(Kind::Float);
    let _ = floats.g_div_scalar_(255.0).g_mul_scalar_(2.0).g_sub_scalar_(1.0);
    floats
}

/// A tensor on the device. A GPU takes it from pinned memory while the step before is still computed:
/// whatever uses it is queued behind the copy.
fn send(tensor: &Tensor, device: Device) -> Tensor {
    match device {
        Device::Cuda(_) => tensor.pin_memory(device).to_device_(device, tensor.kind(), true, false),
        _ => tensor.to_device(device),
    }
}
