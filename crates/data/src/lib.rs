//! From files on disk to batches of plain bytes: formats, splits, example order, loaders.
//!
//! Nothing here knows a tensor or a device, and nothing depends on how many threads work or how
//! far ahead they are: every byte of a batch is a function of (data, augmentation, seed, step).
//!
//! - [`identify`]: what a data set is to a job's identity: counts, content hashes, classes.
//! - [`Dataset`] and [`Split`]: its images and labels, checked against that identity.
//! - [`Order`]: which example comes when, any position in constant time.
//! - [`TrainLoader`] and [`EvalLoader`]: batches, prepared ahead of whoever takes them.
//! - [`BadExamples`]: pictures that cannot be decoded, and how many are too many.
//! - [`DataError`]: what can be wrong with data, naming file, offset and remedy.

mod bad;
mod cache;
mod check;
mod content;
mod dataset;
mod error;
mod file;
mod formats;
mod identify;
mod index;
mod labels;
mod loader;
mod order;
mod packing;
mod place;
mod source;
mod subset;

pub use augreg_decode::{DecodeError, header};
pub use bad::BadExamples;
pub use check::{Check, Duplicate, SplitCheck};
pub use dataset::{Dataset, Split};
pub use error::DataError;
pub use identify::identify;
pub use loader::{Batch, EvalLoader, Images, Label, PageLock, Supply, Timings, TrainLoader};
pub use order::{Order, Permutation};
pub use packing::{PackAs, Packed, pack};
pub use place::{At, Place};
