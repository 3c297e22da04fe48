//! What is wrong with a sweep file, for a person to read.

use miette::{Diagnostic, NamedSource, SourceSpan};
use thiserror::Error;

/// One mistake, pointing at the bytes that hold it.
///
/// One struct rather than a variant a mistake: nobody branches on them, people read them.
#[derive(Debug, Error, Diagnostic, Clone)]
#[error("{message}")]
pub struct Mistake {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[help]
    pub help: Option<String>,
    /// Where.
    #[label("{label}")]
    pub at: SourceSpan,
    /// A few words under the place.
    pub label: String,
}

/// Every mistake found in one sweep file, in file order.
#[derive(Debug, Error, Diagnostic)]
#[error("{count} {} in the sweep file", if *count == 1 { "mistake" } else { "mistakes" })]
pub struct SweepErrors {
    pub(super) count: usize,
    #[source_code]
    pub(super) text: NamedSource<String>,
    #[related]
    pub(super) mistakes: Vec<Mistake>,
}

impl SweepErrors {
    /// The mistakes.
    #[must_use]
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }
}
