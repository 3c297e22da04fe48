//! SGD with momentum, over all parameters at once: what the study fine-tunes with.

use augreg_kernels::SgdUpdate;
use augreg_spec::Sgd;
use augreg_vit::Parameters;
use tch::{Device, Kind, Tensor};

use crate::adamw::{kind, stored, to_host};

/// SGD with momentum over the flat parameter buffer. Its state is one tensor of the parameters' size.
///
/// Per update, with gradient g: `g ← g / max(1, ‖g‖ / clip)`, `m ← μ m + g`, `θ ← θ − η m`. There is no
/// weight decay.
///
/// # Source
///
/// `vit_jax/train.py` and paper §3.5: momentum 0.9, accumulator in bfloat16 (`accumulator_dtype` of
/// `optax.trace`: m is rounded when it is stored, and used before), global norm clipped at 1.
#[derive(Debug)]
pub struct FlatSgd {
    /// μ, rounded as the accumulator is.
    decay: f32,
    clip_norm: f64,
    accumulator: Tensor,
}

impl FlatSgd {
    /// An optimizer that has seen no gradient.
    #[must_use]
    pub fn new(settings: Sgd, parameters: &Parameters) -> Self {
        let Sgd { momentum, clip_norm, accumulator_dtype, .. } = settings;
        let accumulator = parameters.flat().zeros_like().to_kind(kind(accumulator_dtype));
        Self { decay: stored(accumulator_dtype, momentum), clip_norm, accumulator }
    }

    /// Copies the accumulator to the host.
    #[must_use]
    pub fn accumulator_to_host(&self) -> Vec<f32> {
        to_host(&self.accumulator)
    }

    /// Overwrites the accumulator.
    ///
    /// # Panics
    ///
    /// If there is not one value for each parameter.
    pub fn copy_accumulator_from_host(&mut self, values: &[f32]) {
        assert_eq!(self.accumulator.numel(), values.len(), "one value for each parameter");
        self.accumulator.copy_(&Tensor::from_slice(values));
    }

    /// One update at learning rate `rate`. Returns a scalar on the device that is finite if the
    /// gradient and all parameters are.
    ///
    /// # Shapes
    ///
    /// `gradient`: `[elements]`, laid out like [`Parameters::flat`].
    pub fn update(&mut self, parameters: &Parameters, mut gradient: Tensor, rate: f64) -> Tensor {
        let _guard = tch::no_grad_guard();
        let (norm, mut flat) = (gradient.norm(), parameters.flat());
        let health = if parameters.device() == Device::Cpu {
            let over = (norm.double_value(&[]) / self.clip_norm).max(1.0);
            let update = SgdUpdate {
                gradient_scale: (1.0 / over) as f32,
                rate: rate as f32,
                momentum: self.decay,
            };
            let finite = augreg_kernels::sgd(&flat, &gradient, &self.accumulator, update);
            if finite { norm } else { norm * f64::NAN }
        } else {
            let _ = gradient.g_div_(&(&norm / self.clip_norm).clamp_min(1.0));
            let moved = self.accumulator.to_kind(Kind::Float) * f64::from(self.decay) + gradient;
            self.accumulator.copy_(&moved);
            let _ = flat.g_add_(&(moved * -rate));
            norm + flat.sum(Kind::Float)
        };
        parameters.refresh();
        health
    }
}
