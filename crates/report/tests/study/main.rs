//! The report as a whole, on the paper's published cells and on a small sweep.

mod jobs;
mod load;
mod paper;
mod published;
mod sweep;
mod transfers;
