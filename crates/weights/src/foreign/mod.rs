//! Other people's files: timm's safetensors and AugReg's npz, read and written.
//!
//! [`Weights::read`] takes a file of either kind, or one of our checkpoints, and knows from its contents
//! what network it holds; [`Weights::parameters`] makes them the parameters of a network, with position
//! embeddings resized and the head replaced where that is asked for. [`write_timm`] and [`write_npz`] go
//! the other way. Reading is strict: what is missing, unexpected, of another shape or not of 32-bit
//! floats is named, all of it at once.

mod array;
mod described;
mod error;
mod flax;
mod npy;
mod npz;
mod positions;
mod template;
mod tensors;
mod weights;
mod write;

pub use described::Described;
pub use error::WeightsError;
pub use weights::{FileFormat, Head, Weights};
pub use write::{write_npz, write_timm};
