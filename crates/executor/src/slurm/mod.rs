//! Slurm, by its own programs: submits arrays, asks what became of their tasks, cancels them.
//!
//! Every question is one call for all tasks, however many there are. What the answers mean for jobs is decided
//! by the scheduler. Answers are read as JSON from the version on in which that can be relied on, before as text
//! made for programs.

mod command;
mod json;
mod limits;
mod queue;
mod record;
mod script;
mod state;

pub use command::{Slurm, SlurmError};
pub use limits::Limits;
pub use queue::{Listed, Seen};
pub use script::{BatchScript, time_limit};
pub use state::{End, Phase, phase, reason_in_words};
