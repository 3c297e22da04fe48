//! Figure 7: regularized minus unregularized validation accuracy under each augmentation.

use crate::Missing;
use crate::exhibit::{Body, Exhibit, Grid, Number};
use crate::label::{percent, printable};
use crate::{Cell, HeatMap, HeatMapRow};

pub(super) fn figure7(maps: &[HeatMap]) -> Option<Exhibit> {
    let both = |map: &&HeatMap| {
        [true, false].iter().all(|on| map.columns.iter().any(|column| column.regularized == *on))
    };
    let maps: Vec<_> = maps.iter().filter(both).collect();
    if maps.is_empty() {
        return None;
    }
    let mut missing = Vec::new();
    let grids = maps.into_iter().map(|map| grid(map, &mut missing)).collect();
    Some(Exhibit {
        name: "figure7",
        title: "",
        about:
            "Points of upstream validation accuracy that regularization adds or takes, model by \
                model and augmentation by augmentation: differences of the cells of Figure 4."
                .to_owned(),
        body: Body::Grids(grids),
        missing,
    })
}

fn grid(map: &HeatMap, missing: &mut Vec<Missing>) -> Grid {
    let augmentations: Vec<_> = map.augmentations().collect();
    let cells = map
        .rows
        .iter()
        .map(|row| augmentations.iter().map(|name| cell(map, row, name, missing)).collect())
        .collect();
    Grid {
        title: map.title(),
        row_kind: "model",
        column_kind: "augmentation",
        rows: map.rows.iter().map(|row| printable(&row.model).into_owned()).collect(),
        columns: augmentations.iter().map(|name| printable(name).into_owned()).collect(),
        cells,
    }
}

fn cell(
    map: &HeatMap,
    row: &HeatMapRow,
    augmentation: &str,
    missing: &mut Vec<Missing>,
) -> Option<Number> {
    let [with, without] = [true, false].map(|on| map.cell(row, augmentation, on));
    for cell in [with, without] {
        if let Cell::Unfinished { done, jobs } = cell {
            missing.push(Missing::new(format!(
                "{}, {}, {}: {done} of {jobs} pre-trainings finished",
                map.title(),
                printable(&row.model),
                printable(augmentation)
            )));
        }
    }
    let (with, without) = (with.score()?, without.score()?);
    Some(Number {
        value: with.accuracy - without.accuracy,
        jobs: with.from.iter().chain(&without.from).cloned().collect(),
        runs: with.jobs + without.jobs,
        note: format!("{} % with, {} % without", percent(with.accuracy), percent(without.accuracy)),
    })
}
