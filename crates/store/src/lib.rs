//! The SQLite database of an augreg study: schema, queries, result views.

mod change;
mod clock;
mod control;
mod details;
mod error;
mod filter;
mod ingest;
mod pending;
mod query;
mod register;
mod rows;
mod statement;
mod status;
mod store;
mod value;
mod views;
mod writer;

pub use change::Change;
pub use details::{AttemptDetails, CheckpointDetails, EventDetails, JobDetails};
pub use error::{QueryError, StoreError};
pub use filter::{Filter, Sort};
pub use ingest::Ingested;
pub use pending::{PendingAttempt, PendingJob};
pub use query::JobQuery;
pub use register::{Difference, NewSweep};
pub use status::{Counts, FailedJob, MeasuredSpeed, RunningAttempt, SweepSummary};
pub use store::Store;
pub use value::{Rows, Value};
pub use views::{
    AUGREG_INDEX, Column, DEFAULT_COLUMNS, Kind, V_ATTEMPTS, V_CURVES, V_JOBS, V_METRICS, VIEWS,
    View,
};
