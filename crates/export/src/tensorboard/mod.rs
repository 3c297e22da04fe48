//! TensorBoard's event files: a run folder for each job, with its curves, its settings for the HParams tab,
//! and its spec as text.
//!
//! The format is TensorFlow's: records framed with masked CRC-32C (`record`), each a protocol buffer
//! `Event`. Of its many messages we write five, spelled out field by field in `event`, so no generated
//! code is needed.

mod event;
mod message;
mod record;
mod run;

pub use run::{Clock, Leg, Point, Run, folder};
