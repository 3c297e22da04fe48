//! One page, one file.

pub(crate) mod attempts;
pub(crate) mod compare;
pub(crate) mod devices;
pub(crate) mod filters;
pub(crate) mod job;
pub(crate) mod jobs;
pub(crate) mod settings;
pub(crate) mod sweep;
pub(crate) mod sweeps;
