//! The training and evaluation loops: an assignment in, a journalled result out.
//!
//! [`execute()`] runs one attempt of a job on one device. Whoever calls it owns the journal, the
//! messages and the decision to stop, through [`Host`]. Processes, signals and locks live in
//! `augreg-worker`, models and checkpoint files in `augreg-vit`.
//!
//! Everything is written for CPUs and CUDA devices alike and places its tensors explicitly, but has
//! so far been run on CPUs only.

mod adamw;
mod batch;
mod cache;
mod device;
mod drawn;
mod evaluate;
mod execute;
mod failure;
mod judge;
mod loss;
mod losses;
mod meter;
mod micro_batch;
mod mixup;
mod noop;
mod optimizer;
mod page_lock;
mod probe;
mod schedule;
mod sgd;
mod throughput;
mod trainer;
mod training;
mod upstream;

pub use adamw::FlatAdamW;
pub use cache::DatasetCache;
pub use device::configure_threads;
pub use execute::{End, Host, execute};
pub use failure::Failure;
pub use loss::mean_loss;
pub use mixup::Mixup;
pub use probe::LinearProbe;
pub use schedule::factor;
pub use sgd::FlatSgd;
