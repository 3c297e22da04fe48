//! The `augreg` binary.

fn main() {}
