//! Bytes of the host on their way to a device, and pages that a device may read by itself.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{null, null_mut};

use tch::{Device, Tensor};
use thiserror::Error;
use torch_sys::C_tensor;

unsafe extern "C" {
    fn augreg_upload(
        bytes: *mut c_void,
        shape: *const i64,
        dimensions: usize,
        owner: *mut c_void,
        drop: unsafe extern "C" fn(*mut c_void),
        device: c_int,
        out: *mut *mut C_tensor,
        flight: *mut *mut c_void,
    ) -> *mut c_char;
    fn augreg_land(flight: *mut c_void);
    fn augreg_lock_pages(
        bytes: *mut c_void,
        len: usize,
        device: c_int,
        text: *mut *const c_char,
    ) -> c_int;
    fn augreg_unlock_pages(bytes: *mut c_void, device: c_int);
}

/// Bytes that a device may still be reading. They are kept until it has, which dropping this waits
/// for.
#[derive(Debug)]
#[must_use = "to drop it is to wait for the copy"]
pub struct InFlight(*mut c_void);

// SAFETY: it owns what it points to, and what that owns is `Send`. libtorch's events belong to no
// thread.
unsafe impl Send for InFlight {}

/// Makes a tensor of bytes on a device. On the CPU that is no copy: the tensor is over the bytes, and
/// `owner` is dropped with it. A GPU takes them in the order of its work, out of locked pages without
/// a copy on the way; nobody waits for that, whatever uses the tensor is queued behind it, and `owner` is
/// dropped with what is returned beside it.
///
/// # Shapes
///
/// Returns `shape`, bytes.
///
/// # Panics
///
/// If there are fewer bytes than the shape has, the device is none of libtorch's CPU and CUDA ones, or
/// libtorch fails.
pub fn upload<T>(owner: T, shape: &[i64], device: Device) -> (Tensor, InFlight)
where
    T: AsMut<[u8]> + Send + 'static,
{
    let device = number(device);
    let wanted: i64 = shape.iter().product();
    let owner = Box::into_raw(Box::new(owner));
    // SAFETY: it has just come out of a box and nobody else knows it.
    let bytes = unsafe { (*owner).as_mut() };
    let (bytes, len) = (bytes.as_mut_ptr(), bytes.len());
    if (len as i64) < wanted {
        // SAFETY: as above; it goes back.
        drop(unsafe { Box::from_raw(owner) });
        panic!("{len} bytes for {shape:?}");
    }
    let (mut out, mut flight) = (null_mut(), null_mut());
    // SAFETY: the owner is on the heap and nobody touches it until `drop_owner` has it, so its bytes
    // stay where they are, and the tensor is the only one to use them.
    crate::check(unsafe {
        augreg_upload(
            bytes.cast(),
            shape.as_ptr(),
            shape.len(),
            owner.cast(),
            drop_owner::<T>,
            device,
            &raw mut out,
            &raw mut flight,
        )
    });
    // SAFETY: there was no message, so a new tensor is there, which is ours.
    (unsafe { Tensor::from_ptr(out) }, InFlight(flight))
}

/// # Safety
///
/// `owner` came out of a box of a `T`, and goes back into one only here, once.
unsafe extern "C" fn drop_owner<T>(owner: *mut c_void) {
    // SAFETY: the caller's promise.
    drop(unsafe { Box::from_raw(owner.cast::<T>()) });
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: it came from an upload and goes once.
            unsafe { augreg_land(self.0) };
        }
    }
}

/// Pages that CUDA has locked; it lets go of them when this is dropped.
#[derive(Debug)]
pub struct LockedPages {
    bytes: *mut c_void,
    device: c_int,
}

// SAFETY: only the address is kept, as a name for CUDA, which takes it from any thread.
unsafe impl Send for LockedPages {}

/// Why pages are not locked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotLocked {
    /// Nobody could lock them.
    #[error("there is no CUDA in this process")]
    NoRuntime,

    /// CUDA could not.
    #[error("{text} (CUDA's error {code})")]
    Refused {
        /// Its number for that.
        code: i32,
        /// What it says.
        text: String,
    },
}

/// Locks whole pages, for a GPU to copy out of while it computes. They must not be freed before what is
/// returned is dropped: later copies out of the same addresses would find what once lay there.
///
/// # Errors
///
/// [`NotLocked`] if that cannot be done. They can be used all the same.
pub fn lock_pages(pages: &mut [u8], device: Device) -> Result<LockedPages, NotLocked> {
    let device = number(device);
    let bytes: *mut c_void = pages.as_mut_ptr().cast();
    let mut text = null();
    // SAFETY: the memory is there; CUDA changes nothing in it.
    let code = unsafe { augreg_lock_pages(bytes, pages.len(), device, &raw mut text) };
    match code {
        0 => Ok(LockedPages { bytes, device }),
        -1 => Err(NotLocked::NoRuntime),
        code => {
            // SAFETY: CUDA's texts are C strings that live as long as the process.
            let text = (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) });
            let text = text.map_or("failed".into(), CStr::to_string_lossy).into_owned();
            Err(NotLocked::Refused { code, text })
        }
    }
}

impl Drop for LockedPages {
    fn drop(&mut self) {
        // SAFETY: these were locked, and are let go of once.
        unsafe { augreg_unlock_pages(self.bytes, self.device) };
    }
}

/// What the C++ here calls a device.
fn number(device: Device) -> c_int {
    match device {
        Device::Cpu => -1,
        Device::Cuda(index) => index as c_int,
        other => panic!("{other:?} is neither the CPU nor a GPU of CUDA's"),
    }
}
