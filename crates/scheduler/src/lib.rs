//! Decides what runs where, and drives it.
//!
//! [`core`] decides, as a pure state machine; [`runtime`] is the tokio loop around it, where time,
//! signals, workers, journals and the database meet. How workers are started is the executor's
//! business, what they compute nobody's here.

pub mod core;
pub mod runtime;
