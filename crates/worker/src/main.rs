//! The `augreg-worker` binary.

fn main() {}
