//! The data behind figures and tables as CSV.

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
        map.dataset.clone(),
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
