//! Batches are made in memory that a GPU may read by itself.

use std::any::Any;
use std::sync::{Arc, Once};

use augreg_data::PageLock;
use augreg_kernels::lock_pages;
use tch::Device;
use tracing::debug;

/// Locks for a GPU; nothing on the CPU, which reads where it is.
pub(crate) fn page_lock(device: Device) -> Option<Arc<dyn PageLock>> {
    match device {
        Device::Cuda(_) => Some(Arc::new(Locking(device))),
        _ => None,
    }
}

#[derive(Debug)]
struct Locking(Device);

impl PageLock for Locking {
    fn lock(&self, pages: &mut [u8]) -> Option<Box<dyn Any + Send>> {
        static TOLD: Once = Once::new();
        match lock_pages(pages, self.0) {
            Ok(locked) => Some(Box::new(locked)),
            Err(error) => {
                // It costs a copy a batch, and would cost another with every buffer.
                TOLD.call_once(|| debug!("batches are not in locked pages: {error}"));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use augreg_kernels::{NotLocked, upload};
    use tch::{Cuda, Kind, Tensor};

    /// With the runtime that libtorch brings along, whether or not it finds a GPU.
    #[test]
    fn without_a_gpu_nothing_is_locked_and_bytes_arrive_all_the_same() {
        assert!(page_lock(Device::Cpu).is_none());
        let lock = page_lock(Device::Cuda(0)).expect("for GPUs");
        let mut pages = vec![7u8; 1 << 16];
        let locked = lock.lock(&mut pages);
        assert_eq!(locked.is_some(), Cuda::is_available());
        if let Err(error) = lock_pages(&mut pages, Device::Cuda(0)) {
            let known =
                matches!(&error, NotLocked::NoRuntime | NotLocked::Refused { code: 1.., .. });
            assert!(known && !error.to_string().is_empty(), "{error:?}");
        }
        drop(locked);
        let device = Device::cuda_if_available();
        let (tensor, in_flight) = upload(pages, &[1 << 16], device);
        drop(in_flight);
        let sevens = Tensor::full([1 << 16], 7, (Kind::Uint8, device));
        assert_eq!(tensor, sevens);
    }
}
