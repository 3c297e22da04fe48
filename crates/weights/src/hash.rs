//! One hash for all values of a network.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use crate::layout::{TensorSpec, split};

/// SHA-256 (hex) of flat buffers in the order of `specs`, one after the other: for each tensor in
/// the order of names its name, a zero byte, its rank and sizes as little-endian 64-bit integers,
/// and its values as little-endian 32-bit floats.
///
/// # Panics
///
/// If a buffer has not one value for each parameter.
#[must_use]
pub fn sha256(specs: &[TensorSpec], buffers: &[&[f32]]) -> String {
    let mut hash = Sha256::new();
    for values in buffers {
        let mut named: Vec<_> = split(specs, values).collect();
        named.sort_by_key(|(spec, _)| spec.name.as_str());
        for (spec, values) in named {
            hash.update(spec.name.as_bytes());
            hash.update([0]);
            hash.update((spec.shape.len() as u64).to_le_bytes());
            for size in &spec.shape {
                hash.update(size.to_le_bytes());
            }
            hash.update(bytemuck::cast_slice::<f32, u8>(values));
        }
    }
    let mut text = String::new();
    for byte in hash.finalize() {
        write!(text, "{byte:02x}").expect("a text takes all that is written to it");
    }
    text
}
