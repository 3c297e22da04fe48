//! The runs of a report by what they have in common, and the study's rules of choice among them.
//!
//! A *group* is what one model has been trained to with one upstream budget: a checkpoint for each
//! of the sweep's settings. Of a group the checkpoint with the highest `final_val` is chosen (the
//! recommended one, paper §4.5), of its adaptations to a data set the one with the highest
//! validation accuracy there; its test accuracy is what figures show. Of runs that tie, the first
//! in the order of registration is taken. Nothing is chosen among runs that are not all there: then
//! a [`Missing`] says what is.

use std::collections::{BTreeMap, BTreeSet};

use augreg_spec::ModelSpec;
pub(crate) use augreg_store::OWN;
use augreg_store::Run;

use crate::JobRow;
pub(crate) use crate::group::{Group, Settings, Upstream, is_plain};
use crate::label::{count, printable};
use crate::order::Order;

/// Something that a figure cannot show for want of runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// What is not there, in words.
    pub what: String,
    /// The jobs that have no result, where it is they that are waited for.
    pub jobs: Vec<String>,
}

impl Missing {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), jobs: Vec::new() }
    }
}

/// A choice, and among how many runs it was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pick<'a> {
    pub(crate) upstream: &'a Run,
    /// The adaptation.
    pub(crate) run: &'a Run,
    /// Its test accuracy in per cent.
    pub(crate) test: f64,
    /// Runs that it was chosen among, upstream and down.
    pub(crate) runs: usize,
}

/// All runs of a report.
#[derive(Debug)]
pub(crate) struct Study<'a> {
    pub(crate) jobs: &'a [JobRow],
    /// Own before imported; by budget, then by size of the model.
    pub(crate) groups: Vec<Group<'a>>,
    /// Transfers without a result by the job they start from.
    waiting: BTreeMap<&'a str, Vec<&'a JobRow>>,
    /// Images a second by whether own, model and resolution.
    speeds: BTreeMap<(bool, &'a str, u32), f64>,
    sizes: BTreeMap<&'a str, i64>,
    /// What evaluations found, in [0, 1], by the job they judge and the data set they judge on.
    pub(crate) judged: BTreeMap<(&'a str, &'a str), f64>,
}

impl<'a> Study<'a> {
    /// Sorts `runs`, of which those without a result are among `jobs`.
    pub(crate) fn of(jobs: &'a [JobRow], runs: &'a [Run]) -> Self {
        let mut sizes: BTreeMap<&str, i64> = BTreeMap::new();
        let mut speeds = BTreeMap::new();
        let mut groups: BTreeMap<_, Group<'a>> = BTreeMap::new();
        for run in runs {
            if let Some(size) = run.parameters {
                let known = sizes.entry(&run.model).or_insert(size);
                *known = size.min(*known);
            }
            let resolution = run.adapt_resolution.or(run.resolution);
            if let (Some(resolution), Some(speed)) = (resolution, run.infer_images_per_second)
                && speed.is_finite()
            {
                let own = run.source == OWN;
                speeds.entry((own, run.model.as_str(), resolution)).or_insert(speed);
            }
            groups
                .entry((run.source.as_str(), &*run.model, &*run.dataset, Order(run.epochs)))
                .or_insert_with(|| Group::new(&run.source, &run.model, &run.dataset, run.epochs))
                .add(run);
        }
        for job in jobs.iter().filter(|job| job.is_pretraining() && !job.has_result()) {
            groups
                .entry((OWN, &*job.model, &*job.dataset, Order(job.epochs)))
                .or_insert_with(|| Group::new(OWN, &job.model, &job.dataset, job.epochs))
                .pending
                .push(job);
        }
        let mut waiting: BTreeMap<&str, Vec<&JobRow>> = BTreeMap::new();
        for job in jobs.iter().filter(|job| job.stage == "transfer" && !job.has_result()) {
            waiting.entry(job.parent.as_deref().unwrap_or_default()).or_default().push(job);
        }
        let evaluations = jobs.iter().filter(|job| job.stage == "evaluate" && job.has_result());
        let judged = evaluations.filter_map(|job| {
            let accuracy = job.final_val.or(job.final_test)?;
            Some(((job.parent.as_deref()?, job.dataset.as_str()), accuracy))
        });
        let judged = judged.collect();
        let groups = groups.into_values().collect();
        let mut study = Self { jobs, groups, waiting, speeds, sizes, judged };
        let mut groups = std::mem::take(&mut study.groups);
        groups.sort_by_cached_key(|group| {
            let seen = group.images_seen().map(Order);
            let budget = (seen, group.dataset, Order(group.epochs));
            (group.source != OWN, group.source, budget, study.size(group.model), group.model)
        });
        study.groups = groups;
        study
    }

