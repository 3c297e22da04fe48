//! The scheduler's decisions: a pure state machine, event in, actions out.
//!
//! [`Core::handle`] is the only way in. Nothing here does I/O, reads a clock, waits, or draws
//! randomness that was not derived from the seed it was given, so the same events give the same
//! actions: the tokio loop of [`runtime`](crate::runtime) and a simulator drive the very same code.
//!
//! What happens in life may reach the core late, twice or never. It holds against that by names: an
//! event about an attempt that is not the live one of its job, or about a worker that is not
//! there, changes nothing.

mod attempts;
mod breaker;
mod clock;
mod elsewhere;
mod fit;
mod flow;
mod history;
mod jobs;
mod pauses;
mod policy;
mod queue;
mod slots;
mod staff;
mod state;
mod suspects;
#[cfg(test)]
mod tests;
mod words;

pub use fit::{Needs, Offer};
pub use jobs::Counts;
pub use policy::Policy;
pub use state::Core;
pub use words::{Action, AttemptEnd, Event, Finish, Millis, NewJob, Pauser};
