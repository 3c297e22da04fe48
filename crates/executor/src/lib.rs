//! Where workers run: starts, watches and stops worker processes.
//!
//! [`Local`] runs them on this machine: [`detect`] finds its slots, [`program`] the worker binary. [`slurm`] has
//! a cluster run them, in tasks that nobody talks to.
//! What a worker should do, and what its end means for a job, is decided by the scheduler; nothing
//! here knows jobs, journals or the database.

mod gpus;
mod local;
mod log;
mod process;
mod program;
mod slot;
pub mod slurm;

pub use gpus::{Driver, GpuUse, Gpus};
pub use local::{Local, LocalOptions, StartError, WorkerEvent, WorkerReport};
pub use log::tail_of_log;
pub use program::{ProgramError, program};
pub use slot::{Slot, SlotId, detect};
