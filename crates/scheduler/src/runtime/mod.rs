//! The scheduler's loop: the one place where time, signals, workers and the database meet.
//!
//! Whatever happens becomes an [`Event`](crate::core::Event); the core decides; what it decided is
//! written to the database, in one transaction with the journal entries it rests on; only then is
//! it done. So after a crash between any two steps the database knows of every attempt that may
//! have left a journal, and the journals know the rest: a start is a crash's recovery with nothing
//! to recover.

mod adopt;
mod arrivals;
mod briefing;
mod cluster;
mod course;
mod journals;
mod late;
mod lock;
mod opening;
mod options;
mod orphans;
mod reading;
mod record;
mod requests;

mod run;
mod selections;
#[cfg(test)]
mod simulation;
mod space;
mod stop;
mod tidy;

pub use adopt::{Adopted, adopt};
pub use cluster::{ClusterOptions, Pack, Pricing, call_off, packs, run_on_slurm};
pub use late::catch_up;
pub use lock::{Holder, LockError, StudyLock};
pub use options::{Progress, Retention, RunError, RunOptions, Summary};
pub use orphans::has_worker;
pub use run::run;
pub use space::{default_reserve, free_space};
pub use stop::{StopListener, Stopper, stop_on_signals};
