//! Updates of optimizers, in place, one pass over memory each.

use std::ffi::c_char;

use tch::{Kind, Tensor};
use torch_sys::C_tensor;

use crate::dropping::assert_kinds;

/// One update of AdamW: `m ← β₁ m + (1 − β₁) g`, `v ← β₂ v + (1 − β₂) g²`,
/// `θ ← decay · θ − rate · (first · m) / (√(second · v) + ε)`, with g scaled by `gradient_scale`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
pub struct AdamWUpdate {
    /// What the gradient is multiplied by, for clipping.
    pub gradient_scale: f32,
    /// Learning rate.
    pub rate: f32,
    /// What is left of a parameter by weight decay.
    pub decay: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// `1 − β₁`, not from the rounded β₁: 1 − 0.999 would be off by 5·10⁻⁵.
    pub share1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// `1 − β₂`.
    pub share2: f32,
    /// `1 / (1 − β₁ᵗ)`.
    pub first: f32,
    /// `1 / (1 − β₂ᵗ)`.
    pub second: f32,
    /// ε.
    pub eps: f32,
}

/// One update of SGD with momentum: `m ← momentum · m + g`, `θ ← θ − rate · m`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
pub struct SgdUpdate {
    /// What the gradient is multiplied by, for clipping.
    pub gradient_scale: f32,
    /// Learning rate.
    pub rate: f32,
    /// Share of the accumulator that stays.
    pub momentum: f32,
}

unsafe extern "C" {
    fn augreg_adamw(
        parameters: *const C_tensor,
        gradient: *const C_tensor,
        m: *const C_tensor,
        v: *const C_tensor,
        update: *const AdamWUpdate,
        finite: *mut bool,
    ) -> *mut c_char;
    fn augreg_sgd(
        parameters: *const C_tensor,
        gradient: *const C_tensor,
        m: *const C_tensor,
        update: *const SgdUpdate,
        finite: *mut bool,
    ) -> *mut c_char;
}

/// Updates parameters and both moments. Returns whether all parameters are finite after it.
///
/// # Shapes
///
/// All `[elements]`, contiguous, 32-bit floats; `m` may be bfloat16, to which it is rounded after it
/// was used, as optax does with `mu_dtype`.
///
/// # Panics
///
/// If shapes, kinds or devices are others.
#[must_use = "training has diverged if it is false"]
pub fn adamw(
    parameters: &Tensor,
    gradient: &Tensor,
    m: &Tensor,
    v: &Tensor,
    update: AdamWUpdate,
) -> bool {
    assert_alike(parameters, &[gradient, v]);
    assert_moment(parameters, m);
    let mut finite = false;
    // SAFETY: all four are live, contiguous and equally long, of the kinds that the kernel reads.
    crate::check(unsafe {
        let (parameters, gradient) = (parameters.as_ptr(), gradient.as_ptr());
        let (m, v) = (m.as_ptr(), v.as_ptr());
        augreg_adamw(parameters, gradient, m, v, &raw const update, &raw mut finite)
    });
    finite
}

/// Updates parameters and their accumulator. Returns whether all parameters are finite after it.
///
/// # Shapes
///
/// All `[elements]`, contiguous, 32-bit floats; `m` may be bfloat16, to which it is rounded after it
/// was used, as optax does with `accumulator_dtype`.
///
/// # Panics
///
/// If shapes, kinds or devices are others.
#[must_use = "training has diverged if it is false"]
pub fn sgd(parameters: &Tensor, gradient: &Tensor, m: &Tensor, update: SgdUpdate) -> bool {
    assert_alike(parameters, &[gradient]);
    assert_moment(parameters, m);
    let mut finite = false;
    // SAFETY: as above.
    crate::check(unsafe {
        let (parameters, gradient, m) = (parameters.as_ptr(), gradient.as_ptr(), m.as_ptr());
        augreg_sgd(parameters, gradient, m, &raw const update, &raw mut finite)
    });
    finite
}

fn assert_alike(parameters: &Tensor, others: &[&Tensor]) {
    assert!(parameters.is_contiguous(), "parameters lie side by side");
    for tensor in others {
        assert_kinds(tensor, &[Kind::Float]);
        assert_eq!(tensor.size(), parameters.size(), "a value for each parameter");
        assert!(tensor.is_contiguous(), "values lie side by side");
    }
}

fn assert_moment(parameters: &Tensor, m: &Tensor) {
    assert_kinds(parameters, &[Kind::Float]);
    assert_kinds(m, &[Kind::Float, Kind::BFloat16]);
    assert_eq!(m.size(), parameters.size(), "a moment for each parameter");
    assert!(m.is_contiguous(), "moments lie side by side");
}
