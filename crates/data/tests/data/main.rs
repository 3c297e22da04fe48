//! The data crate as a job uses it: real Fashion-MNIST and real drawings, damaged copies of them,
//! what other libraries write in their formats, CIFAR files written byte by byte.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod checking;
mod cifar;
mod damage;
mod fashion;
mod formats;
mod loaders;
mod maps;
mod pictures;
mod shards;
mod support;
