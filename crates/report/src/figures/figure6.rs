//! Figure 6: accuracy against speed, and patch size against model size.

use std::collections::BTreeSet;

use augreg_spec::ModelSpec;

use super::keep;
use crate::Missing;
use crate::exhibit::{Axis, Body, Chart, Exhibit, Panel, Point, Series, Style};
use crate::label::printable;
use crate::study::{Pick, Study};

/// The models that the paper compares in the right half.
const THIN_AND_COARSE: [&str; 4] = ["Ti/16", "R+Ti/16", "S/32", "B/32"];

/// A chosen run and its speed.
struct Spot<'a> {
    model: &'a str,
    budget: String,
    target: &'a str,
    resolution: u32,
    speed: f64,
    pick: Pick<'a>,
}

fn spots<'a>(study: &Study<'a>, missing: &mut Vec<Missing>) -> Vec<Spot<'a>> {
    let mut all = Vec::new();
    for target in super::figure1::targets(study) {
        for resolution in study.resolutions(target) {
            for group in &study.groups {
                if !study.concerns_at(group, target, resolution) {
                    continue;
                }
                let found = study.pick(group, target, Some(resolution));
                let Some(pick) = keep(found, missing) else { continue };
                let speed = study.speed(group, resolution).ok_or_else(|| {
                    let model = printable(group.model);
                    Missing::new(format!("no inference speed of {model} at {resolution} px"))
                });
                let Some(speed) = keep(speed, missing) else { continue };
                let (model, budget) = (group.model, group.budget());
                all.push(Spot { model, budget, target, resolution, speed, pick });
            }
        }
    }
    all
}

pub(super) fn figure6(study: &Study<'_>) -> Option<Exhibit> {
    let mut missing = Vec::new();
    let spots = spots(study, &mut missing);
    if spots.is_empty() && missing.is_empty() {
        return None;
    }
    let panels = panels(
        &spots,
        |spot| printable(spot.target).into_owned(),
        |spot| (spot.budget.clone(), format!("{}, {} px", spot.budget, spot.resolution)),
    );
    Some(exhibit(
        "figure6",
        "Test accuracy after adaptation against inference speed at the same resolution. Each point \
         is the checkpoint of a model and upstream budget with the best upstream validation \
         accuracy, adapted its best way by downstream validation accuracy.",
        panels,
        missing,
    ))
}

pub(super) fn patches(study: &Study<'_>) -> Option<Exhibit> {
    let mut missing = Vec::new();
    let mut spots = spots(study, &mut missing);
    spots.retain(|spot| is_compared(spot.model) && patch(spot.model).is_some());
    missing.retain(|missing| !missing.jobs.is_empty());
    let adapted = study
        .groups
        .iter()
        .filter(|group| super::figure1::targets(study).any(|target| study.concerns(group, target)));
    let compared = adapted.filter(|group| is_compared(group.model));
    let patches: BTreeSet<_> = compared.filter_map(|group| patch(group.model)).collect();
    if patches.len() < 2 || spots.is_empty() && missing.is_empty() {
        return None;
    }
    let panels = panels(
        &spots,
        |spot| format!("{}: {}", printable(spot.target), spot.budget),
        |spot| {
            let patch = format!("patch {}", patch(spot.model).unwrap_or_default());
            let name = format!("{patch}, {} px", spot.resolution);
            (patch, name)
        },
    );
    Some(exhibit(
        "figure6-patch",
        "The same for models of few parameters: thin ones with small patches against wider ones \
         with large patches. Of the study's own models these are Ti/16 and R+Ti/16 against S/32 and \
         B/32; models of other names are all shown.",
        panels,
        missing,
    ))
}

fn is_compared(model: &str) -> bool {
    THIN_AND_COARSE.contains(&model) || ModelSpec::named(model).is_none()
}

/// The patch size that a model's name ends with.
fn patch(model: &str) -> Option<u32> {
    model.rsplit_once('/')?.1.parse().ok()
}

fn exhibit(name: &'static str, about: &str, panels: Vec<Panel>, missing: Vec<Missing>) -> Exhibit {
    Exhibit {
        name,
        title: "",
        about: about.to_owned(),
        body: Body::Chart(Chart {
            x: Axis::log("images a second", "images_per_second"),
            y: Axis::linear("test accuracy in %", "test_accuracy"),
            panels,
        }),
        missing,
    }
}

/// Panels by `title` of series that `look` says the look and the name of. Points below the highest
/// resolution are hollow.
fn panels(
    spots: &[Spot<'_>],
    title: impl Fn(&Spot<'_>) -> String,
    look: impl Fn(&Spot<'_>) -> (String, String),
) -> Vec<Panel> {
    let highest = spots.iter().map(|spot| spot.resolution).max();
    let mut panels: Vec<Panel> = Vec::new();
    let mut looks: Vec<String> = Vec::new();
    for spot in spots {
        let (title, (look, name)) = (title(spot), look(spot));
        let number = looks.iter().position(|known| *known == look).unwrap_or(looks.len());
        if number == looks.len() {
            looks.push(look);
        }
        let at = panels.iter().position(|panel| panel.title == title).unwrap_or_else(|| {
            panels.push(Panel { title, series: Vec::new(), diagonal: false });
            panels.len() - 1
        });
        let all = &mut panels[at].series;
        let at = all.iter().position(|known| known.name == name).unwrap_or_else(|| {
            let hollow = Some(spot.resolution) != highest;
            let style = Style { line: true, hollow, ..Style::points(number) };
            all.push(Series { name, style, points: Vec::new() });
            all.len() - 1
        });
        all[at].points.push(point(spot));
    }
    for series in panels.iter_mut().flat_map(|panel| &mut panel.series) {
        series.points.sort_by(|a, b| a.x.total_cmp(&b.x));
    }
    panels
}

fn point(spot: &Spot<'_>) -> Point {
    Point {
        label: printable(spot.model).into_owned(),
        x: spot.speed,
        y: spot.pick.test,
        jobs: spot.pick.jobs(),
        runs: spot.pick.runs,
        note: format!(
            "{}, {} px; {}",
            spot.budget,
            spot.resolution,
            super::figure1::setting(&spot.pick)
        ),
        ..Point::default()
    }
}
