//! Starts, watches and stops augreg's worker processes.
