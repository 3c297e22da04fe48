//! The results table: one row a job, as HTML.

use std::collections::BTreeSet;

use augreg_protocol::JobState;
use maud::{Markup, html};

use crate::label::{self, accuracy, count, printable};
use crate::{JobRow, sections};

/// The page shows at most so many jobs; `results.csv` has all.
const SHOWN: usize = 2000;

/// A column of the table.
struct Column {
    name: &'static str,
    numeric: bool,
    text: fn(&JobRow) -> String,
}

const fn text(name: &'static str, text: fn(&JobRow) -> String) -> Column {
    Column { name, numeric: false, text }
}

const fn number(name: &'static str, text: fn(&JobRow) -> String) -> Column {
    Column { name, numeric: true, text }
}

/// The jobs that have a row in the table.
pub(crate) fn linked(jobs: &[JobRow]) -> BTreeSet<&str> {
    jobs.iter().take(SHOWN).map(|job| job.id.as_str()).collect()
}

/// The table of `jobs` in their order. Axes that a sweep seldom varies are shown where they do.
pub(crate) fn table(jobs: &[JobRow]) -> Markup {
    let columns = columns(jobs);
    let linked = linked(jobs);
    let shown = &jobs[..jobs.len().min(SHOWN)];
    html! {
        @if shown.len() < jobs.len() {
            p { "The first " (shown.len()) " of " (count(jobs.len(), "job")) " are shown; "
                a href="results.csv" { "results.csv" } " has all." }
        }
        p id="results-note" {
            "Highest test accuracy first, jobs without a result last. Accuracies are those at the \
             end of training, in per cent."
        }
        div class="scroll" tabindex="0" role="region" aria-label="Results table" {
            table class="sortable" aria-labelledby="results" aria-describedby="results-note" {
                thead { tr {
                    @for column in &columns {
                        th scope="col" class=[column.numeric.then_some("num")]
                            aria-sort=[(column.name == "final_test").then_some("descending")] {
                            (column.name)
                        }
                    }
                } }
                tbody { @for job in shown { (row(job, &columns, &linked)) } }
            }
        }
    }
}

fn parent(job: &JobRow, linked: &BTreeSet<&str>) -> Markup {
    html! {
        @if let Some(parent) = &job.parent { (sections::job_link(parent, linked)) }
    }
}

fn row(job: &JobRow, columns: &[Column], linked: &BTreeSet<&str>) -> Markup {
    html! {
        tr id={ "job-" (printable(&job.id)) } {
            @for column in columns {
                @let text = (column.text)(job);
                @match column.name {
                    "model" => th scope="row" { (text) },
                    "starts from" => td { (parent(job, linked)) },
                    "job" => td title=(printable(&job.id)) { code { (text) } },
                    "state" => td class=(job.state.name()) { (text) },
                    "reason" => td class="why" { (text) },
                    _ => td class=[column.numeric.then_some("num")] { (text) },
                }
            }
        }
    }
}

fn columns(jobs: &[JobRow]) -> Vec<Column> {
    let varies = |key: fn(&JobRow) -> u64| jobs.iter().map(key).collect::<BTreeSet<_>>().len() > 1;
    let mut columns = Vec::new();
    if jobs.iter().any(|job| !job.is_pretraining()) {
        columns.push(text("stage", |job| printable(&job.stage).into_owned()));
    }
    columns.extend([
        text("model", |job| printable(&job.model).into_owned()),
        text("dataset", |job| printable(&job.dataset).into_owned()),
        text("augmentation", |job| printable(&job.augmentation).into_owned()),
        text("regularization", label::regularization),
        number("weight decay", |job| job.weight_decay.to_string()),
        number("epochs", |job| job.epochs.to_string()),
    ]);
    if jobs.iter().any(|job| job.parent.is_some()) {
        columns.push(text("starts from", |job| {
            job.parent.as_deref().map_or_else(String::new, label::short_id)
        }));
    }
    if varies(|job| job.learning_rate.to_bits()) {
        columns.push(number("learning rate", |job| job.learning_rate.to_string()));
    }
    if varies(|job| job.batch_size) {
        columns.push(number("batch", |job| job.batch_size.to_string()));
    }
    if varies(|job| job.resolution) {
        columns.push(number("resolution", |job| job.resolution.to_string()));
    }
    columns.extend([
        number("seed", |job| job.seed.to_string()),
        text("state", |job| job.state.to_string()),
        number("final_val", |job| accuracy(job.validation())),
        number("final_test", |job| accuracy(job.test())),
        number("images/s", |job| rounded(job.images_per_second)),
        number("seconds", |job| tenths(job.seconds)),
        text("job", |job| label::short_id(&job.id)),
    ]);
    if jobs.iter().any(|job| !reason(job).is_empty()) {
        columns.push(text("reason", reason));
    }
    columns
}

/// Why a job ended without a result: the kind of failure and what it said.
pub(crate) fn reason(job: &JobRow) -> String {
    if job.state != JobState::Failed {
        return String::new();
    }
    let parts: Vec<_> = [&job.failure, &job.message]
        .into_iter()
        .flatten()
        .map(|text| printable(text.trim()))
        .filter(|text| !text.is_empty())
        .collect();
    if parts.is_empty() { "no reason recorded".to_owned() } else { parts.join(": ") }
}

fn rounded(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.0}"))
}

fn tenths(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1}"))
}
