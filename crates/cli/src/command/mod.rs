//! One command, one file: its arguments, whose doc comments are the help, and one function.

pub(crate) mod cancel;
pub(crate) mod compare;
pub(crate) mod completions;
pub(crate) mod dashboard;
pub(crate) mod data;
pub(crate) mod doctor;
mod explain;
pub(crate) mod export;
pub(crate) mod import;
pub(crate) mod launch;
pub(crate) mod ledger;
pub(crate) mod logs;
pub(crate) mod paper;
pub(crate) mod pause;
pub(crate) mod plan;
pub(crate) mod priority;
pub(crate) mod query;
pub(crate) mod report;
pub(crate) mod resume;
pub(crate) mod retry;
pub(crate) mod schema;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod verify_resume;
