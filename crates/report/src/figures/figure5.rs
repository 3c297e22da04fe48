//! Figure 5: whether a checkpoint may be chosen before it is adapted, and what a validation split
//! tells about test.

use std::collections::BTreeSet;

use super::keep;
use crate::exhibit::{Axis, Body, Chart, Exhibit, Grid, Number, Panel, Point, Series, Style};
use crate::label::{self, percent, printable};
use crate::overlay::TABLE_3;
use crate::study::{Group, Pick, Study, highest};
use crate::{Missing, paper};

/// So many runs of each kind are shown, those with the best validation accuracy (paper, Figure 5).
const TOP: usize = 100;

/// What one model loses on one data set if its checkpoint is chosen by upstream validation.
#[derive(Debug, Clone)]
pub(crate) struct Loss<'a> {
    pub(crate) budget: String,
    pub(crate) model: &'a str,
    pub(crate) target: &'a str,
    /// Chosen by upstream validation, then adapted.
    pub(crate) cheap: Pick<'a>,
    /// All checkpoints adapted, the best taken by downstream validation.
    pub(crate) expensive: Pick<'a>,
}

impl Loss<'_> {
    /// Cheap minus expensive, in points.
    pub(crate) fn points(&self) -> f64 {
        self.cheap.test - self.expensive.test
    }
}

/// All of them, with what is missing.
pub(crate) fn losses<'a>(study: &Study<'a>) -> (Vec<Loss<'a>>, Vec<Missing>) {
    let (mut losses, mut missing) = (Vec::new(), Vec::new());
    for group in study.groups.iter().filter(|group| group.upstreams.len() + group.pending.len() > 1)
    {
        for target in super::figure1::targets(study) {
            let to = |upstream: &&crate::study::Upstream<'_>| {
                upstream.adapted.iter().any(|run| run.adapt_dataset.as_deref() == Some(target))
                    || study.waiting_for(upstream, target).next().is_some()
            };
            // One adapted checkpoint is somebody's choice already.
            if group.upstreams.iter().filter(to).count() < 2 {
                continue;
            }
            let found = study.pick(group, target, None).and_then(|cheap| {
                let expensive = expensive(study, group, target)?;
                let (budget, model) = (group.budget(), group.model);
                Ok(Loss { budget, model, target, cheap, expensive })
            });
            losses.extend(keep(found, &mut missing));
        }
    }
    (losses, missing)
}

fn expensive<'a>(study: &Study<'a>, group: &Group<'a>, target: &str) -> Result<Pick<'a>, Missing> {
    let mut picks = Vec::new();
    for upstream in &group.upstreams {
        picks.push(study.adaptation(group, upstream, target, None)?);
    }
    let runs = picks.iter().map(|pick| pick.runs).sum();
    highest(picks.into_iter(), |pick| pick.run.adapt_final_val)
        .map(|pick| Pick { runs, ..pick })
        .ok_or_else(|| Missing::new(format!("{}: no validation accuracy", group.name())))
}

pub(super) fn selection(study: &Study<'_>) -> Option<Exhibit> {
    let (losses, missing) = losses(study);
    // The published differences are no runs: they stand beside own ones as they were printed.
    let published = study.groups.iter().any(|group| group.source == TABLE_3).then(published);
    if losses.is_empty() && missing.is_empty() && published.is_none() {
        return None;
    }
    let mut budgets: Vec<&str> = Vec::new();
    for loss in &losses {
        if !budgets.contains(&loss.budget.as_str()) {
            budgets.push(&loss.budget);
        }
    }
    let grids = budgets
        .into_iter()
        .map(|budget| {
            let here: Vec<_> = losses.iter().filter(|loss| loss.budget == budget).collect();
            grid(study, budget, &here)
        })
        .chain(published)
        .collect();
    Some(Exhibit {
        name: "figure5",
        title: "",
        about: "Points of test accuracy that a model gains or loses if its checkpoint is chosen by \
                upstream validation accuracy and then adapted, against adapting all checkpoints and \
                choosing by downstream validation accuracy. Learning rate, steps and resolution of \
                the adaptation are chosen by downstream validation accuracy either way."
            .to_owned(),
        body: Body::Grids(grids),
        missing,
    })
}

fn grid(study: &Study<'_>, budget: &str, losses: &[&Loss<'_>]) -> Grid {
    let models = study.models_in_order(losses.iter().map(|loss| loss.model).collect());
    let mut targets: Vec<_> = losses.iter().map(|loss| loss.target).collect();
    targets.sort_unstable();
    targets.dedup();
    let cells = models
        .iter()
        .map(|model| {
            let of =
                |target| losses.iter().find(|loss| loss.model == *model && loss.target == target);
            targets.iter().map(|target| of(*target).map(|loss| cell(loss))).collect()
        })
        .collect();
    let names = |names: &[&str]| names.iter().map(|name| printable(name).into_owned()).collect();
    Grid {
        title: budget.to_owned(),
        row_kind: "model",
        column_kind: "data set",
        rows: names(&models),
        columns: names(&targets),
        cells,
    }
}

