//! A study in the browser: pages for people, and `/metrics` for Prometheus.
//!
//! [`Dashboard::bind`] opens a study for reading and a socket, [`Dashboard::run`] serves until it is told
//! to stop. Every page is made here, whole, and works without script; the one script only fetches a page
//! again when the study has changed and puts the new parts into the old. What a person decides on a page
//! becomes an [`Order`], which whoever serves carries out ([`Hands`]): in the same way as its commands do.
//!
//! Nothing here writes to a study, knows SQL, or opens a file by a name that a request brought along.
//! `guard` decides who may read and who may act; no page decides that again.

mod act;
mod assets;
mod axis;
mod chart;
mod connections;
mod events;
mod frame;
mod grid;
mod grids;
mod guard;
mod headers;
mod key;
mod layout;
mod metrics;
mod order;
mod pages;
mod parameters;
mod routes;
mod serve;
mod state;
mod tail;
#[cfg(test)]
mod tests;
mod token;
mod trouble;
mod words;

pub use order::{Carried, Hands, Order};
pub use serve::{Dashboard, Limits, Options, ServeError};
