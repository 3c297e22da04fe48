//! What a person can decide on a page, and who carries it out.

use std::future::Future;
use std::pin::Pin;

use augreg_spec::JobId;

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Take jobs out.
    Cancel(Vec<JobId>),
    /// Queue failed and cancelled jobs again.
    Retry(Vec<JobId>),
    /// Give jobs that have not ended this priority.
    Prioritize(Vec<JobId>, i64),
    /// Start nothing more of a sweep, or of the study without one.
    Pause {
        /// The sweep.
        sweep: Option<String>,
        /// Whether what runs goes on to its end.
        drain: bool,
    },
    /// Let a sweep, or the study, go on.
    Unpause {
        /// The sweep.
        sweep: Option<String>,
    },
}

/// What became of an order: a sentence for the person who gave it, either way.
pub type Carried<'a> = Pin<Box<dyn Future<Output = Result<String, String>> + Send + 'a>>;

/// Whoever carries orders out.
pub trait Hands: Send + Sync + 'static {
    /// Carries an order out, as the command of the same name does.
    fn carry_out(&self, order: Order) -> Carried<'_>;
}
