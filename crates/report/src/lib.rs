//! The study's figures and tables, from the rows of the store.
//!
//! [`load()`] asks the store for a sweep's jobs; [`Report::from_jobs`] turns such rows into a
//! [`Report`]; [`Report::write`] puts it on disk as one HTML page, SVG figures and CSV data, and
//! [`heat_map_text`] draws its heat maps for a terminal. A report is a pure function of its rows:
//! the same rows give the same bytes. No SQL, no clock and no network here.

mod answers;
pub mod beside;
mod colour;
mod compare;
mod data;
mod forecast;
mod heat_map;
pub mod index;
mod job;
mod label;
mod load;
mod page;
pub mod paper;
mod report;
mod results;
mod svg;
mod terminal;
mod write;

pub use answers::Answer;
pub use compare::{AtBudget, Between, Curve, CurvePoint, Shared, Yardstick, at_equal_cost, shared};
pub use forecast::{ScoredForecast, scored_forecasts};
pub use heat_map::{Cell, Column, HeatMap, HeatMapRow, Score};
pub use job::{JobRow, RowError};
pub use load::{LoadError, load};
pub use report::Report;
pub use terminal::heat_map_text;
pub use write::{ReportError, Written};
