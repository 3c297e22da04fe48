//! AdamW in the study's form, over all parameters at once.

use augreg_kernels::AdamWUpdate;
use augreg_spec::{AdamW, Precision};
use augreg_vit::Parameters;
use tch::{Device, Kind, Tensor};

/// AdamW over the flat parameter buffer. Its state is two tensors of the parameters' size.
///
/// Per update, with gradient g, learning rate η·s (peak times schedule) and update count t from 1:
///
/// 1. `g ← g / max(1, ‖g‖ / clip)`, ‖·‖ over all parameters;
/// 2. `m ← β₁ m + (1 − β₁) g`, `v ← β₂ v + (1 − β₂) g²`;
/// 3. `θ ← θ − s η (m̂ / (√v̂ + ε) + λ θ)`, where `m̂ = m / (1 − β₁ᵗ)`, `v̂ = v / (1 − β₂ᵗ)`, and λ acts
///    on kernels only.
///
/// On a CPU that is one pass over memory (`augreg-kernels`), on other devices a few operations of
/// libtorch's, each over the whole buffer.
///
/// # Source
///
/// `make` in big_vision `optax.py`: clip → adam → ×lr → + wd·θ → ×schedule. Its `wd` is not
/// multiplied by the peak learning rate; ours is, as the paper says (§3.3). `mu_dtype` is optax's: m
/// is rounded when it is stored and used before, and what is left of it is β₁ rounded alike.
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
        Self { settings, moments: [zeros().to_kind(kind(settings.mu_dtype)), zeros()] }
    }

    /// Copies both moments to the host.
    #[must_use]
    pub fn moments_to_host(&self) -> [Vec<f32>; 2] {
        [0, 1].map(|i| to_host(&self.moments[i]))
    }

    /// Overwrites both moments.
    ///
    /// # Panics
    ///
    /// If there is not one value for each parameter.
    pub fn copy_moments_from_host(&mut self, values: [&[f32]; 2]) {
        for (moment, values) in self.moments.iter_mut().zip(values) {
            assert_eq!(moment.numel(), values.len(), "one value for each parameter");
            moment.copy_(&Tensor::from_slice(values));
        }
    }

    /// The update that follows `step` others, at `factor` of the peak learning rate.
    ///
    /// Returns a scalar on the device that is finite if the gradient and all parameters are: nothing
    /// here waits for a device other than the CPU.
    ///
    /// # Shapes
    ///
    /// `gradient`: `[elements]`, laid out like [`Parameters::flat`].
    pub fn update(
        &mut self,
        parameters: &Parameters,
        gradient: Tensor,
        step: u64,
        factor: f64,
    ) -> Tensor {
        let _guard = tch::no_grad_guard();
        let health = if parameters.device() == Device::Cpu {
            self.update_in_one_pass(parameters, &gradient, step, factor)
        } else {
            self.update_by_operations(parameters, gradient, step, factor)
        };
        parameters.refresh();
        health
    }

    fn update_in_one_pass(
        &mut self,
        parameters: &Parameters,
        gradient: &Tensor,
        step: u64,
        factor: f64,
    ) -> Tensor {
        let AdamW { learning_rate, weight_decay, beta1, beta2, eps, clip_norm, .. } = self.settings;
        let (updates, rate) = ((step + 1) as f64, learning_rate * factor);
        let norm = gradient.norm();
        let over = (norm.double_value(&[]) / clip_norm).max(1.0);
        let update = AdamWUpdate {
            gradient_scale: (1.0 / over) as f32,
            rate: rate as f32,
            decay: (1.0 - rate * weight_decay) as f32,
            beta1: stored(self.settings.mu_dtype, beta1),
            share1: (1.0 - beta1) as f32,
            beta2: beta2 as f32,
            share2: (1.0 - beta2) as f32,
            first: (1.0 / (1.0 - beta1.powf(updates))) as f32,
            second: (1.0 / (1.0 - beta2.powf(updates))) as f32,
            eps: eps as f32,
        };
        let flat = parameters.flat();
        let kernels = parameters.kernel_elements();
        let others = flat.numel() as i64 - kernels;
        let mut finite = true;
        for (from, elements, decay) in [(0, kernels, update.decay), (kernels, others, 1.0)] {
            let part = |tensor: &Tensor| tensor.narrow(0, from, elements);
            let [first, second] = &self.moments;
            let (theta, gradient) = (part(&flat), part(gradient));
            let update = AdamWUpdate { decay, ..update };
            finite &= augreg_kernels::adamw(&theta, &gradient, &part(first), &part(second), update);
        }
        if finite { norm } else { norm * f64::NAN }
    }

    fn update_by_operations(
        &mut self,
        parameters: &Parameters,
        mut gradient: Tensor,
        step: u64,
        factor: f64,
    ) -> Tensor {
        let AdamW { learning_rate, weight_decay, beta1, beta2, eps, clip_norm, .. } = self.settings;
        let (updates, rate) = ((step + 1) as f64, learning_rate * factor);
        let [moment, second] = &mut self.moments;

        let norm = gradient.norm();
        let _ = gradient.g_div_(&(&norm / clip_norm).clamp_min(1.0));

        // The moment itself, unless it is kept in another kind.
        let decay = f64::from(stored(self.settings.mu_dtype, beta1));
        let mut first = moment.to_kind(Kind::Float);
        let _ = first.g_mul_scalar_(decay).g_add_(&(&gradient * (1.0 - beta1)));
        if moment.kind() != Kind::Float {
            moment.copy_(&first);
        }
        let _ = second.lerp_(&gradient.square_(), 1.0 - beta2);
        let mut root = (&*second / (1.0 - beta2.powf(updates))).sqrt_();
        let mut change = &first / root.g_add_scalar_(eps);
        let _ = change.g_mul_scalar_(-rate / (1.0 - beta1.powf(updates)));

        let mut flat = parameters.flat();
        let mut kernels = flat.narrow(0, 0, parameters.kernel_elements());
        let _ = kernels.g_mul_scalar_(1.0 - rate * weight_decay);
        let _ = flat.g_add_(&change);
        norm + flat.sum(Kind::Float)
    }
}

/// The decay of a moment as it meets one that is kept in `precision`: JAX computes `0.9 · m` in the
/// kind of m, and 0.9 in bfloat16 is 0.8984375.
pub(crate) fn stored(precision: Precision, decay: f64) -> f32 {
    let rounded = Tensor::from(decay as f32).to_kind(kind(precision)).to_kind(Kind::Float);
    rounded.double_value(&[]) as f32
}

/// Copies a flat tensor to the host, as 32-bit floats.
pub(crate) fn to_host(flat: &Tensor) -> Vec<f32> {
    let flat = flat.to_device(Device::Cpu).to_kind(Kind::Float);
    let mut values = vec![0f32; flat.numel()];
    flat.copy_data(&mut values, flat.numel());
    values
}

/// libtorch's kind of a buffer.
pub(crate) fn kind(precision: Precision) -> Kind {
    match precision {
        Precision::Fp32 => Kind::Float,
        Precision::Bf16 => Kind::BFloat16,
    }
}
