//! AdamW in the study's form, over all parameters at once.

use augreg_spec::AdamW;
use augreg_vit::Parameters;
use tch::Tensor;

/// AdamW over the flat parameter buffer. Its state is two tensors of the parameters' size.
///
/// Per update, with gradient g, learning rate η·s (peak times schedule) and update count t from 1:
///
/// 1. `g ← g / max(1, ‖g‖ / clip)`, ‖·‖ over all parameters;
/// 2. `m ← β₁ m + (1 − β₁) g`, `v ← β₂ v + (1 − β₂) g²`;
/// 3. `θ ← θ − s η (m̂ / (√v̂ + ε) + λ θ)`, where `m̂ = m / (1 − β₁ᵗ)`, `v̂ = v / (1 − β₂ᵗ)`, and λ acts
///    on kernels only.
///
/// # Source
///
/// `make` in big_vision `optax.py`: clip → adam → ×lr → + wd·θ → ×schedule. Its `wd` is not
/// multiplied by the peak learning rate; ours is, as the paper says (§3.3).
#[derive(Debug)]
pub struct FlatAdamW {
    settings: AdamW,
    moments: [Tensor; 2],
}

impl FlatAdamW {
    /// An optimizer that has seen no gradient.
    #[must_use]
    pub fn new(settings: AdamW, parameters: &Parameters) -> Self {
        let zeros = || parameters.flat().zeros_like();
        Self { settings, moments: [zeros(), zeros()] }
    }

    /// Copies both moments to the host.
    #[must_use]
    pub fn moments_to_host(&self) -> [Vec<f32>; 2] {
        [0, 1].map(|i| {
            let moment: &Tensor = &self.moments[i];
            let mut values = vec![0f32; moment.numel()];
            moment.to_device(tch::Device::Cpu).copy_data(&mut values, moment.numel());
            values
        })
    }

    /// Overwrites both moments.
    ///
    /// # Panics
    ///
    /// If there is not one value for each parameter.
    pub fn copy_moments_from_host(&mut self, values: &[Vec<f32>; 2]) {
        for (moment, values) in self.moments.iter_mut().zip(values) {
            assert_eq!(moment.numel(), values.len(), "one value for each parameter");
            moment.copy_(&Tensor::from_slice(values));
        }
    }

    /// The update that follows `step` others, at `factor` of the peak learning rate.
    ///
    /// Returns the gradient's global norm before clipping, a scalar on the device: nothing here
    /// waits for the device.
    ///
    /// # Shapes
    ///
    /// `gradient`: `[elements]`, laid out like [`Parameters::flat`].
    pub fn update(
        &mut self,
        parameters: &Parameters,
        mut gradient: Tensor,
        step: u64,
        factor: f64,
    ) -> Tensor {
        let _guard = tch::no_grad_guard();
        let AdamW { learning_rate, weight_decay, beta1, beta2, eps, clip_norm, .. } = self.settings;
        let updates = (step + 1) as f64;
        let rate = learning_rate * factor;
        let [first, second] = &mut self.moments;

        let norm = gradient.norm();
        let _ = gradient.g_div_(&(&norm / clip_norm).clamp_min(1.0));

        let _ = first.lerp_(&gradient, 1.0 - beta1);
        let _ = second.lerp_(&gradient.square_(), 1.0 - beta2);
        let mut root = (&*second / (1.0 - beta2.powf(updates))).sqrt_();
        let mut change = &*first / root.g_add_scalar_(eps);
        let _ = change.g_mul_scalar_(-rate / (1.0 - beta1.powf(updates)));

        let mut flat = parameters.flat();
        let mut kernels = flat.narrow(0, 0, parameters.kernel_elements());
        let _ = kernels.g_mul_scalar_(1.0 - rate * weight_decay);
        let _ = flat.g_add_(&change);
        norm
    }
}
