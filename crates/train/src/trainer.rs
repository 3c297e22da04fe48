//! One training step, and the state it changes.

use augreg_data::Batch;
use augreg_protocol::Proof;
use augreg_spec::random::{Purpose, stream};
use augreg_spec::{PretrainSpec, SplitName};
use augreg_vit::checkpoint::TrainingState;
use augreg_vit::{Architecture, Parameters, Vit, sha256};
use tch::{Device, Kind};

use crate::adamw::FlatAdamW;
use crate::batch::{labels, pixels};
use crate::drawn::Drawn;
use crate::failure::Failure;
use crate::loss::{mean_loss, one_hot};
use crate::losses::Losses;
use crate::mixup::Mixup;
use crate::schedule::factor;

/// A network in training.
pub(crate) struct Trainer<'a> {
    spec: &'a PretrainSpec,
    device: Device,
    mixup: Option<Mixup>,
    optimizer: FlatAdamW,
    pub(crate) parameters: Parameters,
    pub(crate) vit: Vit,
    pub(crate) losses: Losses,
    drawn: Drawn,
    /// Steps done.
    pub(crate) step: u64,
}

impl<'a> Trainer<'a> {
    /// A network at its initial values, or where `resumed` left off.
    pub(crate) fn new(
        spec: &'a PretrainSpec,
        architecture: Architecture,
        device: Device,
        resumed: Option<&TrainingState>,
    ) -> Self {
        let mut parameters =
            Parameters::initialised(&architecture, spec.head_bias, spec.seed, device);
        let mut optimizer = FlatAdamW::new(spec.optimizer, &parameters);
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
                spec.steps() * u64::from(spec.batch_size),
                resumed.map_or_else(|| Some(Drawn::nothing()), |state| state.orders.clone()),
            ),
            step: resumed.map_or(0, |state| state.step),
        }
    }

    /// The learning rate of the update that follows `step` others.
    pub(crate) fn learning_rate(&self, step: u64) -> f64 {
        let optimizer = &self.spec.optimizer;
        optimizer.learning_rate * factor(step, optimizer.warmup_steps, self.spec.steps())
    }

    /// One update from one batch: a function of state, batch, seed and step, and of nothing else.
    pub(crate) fn update(&mut self, batch: &Batch) -> Result<(), Failure> {
        let (spec, step) = (self.spec, self.step);
        let masks = stream(spec.seed, Purpose::Dropout, step, 0).bits();
        tch::manual_seed(masks as i64);

        let mut images = pixels(batch, spec, self.device);
        let mut targets = one_hot(&labels(batch, self.device), i64::from(spec.dataset.classes));
        if let Some(mixup) = self.mixup {
            let lambda = mixup.lambda(step);
            images = Mixup::mix(lambda, &images);
            targets = Mixup::mix(lambda, &targets);
        }
        let logits = self.vit.forward(&images, true);
        let loss = mean_loss(spec.loss, &logits, &targets);
        let gradient = self.parameters.gradient(&loss);
        let factor = factor(step, spec.optimizer.warmup_steps, spec.steps());
        let norm = self.optimizer.update(&self.parameters, gradient, step, factor);

        let health = norm + self.parameters.flat().sum(Kind::Float);
        self.drawn.add(step * u64::from(spec.batch_size), &batch.examples);
        self.step += 1;
        self.losses.push(self.step, spec.optimizer.learning_rate * factor, &loss, &health)
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
            orders: self.drawn.sums(),
        }
    }

    /// What a repetition must reproduce beside the parameters; none if the job was begun by an
    /// augreg that did not keep count.
    pub(crate) fn proof(&self) -> Option<Proof> {
        let (order, epoch_orders) = self.drawn.texts()?;
        let [first, second] = self.optimizer.moments_to_host();
        let optimizer_sha256 = sha256(self.parameters.specs(), &[&first, &second]);
        Some(Proof { optimizer_sha256, order, epoch_orders })
    }
}
