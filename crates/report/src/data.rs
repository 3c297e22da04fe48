//! The data behind figures and tables as CSV.

use augreg_store::{Rows, Value};

use crate::exhibit::{AxisKind, Body, Chart, Grid, Number, Table, TableCell};
use crate::heat_map::REFERENCE;
use crate::{Cell, HeatMap, HeatMapRow, JobRow, Report};

/// `figure4.csv`: one row per upstream, model and augmentation. Accuracies in per cent,
/// differences in points; an absent value is empty. The first columns are those of the published
/// figure (`val_none` is without regularization).
pub(crate) fn figure4(report: &Report) -> Result<Vec<u8>, csv::Error> {
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record([
        "upstream",
        "epochs",
        "model",
        "augmentation",
        "val_none",
        "val_reg",
        "f7_diff",
        "delta_none",
        "delta_reg",
        "jobs_none",
        "jobs_reg",
        "done_none",
        "done_reg",
        "best_reg_minus_best_none",
    ])?;
    for map in &report.heat_maps {
        for row in &map.rows {
            for augmentation in map.augmentations() {
                out.write_record(line(map, row, augmentation))?;
            }
        }
    }
    finish(out)
}

fn line(map: &HeatMap, row: &HeatMapRow, augmentation: &str) -> Vec<String> {
    let cells = [false, true].map(|on| map.cell(row, augmentation, on));
    let value = |cell: &Cell| number(cell.score().map(|score| score.accuracy));
    let delta = |cell: &Cell| number(cell.score().and_then(|score| score.delta));
    let jobs = |cell: &Cell| match cell {
        Cell::Empty => (0, 0),
        Cell::Unfinished { done, jobs } => (*jobs, *done),
        Cell::Done(score) => (score.jobs, score.jobs),
    };
    let ((jobs_none, done_none), (jobs_reg, done_reg)) = (jobs(cells[0]), jobs(cells[1]));
    vec![
        // An imported table stands beside own runs: whose a row is belongs to its upstream.
        match &map.source {
            Some(source) => format!("{} ({source})", map.dataset),
            None => map.dataset.clone(),
        },
        map.epochs.to_string(),
        row.model.clone(),
        augmentation.to_owned(),
        value(cells[0]),
        value(cells[1]),
        number(map.regularization_effect(row, augmentation)),
        delta(cells[0]),
        delta(cells[1]),
        jobs_none.to_string(),
        jobs_reg.to_string(),
        done_none.to_string(),
        done_reg.to_string(),
        // Once a model, as in the figure.
        if augmentation == map.augmentations().next().unwrap_or(REFERENCE) {
            number(row.side)
        } else {
            String::new()
        },
    ]
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| format!("{value:.4}"))
}

/// The numbers of an exhibit, one row each. Jobs are parted by spaces.
pub(crate) fn exhibit(body: &Body) -> Result<Vec<u8>, csv::Error> {
    match body {
        Body::Chart(all) => chart(all),
        Body::Grids(all) => grids(all),
        Body::Table(all) => table(all),
    }
}

fn chart(chart: &Chart) -> Result<Vec<u8>, csv::Error> {
    let mut out = csv::Writer::from_writer(Vec::new());
    let (x, y) = (chart.x.column, chart.y.column);
    let (low, high) = (format!("{y}_low"), format!("{y}_high"));
    let names = ["panel", "series", "label", x, y, &low, &high, "framed", "runs", "note", "jobs"];
    out.write_record(names)?;
    for panel in &chart.panels {
        for series in &panel.series {
            for point in &series.points {
                let x = match &chart.x.kind {
                    AxisKind::Places(names) => {
                        let name = names.get(point.x.round().max(0.0) as usize);
                        name.map_or_else(String::new, |name| name.replace('\n', ", "))
                    }
                    _ => number(Some(point.x)),
                };
                out.write_record([
                    panel.title.clone(),
                    series.name.clone(),
                    point.label.clone(),
                    x,
                    number(Some(point.y)),
                    number(point.band.map(|band| band.0)),
                    number(point.band.map(|band| band.1)),
                    u8::from(point.framed).to_string(),
                    point.runs.to_string(),
                    point.note.clone(),
                    point.jobs.join(" "),
                ])?;
            }
        }
    }
    finish(out)
}

