//! The tensors of a network as plain memory: which there are, how they begin, and the files they are
//! kept in, ours and other people's.
//!
//! Names are timm's, shapes libtorch's. Nothing here computes with a network or links libtorch, so that
//! `augreg export` and `augreg import` need neither; `augreg-vit` builds on this.

#[cfg(not(target_endian = "little"))]
compile_error!("files are written as they lie in memory, which must be little-endian");

mod architecture;
pub mod checkpoint;
pub mod foreign;
mod hash;
mod layout;
mod resnet;
mod whole_file;

pub use architecture::Architecture;
pub use checkpoint::CheckpointError;
pub use hash::sha256;
pub use layout::{Init, Role, TensorSpec, split};
pub use resnet::{Convolution, convolutions, root_name, unit_name};
