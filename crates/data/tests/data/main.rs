//! The data crate as a job uses it: real Fashion-MNIST, damaged copies of it, CIFAR files written
//! byte by byte.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cifar;
mod damage;
mod fashion;
mod loaders;
mod support;
