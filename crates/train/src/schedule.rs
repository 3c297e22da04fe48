//! The learning-rate schedule: linear warm-up, then a cosine to 0.

use std::f64::consts::PI;

/// The factor in [0, 1] that multiplies the peak learning rate in update `step`.
///
/// `½ (1 + cos(π · clip((t − w) / (T − w), 0, 1))) · min(1, t / w)` for the update that follows `t`
/// others, with `w` steps of warm-up and `T` steps in all. The first update of a warm-up therefore
/// has factor 0.
///
/// # Source
///
/// `create_learning_rate_schedule` in big_vision `utils.py`, `decay_type='cosine'`.
#[must_use]
pub fn factor(step: u64, warmup: u64, steps: u64) -> f64 {
    let decay = steps.saturating_sub(warmup).max(1) as f64;
    let progress = (step.saturating_sub(warmup) as f64 / decay).min(1.0);
    let warm = if step < warmup { step as f64 / warmup as f64 } else { 1.0 };
    0.5 * (1.0 + (PI * progress).cos()) * warm
}

#[cfg(test)]
mod tests {
    use super::factor;

    /// Values of `create_learning_rate_schedule(total_steps=100, base=1, decay_type='cosine',
    /// warmup_steps=10)`, computed with NumPy.
    #[test]
    fn the_schedule_has_the_values_of_big_vision() {
        for (step, expected) in [
            (0, 0.0),
            (1, 0.1),
            (5, 0.5),
            (9, 0.9),
            (10, 1.0),
            (40, 0.75),
            (55, 0.5),
            (70, 0.25),
            (99, 0.000_304_586_490_452_134_9),
            (100, 0.0),
        ] {
            assert!((factor(step, 10, 100) - expected).abs() < 1e-12, "step {step}");
        }
    }

    #[test]
    fn without_warm_up_the_first_update_has_the_peak_and_short_jobs_stay_finite() {
        assert!((factor(0, 0, 100) - 1.0).abs() < 1e-12);
        assert!((factor(3, 10, 4) - 0.3).abs() < 1e-12, "a job that ends while warming up");
        assert!((factor(0, 0, 1) - 1.0).abs() < 1e-12);
    }
}
