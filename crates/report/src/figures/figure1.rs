//! Figure 1: what more data, augmentation and more compute give, model by model.
//!
//! The lower point of a place is the plain model (no augmentation, no regularization), the upper one
//! the best of the sweep; both are chosen by upstream validation accuracy, adapted their best way by
//! downstream validation accuracy, and shown with their downstream test accuracy. That plain and
//! best are to be read so is inferred: the paper prints neither values nor rule (recipe of the study,
//! Figure 1).

use std::collections::BTreeSet;

use super::keep;
use crate::Missing;
use crate::exhibit::{Axis, AxisKind, Body, Chart, Exhibit, Panel, Point, Series, Style};
use crate::label::{self, printable};
use crate::order::Order;
use crate::study::{Group, OWN, Pick, Study, is_plain};

/// What one model reaches on one data set from one upstream budget.
#[derive(Debug, Clone)]
pub(crate) struct Size<'a> {
    pub(crate) source: &'a str,
    pub(crate) model: &'a str,
    pub(crate) target: &'a str,
    /// `i21k, 30 epochs`.
    pub(crate) budget: String,
    /// Upstream training images.
    pub(crate) images: Option<f64>,
    /// Those times epochs.
    pub(crate) seen: Option<f64>,
    pub(crate) plain: Option<Pick<'a>>,
    pub(crate) best: Option<Pick<'a>>,
}

/// All of them, with what is missing.
pub(crate) fn sizes<'a>(study: &Study<'a>) -> (Vec<Size<'a>>, Vec<Missing>) {
    let (mut sizes, mut missing) = (Vec::new(), Vec::new());
    for target in targets(study) {
        for group in study.groups.iter().filter(|group| study.concerns(group, target)) {
            let plain = says_augmentations(group).then(|| {
                let best = Study::best_where(group, is_plain);
                best.and_then(|best| study.adaptation(group, best, target, None))
                    .map_err(|what| Missing { what: format!("{} (plain)", what.what), ..what })
            });
            sizes.push(Size {
                source: group.source,
                model: group.model,
                target,
                budget: group.budget(),
                images: group.images(),
                seen: group.images_seen(),
                plain: plain.and_then(|plain| keep(plain, &mut missing)),
                best: keep(study.pick(group, target, None), &mut missing),
            });
        }
    }
    (sizes, missing)
}

/// Whether it is known how the group's checkpoints were trained: published tables need not say.
fn says_augmentations(group: &Group<'_>) -> bool {
    group.source == OWN || group.upstreams.iter().any(|up| up.run.augmentation.is_some())
}

/// Data sets to adapt to that are no VTAB task: those have a figure of their own.
pub(super) fn targets<'a>(study: &Study<'a>) -> impl Iterator<Item = &'a str> + use<'a> {
    study.targets().into_iter().filter(|target| augreg_spec::vtab_task(target).is_none())
}

pub(super) fn figure1(study: &Study<'_>) -> Option<Exhibit> {
    let (sizes, missing) = sizes(study);
    let places = places(study, &sizes);
    if places.len() < 2 {
        return None;
    }
    let names: Vec<_> = places.iter().map(|place| place.1.clone()).collect();
    let targets: BTreeSet<_> = sizes.iter().map(|size| size.target).collect();
    let panels: Vec<_> = targets
        .into_iter()
        .map(|target| Panel {
            title: printable(target).into_owned(),
            series: series(study, &sizes, target, &places),
            diagonal: false,
        })
        .filter(|panel| panel.series.iter().any(|series| !series.points.is_empty()))
        .collect();
    if panels.is_empty() && missing.iter().all(|missing| missing.jobs.is_empty()) {
        return None;
    }
    Some(Exhibit {
        name: "figure1",
        title: "",
        about: "Test accuracy after adaptation. Hollow: trained without augmentation and without \
                regularization. Full: the best of the sweep, which may be the same run. Checkpoints \
                are chosen by upstream validation accuracy, their adaptation by downstream \
                validation accuracy. Places stand in the order of upstream images, then of epochs."
            .to_owned(),
        body: Body::Chart(Chart {
            x: Axis {
                label: "upstream data and budget".to_owned(),
                column: "place",
                kind: AxisKind::Places(names),
            },
            y: Axis::linear("test accuracy in %", "test_accuracy"),
            panels,
        }),
        missing,
    })
}

/// The budgets from left to right: key and name in lines.
fn places(study: &Study<'_>, sizes: &[Size<'_>]) -> Vec<(String, String)> {
    let shown = |group: &&Group<'_>| sizes.iter().any(|size| size.budget == group.budget());
    let mut places: Vec<(String, String)> = Vec::new();
    let mut groups: Vec<_> = study.groups.iter().filter(shown).collect();
    groups
        .sort_by_key(|group| (group.source != OWN, group.images().map(Order), Order(group.epochs)));
    for group in groups {
        if places.iter().any(|place| place.0 == group.budget()) {
            continue;
        }
        let images = group.images().map_or_else(|| "? images".to_owned(), images);
        let name = group.sourced(&printable(group.dataset));
        places.push((group.budget(), format!("{name}\n{images}\n{}", label::epochs(group.epochs))));
    }
    places
}

/// `1.28M images`.
fn images(count: f64) -> String {
    format!("{} images", label::short_count(count))
}

fn series(
    study: &Study<'_>,
    sizes: &[Size<'_>],
    target: &str,
    places: &[(String, String)],
) -> Vec<Series> {
    let models = study.models_in_order(study.groups.iter().map(|group| group.model).collect());
    let mut all = Vec::new();
    for (number, model) in models.iter().enumerate() {
        for (kind, hollow) in [("plain", true), ("best of the sweep", false)] {
            let here = sizes.iter().filter(|size| size.model == *model && size.target == target);
            let mut points: Vec<_> = here
                .filter_map(|size| {
                    let pick = if hollow { size.plain } else { size.best }?;
                    let place = places.iter().position(|place| place.0 == size.budget)?;
                    // Models stand side by side within a place.
                    let shift = (number as f64 + 0.5) / models.len() as f64 - 0.5;
                    Some(Point {
                        x: place as f64 + 0.7 * shift,
                        y: pick.test,
                        jobs: pick.jobs(),
                        runs: pick.runs,
                        note: format!("{}, {}, {kind}", size.budget, setting(&pick)),
                        ..Point::default()
                    })
                })
                .collect();
            points.sort_by(|a, b| a.x.total_cmp(&b.x));
            if !points.is_empty() {
                let name = format!("{}, {kind}", printable(model));
                all.push(Series { name, style: Style { hollow, ..Style::points(number) }, points });
            }
        }
    }
    all
}

/// The settings of a choice, for a person.
pub(super) fn setting(pick: &Pick<'_>) -> String {
    label::settings(pick.run)
}
