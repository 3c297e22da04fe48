//! What a scheduler and its workers say to each other, and what a worker leaves behind.
//!
//! A worker takes [`ToWorker`] lines on its standard input and answers with [`FromWorker`] lines on
//! its standard output: short-lived talk that may be lost. What must not be lost goes into the
//! journal of the attempt, an append-only file that only the worker writes. Both ends agree on the
//! layout of a job's folder through [`RunFolder`]. Neither processes nor the database live here.

mod about;
mod cause;
mod durability;
mod folder;
mod journal;
mod message;
mod probe;
mod share;
mod state;

pub use about::About;
pub use cause::with_causes;
pub use durability::{BRIEF, Durability};
pub use folder::{RunFolder, imported};
pub use journal::{
    Entry, FailureKind, JOURNAL_VERSION, JournalError, JournalEvent, JournalReader, JournalWriter,
    Outcome, Placement, Proof, is_disk_full,
};
pub use message::{Assignment, AttemptKey, Beat, Device, FromWorker, ToWorker, WhenAbandoned};
pub use probe::{Probe, ProbeFolder};
pub use share::{Share, SubmissionFolder};
pub use state::{AttemptState, JobState};

/// The environment variable by which an executor tells a worker the UUID of the GPU that is its alone,
/// so that the GPU's count of energy is the worker's.
pub const ENERGY_OF: &str = "AUGREG_ENERGY_OF";
