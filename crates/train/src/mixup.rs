//! Mixup: one λ a step for the whole batch, partners by rolling the batch by one.

use augreg_spec::random::{Purpose, stream};
use rand_distr::{Beta, Distribution};
use tch::Tensor;

/// Mixup with `λ ~ Beta(α, α)`.
///
/// # Source
///
/// `get_mixup` in big_vision `utils.py`: λ is at least ½, example i is mixed with example i − 1,
/// the first with the last.
#[derive(Debug, Clone, Copy)]
pub struct Mixup {
    beta: Beta<f64>,
    seed: u64,
}

impl Mixup {
    /// None if `alpha` is 0 or no parameter of a Beta distribution: mixup is off.
    #[must_use]
    pub fn new(alpha: f64, seed: u64) -> Option<Self> {
        Beta::new(alpha, alpha).ok().map(|beta| Self { beta, seed })
    }

    /// The share of an example in its own mixture at `step`, in [½, 1].
    #[must_use]
    pub fn lambda(&self, step: u64) -> f64 {
        let mut draws = stream(self.seed, Purpose::Mixup, step, 0);
        let lambda: f64 = self.beta.sample(draws.generator());
        lambda.max(1.0 - lambda)
    }

    /// Mixes images or targets along their first dimension: `λ x_i + (1 − λ) x_{i−1}`.
    pub fn mix(lambda: f64, x: &Tensor) -> Tensor {
        x.lerp(&x.roll(1, 0), 1.0 - lambda)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_is_mixed_with_the_one_before_it() {
        let x = Tensor::from_slice(&[1.0f32, 10.0, 100.0]).view([3, 1]);
        let mixed = Vec::<f32>::try_from(Mixup::mix(0.75, &x).view(-1)).expect("floats");
        assert_eq!(mixed, [25.75, 7.75, 77.5]);
    }

    #[test]
    fn lambda_is_drawn_per_step_and_keeps_the_larger_share() {
        let mixup = Mixup::new(0.2, 1).expect("on");
        let lambdas: Vec<_> = (0..2000).map(|step| mixup.lambda(step)).collect();
        assert!(lambdas.iter().all(|lambda| (0.5..=1.0).contains(lambda)));
        assert_eq!(mixup.lambda(5).to_bits(), lambdas[5].to_bits());
        // E max(λ, 1 − λ) for Beta(0.2, 0.2), by 4·10⁶ NumPy draws.
        let mean = lambdas.iter().sum::<f64>() / 2000.0;
        assert!((mean - 0.8988).abs() < 0.01, "{mean}");
        assert!(Mixup::new(0.0, 1).is_none());
    }
}
