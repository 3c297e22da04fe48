//! The report as a whole, on the paper's published cells and on a small sweep.

mod jobs;
mod published;
mod sweep;
