//! What a device takes while an attempt runs, by the device's own count.
//!
//! NVIDIA GPUs since Volta count the energy they take. NVML, which reads the count, is loaded when it
//! is asked for: without a driver nothing is counted. CPUs are not asked. It has been seen to answer
//! nothing where there is no GPU, and has not run on a GPU yet.

use nvml_wrapper::Nvml;
use tracing::info;

/// A count of energy that only grows as long as the driver stays loaded.
pub(crate) trait Counter {
    /// Millijoules since some moment; none if the device does not say.
    fn millijoules(&self) -> Option<u64>;
}

/// A GPU that is this worker's alone.
pub(crate) struct Gpu {
    nvml: Nvml,
    uuid: String,
}

impl Gpu {
    /// The GPU of this UUID; none if none is named or there is no NVIDIA driver.
    pub(crate) fn named_by(uuid: Option<String>) -> Option<Self> {
        let uuid = uuid?;
        match Nvml::init() {
            Ok(nvml) => Some(Self { nvml, uuid }),
            Err(error) => {
                info!(%error, "no NVML, so the energy of `{uuid}` is not counted");
                None
            }
        }
    }
}

impl Gpu {
    /// What the driver calls it.
    pub(crate) fn name(&self) -> Option<String> {
        let device = self.nvml.device_by_uuid(self.uuid.as_str());
        device.and_then(|device| device.name()).ok()
    }
}

impl Counter for Gpu {
    fn millijoules(&self) -> Option<u64> {
        let device = self.nvml.device_by_uuid(self.uuid.as_str());
        let count = device.and_then(|device| device.total_energy_consumption());
        count.inspect_err(|error| info!(%error, "the energy of `{}` is not known", self.uuid)).ok()
    }
}

/// What has been taken since an attempt began.
pub(crate) struct Meter<'a> {
    counter: &'a dyn Counter,
    from: u64,
}

impl<'a> Meter<'a> {
    /// Begins to count; none if the device does not.
    pub(crate) fn start(counter: &'a dyn Counter) -> Option<Self> {
        Some(Self { counter, from: counter.millijoules()? })
    }

    /// Joules since then; none if the device says no more, or began to count anew.
    pub(crate) fn joules(&self) -> Option<f64> {
        let taken = self.counter.millijoules()?.checked_sub(self.from)?;
        Some(taken as f64 / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    struct Played(Cell<Option<u64>>);

    impl Counter for Played {
        fn millijoules(&self) -> Option<u64> {
            self.0.get()
        }
    }

    #[test]
    fn energy_is_counted_from_the_beginning_of_the_attempt() {
        let counter = Played(Cell::new(Some(7_000)));
        let meter = Meter::start(&counter).expect("it counts");
        assert_eq!(meter.joules(), Some(0.0));
        counter.0.set(Some(9_500));
        assert_eq!(meter.joules(), Some(2.5));
    }

    #[test]
    fn a_count_that_ends_or_begins_anew_is_unknown_and_not_nothing() {
        let counter = Played(Cell::new(Some(7_000)));
        let meter = Meter::start(&counter).expect("it counts");
        counter.0.set(Some(10));
        assert_eq!(meter.joules(), None);
        counter.0.set(None);
        assert_eq!(meter.joules(), None);
        assert!(Meter::start(&counter).is_none());
    }

    #[test]
    fn a_gpu_that_is_not_there_counts_nothing_and_breaks_nothing() {
        assert!(Gpu::named_by(None).is_none());
        let gpu = Gpu::named_by(Some("GPU-00000000-0000-0000-0000-000000000000".to_owned()));
        assert!(gpu.and_then(|gpu| gpu.millijoules()).is_none());
    }
}
