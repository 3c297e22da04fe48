//! The SQLite database of an augreg study: its schema, every SQL statement, the views people query.
//!
//! [`Store`] is a study opened for writing, by the one scheduler that holds its lock, or for
//! reading, by anybody at any time. Sweeps enter through [`NewSweep`], the scheduler's decisions as
//! [`Change`]s, journals through [`Store::ingest`], each entry once. Questions are asked with
//! [`JobQuery`] or plain SQL; [`VIEWS`] documents what there is to ask for.
//!
//! What must hold is said in the schema (`migrations/`), not here: at most one running attempt a
//! job, success only with a result and for ever, accuracies in [0, 1]. Nothing here decides what a
//! job's next state should be, reads a journal's file, prints, or draws a table.

mod activity;
mod answer;
mod axes;
mod batch;
mod cells;
mod change;
mod checked;
mod clock;
mod compute;
mod control;
mod details;
mod difference;
mod direct;
mod draft;
mod entries;
mod error;
mod failures;
mod filter;
mod fold;
mod forecast;
mod group;
mod ingest;
mod insertion;
mod late;
mod lately;
mod ledger;
mod new_jobs;
mod page;
mod pause;
mod pending;
mod priority;
mod pulse;
mod query;
mod question;
mod reference;
mod register;
mod request;
mod rows;
mod rules;
mod runs;
mod spec_text;
mod sql;
mod statement;
mod status;
mod store;
mod submission;
mod value;
mod views;
mod work;
mod writer;

pub use activity::{Loss, SlotUse, StudyEvent};
pub use answer::{Heading, RowSink};
pub use cells::{AXES, CellGroup, MEASURES, StageAxes};
pub use change::Change;
pub use compute::{Course, Leg, Spent};
pub use details::{AttemptDetails, CheckpointDetails, EventDetails, JobDetails, Measured};
pub use difference::Difference;
pub use error::{QueryError, StoreError};
pub use failures::FailedJob;
pub use filter::{Filter, Sort};
pub use fold::Aggregate;
pub use forecast::{Forecast, Interval, NewForecast};
pub use group::GroupQuery;
pub use ingest::{Ingested, JournalPart};
pub use late::GivenUp;
pub use ledger::Boundary;
pub use page::Page;
pub use pause::Pause;
pub use pending::{PendingAttempt, PendingJob};
pub use pulse::Pulse;
pub use query::JobQuery;
pub use reference::{Imported, Reference};
pub use register::{NewDataset, NewSweep};
pub use rules::{RuledSweep, Rules};
pub use runs::{OWN, Run};
pub use status::{Counts, MeasuredSpeed, RunningAttempt, SweepSummary, WorkLeft};
pub use store::Store;
pub use submission::{NewSubmission, Submission, Task, TaskState};
pub use value::{Rows, Value, ValueRef};
pub use views::{
    AUGREG_INDEX, Column, DEFAULT_COLUMNS, Kind, METRIC, SWEEP_JOB, V_ATTEMPTS, V_BOUNDARIES,
    V_COMPUTE, V_CURVES, V_DEVICE_TIME, V_EPOCHS, V_FORECASTS, V_JOBS, V_LEDGER, V_METRICS, V_RUNS,
    V_SELECTIONS, V_TASKS, VIEWS, View,
};
pub use work::Work;
