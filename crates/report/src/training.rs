//! A pre-training as a cell of a heat map needs it, from a job or from an imported row.

use augreg_spec::ModelSpec;
use augreg_store::Run;

use crate::heat_map::Column;
use crate::order::Order;
use crate::study::OWN;
use crate::{JobRow, label};

/// A pre-training as a cell needs it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Training<'a> {
    pub(crate) source: Option<&'a str>,
    pub(crate) id: Option<&'a str>,
    pub(crate) dataset: &'a str,
    pub(crate) epochs: f64,
    pub(crate) model: &'a str,
    pub(crate) augmentation: &'a str,
    pub(crate) dropout: f64,
    pub(crate) stochastic_depth: f64,
    pub(crate) weight_decay: f64,
    pub(crate) learning_rate: f64,
    pub(crate) batch_size: u64,
    pub(crate) resolution: u64,
    pub(crate) parameters: Option<u64>,
    /// In [0, 1]; none: not finished.
    pub(crate) validation: Option<f64>,
}

impl<'a> Training<'a> {
    pub(crate) fn of_job(job: &'a JobRow) -> Self {
        Self {
            source: None,
            id: Some(&job.id),
            dataset: &job.dataset,
            epochs: job.epochs,
            model: &job.model,
            augmentation: &job.augmentation,
            dropout: job.dropout,
            stochastic_depth: job.stochastic_depth,
            weight_decay: job.weight_decay,
            learning_rate: job.learning_rate,
            batch_size: job.batch_size,
            resolution: job.resolution,
            parameters: job.parameters,
            validation: job.validation(),
        }
    }

    /// An imported row, if it says what a cell has to know.
    pub(crate) fn of_import(run: &'a Run) -> Option<Self> {
        let source = (run.source != OWN).then_some(run.source.as_str())?;
        Some(Self {
            source: Some(source),
            id: None,
            dataset: &run.dataset,
            epochs: run.epochs,
            model: &run.model,
            augmentation: run.augmentation.as_deref()?,
            dropout: run.dropout?,
            stochastic_depth: run.stochastic_depth?,
            weight_decay: run.weight_decay.unwrap_or(0.0),
            learning_rate: run.learning_rate.unwrap_or(0.0),
            batch_size: 0,
            resolution: 0,
            parameters: run.parameters.and_then(|count| u64::try_from(count).ok()).or_else(|| {
                let spec = ModelSpec::named(&run.model)?;
                Some(spec.parameters(spec.patches(224).ok()?, 3, 1000))
            }),
            validation: Some(run.final_val.filter(|value| value.is_finite())?),
        })
    }

    pub(crate) fn identity(
        &self,
    ) -> (Option<&'a str>, &'a str, Order, &'a str, &'a str, [Order; 6]) {
        let name = (self.source, self.dataset, Order(self.epochs));
        (name.0, name.1, name.2, self.model, self.augmentation, self.setting())
    }

    pub(crate) fn column(&self) -> Column {
        let regularized = self.dropout > 0.0 || self.stochastic_depth > 0.0;
        Column { augmentation: self.augmentation.to_owned(), regularized }
    }

    /// What tells the settings within a cell apart, seeds aside.
    pub(crate) fn setting(&self) -> [Order; 6] {
        [
            self.dropout,
            self.stochastic_depth,
            self.weight_decay,
            self.learning_rate,
            self.batch_size as f64,
            self.resolution as f64,
        ]
        .map(Order)
    }

    pub(crate) fn describe(&self) -> String {
        let (decay, rate) = (self.weight_decay, self.learning_rate);
        let mut parts = Vec::new();
        if self.dropout > 0.0 || self.stochastic_depth > 0.0 {
            let drops = label::drops(self.dropout, self.stochastic_depth);
            parts.push(format!("regularization {drops}"));
        }
        // Published tables need not say.
        if self.source.is_none() || decay > 0.0 {
            parts.push(format!("weight decay {decay}"));
        }
        if self.source.is_none() || rate > 0.0 {
            parts.push(format!("learning rate {rate}"));
        }
        parts.join(", ")
    }
}