    /// Where a model stands among others: by its parameters, unknown ones last.
    pub(crate) fn size(&self, model: &str) -> i64 {
        let published = || {
            let spec = ModelSpec::named(model)?;
            Some(spec.parameters(spec.patches(224).ok()?, 3, 1000) as i64)
        };
        self.sizes.get(model).copied().or_else(published).unwrap_or(i64::MAX)
    }

    /// Names of models from small to large.
    pub(crate) fn models_in_order(&self, models: BTreeSet<&'a str>) -> Vec<&'a str> {
        let mut models: Vec<_> = models.into_iter().collect();
        models.sort_by_key(|model| self.size(model));
        models
    }

    /// Images a second of inference: own measurements for own runs, imported ones for others.
    pub(crate) fn speed(&self, group: &Group<'_>, resolution: u32) -> Option<f64> {
        self.speeds.get(&(group.source == OWN, group.model, resolution)).copied()
    }

    /// Data sets that runs of any group were adapted to, or are to be.
    pub(crate) fn targets(&self) -> BTreeSet<&'a str> {
        let adapted = self.groups.iter().flat_map(Group::adapted);
        let done = adapted.filter_map(|run| run.adapt_dataset.as_deref());
        done.chain(self.waiting.values().flatten().map(|job| job.dataset.as_str())).collect()
    }

    /// Resolutions that runs were, or are to be, adapted to `target` at, from small to large.
    pub(crate) fn resolutions(&self, target: &str) -> BTreeSet<u32> {
        let adapted = self.groups.iter().flat_map(Group::adapted);
        let here = adapted.filter(|run| run.adapt_dataset.as_deref() == Some(target));
        let waiting = self.waiting.values().flatten().filter(|job| job.dataset == target);
        let waiting = waiting.filter_map(|job| u32::try_from(job.resolution).ok());
        here.filter_map(|run| run.adapt_resolution).chain(waiting).collect()
    }

    /// Whether any checkpoint of the group was, or is to be, adapted to `target`.
    pub(crate) fn concerns(&self, group: &Group<'_>, target: &str) -> bool {
        self.resolutions(target).into_iter().any(|side| self.concerns_at(group, target, side))
            || group.adapted().any(|run| run.adapt_dataset.as_deref() == Some(target))
    }

    /// The same at one resolution.
    pub(crate) fn concerns_at(&self, group: &Group<'_>, target: &str, resolution: u32) -> bool {
        let is_it = |run: &Run| {
            run.adapt_dataset.as_deref() == Some(target) && run.adapt_resolution == Some(resolution)
        };
        group.adapted().any(is_it)
            || group.upstreams.iter().any(|upstream| {
                self.waiting_for(upstream, target)
                    .any(|job| job.resolution == u64::from(resolution))
            })
    }

