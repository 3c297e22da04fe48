//! The report as one HTML page: figures and styles inline, no network, readable without script.

use std::collections::BTreeSet;

use augreg_protocol::JobState;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::label::{self, count, percent, points, printable};
use crate::{
    HeatMap, HeatMapRow, JobRow, Report, ScoredForecast, chart_svg, results, sections, svg,
};

const STYLE: &str = include_str!("assets/page.css");
const SORT: &str = include_str!("assets/sort.js");
/// Lists of jobs without a result show at most so many; `results.csv` has all.
const LISTED: usize = 200;

/// The page; `figure_files` names the SVG file of each heat map.
pub(crate) fn render(report: &Report, figure_files: &[String]) -> String {
    let linked = results::linked(&report.jobs);
    let name = report.sweep.as_deref().map_or("the whole study".into(), printable);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "augreg report: " (name) }
                style { (PreEscaped(STYLE)) (PreEscaped(svg::STYLE)) (PreEscaped(chart_svg::STYLE)) }
            }
            body {
                main {
                    header {
                        h1 { "Report on " (name) }
                        @if let Some(date) = &report.date { p class="muted" { (printable(date)) } }
                        (counts(report))
                    }
                    @if report.has_results() {
                        (answers(report))
                        (figures(report, figure_files, &linked))
                        @for exhibit in &report.exhibits { (sections::exhibit(exhibit, &linked)) }
                    }
                    (forecasts(&report.forecasts))
                    (unfinished(&report.jobs, &linked))
                    @if !report.jobs.is_empty() {
                        section {
                            h2 id="results" { "Results" }
                            (results::table(&report.jobs))
                            p class="muted" { "As data: " a href="results.csv" { "results.csv" } "." }
                        }
                    }
                    @if let Some(index) = &report.index { (sections::index(index)) }
                    @if report.has_results() { (sections::absent(&report.absent)) }
                }
                script { (PreEscaped(SORT)) }
            }
        }
    }
    .into_string()
}

fn counts(report: &Report) -> Markup {
    html! {
        @if report.jobs.is_empty() {
            p class="notice" { "There are no jobs to report on." }
        } @else {
            ul class="counts" aria-label="Jobs by state" {
                li { b { (report.jobs.len()) } @if report.jobs.len() == 1 { "job" } @else { "jobs" } }
                @for (state, number) in report.counts() {
                    li class=(state.name()) { b { (number) } (state.name()) }
                }
            }
            @if !report.has_results() {
                p class="notice" {
                    "No job has finished yet: there are no results, and no figures are drawn."
                }
            }
        }
    }
}

fn answers(report: &Report) -> Markup {
    html! {
        section {
            h2 id="answers" { "What the runs say" }
            @if report.answers.is_empty() { p { "Not enough runs to say anything." } }
            @for answer in &report.answers {
                h3 { (answer.about) }
                ul class="says wide" { @for sentence in &answer.sentences { li { (sentence) } } }
            }
        }
    }
}

/// What sweeps were expected to take, and what they took.
fn forecasts(forecasts: &[ScoredForecast]) -> Markup {
    html! {
        @if !forecasts.is_empty() { section {
            h2 id="forecasts" { "Forecasts" }
            p { "How long sweeps were expected to take when they were launched, and how long they took." }
            ul class="says wide" {
                @for scored in forecasts {
                    li { (printable(&scored.sweep)) ", " (scored.at) ": " (scored.sentence()) "." }
                }
            }
        } }
    }
}

fn figures(report: &Report, files: &[String], linked: &BTreeSet<&str>) -> Markup {
    let scale = report.scale();
    html! {
        @if !report.heat_maps.is_empty() { section {
            h2 id="figure4" { "Figure 4: augmentation and regularization by model" }
            p {
                "Validation accuracy at the end, in per cent: the mean over seeds of the best \
                 setting of all axes not shown, such as weight decay. The colour is the difference \
                 to the same model without augmentation and without regularization; it means the \
                 same in every figure."
            }
            @for (index, (map, file)) in report.heat_maps.iter().zip(files).enumerate() {
                (figure(report, map, file, index, scale, linked))
            }
        } }
    }
}

