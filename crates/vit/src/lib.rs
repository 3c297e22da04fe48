//! Vision Transformers in libtorch: the network, its initial values, its parameters as one flat
//! buffer, and the files they are kept in.
//!
//! The layout follows AugReg's released weights (`vit_jax/models_vit.py`), the tensor names follow
//! timm. Losses, optimizers and training loops live in `augreg-train`.

#[cfg(not(target_endian = "little"))]
compile_error!("checkpoints are written as they lie in memory, which must be little-endian");

mod architecture;
mod block;
pub mod checkpoint;
mod layout;
mod noise;
mod parameters;
mod vit;

pub use architecture::Architecture;
pub use checkpoint::CheckpointError;
pub use layout::{Init, Role, TensorSpec};
pub use parameters::{Parameters, sha256};
pub use vit::Vit;
