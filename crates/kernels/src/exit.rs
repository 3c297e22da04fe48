//! The end of a process that has used libtorch.

use std::ffi::c_int;

/// Ends the process at once. What was written to a file or a pipe is there; what still lies in a buffer of
/// this process is not.
///
/// To return from `main` runs the destructors of libtorch's statics, which takes 80 ms for nothing
/// and, on GPUs, may crash if the driver's own have run before.
pub fn exit_at_once(code: u8) -> ! {
    unsafe extern "C" {
        safe fn _exit(code: c_int) -> !;
    }
    _exit(code.into())
}
