//! Slurm, by its own programs: submits arrays, asks what became of their tasks, cancels them.
//!
//! Every question is one call for all tasks, however many there are. What the answers mean for jobs is decided
//! by the scheduler. Slurm's JSON is not used: `squeue --json` ignores filters, cuts the indices of arrays and
//! takes twenty times as long (seen with 22.05); `scontrol` has none there.

mod command;
mod limits;
mod queue;
mod script;
mod state;

pub use command::{Slurm, SlurmError};
pub use limits::Limits;
pub use queue::{Listed, Seen};
pub use script::{BatchScript, time_limit};
pub use state::{End, Phase, phase, reason_in_words};
