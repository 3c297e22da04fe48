//! Figure 3 and Table 5: the recommended checkpoints on VTAB.

use augreg_spec::{VTAB, VtabGroup, vtab_task};

use super::keep;
use crate::Missing;
use crate::exhibit::{
    Axis, Body, Chart, Exhibit, Number, Panel, Point, Series, Style, Table, TableCell,
};
use crate::label::{count, printable};
use crate::study::{Group, Pick, Study};

/// The resolution that speeds are compared at (paper, Figure 3).
const RESOLUTION: u32 = 224;

/// One recommended checkpoint on all tasks.
struct Row<'a> {
    model: &'a str,
    budget: String,
    /// In the order of [`VTAB`].
    tasks: Vec<Option<Pick<'a>>>,
    /// Images a second at [`RESOLUTION`], or else at that of its adaptations.
    speed: Option<(f64, u32)>,
}

impl Row<'_> {
    /// The mean test accuracy over a group of tasks, if all are there.
    fn mean(&self, group: VtabGroup) -> Option<Number> {
        let picks = VTAB.iter().zip(&self.tasks).filter(|(task, _)| task.group == group);
        let picks: Vec<Pick<'_>> = picks.map(|(_, pick)| *pick).collect::<Option<_>>()?;
        Some(Number {
            value: picks.iter().map(|pick| pick.test).sum::<f64>() / picks.len() as f64,
            jobs: picks.iter().filter_map(|pick| pick.run.adapt_job_id.clone()).collect(),
            runs: picks.iter().map(|pick| pick.runs).sum(),
            note: format!("mean of {}", count(picks.len(), "task")),
        })
    }
}

fn rows<'a>(study: &Study<'a>, missing: &mut Vec<Missing>) -> Vec<Row<'a>> {
    let targets: Vec<_> =
        study.targets().into_iter().filter(|target| vtab_task(target).is_some()).collect();
    let concerned = |group: &&Group<'a>| targets.iter().any(|target| study.concerns(group, target));
    study.groups.iter().filter(concerned).map(|group| row(study, group, missing)).collect()
}

fn row<'a>(study: &Study<'a>, group: &Group<'a>, missing: &mut Vec<Missing>) -> Row<'a> {
    let mut absent = Vec::new();
    let tasks: Vec<_> = VTAB
        .iter()
        .map(|task| {
            let target = format!("vtab-{}", task.name);
            if !study.concerns(group, &target) {
                absent.push(task.name);
                return None;
            }
            keep(study.pick(group, &target, None), missing)
        })
        .collect();
    if !absent.is_empty() {
        let what = format!("{}: not adapted to {}", group.name(), absent.join(", "));
        missing.push(Missing::new(what));
    }
    let adapted = tasks.iter().flatten().find_map(|pick| pick.run.adapt_resolution);
    let speed = [Some(RESOLUTION), adapted]
        .into_iter()
        .flatten()
        .find_map(|resolution| study.speed(group, resolution).map(|speed| (speed, resolution)));
    Row { model: group.model, budget: group.budget(), tasks, speed }
}

pub(super) fn figure3(study: &Study<'_>) -> Option<Exhibit> {
    let mut missing = Vec::new();
    let rows = rows(study, &mut missing);
    if rows.is_empty() {
        return None;
    }
    for row in rows.iter().filter(|row| row.speed.is_none()) {
        let what = format!("{}: no inference speed of {}", row.budget, printable(row.model));
        missing.push(Missing::new(what));
    }
    let panels = VtabGroup::ALL.map(|group| Panel {
        title: group.name().to_owned(),
        series: series(&rows, group),
        diagonal: false,
    });
    Some(Exhibit {
        name: "figure3",
        title: "",
        about:
            "Mean test accuracy over the tasks of each VTAB group against inference speed at 224 \
                px (at the adaptation's resolution where that was not measured). Each point is the \
                checkpoint of a model and upstream budget with the best upstream validation \
                accuracy, adapted to each task by the task's validation split."
                .to_owned(),
        body: Body::Chart(Chart {
            x: Axis::log("images a second", "images_per_second"),
            y: Axis::linear("mean test accuracy in %", "mean_test_accuracy"),
            panels: panels.to_vec(),
        }),
        missing,
    })
}

fn series(rows: &[Row<'_>], group: VtabGroup) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    let mut budgets: Vec<&str> = Vec::new();
    for row in rows {
        if !budgets.contains(&row.budget.as_str()) {
            budgets.push(&row.budget);
        }
    }
    for (number, budget) in budgets.iter().enumerate() {
        let mut points: Vec<_> = rows
            .iter()
            .filter(|row| row.budget == *budget)
            .filter_map(|row| {
                let ((speed, at), mean) = (row.speed?, row.mean(group)?);
                Some(Point {
                    label: printable(row.model).into_owned(),
                    x: speed,
                    y: mean.value,
                    jobs: mean.jobs,
                    runs: mean.runs,
                    note: format!("{}; speed at {at} px", mean.note),
                    ..Point::default()
                })
            })
            .collect();
        points.sort_by(|a, b| a.x.total_cmp(&b.x));
        if !points.is_empty() {
            let style = Style { line: true, ..Style::points(number) };
            all.push(Series { name: (*budget).to_owned(), style, points });
        }
    }
    all
}

pub(super) fn table5(study: &Study<'_>) -> Option<Exhibit> {
    let mut missing = Vec::new();
    let rows = rows(study, &mut missing);
    if rows.is_empty() {
        return None;
    }
    let mut columns = vec![("upstream".to_owned(), false), ("model".to_owned(), false)];
    for group in VtabGroup::ALL {
        let tasks = VTAB.iter().filter(|task| task.group == group);
        columns.extend(tasks.map(|task| (task.name.to_owned(), true)));
        columns.push((format!("mean_{}", group.name()), true));
    }
    let rows = rows.iter().map(line).collect();
    Some(Exhibit {
        name: "table5",
        title: "",
        about:
            "Test accuracy in per cent of the recommended checkpoint of each model and budget on \
                VTAB, and the mean of each group where all of its tasks are there."
                .to_owned(),
        body: Body::Table(Table { columns, rows }),
        missing,
    })
}

fn line(row: &Row<'_>) -> Vec<TableCell> {
    let number = |number: Option<Number>| {
        number.map_or(TableCell::Empty, |number| TableCell::Number(number, 1))
    };
    let mut cells = vec![
        TableCell::Text(row.budget.clone()),
        TableCell::Text(printable(row.model).into_owned()),
    ];
    for group in VtabGroup::ALL {
        let tasks = VTAB.iter().zip(&row.tasks).filter(|(task, _)| task.group == group);
        cells.extend(tasks.map(|(_, pick)| number(pick.as_ref().map(super::number))));
        cells.push(number(row.mean(group)));
    }
    cells
}
