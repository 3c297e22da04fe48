//! Vision Transformers in libtorch: the network, plain or hybrid, and its parameters as one flat buffer.
//!
//! The computation follows AugReg's released weights (`vit_jax/models_vit.py`, `models_resnet.py`). Which
//! tensors there are, how they begin and the files they are kept in is `augreg-weights`' business, whose
//! names are found here too. Losses, optimizers and training loops live in `augreg-train`.

mod block;
mod noise;
mod parameters;
mod stem;
mod vit;

pub use augreg_weights::{
    Architecture, CheckpointError, Init, Role, TensorSpec, checkpoint, foreign, sha256,
};
pub use noise::Noise;
pub use parameters::Parameters;
pub use vit::Vit;
