//! What libtorch lacks or hides, in C++: the one crate that calls foreign code.
//!
//! Dropout here stores no mask: whether an element is dropped is a hash of a key and of its index,
//! which the backward pass asks again. So it costs one pass over memory instead of four, and the same
//! elements are dropped however a batch is cut into pieces. The optimizers' updates are one pass each,
//! over one flat buffer. These are for tensors in the memory of the CPU; on other devices callers
//! use libtorch's own operations. How bytes come to a device is here as well, and how many
//! it holds; of that, what is not for the CPU is compiled everywhere, but has not run on a GPU yet.
#![expect(unsafe_code, reason = "this is the crate that calls C++")]

mod about;
mod dropping;
mod exit;
mod memory;
mod update;
mod upload;

pub use about::{Libtorch, libtorch};
pub use dropping::{Dropping, add_dropped, dropped, gelu_dropped};
pub use exit::exit_at_once;
pub use memory::{peak_bytes, reset_peak_bytes};
pub use update::{AdamWUpdate, SgdUpdate, adamw, sgd};
pub use upload::{InFlight, LockedPages, NotLocked, lock_pages, upload};

use std::ffi::{CStr, c_char};

/// Panics with what C++ said, as `tch` does for libtorch's own errors; they are caught where an
/// attempt is executed.
fn check(message: *mut c_char) {
    if let Some(text) = said(message) {
        panic!("{text}");
    }
}

/// What C++ said went wrong, if anything.
fn said(message: *mut c_char) -> Option<String> {
    unsafe extern "C" {
        fn augreg_free(message: *mut c_char);
    }
    if message.is_null() {
        return None;
    }
    // SAFETY: a message is a C string that this side owns and frees once.
    unsafe {
        let text = CStr::from_ptr(message).to_string_lossy().into_owned();
        augreg_free(message);
        Some(text)
    }
}
