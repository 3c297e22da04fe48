//! What is chosen among runs, and by what.

use std::collections::BTreeMap;

use augreg_store::Run;

use crate::paper::Upstream;

/// The study's drop rates are 0 and 0.1; a float of a file is never further off than this.
const CLOSE: f64 = 1e-9;

/// A number, and the runs behind it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Chosen {
    /// Accuracy in per cent, a difference in points, or images a second.
    pub(super) value: f64,
    /// How many runs it was chosen among.
    pub(super) runs: usize,
}

/// Runs to choose among.
pub(super) struct Runs<'a> {
    of_model: BTreeMap<&'a str, Vec<&'a Run>>,
}

/// What tells upstream runs apart whose adaptations are rows of their own. Own runs have their job.
type Identity<'a> = (Option<&'a str>, Option<&'a str>, [Option<u64>; 4]);

impl<'a> Runs<'a> {
    pub(super) fn new(runs: &'a [Run]) -> Self {
        let mut of_model: BTreeMap<&str, Vec<&Run>> = BTreeMap::new();
        for run in runs {
            of_model.entry(&run.model).or_default().push(run);
        }
        for runs in of_model.values_mut() {
            // Imported ones have no job and stay in the order of their table.
            runs.sort_by_key(|run| (&run.job_id, &run.adapt_job_id));
        }
        Self { of_model }
    }

    /// The runs of a model on an upstream, one row an adaptation.
    fn of(&self, upstream: Upstream, model: &str) -> impl Iterator<Item = &'a Run> {
        let of_model = self.of_model.get(model).map(Vec::as_slice).unwrap_or_default();
        of_model.iter().copied().filter(move |run| {
            run.dataset == upstream.dataset()
                && (run.epochs - f64::from(upstream.epochs())).abs() < CLOSE
        })
    }

    /// A cell of Figure 4: the best mean over seeds.
    pub(super) fn cell(
        &self,
        upstream: Upstream,
        model: &str,
        augmentation: &str,
        drop_rate: f64,
    ) -> Option<Chosen> {
        let is = |rate: Option<f64>| rate.is_some_and(|rate| (rate - drop_rate).abs() < CLOSE);
        let cell = self.of(upstream, model).filter(|run| {
            run.augmentation.as_deref() == Some(augmentation)
                && is(run.dropout)
                && is(run.stochastic_depth)
        });
        // An upstream run counts once, however many adaptations it has.
        let mut settings: BTreeMap<_, BTreeMap<Identity, f64>> = BTreeMap::new();
        for run in cell {
            let Some(accuracy) = run.final_val else { continue };
            let bits = |value: Option<f64>| value.map(f64::to_bits);
            let setting = (bits(run.weight_decay), bits(run.learning_rate), run.resolution);
            settings.entry(setting).or_default().insert(identity(run), accuracy);
        }
        let runs = settings.values().map(BTreeMap::len).sum();
        let means = settings
            .into_values()
            .map(|of_seeds| of_seeds.values().sum::<f64>() / of_seeds.len() as f64 * 100.0);
        means.reduce(f64::max).map(|value| Chosen { value, runs })
    }

    /// The final test accuracy of the run with the best validation accuracy, not adapted.
    pub(super) fn upstream_test(&self, upstream: Upstream, model: &str) -> Option<Chosen> {
        let best = first_best(self.of(upstream, model), |run| run.final_val)?;
        Some(Chosen { value: best.final_test? * 100.0, runs: self.count(upstream, model) })
    }

    /// The test accuracy of an adaptation: of the upstream run with the best validation accuracy,
    /// adapted as is best on the downstream validation split.
    pub(super) fn adapted(
        &self,
        upstream: Upstream,
        model: &str,
        dataset: &str,
        resolution: Option<u32>,
    ) -> Option<Chosen> {
        let best = identity(first_best(self.of(upstream, model), |run| run.final_val)?);
        let adaptations: Vec<_> = self
            .of(upstream, model)
            .filter(|run| identity(run) == best && is_adapted(run, dataset, resolution))
            .collect();
        let runs = adaptations.len();
        let chosen = first_best(adaptations.into_iter(), |run| run.adapt_final_val)?;
        Some(Chosen { value: chosen.adapt_final_test? * 100.0, runs })
    }

    /// What the early choice costs: [`Runs::adapted`] minus that of the best of all runs and
    /// adaptations by the downstream validation split. Negative: it loses.
    pub(super) fn price_of_choosing_early(
        &self,
        upstream: Upstream,
        model: &str,
        dataset: &str,
    ) -> Option<Chosen> {
        let early = self.adapted(upstream, model, dataset, None)?;
        let all: Vec<_> =
            self.of(upstream, model).filter(|run| is_adapted(run, dataset, None)).collect();
        let runs = all.len();
        let late = first_best(all.into_iter(), |run| run.adapt_final_val)?.adapt_final_test?;
        Some(Chosen { value: early.value - late * 100.0, runs })
    }

    /// Inference speed, whatever it was measured on.
    pub(super) fn speed(&self, model: &str, resolution: u32) -> Option<Chosen> {
        let of_model = self.of_model.get(model).map(Vec::as_slice).unwrap_or_default();
        let here = |run: &&&Run| run.adapt_resolution.or(run.resolution) == Some(resolution);
        let speeds = of_model.iter().filter(here).filter_map(|run| run.infer_images_per_second);
        speeds.reduce(f64::max).map(|value| Chosen { value, runs: 1 })
    }

    /// How many upstream runs there are.
    fn count(&self, upstream: Upstream, model: &str) -> usize {
        let runs: std::collections::BTreeSet<_> = self.of(upstream, model).map(identity).collect();
        runs.len()
    }
}

fn is_adapted(run: &Run, dataset: &str, resolution: Option<u32>) -> bool {
    run.adapt_dataset.as_deref() == Some(dataset)
        && resolution.is_none_or(|side| run.adapt_resolution == Some(side))
}

fn identity(run: &Run) -> Identity<'_> {
    let bits = |value: Option<f64>| value.map(f64::to_bits);
    let settings =
        [run.learning_rate, run.weight_decay, run.dropout, run.stochastic_depth].map(bits);
    (run.job_id.as_deref(), run.augmentation.as_deref(), settings)
}

/// The best by a number, the first of those that tie; those without the number are left out.
fn first_best<'a>(
    runs: impl Iterator<Item = &'a Run>,
    by: impl Fn(&Run) -> Option<f64>,
) -> Option<&'a Run> {
    let ranked = runs.filter_map(|run| Some((by(run)?, run)));
    ranked.reduce(|best, run| if run.0 > best.0 { run } else { best }).map(|(_, run)| run)
}
