//! Results and weights in the formats of other people's programs: Parquet, TensorBoard's event files,
//! the folder that timm and the Hugging Face hub take for a model.
//!
//! Everything here turns what the store and a job's spec say into bytes. Nothing asks the database, knows
//! the command line, or holds the weights themselves, which are `augreg-weights`.

mod card;
mod parquet;
pub mod tensorboard;
mod timm;
mod whole_file;

pub use card::{Card, Origin};
pub use parquet::ParquetSink;
pub use timm::{Timm, architecture, config};
pub use whole_file::WholeFile;