    /// Transfers of a checkpoint to `target` that have no result.
    pub(crate) fn waiting_for<'s>(
        &'s self,
        upstream: &Upstream<'_>,
        target: &'s str,
    ) -> impl Iterator<Item = &'a JobRow> + 's {
        let id = upstream.run.job_id.as_deref().unwrap_or_default();
        let jobs = self.waiting.get(id).into_iter().flatten().copied();
        jobs.filter(move |job| job.dataset == target)
    }

    /// The checkpoint of a group with the highest upstream validation accuracy.
    pub(crate) fn best<'g>(group: &'g Group<'a>) -> Result<&'g Upstream<'a>, Missing> {
        Self::best_where(group, |_| true)
    }

    /// The same among the checkpoints that `asked` lets through.
    pub(crate) fn best_where<'g>(
        group: &'g Group<'a>,
        asked: impl Fn(&Settings<'_>) -> bool,
    ) -> Result<&'g Upstream<'a>, Missing> {
        let pending: Vec<_> =
            group.pending.iter().filter(|job| asked(&Settings::of_job(job))).collect();
        let there = || group.upstreams.iter().filter(|up| asked(&Settings::of_run(up.run)));
        if !pending.is_empty() {
            let all = count(pending.len() + there().count(), "pre-training");
            return Err(Missing {
                what: format!("{}: {} of {all} without a result", group.name(), pending.len()),
                jobs: pending.iter().map(|job| job.id.clone()).collect(),
            });
        }
        let mut candidates = there();
        match (candidates.next(), candidates.next()) {
            (None, _) => Err(Missing::new(format!("{}: no such checkpoint", group.name()))),
            (Some(only), None) => Ok(only),
            _ => highest(there(), |upstream| upstream.val).ok_or_else(|| {
                let what = "no upstream validation accuracy to choose a checkpoint by";
                Missing::new(format!("{}: {what}", group.name()))
            }),
        }
    }

    /// The adaptation of a checkpoint to `target` with the highest validation accuracy there.
    pub(crate) fn adaptation<'g>(
        &self,
        group: &Group<'a>,
        upstream: &'g Upstream<'a>,
        target: &str,
        resolution: Option<u32>,
    ) -> Result<Pick<'a>, Missing> {
        let here = || {
            upstream.adapted.iter().copied().filter(|run| {
                run.adapt_dataset.as_deref() == Some(target)
                    && resolution.is_none_or(|asked| run.adapt_resolution == Some(asked))
            })
        };
        let at = resolution.map_or_else(String::new, |side| format!(" at {side} px"));
        let place = format!("{} to {}{at}", group.name(), printable(target));
        let pending: Vec<_> = self
            .waiting_for(upstream, target)
            .filter(|job| resolution.is_none_or(|asked| job.resolution == u64::from(asked)))
            .collect();
        let runs = here().count();
        if !pending.is_empty() {
            let all = count(pending.len() + runs, "transfer");
            let what = format!("{place}: {} of {all} without a result", pending.len());
            return Err(Missing { what, jobs: pending.iter().map(|job| job.id.clone()).collect() });
        }
        let chosen = match runs {
            0 => {
                return Err(Missing::new(format!("{place}: the chosen checkpoint is not adapted")));
            }
            1 => here().next(),
            _ => highest(here(), |run| run.adapt_final_val),
        };
        let found = chosen.and_then(|run| Some((run, run.adapt_final_test?)));
        let (run, test) = found.ok_or_else(|| {
            Missing::new(format!("{place}: no validation and test accuracy to choose and report"))
        })?;
        Ok(Pick { upstream: upstream.run, run, test: test * 100.0, runs })
    }

    /// What the study's cheap rule comes to: the best checkpoint, adapted its best way.
    pub(crate) fn pick(
        &self,
        group: &Group<'a>,
        target: &str,
        resolution: Option<u32>,
    ) -> Result<Pick<'a>, Missing> {
        let best = Self::best(group)?;
        let pick = self.adaptation(group, best, target, resolution)?;
        Ok(Pick { runs: pick.runs + group.upstreams.len() - 1, ..pick })
    }
}

impl Pick<'_> {
    /// The jobs that were chosen, the last first.
    pub(crate) fn jobs(&self) -> Vec<String> {
        let jobs = [&self.run.adapt_job_id, &self.upstream.job_id];
        jobs.into_iter().flatten().cloned().collect()
    }
}

/// The first of those with the highest value.
pub(crate) fn highest<T>(
    items: impl Iterator<Item = T>,
    value: impl Fn(&T) -> Option<f64>,
) -> Option<T> {
    items
        .filter_map(|item| Some((value(&item).filter(|value| value.is_finite())?, item)))
        .reduce(|best, next| if next.0 > best.0 { next } else { best })
        .map(|(_, item)| item)
}