fn published() -> Grid {
    let number = |value: &f64| {
        Some(Number { value: *value, note: "as printed".to_owned(), ..Number::default() })
    };
    Grid {
        title: "paper, Figure 5".to_owned(),
        row_kind: "model",
        column_kind: "data set",
        rows: paper::figure5().iter().map(|row| row.model.clone()).collect(),
        columns: paper::FIGURE5_COLUMNS.map(str::to_owned).to_vec(),
        cells: paper::figure5()
            .iter()
            .map(|row| row.differences.iter().map(number).collect())
            .collect(),
    }
}

fn cell(loss: &Loss<'_>) -> Number {
    let mut jobs = loss.cheap.jobs();
    for job in loss.expensive.jobs() {
        if !jobs.contains(&job) {
            jobs.push(job);
        }
    }
    Number {
        value: loss.points(),
        jobs,
        runs: loss.expensive.runs,
        note: format!(
            "{} % chosen upstream, {} % after adapting all",
            percent(loss.cheap.test),
            percent(loss.expensive.test)
        ),
    }
}

pub(super) fn leak(study: &Study<'_>) -> Option<Exhibit> {
    let mut panels = Vec::new();
    for target in super::figure1::targets(study) {
        panels.extend(panel(study, target, printable(target).into_owned(), |run| {
            run.adapt_final_val
        }));
        for other in judges(study, target) {
            let title = format!("{}, judged on {}", printable(target), printable(other));
            panels.extend(panel(study, target, title, |run| {
                let job = run.adapt_job_id.as_deref()?;
                study.judged.get(&(job, other)).copied()
            }));
        }
    }
    if panels.is_empty() {
        return None;
    }
    Some(Exhibit {
        name: "figure5-leak",
        title: "",
        about:
            "Validation and test accuracy of the 100 adapted runs of each upstream set with the \
                best validation accuracy. On the line both are equal. Where validation images were \
                seen upstream, as those of ImageNet-1k are in ImageNet-21k, runs lie far to the \
                right of it, and validation cannot be trusted to choose."
                .to_owned(),
        body: Body::Chart(Chart {
            x: Axis::linear("validation accuracy in %", "validation_accuracy"),
            y: Axis::linear("test accuracy in %", "test_accuracy"),
            panels,
        }),
        missing: Vec::new(),
    })
}

fn panel(
    study: &Study<'_>,
    target: &str,
    title: String,
    val: impl Fn(&augreg_store::Run) -> Option<f64>,
) -> Option<Panel> {
    let mut all: Vec<Series> = Vec::new();
    for group in &study.groups {
        let name = group.budget();
        let points = group
            .adapted()
            .filter(|run| run.adapt_dataset.as_deref() == Some(target))
            .filter_map(|run| {
                Some(Point {
                    x: val(run)? * 100.0,
                    y: run.adapt_final_test? * 100.0,
                    jobs: [&run.adapt_job_id, &run.job_id].into_iter().flatten().cloned().collect(),
                    runs: 1,
                    note: format!("{}, {}", printable(group.model), label::settings(run)),
                    ..Point::default()
                })
            });
        let points: Vec<_> = points.collect();
        match all.iter_mut().find(|series| series.name == name) {
            Some(series) => series.points.extend(points),
            None if points.is_empty() => {}
            None => {
                let style = Style { hollow: true, ..Style::points(all.len()) };
                all.push(Series { name, style, points });
            }
        }
    }
    for series in &mut all {
        series.points.sort_by(|a, b| b.x.total_cmp(&a.x));
        series.points.truncate(TOP);
    }
    (!all.is_empty()).then_some(Panel { title, series: all, diagonal: true })
}

/// Data sets that adapted runs of `target` were evaluated on afterwards.
fn judges<'a>(study: &Study<'a>, target: &str) -> BTreeSet<&'a str> {
    let adapted = study.groups.iter().flat_map(Group::adapted);
    let here: BTreeSet<_> = adapted
        .filter(|run| run.adapt_dataset.as_deref() == Some(target))
        .filter_map(|run| run.adapt_job_id.as_deref())
        .collect();
    let judges = study.judged.keys().filter(|(job, judge)| here.contains(job) && *judge != target);
    judges.map(|(_, judge)| *judge).collect()
}
