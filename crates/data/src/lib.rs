//! Data set formats, example order and batches for augreg, without libtorch.
