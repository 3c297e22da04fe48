//! Figure 2: training from scratch against transfer, by what it costs and what is wrong afterwards.

use std::collections::BTreeSet;

use super::search::{Trial, random_search};
use crate::exhibit::{Axis, AxisKind, Body, Chart, Exhibit, Panel, Point, Series, Style};
use crate::label::{self, count, printable};
use crate::study::{Group, Settings, Study, Upstream, is_plain};
use crate::{JobRow, Missing};

/// How a model was brought to a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// Trained on it from the start.
    Scratch,
    /// From a checkpoint without augmentation and regularization.
    Transfer,
    /// From any other checkpoint.
    TransferAugReg,
}

/// One run of a way to a data set.
#[derive(Debug, Clone)]
pub(crate) struct Run<'a> {
    pub(crate) way: Way,
    pub(crate) model: &'a str,
    /// Seconds of device time on this data set.
    pub(crate) seconds: f64,
    /// Accuracies in per cent.
    pub(crate) val: f64,
    pub(crate) test: f64,
    /// Whether it starts from a recommended checkpoint.
    recommended: bool,
    jobs: Vec<String>,
    note: String,
}

impl Way {
    const ALL: [Self; 3] = [Self::Scratch, Self::Transfer, Self::TransferAugReg];

    fn name(self) -> &'static str {
        match self {
            Self::Scratch => "from scratch",
            Self::Transfer => "transfer",
            Self::TransferAugReg => "transfer + AugReg",
        }
    }
}

/// Data sets with runs from scratch as well as transfers, each with its own finished runs.
pub(crate) fn ways<'a>(study: &Study<'a>) -> Vec<(&'a str, Vec<Run<'a>>)> {
    let targets = super::figure1::targets(study);
    targets
        .filter(|target| study.groups.iter().any(|group| group.dataset == *target))
        .map(|target| (target, runs(study, target)))
        .collect()
}

fn runs<'a>(study: &Study<'a>, target: &str) -> Vec<Run<'a>> {
    let mut all = Vec::new();
    for group in &study.groups {
        let recommended = Study::best(group).ok().and_then(|best| best.run.job_id.as_deref());
        for upstream in &group.upstreams {
            if group.dataset == target {
                all.extend(scratch(group, upstream));
            }
            let here = upstream.adapted.iter().copied();
            for run in here.filter(|run| run.adapt_dataset.as_deref() == Some(target)) {
                let plain = is_plain(&Settings::of_run(upstream.run));
                all.extend(transfer(group, run, plain, recommended));
            }
        }
    }
    all
}

fn scratch<'a>(group: &Group<'a>, upstream: &Upstream<'a>) -> Option<Run<'a>> {
    Some(Run {
        way: Way::Scratch,
        model: group.model,
        seconds: upstream.run.seconds?,
        val: upstream.val? * 100.0,
        test: upstream.test? * 100.0,
        recommended: false,
        jobs: upstream.run.job_id.iter().cloned().collect(),
        note: format!("{}, {}", label::epochs(group.epochs), label::upstream(upstream.run)),
    })
}

fn transfer<'a>(
    group: &Group<'a>,
    run: &'a augreg_store::Run,
    plain: bool,
    recommended: Option<&str>,
) -> Option<Run<'a>> {
    Some(Run {
        way: if plain { Way::Transfer } else { Way::TransferAugReg },
        model: group.model,
        seconds: run.adapt_seconds?,
        val: run.adapt_final_val? * 100.0,
        test: run.adapt_final_test? * 100.0,
        recommended: recommended.is_some() && run.job_id.as_deref() == recommended,
        jobs: [&run.adapt_job_id, &run.job_id].into_iter().flatten().cloned().collect(),
        note: format!("from {}, {}", group.budget(), label::settings(run)),
    })
}

/// Jobs to `target` without a result.
fn missing(study: &Study<'_>, targets: &[&str]) -> Vec<Missing> {
    let mut all = Vec::new();
    for target in targets {
        for (stage, what) in [("pretrain", "run from scratch"), ("transfer", "transfer")] {
            let is_it = |job: &&JobRow| job.stage == stage && job.dataset == *target;
            let here: Vec<_> = study.jobs.iter().filter(is_it).collect();
            let open: Vec<_> = here.iter().filter(|job| !job.has_result()).collect();
            if !open.is_empty() {
                let (some, all_of_them) = (open.len(), count(here.len(), what));
                let place = printable(target);
                all.push(Missing {
                    what: format!("{place}: {some} of {all_of_them} without a result"),
                    jobs: open.iter().map(|job| job.id.clone()).collect(),
                });
            }
        }
    }
    all
}

