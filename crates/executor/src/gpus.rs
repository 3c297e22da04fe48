//! The GPUs of this machine, as NVIDIA's driver tells of them through NVML, which is loaded when it is asked.
//!
//! It has been seen to say that there is no driver, and has not run on a GPU yet.

use nvml_wrapper::{Nvml, cuda_driver_version_major, cuda_driver_version_minor};
use tracing::{debug, warn};

/// NVIDIA's driver answers.
pub struct Gpus(Box<Nvml>);

/// The driver that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Driver {
    /// Its version, such as `570.86`.
    pub version: String,
    /// The newest version of CUDA that it runs, such as `12.8`.
    pub cuda: String,
}

/// What a GPU does at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GpuUse {
    /// Share of the last moments in which something ran on it, in percent.
    pub busy: u32,
    /// Bytes of its memory that are taken.
    pub taken: u64,
    /// Bytes of its memory.
    pub memory: u64,
}

impl Gpus {
    /// Asks for the driver.
    ///
    /// # Errors
    ///
    /// Why there is none, in NVML's words.
    pub fn open() -> Result<Self, String> {
        Nvml::init().map(|nvml| Self(Box::new(nvml))).map_err(|error| {
            debug!(%error, "no NVML, so no GPUs");
            error.to_string()
        })
    }

    /// UUIDs of those that answer.
    #[must_use]
    pub fn uuids(&self) -> Vec<String> {
        let uuid = |index| self.0.device_by_index(index).and_then(|device| device.uuid());
        let found = |index| match uuid(index) {
            Ok(uuid) => Some(uuid),
            Err(error) => {
                warn!(%error, index, "NVML does not answer for a GPU; it is not used");
                None
            }
        };
        (0..self.count()).filter_map(found).collect()
    }

    /// The driver; none if it does not say.
    #[must_use]
    pub fn driver(&self) -> Option<Driver> {
        let version = self.0.sys_driver_version().ok()?;
        let cuda = self.0.sys_cuda_driver_version().ok()?;
        let cuda =
            format!("{}.{}", cuda_driver_version_major(cuda), cuda_driver_version_minor(cuda));
        Some(Driver { version, cuda })
    }

    /// What each does now; none for one that does not say.
    #[must_use]
    pub fn uses(&self) -> Vec<Option<GpuUse>> {
        let of = |index| {
            let device = self.0.device_by_index(index).ok()?;
            let (busy, memory) = (device.utilization_rates().ok()?.gpu, device.memory_info().ok()?);
            Some(GpuUse { busy, taken: memory.used, memory: memory.total })
        };
        (0..self.count()).map(of).collect()
    }

    fn count(&self) -> u32 {
        self.0.device_count().unwrap_or_else(|error| {
            warn!(%error, "NVML does not count its GPUs; none is used");
            0
        })
    }
}