fn figure(
    report: &Report,
    map: &HeatMap,
    file: &str,
    index: usize,
    scale: f64,
    linked: &BTreeSet<&str>,
) -> Markup {
    let jobs: Vec<_> = report.jobs.iter().filter(|job| map.is_of(job)).collect();
    let done = jobs.iter().filter(|job| job.validation().is_some()).count();
    // On a narrow screen it shrinks so far and then scrolls.
    let narrowest = svg::natural_width(map) * 4 / 5;
    html! {
        figure {
            div class="scroll" tabindex="0" role="region" aria-label={ "Heat map: " (map.title()) } {
                (PreEscaped(svg::figure(map, scale, &format!("f4-{index}"), false, linked).0
                    .replacen("<svg ", &format!("<svg style=\"min-width:{narrowest}px\" "), 1)))
            }
            figcaption {
                @match &map.source {
                    Some(source) => { "Imported: " (printable(source)) },
                    None => { (done) " of " (count(jobs.len(), "job")) " finished" },
                }
                @let failed = jobs.iter().filter(|job| job.state == JobState::Failed).count();
                @if failed > 0 { ", " (failed) " failed" }
                @if done < jobs.len() { " (" a href="#missing" { "which are missing" } ")" }
                ". As a file: " a href=(file) { (file) } "; data of all: "
                a href="figure4.csv" { "figure4.csv" } "."
                details { summary { "The same as a table" } (numbers(map)) }
            }
        }
    }
}

fn numbers(map: &HeatMap) -> Markup {
    html! {
        div class="scroll" tabindex="0" role="region" aria-label={ "Table: " (map.title()) } {
            table {
                caption { "Accuracy in per cent and difference to the reference in points" }
                thead { tr {
                    th scope="col" { "model" }
                    @for column in &map.columns {
                        th scope="col" class="num" {
                            (printable(&column.augmentation)) ", " (label::regularized(column.regularized))
                        }
                    }
                    th scope="col" class="num" { "best reg − best no reg" }
                } }
                tbody { @for row in &map.rows { (numbers_of(row)) } }
            }
        }
    }
}

fn numbers_of(row: &HeatMapRow) -> Markup {
    html! {
        tr {
            th scope="row" { (printable(&row.model)) }
            @for cell in &row.cells {
                td class="num" {
                    @match cell.score() {
                        Some(score) => {
                            (percent(score.accuracy))
                            @if let Some(delta) = score.delta { " (" (points(delta)) ")" }
                        },
                        None => { @if cell.is_unfinished() { "not finished" } @else { "–" } },
                    }
                }
            }
            td class="num" { (row.side.map_or_else(|| "–".to_owned(), points)) }
        }
    }
}

/// Every job without a result, by what became of it.
fn unfinished(jobs: &[JobRow], linked: &BTreeSet<&str>) -> Markup {
    let missing: Vec<_> = jobs.iter().filter(|job| !job.has_result()).collect();
    html! {
        @if !missing.is_empty() {
            section {
                h2 id="missing" { "Jobs without a result" }
                @for state in JobState::ALL {
                    @let these: Vec<_> = missing.iter().filter(|job| job.state == state).collect();
                    @if !these.is_empty() {
                        details open[state == JobState::Failed] {
                            summary { (these.len()) " " (state.name()) }
                            ul class="says" {
                                @for job in these.iter().take(LISTED) { (missing_job(job, linked)) }
                            }
                            @if these.len() > LISTED {
                                p { "… and " (these.len() - LISTED) " more in "
                                    a href="results.csv" { "results.csv" } "." }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn missing_job(job: &JobRow, linked: &BTreeSet<&str>) -> Markup {
    let why = match job.state {
        JobState::Succeeded => "ended without a validation accuracy".to_owned(),
        _ => results::reason(job),
    };
    html! {
        li {
            (sections::job_link(&job.id, linked)) " " (label::job(job))
            @if job.attempts > 0 { ", " (count(job.attempts as usize, "attempt")) }
            @if !why.is_empty() { ": " span class="failed" { (why) } }
        }
    }
}
