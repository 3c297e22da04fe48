//! Table 3: accuracy after adaptation, model by model, with speeds.

use super::keep;
use crate::Missing;
use crate::exhibit::{Body, Exhibit, Number, Table, TableCell};
use crate::label::printable;
use crate::study::{Group, Study};

/// A data set that is its own upstream set under another name.
const SAME: [(&str, &str); 1] = [("i1k", "imagenet2012")];

pub(super) fn table3(study: &Study<'_>) -> Option<Exhibit> {
    let mut missing = Vec::new();
    let targets: Vec<_> = super::figure1::targets(study).collect();
    if targets.is_empty() {
        return None;
    }
    let columns = ["data set", "upstream", "model"].map(|name| (name.to_owned(), false));
    let mut columns = columns.to_vec();
    let resolutions = resolutions(study, &targets);
    columns.push(("not adapted".to_owned(), true));
    for side in &resolutions {
        columns.push((format!("{side} px: images/s"), true));
        columns.push((format!("{side} px: test"), true));
    }
    let mut rows = Vec::new();
    for target in targets {
        for group in study.groups.iter().filter(|group| study.concerns(group, target)) {
            rows.push(row(study, group, target, &resolutions, &mut missing));
        }
    }
    Some(Exhibit {
        name: "table3",
        title: "",
        about: "Test accuracy in per cent of the checkpoint with the best upstream validation \
                accuracy, adapted at each resolution its best way by downstream validation accuracy, \
                and images a second of inference. “Not adapted” is the checkpoint's own test \
                accuracy where it was trained on the very data set."
            .to_owned(),
        body: Body::Table(Table { columns, rows }),
        missing,
    })
}

fn resolutions(study: &Study<'_>, targets: &[&str]) -> Vec<u32> {
    let mut all: Vec<_> = targets.iter().flat_map(|target| study.resolutions(target)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn row(
    study: &Study<'_>,
    group: &Group<'_>,
    target: &str,
    resolutions: &[u32],
    missing: &mut Vec<Missing>,
) -> Vec<TableCell> {
    let mut cells = vec![
        TableCell::Text(printable(target).into_owned()),
        TableCell::Text(group.budget()),
        TableCell::Text(printable(group.model).into_owned()),
    ];
    cells.push(unadapted(group, target).map_or(TableCell::Empty, |own| TableCell::Number(own, 2)));
    for side in resolutions {
        let speed = study.speed(group, *side).map(|value| Number { value, ..Number::default() });
        cells.push(speed.map_or(TableCell::Empty, |speed| TableCell::Number(speed, 0)));
        let pick = study
            .concerns_at(group, target, *side)
            .then(|| keep(study.pick(group, target, Some(*side)), missing))
            .flatten();
        let test = pick.map(|pick| super::number(&pick));
        cells.push(test.map_or(TableCell::Empty, |test| TableCell::Number(test, 2)));
    }
    cells
}

/// The test accuracy of the best checkpoint as it is, where it was trained on `target`.
fn unadapted(group: &Group<'_>, target: &str) -> Option<Number> {
    let same = group.dataset == target || SAME.contains(&(group.dataset, target));
    let best = Study::best(group).ok().filter(|_| same)?;
    Some(Number {
        value: best.test? * 100.0,
        jobs: best.run.job_id.iter().cloned().collect(),
        runs: group.upstreams.len(),
        note: crate::label::upstream(best.run),
    })
}