fn grids(grids: &[Grid]) -> Result<Vec<u8>, csv::Error> {
    let mut out = csv::Writer::from_writer(Vec::new());
    let kinds = grids.first().map_or(("row", "column"), |grid| (grid.row_kind, grid.column_kind));
    out.write_record(["upstream", kinds.0, kinds.1, "points", "runs", "note", "jobs"])?;
    for grid in grids {
        for (row, cells) in grid.rows.iter().zip(&grid.cells) {
            for (column, cell) in grid.columns.iter().zip(cells) {
                let nothing = Number::default();
                let (value, cell) = (cell.as_ref().map(|cell| cell.value), cell.as_ref());
                let cell = cell.unwrap_or(&nothing);
                out.write_record([
                    grid.title.clone(),
                    row.clone(),
                    column.clone(),
                    number(value),
                    cell.runs.to_string(),
                    cell.note.clone(),
                    cell.jobs.join(" "),
                ])?;
            }
        }
    }
    finish(out)
}

fn table(table: &Table) -> Result<Vec<u8>, csv::Error> {
    let mut out = csv::Writer::from_writer(Vec::new());
    let names = table.columns.iter().map(|column| column.0.as_str());
    out.write_record(names.chain(["jobs"]))?;
    for row in &table.rows {
        let mut jobs: Vec<&str> = Vec::new();
        for job in row.iter().flat_map(self::jobs) {
            if !jobs.contains(&job.as_str()) {
                jobs.push(job);
            }
        }
        let cells = row.iter().map(|cell| match cell {
            TableCell::Text(text) | TableCell::Job(text) => text.clone(),
            TableCell::Number(value, _) => number(Some(value.value)),
            TableCell::Empty => String::new(),
        });
        out.write_record(cells.chain([jobs.join(" ")]))?;
    }
    finish(out)
}

fn jobs(cell: &TableCell) -> &[String] {
    match cell {
        TableCell::Number(number, _) => &number.jobs,
        _ => &[],
    }
}

/// `index.csv`: the published columns in their order.
pub(crate) fn index(rows: &Rows) -> Result<Vec<u8>, csv::Error> {
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record(&rows.columns)?;
    for row in &rows.rows {
        out.write_record(row.iter().map(value))?;
    }
    finish(out)
}

/// A value of the database as text; nothing is empty.
pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text.clone(),
    }
}

/// `results.csv`: one row a job in the order of the table, with the columns of the store's view
/// `v_jobs`. Accuracies in [0, 1].
pub(crate) fn results(report: &Report) -> Result<Vec<u8>, csv::Error> {
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record(JobRow::COLUMNS)?;
    for job in &report.jobs {
        out.write_record([
            job.id.clone(),
            job.dataset.clone(),
            job.model.clone(),
            job.augmentation.clone(),
            job.dropout.to_string(),
            job.stochastic_depth.to_string(),
            job.weight_decay.to_string(),
            job.learning_rate.to_string(),
            job.epochs.to_string(),
            job.batch_size.to_string(),
            job.resolution.to_string(),
            job.seed.to_string(),
            job.state.to_string(),
            plain(job.best_val),
            plain(job.final_val),
            plain(job.final_test),
            plain(job.train_loss),
            plain(job.steps),
            plain(job.parameters),
            plain(job.flops),
            plain(job.seconds),
            plain(job.images_per_second),
            job.attempts.to_string(),
            job.failure.clone().unwrap_or_default(),
            job.message.clone().unwrap_or_default(),
            job.stage.clone(),
            job.parent.clone().unwrap_or_default(),
        ])?;
    }
    finish(out)
}

fn plain(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn finish(out: csv::Writer<Vec<u8>>) -> Result<Vec<u8>, csv::Error> {
    out.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}
