//! The training losses of the last steps, those not journalled yet, and the watch for divergence.
//!
//! Losses stay on the device until somebody asks or [`LAG`] have gathered, so that a GPU is not
//! waited for at every step. The step that is blamed for a divergence is the same either way.

use std::collections::VecDeque;

use augreg_protocol::FailureKind;
use tch::{Kind, Tensor};

use crate::failure::Failure;

/// How many losses are kept for means: as many as `Outcome::train_loss` may span.
pub(crate) const KEPT: usize = 100;

/// Steps after which losses are fetched from a CUDA device at the latest.
const LAG: usize = 16;

/// A step whose loss is still on the device: steps done after it, its learning rate, and there
/// `[loss, health]`, where health is finite if gradient and parameters are.
struct Pending {
    step: u64,
    rate: f64,
    values: Tensor,
}

/// Losses of consecutive steps.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Series {
    /// Steps done when the first was measured; meaningless while there is none.
    pub(crate) first: u64,
    pub(crate) values: Vec<f32>,
}

/// The losses of the last steps.
pub(crate) struct Losses {
    recent: VecDeque<f32>,
    unwritten: Series,
    pending: Vec<Pending>,
    lag: usize,
}

impl Losses {
    /// Goes on from the losses of a checkpoint.
    pub(crate) fn new(recent: Vec<f32>, device: tch::Device) -> Self {
        let lag = if device.is_cuda() { LAG } else { 1 };
        Self { recent: recent.into(), unwritten: Series::default(), pending: Vec::new(), lag }
    }

    /// Takes note of the step that made `step` steps done.
    pub(crate) fn push(
        &mut self,
        step: u64,
        rate: f64,
        loss: &Tensor,
        health: &Tensor,
    ) -> Result<(), Failure> {
        let values = Tensor::stack(&[loss.detach(), health.detach()], 0);
        self.pending.push(Pending { step, rate, values });
        if self.pending.len() >= self.lag { self.settle() } else { Ok(()) }
    }

    /// Fetches what is pending. After this, all steps so far are known to be sound.
    ///
    /// # Errors
    ///
    /// A failure of kind diverged that names the first unsound step.
    pub(crate) fn settle(&mut self) -> Result<(), Failure> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let values: Vec<_> = self.pending.iter().map(|pending| &pending.values).collect();
        let values = Tensor::stack(&values, 0).to_device(tch::Device::Cpu).to_kind(Kind::Float);
        let mut host = vec![0f32; values.numel()];
        values.copy_data(&mut host, values.numel());
        for (pending, values) in self.pending.drain(..).zip(host.chunks_exact(2)) {
            let (step, rate, loss) = (pending.step, pending.rate, values[0]);
            let diverged = |what: String| {
                let text = format!("{what} in step {step} at learning rate {rate:.3e}");
                Err(Failure::new(FailureKind::Diverged, text))
            };
            if !loss.is_finite() {
                return diverged(format!("the training loss became {loss}"));
            }
            if !values[1].is_finite() {
                return diverged(format!(
                    "the loss was {loss}, but a gradient or parameter left the range of 32-bit floats"
                ));
            }
            if self.recent.len() == KEPT {
                self.recent.pop_front();
            }
            self.recent.push_back(loss);
            if self.unwritten.values.is_empty() {
                self.unwritten.first = step;
            }
            self.unwritten.values.push(loss);
        }
        Ok(())
    }

    /// How many settled losses have not been taken yet.
    pub(crate) fn unwritten(&self) -> usize {
        self.unwritten.values.len()
    }

    /// The settled losses since they were taken last; none if there are none.
    pub(crate) fn take_unwritten(&mut self) -> Option<Series> {
        (self.unwritten() > 0).then(|| std::mem::take(&mut self.unwritten))
    }

    /// Mean over the last `count` settled losses, at most [`KEPT`]; none before the first.
    pub(crate) fn mean(&self, count: u64) -> Option<f64> {
        let count = (count.max(1) as usize).min(self.recent.len());
        let sum: f64 = self.recent.iter().rev().take(count).map(|&loss| f64::from(loss)).sum();
        (count > 0).then(|| sum / count as f64)
    }

    /// The settled losses, oldest first.
    pub(crate) fn recent(&self) -> Vec<f32> {
        self.recent.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(value: f32) -> Tensor {
        Tensor::from(value)
    }

    #[test]
    fn means_span_the_last_losses_and_survive_a_checkpoint() {
        let mut losses = Losses::new(Vec::new(), tch::Device::Cpu);
        assert_eq!(losses.mean(5), None);
        for step in 1..=150u8 {
            let loss = scalar(f32::from(step));
            losses.push(u64::from(step), 0.1, &loss, &scalar(1.0)).expect("finite");
        }
        assert_eq!(losses.mean(2), Some(149.5));
        assert_eq!(losses.mean(1000), Some(100.5), "at most the last hundred");
        let resumed = Losses::new(losses.recent(), tch::Device::Cpu);
        assert_eq!(resumed.mean(100), losses.mean(100));
    }

    #[test]
    fn the_first_unsound_step_is_blamed_however_late_it_is_seen() {
        for lag in [1, 16] {
            let mut losses = Losses::new(Vec::new(), tch::Device::Cpu);
            losses.lag = lag;
            let mut run = || {
                for (step, loss) in [(1, 0.5), (2, f32::NAN), (3, f32::INFINITY)] {
                    losses.push(step, 1e-3, &scalar(loss), &scalar(0.0))?;
                }
                losses.settle()
            };
            let failure = run().expect_err("diverges");
            assert_eq!(failure.kind, FailureKind::Diverged);
            assert_eq!(
                failure.message,
                "the training loss became NaN in step 2 at learning rate 1.000e-3"
            );
            let sound = Series { first: 1, values: vec![0.5] };
            assert_eq!(losses.take_unwritten(), Some(sound), "what came before is kept");
        }
    }
}
