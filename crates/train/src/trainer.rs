//! One training step, and the state it changes.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use augreg_data::Batch;
use augreg_kernels::InFlight;
use augreg_protocol::{FailureKind, Proof};
use augreg_spec::random::{Purpose, stream};
use augreg_spec::{SplitName, Training};
use augreg_vit::checkpoint::{Moments, TrainingState};
use augreg_vit::{Architecture, Noise, Parameters, Vit, sha256};
use tch::{Device, Kind, Tensor};

use crate::batch::pixels;
use crate::drawn::Drawn;
use crate::failure::Failure;
use crate::loss::{mean_loss, multi_hot};
use crate::losses::Losses;
use crate::micro_batch;
use crate::mixup::Mixup;
use crate::optimizer::FlatOptimizer;
use crate::schedule::factor;

/// A network in training.
pub(crate) struct Trainer<'a> {
    spec: &'a Training,
    device: Device,
    mixup: Option<Mixup>,
    optimizer: FlatOptimizer,
    pub(crate) parameters: Parameters,
    pub(crate) vit: Vit,
    pub(crate) losses: Losses,
    drawn: Drawn,
    /// The images of the last step, on their way to the device.
    in_flight: Option<InFlight>,
    /// Images that go through the network at once.
    pub(crate) micro_batch: u32,
    /// What the journal should tell of the last steps.
    pub(crate) notes: Vec<String>,
    /// Steps done.
    pub(crate) step: u64,
}

impl<'a> Trainer<'a> {
    /// A network at its initial values, at those of `upstream`, or where `resumed` left off.
    pub(crate) fn new(
        spec: &'a Training,
        architecture: Architecture,
        device: Device,
        micro_batch: u32,
        upstream: Option<&[f32]>,
        resumed: Option<&TrainingState>,
    ) -> Self {
        let mut parameters =
            Parameters::initialised(&architecture, spec.head_bias, spec.seed, device)
                .computing_in(spec.precision);
        if let Some(values) = upstream {
            parameters.copy_from_host(values);
        }
        let mut optimizer = FlatOptimizer::new(spec.optimizer, &parameters);
        if let Some(state) = resumed {
            parameters.copy_from_host(&state.parameters);
            optimizer.copy_moments_from_host(&state.moments);
        }
        Self {
            spec,
            device,
            mixup: Mixup::new(spec.augmentation.mixup, spec.seed),
            optimizer,
            vit: Vit::new(architecture, &parameters, spec.regularization),
            parameters,
            losses: Losses::new(
                resumed.map(|state| state.recent_losses.clone()).unwrap_or_default(),
                device,
            ),
            drawn: Drawn::new(
                spec.dataset.examples(SplitName::Train),
                spec.images(),
                resumed.map_or_else(|| Some(Drawn::nothing()), |state| state.orders.clone()),
            ),
            in_flight: None,
            micro_batch,
            notes: Vec::new(),
            step: resumed.map_or(0, |state| state.step),
        }
    }

    /// The learning rate of the update that follows `step` others.
    pub(crate) fn learning_rate(&self, step: u64) -> f64 {
        let optimizer = &self.spec.optimizer;
        optimizer.learning_rate() * factor(step, optimizer.warmup_steps(), self.spec.steps)
    }

    /// One update from one batch: a function of state, batch, seed and step, and of nothing else.
    pub(crate) fn update(&mut self, batch: Batch) -> Result<(), Failure> {
        let (spec, step) = (self.spec, self.step);
        let mut targets =
            multi_hot(&batch.labels, batch.examples.len(), spec.dataset.classes, self.device);
        self.drawn.add(step * u64::from(spec.batch_size), &batch.examples);
        let (mut images, in_flight) = pixels(batch, self.vit.architecture(), self.device);
        // The last one has arrived long ago: all of its step was asked for after it.
        self.in_flight = Some(in_flight);
        if let Some(mixup) = self.mixup {
            let lambda = mixup.lambda(step);
            images = Mixup::mix(lambda, &images);
            targets = Mixup::mix(lambda, &targets);
        }
        let (loss, gradient) = self.fitting_gradient(&images, &targets);
        let factor = factor(step, spec.optimizer.warmup_steps(), spec.steps);
        let peak = spec.optimizer.learning_rate();
        let health = self.optimizer.update(&self.parameters, gradient, step, (peak, factor));

        self.step += 1;
        self.losses.push(self.step, peak * factor, &loss, &health)
    }

