//! The exhibits, the index and what is not there, as parts of the page.

use std::collections::BTreeSet;

use augreg_store::Rows;
use maud::{Markup, PreEscaped, html};

use crate::exhibit::{Body, Exhibit, Number, Table, TableCell};
use crate::label::{self, count, printable};
use crate::{Missing, chart_svg, data, grid_svg};

/// Lists of what is missing show at most so many jobs each.
const JOBS: usize = 12;
/// And so many entries.
const ENTRIES: usize = 60;
/// The page shows at most so many rows of the index; `index.csv` has all.
const INDEX: usize = 500;

/// The picture of an exhibit, if it is one.
pub(crate) fn picture(exhibit: &Exhibit, linked: &BTreeSet<&str>, styled: bool) -> Option<Markup> {
    match &exhibit.body {
        Body::Chart(chart) => Some(chart_svg::chart(exhibit, chart, linked, styled)),
        Body::Grids(grids) => Some(grid_svg::grids(exhibit, grids, linked, styled)),
        Body::Table(_) => None,
    }
}

/// One exhibit; `linked` are the jobs that have a row in the results table.
pub(crate) fn exhibit(exhibit: &Exhibit, linked: &BTreeSet<&str>) -> Markup {
    let files = [("svg", !matches!(exhibit.body, Body::Table(_))), ("csv", true)];
    html! {
        section {
            h2 id=(exhibit.name) { (exhibit.title) }
            p { (exhibit.about) }
            @if exhibit.body.has_numbers() {
                figure {
                    div class="scroll" tabindex="0" role="region" aria-label=(exhibit.title) {
                        @match &exhibit.body {
                            Body::Table(all) => (table(all, linked)),
                            _ => (PreEscaped(picture(exhibit, linked, false).unwrap_or_default().0)),
                        }
                    }
                    figcaption {
                        "As files:"
                        @for (extension, _) in files.iter().filter(|file| file.1) {
                            @let name = format!("{}.{extension}", exhibit.name);
                            " " a href=(name) { (name) }
                        }
                        "."
                    }
                }
            } @else {
                p class="notice" { "Nothing of it is complete." }
            }
            (missing(&exhibit.missing, linked))
        }
    }
}

fn missing(all: &[Missing], linked: &BTreeSet<&str>) -> Markup {
    html! {
        @if !all.is_empty() {
            details open[all.len() <= 5] {
                summary { "Not shown for want of runs: " (all.len()) }
                ul class="says" {
                    @for one in all.iter().take(ENTRIES) {
                        li {
                            (one.what)
                            @for job in one.jobs.iter().take(JOBS) { " " (job_link(job, linked)) }
                            @if one.jobs.len() > JOBS {
                                " and " (one.jobs.len() - JOBS) " more"
                            }
                        }
                    }
                    @if all.len() > ENTRIES { li { "and " (all.len() - ENTRIES) " more" } }
                }
            }
        }
    }
}

/// The short id of a job, leading to its row where it has one.
pub(crate) fn job_link(job: &str, linked: &BTreeSet<&str>) -> Markup {
    let short = label::short_id(job);
    html! {
        @if linked.contains(job) {
            a href={ "#job-" (printable(job)) } { code { (short) } }
        } @else {
            code title=(printable(job)) { (short) }
        }
    }
}

fn table(table: &Table, linked: &BTreeSet<&str>) -> Markup {
    html! {
        table class="sortable" {
            thead { tr {
                @for (name, numeric) in &table.columns {
                    th scope="col" class=[numeric.then_some("num")] { (printable(name)) }
                }
            } }
            tbody {
                @for row in &table.rows {
                    tr { @for cell in row { (table_cell(cell, linked)) } }
                }
            }
        }
    }
}

fn table_cell(cell: &TableCell, linked: &BTreeSet<&str>) -> Markup {
    html! {
        @match cell {
            TableCell::Text(text) => td { (text) },
            TableCell::Job(job) => td { (job_link(job, linked)) },
            TableCell::Empty => td class="num" { "–" },
            TableCell::Number(value, decimals) => (number(value, *decimals, linked)),
        }
    }
}

fn number(number: &Number, decimals: usize, linked: &BTreeSet<&str>) -> Markup {
    let text = format!("{:.decimals$}", number.value);
    let runs = (number.runs > 0).then(|| format!("n = {}", count(number.runs, "run")));
    let note = Some(number.note.clone()).filter(|note| !note.is_empty());
    let title: Vec<_> = [note, runs].into_iter().flatten().collect();
    let jobs: Vec<_> = number.jobs.iter().map(|job| printable(job)).collect();
    html! {
        td class="num" title=[(!title.is_empty()).then(|| title.join("; "))]
            data-jobs=[(!jobs.is_empty()).then(|| jobs.join(" "))] {
            @match number.jobs.iter().find(|job| linked.contains(job.as_str())) {
                Some(job) => a href={ "#job-" (printable(job)) } { (text) },
                None => (text),
            }
        }
    }
}

/// The study's index in the published columns.
pub(crate) fn index(rows: &Rows) -> Markup {
    let shown = &rows.rows[..rows.rows.len().min(INDEX)];
    let text = ["name", "ds", "aug", "adapt_ds", "filename", "adapt_filename"];
    let numeric = |column: &String| !text.contains(&column.as_str());
    html! {
        section {
            h2 id="index" { "Index" }
            p {
                "Every finished upstream run with each of its adaptations, in the columns and under \
                 the names of the published table (paper light1 and light2 are light0 and light1 \
                 there). "
                @if shown.len() < rows.rows.len() {
                    "The first " (shown.len()) " of " (count(rows.rows.len(), "row")) " are shown. "
                }
                "As data: " a href="index.csv" { "index.csv" } "."
            }
            details {
                summary { (count(rows.rows.len(), "row")) }
                div class="scroll" tabindex="0" role="region" aria-label="Index" {
                    table class="sortable" {
                        thead { tr {
                            @for column in &rows.columns {
                                th scope="col" class=[numeric(column).then_some("num")] { (column) }
                            }
                        } }
                        tbody {
                            @for row in shown {
                                tr {
                                    @for (value, column) in row.iter().zip(&rows.columns) {
                                        td class=[numeric(column).then_some("num")] {
                                            (printable(&data::value(value)))
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What the study has nothing for.
pub(crate) fn absent(lines: &[String]) -> Markup {
    html! {
        @if !lines.is_empty() {
            section {
                h2 id="absent" { "Not in this study" }
                ul class="says" { @for line in lines { li { (line) } } }
            }
        }
    }
}
