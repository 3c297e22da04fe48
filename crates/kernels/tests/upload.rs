//! Bytes on their way to a device, with a CUDA runtime that this test plays: it locks and unlocks
//! pages as the real one says it would.

#![expect(unsafe_code, reason = "functions under the runtime's own names")]

use std::ffi::{c_int, c_uint, c_void};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use augreg_kernels::{NotLocked, lock_pages, upload};
use tch::{Device, Kind, Tensor};

/// What is locked: addresses and lengths.
static LOCKED: Mutex<Vec<(usize, usize)>> = Mutex::new(Vec::new());

/// Whether the next lock is refused, as `cudaErrorInvalidValue`.
static REFUSES: AtomicBool = AtomicBool::new(false);

/// How often the runtime was told to forget its last error.
static FORGOTTEN: AtomicUsize = AtomicUsize::new(0);

fn locked() -> Vec<(usize, usize)> {
    LOCKED.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

#[unsafe(no_mangle)]
extern "C" fn cudaHostRegister(bytes: *mut c_void, len: usize, flags: c_uint) -> c_int {
    assert_eq!(flags, 1, "for every context");
    if REFUSES.load(Ordering::Relaxed) {
        return 1;
    }
    LOCKED.lock().unwrap_or_else(PoisonError::into_inner).push((bytes as usize, len));
    0
}

#[unsafe(no_mangle)]
extern "C" fn cudaHostUnregister(bytes: *mut c_void) -> c_int {
    let mut locked = LOCKED.lock().unwrap_or_else(PoisonError::into_inner);
    let before = locked.len();
    locked.retain(|(at, _)| *at != bytes as usize);
    c_int::from(locked.len() + 1 != before) * 713 // cudaErrorHostMemoryNotRegistered
}

#[unsafe(no_mangle)]
extern "C" fn cudaGetLastError() -> c_int {
    FORGOTTEN.fetch_add(1, Ordering::Relaxed);
    0
}

#[test]
fn pages_are_locked_once_and_let_go_and_a_refusal_is_told_and_forgotten() {
    // Or the linker would see nobody who needs them.
    let played = [cudaHostRegister as *const (), cudaHostUnregister as *const ()];
    assert!(played.iter().all(|function| !function.is_null()));

    let mut pages = vec![0u8; 3 << 12];
    let at = (pages.as_ptr() as usize, pages.len());
    let first = lock_pages(&mut pages, Device::Cuda(0)).expect("locked");
    assert_eq!(locked(), [at]);
    drop(first);
    assert_eq!(locked(), []);
    assert_eq!(FORGOTTEN.load(Ordering::Relaxed), 0, "nothing went wrong");

    REFUSES.store(true, Ordering::Relaxed);
    let refused = lock_pages(&mut pages, Device::Cuda(0)).expect_err("refused");
    assert!(matches!(refused, NotLocked::Refused { code: 1, .. }), "{refused:?}");
    assert_eq!(FORGOTTEN.load(Ordering::Relaxed), 1);
    assert_eq!(locked(), []);
}

/// Bytes that tell when they are gone.
struct Told(Vec<u8>, Arc<AtomicUsize>);

impl AsMut<[u8]> for Told {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn on_the_cpu_a_tensor_is_over_the_very_bytes_and_keeps_them_as_long_as_it_lives() {
    let gone = Arc::new(AtomicUsize::new(0));
    let bytes: Vec<u8> = (0..=255).cycle().take(2 * 3 * 5 * 7 + 9).collect();
    let address = bytes.as_ptr();
    let told = Told(bytes.clone(), Arc::clone(&gone));
    let held = told.0.as_ptr();
    assert_ne!(address, held);
    let (tensor, in_flight) = upload(told, &[2, 3, 5, 7], Device::Cpu);
    assert_eq!((tensor.kind(), tensor.size()), (Kind::Uint8, vec![2, 3, 5, 7]));
    assert_eq!(tensor.data_ptr().cast_const().cast::<u8>(), held, "nothing was copied");
    assert_eq!(tensor, Tensor::from_data_size(&bytes[..210], &[2, 3, 5, 7], Kind::Uint8));
    drop(in_flight);

    let view = tensor.select(0, 1);
    drop(tensor);
    assert_eq!(gone.load(Ordering::Relaxed), 0, "a view of it lives");
    assert_eq!(view.to_kind(Kind::Int64).sum(Kind::Int64).int64_value(&[]), {
        bytes[105..210].iter().map(|&byte| i64::from(byte)).sum::<i64>()
    });
    drop(view);
    assert_eq!(gone.load(Ordering::Relaxed), 1, "gone, once");
}

#[test]
fn bytes_are_freed_once_where_no_tensor_can_be_made_of_them() {
    let gone = Arc::new(AtomicUsize::new(0));
    let told = || Told(vec![1; 12], Arc::clone(&gone));
    let few = std::panic::catch_unwind(|| upload(told(), &[13], Device::Cpu));
    assert!(few.is_err() && gone.load(Ordering::Relaxed) == 1);
    let odd = std::panic::catch_unwind(|| upload(told(), &[-3, -4], Device::Cpu));
    assert!(odd.is_err() && gone.load(Ordering::Relaxed) == 2);
    let none = std::panic::catch_unwind(|| upload(told(), &[12], Device::Cuda(99)));
    assert!(none.is_err() && gone.load(Ordering::Relaxed) == 3, "there are not a hundred GPUs");
}
