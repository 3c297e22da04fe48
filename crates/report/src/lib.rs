//! The study's figures and tables, from the rows of the store.
//!
//! [`load()`] asks the store for a sweep's jobs; [`Report::from_runs`] turns such rows, and those of
//! the store's finished runs, into a [`Report`]: heat maps and [`Exhibit`]s, each a function of the
//! rows that says what it is missing; [`Report::write`] puts it on disk as one HTML page, SVG figures and CSV data, and
//! [`heat_map_text`] draws its heat maps for a terminal. A report is a pure function of its rows:
//! the same rows give the same bytes. No SQL, no clock and no network here.

mod answers;
pub mod beside;
mod canvas;
mod chart_svg;
mod colour;
mod compare;
mod data;
pub mod exhibit;
mod figures;
mod forecast;
mod grid_svg;
mod group;
mod heat_map;
pub mod index;
mod job;
mod label;
mod load;
mod order;
mod overlay;
mod page;
pub mod paper;
mod places;
mod questions;
mod report;
mod results;
mod scale;
mod sections;
mod study;
mod svg;
mod terminal;
mod training;
mod write;

pub use answers::Answer;
pub use colour::{Rgb, Theme, diverging, scale_end};
pub use compare::{AtBudget, Between, Curve, CurvePoint, Shared, Yardstick, at_equal_cost, shared};
pub use exhibit::Exhibit;
pub use figures::{Trial, random_search};
pub use forecast::{ScoredForecast, scored_forecasts};
pub use heat_map::{Cell, Column, HeatMap, HeatMapRow, Score};
pub use job::{JobRow, RowError};
pub use load::{LoadError, load};
pub use overlay::paper_runs;
pub use report::Report;
pub use study::Missing;
pub use terminal::heat_map_text;
pub use write::{ReportError, Written};
