//! Dropout joined with the operation beside it, differentiable.

use std::ffi::c_char;
use std::ptr::{null, null_mut};

use tch::{Device, Kind, Tensor};
use torch_sys::C_tensor;

/// Which elements of a tensor are dropped: those whose hash of key and index is below the probability.
///
/// The hash is two rounds of a 32-bit mix (`src/loops.cpp`); a probability is rounded to a multiple of
/// 2⁻³², and what is kept is scaled by the rounded one.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
pub struct Dropping {
    key: i64,
    first: i64,
    threshold: i64,
    scale: f64,
}

impl Dropping {
    /// Drops with `probability`, in [0, 1), by the draws of `key`. `first` is the index of the
    /// tensor's first element, should it be a piece of a larger one.
    #[must_use]
    pub fn new(probability: f64, key: u64, first: u64) -> Self {
        let values = 4_294_967_296.0; // 2³²
        let threshold = (probability.clamp(0.0, 1.0) * values).round().min(values - 1.0);
        Self {
            key: key.cast_signed(),
            first: first.cast_signed(),
            threshold: threshold as i64,
            scale: values / (values - threshold),
        }
    }

    /// The same, without scaling what is kept.
    #[must_use]
    pub fn unscaled(self) -> Self {
        Self { scale: 1.0, ..self }
    }

    /// Drops nothing.
    #[must_use]
    pub fn nothing() -> Self {
        Self::new(0.0, 0, 0)
    }
}

unsafe extern "C" {
    fn augreg_dropped(
        x: *const C_tensor,
        drop: *const Dropping,
        out: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn augreg_add_dropped(
        x: *const C_tensor,
        branch: *const C_tensor,
        factors: *const C_tensor,
        drop: *const Dropping,
        out: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn augreg_gelu_dropped(
        x: *const C_tensor,
        drop: *const Dropping,
        out: *mut *mut C_tensor,
    ) -> *mut c_char;
}

/// Inverted dropout of `x`, of 32-bit floats or bfloat16.
///
/// # Panics
///
/// If `x` is not on the CPU or of another kind, or memory is out.
pub fn dropped(x: &Tensor, drop: Dropping) -> Tensor {
    assert_kinds(x, &[Kind::Float, Kind::BFloat16]);
    // SAFETY: the pointers are live tensors of the kinds that the kernel reads.
    made(|out| unsafe { augreg_dropped(x.as_ptr(), &raw const drop, out) })
}

/// `x + branch · mask · factor`: a residual branch through dropout and stochastic depth.
///
/// # Shapes
///
/// - `x` and what is returned: `[B, …]`, 32-bit floats.
/// - `branch`: as `x`, 32-bit floats or bfloat16.
/// - `factors`: `[B]`, 32-bit floats, one for each example; without them all are 1.
///
/// # Panics
///
/// If shapes or kinds are others, or memory is out.
pub fn add_dropped(
    x: &Tensor,
    branch: &Tensor,
    factors: Option<&Tensor>,
    drop: Dropping,
) -> Tensor {
    assert_kinds(x, &[Kind::Float]);
    assert_kinds(branch, &[Kind::Float, Kind::BFloat16]);
    assert_eq!(x.size(), branch.size(), "a branch has the shape of what it is added to");
    if let Some(factors) = factors {
        assert_kinds(factors, &[Kind::Float]);
        assert_eq!(factors.size(), [x.size()[0]], "a factor for each example");
        assert!(factors.is_contiguous(), "factors lie side by side");
    }
    let factors = factors.map_or(null(), Tensor::as_ptr);
    // SAFETY: as above; the kernel takes contiguous copies where it needs them.
    made(|out| unsafe {
        augreg_add_dropped(x.as_ptr(), branch.as_ptr(), factors, &raw const drop, out)
    })
}

/// GELU in its tanh form, then inverted dropout.
///
/// # Panics
///
/// If `x` is not on the CPU, or of another kind than 32-bit floats or bfloat16, or memory is out.
pub fn gelu_dropped(x: &Tensor, drop: Dropping) -> Tensor {
    assert_kinds(x, &[Kind::Float, Kind::BFloat16]);
    // SAFETY: as above.
    made(|out| unsafe { augreg_gelu_dropped(x.as_ptr(), &raw const drop, out) })
}

pub(crate) fn assert_kinds(x: &Tensor, kinds: &[Kind]) {
    assert_eq!(x.device(), Device::Cpu, "these kernels are for the CPU");
    assert!(kinds.contains(&x.kind()), "a tensor of {:?} where {kinds:?} is expected", x.kind());
}

fn made(call: impl FnOnce(*mut *mut C_tensor) -> *mut c_char) -> Tensor {
    let mut out = null_mut();
    crate::check(call(&raw mut out));
    // SAFETY: where there is no message, the kernel has put a new tensor there, which is ours.
    unsafe { Tensor::from_ptr(out) }
}
