//! From files on disk to batches of plain bytes: formats, splits, example order, loaders.
//!
//! Nothing here knows a tensor or a device, and nothing depends on how many threads work or how
//! far ahead they are: every byte of a batch is a function of (data, augmentation, seed, step).
//!
//! - [`identify`]: what a data set is to a job's identity: counts, content hashes, classes.
//! - [`Dataset`] and [`Split`]: its images and labels, checked against that identity.
//! - [`Order`]: which example comes when, any position in constant time.
//! - [`TrainLoader`] and [`EvalLoader`]: batches, prepared ahead of a training loop or in order.
//! - [`DataError`]: what can be wrong with data, naming file, offset and remedy.

mod batch;
mod cifar;
mod dataset;
mod error;
mod eval_loader;
mod file;
mod identify;
mod idx;
mod order;
mod source;
mod train_loader;

pub use batch::Batch;
pub use dataset::{Dataset, Split};
pub use error::DataError;
pub use eval_loader::EvalLoader;
pub use identify::identify;
pub use order::{Order, Permutation};
pub use train_loader::TrainLoader;
