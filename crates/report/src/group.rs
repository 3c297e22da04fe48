//! Checkpoints by model, upstream set and budget.

use augreg_store::Run;

use crate::JobRow;
use crate::label::{self, printable};
use crate::order::Order;
use crate::study::OWN;

/// Training images of the published upstream sets (paper, axis of Figure 1).
const PUBLISHED_SETS: [(&str, f64); 3] = [("i1k", 1.28e6), ("i21k", 13e6), ("jft300m", 300e6)];

/// A checkpoint and its adaptations.
#[derive(Debug, Clone)]
pub(crate) struct Upstream<'a> {
    /// One of its rows, for its settings.
    pub(crate) run: &'a Run,
    /// Final upstream validation accuracy in [0, 1].
    pub(crate) val: Option<f64>,
    /// Final upstream test accuracy in [0, 1].
    pub(crate) test: Option<f64>,
    /// Its rows that are an adaptation.
    pub(crate) adapted: Vec<&'a Run>,
}

/// The checkpoints of one model, one upstream data set and one budget, from one source.
#[derive(Debug, Clone)]
pub(crate) struct Group<'a> {
    pub(crate) source: &'a str,
    pub(crate) model: &'a str,
    pub(crate) dataset: &'a str,
    pub(crate) epochs: f64,
    pub(crate) upstreams: Vec<Upstream<'a>>,
    /// Its jobs without a result.
    pub(crate) pending: Vec<&'a JobRow>,
}

/// The settings that a choice may be restricted by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings<'a> {
    pub(crate) augmentation: Option<&'a str>,
    pub(crate) regularized: Option<bool>,
}

impl<'a> Settings<'a> {
    pub(crate) fn of_run(run: &'a Run) -> Self {
        let drops = run.dropout.zip(run.stochastic_depth);
        Self {
            augmentation: run.augmentation.as_deref(),
            regularized: drops.map(|(dropout, depth)| dropout > 0.0 || depth > 0.0),
        }
    }

    pub(crate) fn of_job(job: &'a JobRow) -> Self {
        Self { augmentation: Some(&job.augmentation), regularized: Some(job.is_regularized()) }
    }
}

/// Without augmentation and without regularization.
pub(crate) fn is_plain(settings: &Settings<'_>) -> bool {
    settings.augmentation == Some("none") && settings.regularized == Some(false)
}

impl<'a> Group<'a> {
    pub(crate) fn new(source: &'a str, model: &'a str, dataset: &'a str, epochs: f64) -> Self {
        Self { source, model, dataset, epochs, upstreams: Vec::new(), pending: Vec::new() }
    }

    pub(crate) fn add(&mut self, run: &'a Run) {
        let known = self.upstreams.iter().rposition(|known| same_upstream(known.run, run));
        let at = known.unwrap_or_else(|| {
            self.upstreams.push(Upstream { run, val: None, test: None, adapted: Vec::new() });
            self.upstreams.len() - 1
        });
        let upstream = &mut self.upstreams[at];
        let number = |value: Option<f64>| value.filter(|value| value.is_finite());
        upstream.val = upstream.val.or(number(run.final_val));
        upstream.test = upstream.test.or(number(run.final_test));
        if run.adapt_dataset.is_some() {
            upstream.adapted.push(run);
        }
    }

    /// Training images of its upstream set, where known.
    pub(crate) fn images(&self) -> Option<f64> {
        let of_own = self.upstreams.iter().find_map(|upstream| upstream.run.train_examples);
        let published = || PUBLISHED_SETS.iter().find(|set| set.0 == self.dataset);
        of_own.map(|images| images as f64).or_else(|| published().map(|set| set.1))
    }

    /// Training images times epochs, where known.
    pub(crate) fn images_seen(&self) -> Option<f64> {
        self.images().map(|images| images * self.epochs)
    }

    pub(crate) fn adapted(&self) -> impl Iterator<Item = &'a Run> + use<'_, 'a> {
        self.upstreams.iter().flat_map(|upstream| upstream.adapted.iter().copied())
    }

    /// `i21k, 300 epochs`, with the source where that is not the study itself.
    pub(crate) fn budget(&self) -> String {
        let budget = format!("{}, {}", printable(self.dataset), label::epochs(self.epochs));
        self.sourced(&budget)
    }

    /// `B/16, i21k, 300 epochs`.
    pub(crate) fn name(&self) -> String {
        format!("{}, {}", printable(self.model), self.budget())
    }

    /// `text`, with the source where that is not the study itself.
    pub(crate) fn sourced(&self, text: &str) -> String {
        if self.source == OWN {
            text.to_owned()
        } else {
            format!("{text} ({})", printable(self.source))
        }
    }
}

/// Whether two rows are of one checkpoint.
fn same_upstream(a: &Run, b: &Run) -> bool {
    let settings = |run: &Run| {
        [run.learning_rate, run.weight_decay, run.dropout, run.stochastic_depth]
            .map(|value| value.map(Order))
    };
    match (&a.job_id, &b.job_id) {
        (Some(a), Some(b)) => a == b,
        (None, None) => a.augmentation == b.augmentation && settings(a) == settings(b),
        _ => false,
    }
}
