//! Whichever optimizer a job has, behind one face.

use augreg_spec::Optimizer;
use augreg_vit::Parameters;
use augreg_vit::checkpoint::Moments;
use tch::Tensor;

use crate::adamw::FlatAdamW;
use crate::sgd::FlatSgd;

/// An optimizer with what it keeps of every parameter.
#[derive(Debug)]
pub(crate) enum FlatOptimizer {
    AdamW(FlatAdamW),
    Sgd(FlatSgd),
}

impl FlatOptimizer {
    /// One that has seen no gradient.
    pub(crate) fn new(settings: Optimizer, parameters: &Parameters) -> Self {
        match settings {
            Optimizer::AdamW(settings) => Self::AdamW(FlatAdamW::new(settings, parameters)),
            Optimizer::Sgd(settings) => Self::Sgd(FlatSgd::new(settings, parameters)),
        }
    }

    /// The update that follows `step` others, at `factor` of the peak learning rate, which is `peak`.
    /// Returns a scalar on the device that is finite if the gradient and all parameters are.
    pub(crate) fn update(
        &mut self,
        parameters: &Parameters,
        gradient: Tensor,
        step: u64,
        (peak, factor): (f64, f64),
    ) -> Tensor {
        match self {
            Self::AdamW(optimizer) => optimizer.update(parameters, gradient, step, factor),
            Self::Sgd(optimizer) => optimizer.update(parameters, gradient, peak * factor),
        }
    }

    /// What it keeps, under what names.
    pub(crate) fn kept(&self) -> Moments {
        match self {
            Self::AdamW(_) => Moments::Adam,
            Self::Sgd(_) => Moments::Sgd,
        }
    }

    /// Copies what it keeps to the host.
    pub(crate) fn moments_to_host(&self) -> Vec<Vec<f32>> {
        match self {
            Self::AdamW(optimizer) => optimizer.moments_to_host().into(),
            Self::Sgd(optimizer) => vec![optimizer.accumulator_to_host()],
        }
    }

    /// Overwrites what it keeps. A checkpoint of this job holds as many as it needs.
    pub(crate) fn copy_moments_from_host(&mut self, moments: &[Vec<f32>]) {
        match (self, moments) {
            (Self::AdamW(optimizer), [first, second]) => {
                optimizer.copy_moments_from_host([first, second]);
            }
            (Self::Sgd(optimizer), [accumulator]) => {
                optimizer.copy_accumulator_from_host(accumulator);
            }
            (_, moments) => panic!("an optimizer does not keep {} moments", moments.len()),
        }
    }
}