fn seconds() -> Axis {
    Axis {
        label: "device time on the data set".to_owned(),
        column: "seconds",
        kind: AxisKind::LogSeconds,
    }
}

fn look(models: &[&str], model: &str, way: Way) -> Style {
    let number = models.iter().position(|name| *name == model).unwrap_or(0) * Way::ALL.len();
    Style { hollow: way == Way::Scratch, ..Style::points(number + way as usize) }
}

pub(super) fn figure2(study: &Study<'_>) -> Option<Exhibit> {
    let all = ways(study);
    if all.is_empty() {
        return None;
    }
    let targets: Vec<_> = all.iter().map(|(target, _)| *target).collect();
    let mut missing = missing(study, &targets);
    let panels = all
        .iter()
        .map(|(target, runs)| Panel {
            title: printable(target).into_owned(),
            series: series(study, target, runs, &mut missing),
            diagonal: false,
        })
        .collect();
    Some(Exhibit {
        name: "figure2",
        title: "",
        about: "Every finished run: test error against the device time that was spent on the data \
                set itself, so that a checkpoint comes for free, as it does in the paper. \
                Framed: transfers of a recommended checkpoint, the one of its model and budget with \
                the best upstream validation accuracy."
            .to_owned(),
        body: Body::Chart(Chart {
            x: seconds(),
            y: Axis::log("test error in %", "test_error"),
            panels,
        }),
        missing,
    })
}

fn series(
    study: &Study<'_>,
    target: &str,
    runs: &[Run<'_>],
    missing: &mut Vec<Missing>,
) -> Vec<Series> {
    let models = study.models_in_order(runs.iter().map(|run| run.model).collect());
    let mut all = Vec::new();
    for model in &models {
        for way in Way::ALL {
            let these = runs.iter().filter(|run| run.model == *model && run.way == way);
            let (shown, faultless): (Vec<_>, Vec<_>) = these.partition(|run| run.test < 100.0);
            if let Some(run) = faultless.first() {
                let what = format!(
                    "{}: {} of {} has no error, for which a logarithmic axis has no place",
                    printable(target),
                    count(faultless.len(), "run"),
                    printable(model)
                );
                missing.push(Missing { what, jobs: run.jobs.clone() });
            }
            let points: Vec<_> = shown
                .into_iter()
                .map(|run| Point {
                    x: run.seconds,
                    y: 100.0 - run.test,
                    framed: run.recommended,
                    jobs: run.jobs.clone(),
                    runs: 1,
                    note: run.note.clone(),
                    ..Point::default()
                })
                .collect();
            if !points.is_empty() {
                let name = format!("{}, {}", printable(model), way.name());
                all.push(Series { name, style: look(&models, model, way), points });
            }
        }
    }
    all
}

pub(super) fn search(study: &Study<'_>) -> Option<Exhibit> {
    let all = ways(study);
    if all.is_empty() {
        return None;
    }
    let targets: Vec<_> = all.iter().map(|(target, _)| *target).collect();
    let mut missing = missing(study, &targets);
    let mut panels = Vec::new();
    for (target, runs) in &all {
        let models: BTreeSet<_> = runs.iter().map(|run| run.model).collect();
        let models = study.models_in_order(models);
        let mut series = Vec::new();
        for model in &models {
            for way in Way::ALL {
                let name = format!("{}, {}", printable(model), way.name());
                let trials: Vec<_> = runs
                    .iter()
                    .filter(|run| run.model == *model && run.way == way)
                    .map(|run| Trial { cost: run.seconds, val: run.val, test: run.test })
                    .collect();
                if trials.len() == 1 {
                    let what = "one run is too few to search among";
                    missing.push(Missing::new(format!("{}, {name}: {what}", printable(target))));
                }
                let points = random_search(&format!("{target}: {name}"), &trials);
                if !points.is_empty() {
                    let style = look(&models, model, way);
                    let style = Style { line: true, dots: false, hollow: false, ..style };
                    series.push(Series { name, style, points });
                }
            }
        }
        panels.push(Panel { title: printable(target).into_owned(), series, diagonal: false });
    }
    Some(Exhibit {
        name: "figure2-search",
        title: "",
        about: "Simulated random search: 1,000 samples try the finished runs in random order and \
                keep the one with the best validation accuracy so far. Line: median of its test \
                accuracy; band: the middle 90 % of the samples."
            .to_owned(),
        body: Body::Chart(Chart {
            x: seconds(),
            y: Axis::linear("test accuracy in %", "test_accuracy"),
            panels,
        }),
        missing,
    })
}
