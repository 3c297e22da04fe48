//! Loaders: from a split to batches, prepared ahead by a bounded crew of threads.

mod batch;
mod crew;
mod evaluation;
mod supply;
mod train;

pub use batch::{Batch, Images, Label, PageLock};
pub use evaluation::EvalLoader;
pub use supply::{Supply, Timings};
pub use train::TrainLoader;
