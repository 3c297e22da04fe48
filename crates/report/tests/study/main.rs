//! The report as a whole, on the paper's published cells and on a small sweep.

mod jobs;
mod load;
mod published;
mod sweep;