    /// [`Self::gradient`], with smaller micro-batches if the device has no room for these: its state
    /// changes only after that.
    fn fitting_gradient(&mut self, images: &Tensor, targets: &Tensor) -> (Tensor, Tensor) {
        loop {
            let whole = AssertUnwindSafe(|| self.gradient(images, targets));
            let payload = match catch_unwind(whole) {
                Ok(gradient) => return gradient,
                Err(payload) => payload,
            };
            let smaller = micro_batch::halved(self.micro_batch);
            let full = Failure::of_panic(payload.as_ref()).kind == FailureKind::OutOfMemory;
            match smaller {
                Some(smaller) if full => {
                    self.notes.push(format!(
                        "{} images at once are too many for the memory of {:?}: from step {} on it is \
                         {smaller}",
                        self.micro_batch, self.device, self.step
                    ));
                    self.micro_batch = smaller;
                }
                _ => resume_unwind(payload),
            }
        }
    }

    /// The loss of a batch and its gradient, summed over micro-batches.
    fn gradient(&self, images: &Tensor, targets: &Tensor) -> (Tensor, Tensor) {
        let seed = stream(self.spec.seed, Purpose::Dropout, self.step, 0).bits();
        let batch = images.size()[0];
        let mut sum: Option<(Tensor, Tensor)> = None;
        for first in (0..batch).step_by(self.micro_batch as usize) {
            let size = i64::from(self.micro_batch).min(batch - first);
            let part = |whole: &Tensor| whole.narrow(0, first, size);
            let noise = Noise { seed, first: first.unsigned_abs() };
            let logits = self.vit.forward(&part(images), Some(noise));
            let mut loss = mean_loss(self.spec.loss, &logits, &part(targets));
            if size < batch {
                loss *= size as f64 / batch as f64;
            }
            let gradient = self.parameters.gradient(&loss);
            let loss = loss.detach();
            sum = Some(match sum {
                None => (loss, gradient),
                Some((losses, mut gradients)) => {
                    let _ = gradients.g_add_(&gradient);
                    (losses + loss, gradients)
                }
            });
        }
        let empty = || Tensor::zeros([1], (Kind::Float, self.device));
        sum.unwrap_or_else(|| (empty(), self.parameters.flat().zeros_like()))
    }

    /// What the optimizer keeps, under what names.
    pub(crate) fn kept(&self) -> Moments {
        self.optimizer.kept()
    }

    /// Everything a later attempt needs of this trainer. Callers settle the losses first.
    pub(crate) fn state(&self) -> TrainingState {
        TrainingState {
            step: self.step,
            parameters: self.parameters.to_host(),
            moments: self.optimizer.moments_to_host(),
            recent_losses: self.losses.recent(),
            evaluated: 0,
            best_val: None,
            seconds: 0.0,
            micro_batch: self.micro_batch,
            orders: self.drawn.sums(),
        }
    }

    /// What a repetition must reproduce beside the parameters; none if the job was begun by an
    /// augreg that did not keep count.
    pub(crate) fn proof(&self) -> Option<Proof> {
        let (order, epoch_orders) = self.drawn.texts()?;
        let moments = self.optimizer.moments_to_host();
        let moments: Vec<&[f32]> = moments.iter().map(Vec::as_slice).collect();
        let optimizer_sha256 = sha256(self.parameters.specs(), &moments);
        Some(Proof { optimizer_sha256, order, epoch_orders })
    }
}
