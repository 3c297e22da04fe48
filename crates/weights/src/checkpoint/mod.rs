//! Checkpoints: what a job leaves on disk to go on from, and the parameters it ends with.
//!
//! Both are safetensors files under timm's tensor names, so anyone can open them. A file is
//! written beside its name, synced, renamed and its folder synced: a reader finds the old file or
//! the new one, never half of one. safetensors has no checksum, so the metadata carry a BLAKE3 of
//! everything else; a flipped bit is found on loading, not in the results. When to write, and what
//! to do about a damaged file, is decided in `augreg-train`.

mod error;
mod file;
mod state;

pub use error::CheckpointError;
pub(crate) use file::{FORMAT, SPEC, is_intact};
pub use file::{Owner, clear_unfinished, set_aside};
pub(crate) use state::is_of_optimizer;
pub use state::{Moments, TrainingState, load_parameters, save_parameters};
