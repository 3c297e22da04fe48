//! The formats, a file each: which source splits there are, and where their examples lie.

pub(crate) mod cifar;
pub(crate) mod classes;
pub(crate) mod idx;
pub(crate) mod image_folder;
pub(crate) mod npy;
pub(crate) mod npz;
pub(crate) mod pack;
pub(crate) mod parquet;
pub(crate) mod shards;
pub(crate) mod webdataset;
