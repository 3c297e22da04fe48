//! Random masks of dropout and stochastic depth.
//!
//! A mask is drawn from 16 random bits an element instead of through `bernoulli_`: on a CPU that
//! takes a third of the time, which is a fifth of a training step with dropout. The probability is
//! thereby rounded to a multiple of 2⁻¹⁶ (0.1 becomes 0.1000061); the scale of what is kept uses
//! the rounded one, so expectations are exact. Bits come from libtorch's generator of the device,
//! which the training loop seeds anew at every step.

use tch::{Device, Kind, Tensor};

/// Random bits an element.
const BITS: u32 = 16;

/// A probability of dropping, ready to draw masks with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Drop {
    /// Of the 2¹⁶ values the random bits can take, how many drop.
    dropping: i64,
}

impl Drop {
    /// None if `probability`, in [0, 1), never drops anything.
    pub(crate) fn new(probability: f64) -> Option<Self> {
        let values = f64::from(1u32 << BITS);
        let dropping = (probability * values).round().min(values - 1.0) as i64;
        (dropping > 0).then_some(Self { dropping })
    }

    /// A fresh mask of 0 and 1 in 32-bit floats.
    pub(crate) fn keep(self, shape: &[i64], device: Device) -> Tensor {
        let elements: i64 = shape.iter().product();
        let words = (elements + 3) / 4;
        let bits = Tensor::empty([words], (Kind::Int64, device)).random_from_(i64::MIN, None);
        let bits = bits.view_dtype(Kind::Int16).narrow(0, 0, elements);
        bits.ge(i64::from(i16::MIN) + self.dropping).to_kind(Kind::Float).view(shape)
    }

    /// A fresh mask of 0 and 1 / (1 − p): inverted dropout.
    pub(crate) fn scaled(self, shape: &[i64], device: Device) -> Tensor {
        let values = f64::from(1u32 << BITS);
        let scale = values / (values - self.dropping as f64);
        self.keep(shape, device).g_mul_scalar_(scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_keep_the_asked_share_and_the_expectation() {
        tch::manual_seed(3);
        for p in [0.1, 0.5, 0.9] {
            let drop = Drop::new(p).expect("drops something");
            let keep = drop.keep(&[1001, 999], Device::Cpu);
            let share = keep.mean(Kind::Double).double_value(&[]);
            assert!((share - (1.0 - p)).abs() < 0.003, "kept {share} at {p}");
            let scaled = drop.scaled(&[1001, 999], Device::Cpu);
            let mean = scaled.mean(Kind::Double).double_value(&[]);
            assert!((mean - 1.0).abs() < 0.02, "mean {mean} at {p}");
        }
        assert_eq!(Drop::new(0.0), None);
    }

    #[test]
    fn a_seed_repeats_its_masks() {
        let drop = Drop::new(0.3).expect("drops something");
        let draw = |seed| {
            tch::manual_seed(seed);
            drop.keep(&[7, 13], Device::Cpu)
        };
        let (first, again, other) = (draw(5), draw(5), draw(6));
        assert_eq!(first, again);
        assert_ne!(first, other);
    }
}
