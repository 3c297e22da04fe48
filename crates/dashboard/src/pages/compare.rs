//! Curves of several jobs in one picture, and what the jobs differ in.

use augreg_spec::JobId;
use augreg_store::{AXES, Rows, StoreError, Value};
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use maud::{Markup, html};

use super::{job, settings};
use crate::chart::{COLOURS, LARGE, Series, chart};
use crate::frame::{Frame, scroll, state};
use crate::guard::Rights;
use crate::parameters::Parameters;
use crate::state::Shared;
use crate::trouble::Trouble;
use crate::words::{printable, value};

/// Jobs in one picture: three times as many as there are colours.
const JOBS: usize = 3 * COLOURS;
/// Points of each curve.
const POINTS: u32 = 300;
/// What became of the jobs, beside what they differ in.
const RESULTS: [&str; 5] = ["state", "train_loss", "best_val", "final_val", "final_test"];

pub(crate) async fn page(
    State(shared): State<Shared>,
    Extension(rights): Extension<Rights>,
    parameters: Parameters,
) -> Result<(StatusCode, Markup), Trouble> {
    let frame = Frame::new(&shared, rights, "/compare", "/compare", &parameters);
    let (jobs, wrong) = chosen(&shared, &parameters).await?;
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let body = html! {
        h1 { "Compare" }
        (form(&parameters, &jobs, &wrong))
        div #compared data-live {
            @if jobs.is_empty() {
                p.muted { "Choose jobs in " a href="/jobs" { "the table of jobs" } ", or name them above." }
            } @else { (compared(&shared, &parameters, &jobs).await?) }
        }
    };
    Ok((status, frame.page("Compare", &body)))
}

/// The jobs that the address names, each once, and what is wrong with the others.
async fn chosen(
    state: &Shared,
    parameters: &Parameters,
) -> Result<(Vec<JobId>, Vec<String>), Trouble> {
    let (mut jobs, mut wrong) = (Vec::new(), Vec::new());
    let texts = parameters.all("job").flat_map(|text| text.split([' ', ',']));
    for prefix in texts.filter(|text| !text.is_empty()) {
        if jobs.len() == JOBS {
            wrong.push(format!("only the first {JOBS} jobs are compared"));
            break;
        }
        match state.store.job_by_prefix(prefix).await {
            Ok(job) if jobs.contains(&job) => {}
            Ok(job) => jobs.push(job),
            Err(error @ (StoreError::UnknownJob { .. } | StoreError::AmbiguousJob { .. })) => {
                wrong.push(error.to_string());
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok((jobs, wrong))
}

fn form(parameters: &Parameters, jobs: &[JobId], wrong: &[String]) -> Markup {
    html! {
        form.line action="/compare" method="get" {
            @for job in jobs { input type="hidden" name="job" value=(job); }
            @if let Some(metric) = parameters.get("metric") { input type="hidden" name="metric" value=(metric); }
            label { "Another job " input #another name="job" placeholder="start of its id" size="14" spellcheck="false"
                autocomplete="off" aria-invalid=[(!wrong.is_empty()).then_some("true")]
                aria-describedby=[(!wrong.is_empty()).then_some("another-wrong")]; }
            button { "Add" }
        }
        @if !wrong.is_empty() {
            div #another-wrong { @for text in wrong { p.wrong role="alert" { (printable(text)) } } }
        }
    }
}

async fn compared(
    state: &Shared,
    parameters: &Parameters,
    jobs: &[JobId],
) -> Result<Markup, Trouble> {
    let columns: Vec<_> = ["id"].into_iter().chain(settings::columns()).chain(RESULTS).collect();
    let rows = state.store.rows_of(jobs, &columns).await?;
    let differing: Vec<_> = settings::differing(&rows)
        .into_iter()
        .filter(|at| *at > 0 && !RESULTS.contains(&rows.columns[*at].as_str()))
        .collect();
    let mut metrics: Vec<String> = Vec::new();
    for job in jobs {
        let details = state.store.job(*job).await?;
        metrics.extend(
            details.metrics.into_iter().filter(|name| !metrics.contains(name)).collect::<Vec<_>>(),
        );
    }
    let names = job::ordered(&metrics);
    let metric = parameters.get("metric").or(names.first().copied()).unwrap_or("train_loss");
    let mut series = Vec::new();
    for id in jobs {
        let points = state.store.thinned_curve(*id, metric, POINTS).await?;
        let name = name_of(&rows, *id, &differing);
        series.push(Series { name, link: Some(format!("/job/{id}")), points });
    }
    Ok(html! {
        nav.line aria-label="Metric" {
            @for name in &names {
                a href={ "/compare" (parameters.without("metric").and("metric", name)) }
                    aria-current=[(*name == metric).then_some("true")] { (name) }
            }
        }
        div.wide-chart { (chart("chart", metric, LARGE, &series)) }
        (table(&rows, &differing, parameters, jobs))
    })
}

/// The start of an id and the first settings that set the job apart; some follow from others.
fn name_of(rows: &Rows, job: JobId, differing: &[usize]) -> String {
    let id = job.to_string();
    let row = rows.rows.iter().find(|row| value(&row[0]) == id);
    let named = |at: &&usize| {
        let name = rows.columns[**at].as_str();
        AXES.contains(&name) && !["steps", "warmup_steps"].contains(&name)
    };
    let part = |row: &Vec<Value>, at: usize| format!("{} {}", rows.columns[at], value(&row[at]));
    let parts = row.into_iter().flat_map(|row| {
        differing.iter().filter(named).take(3).map(|at| part(row, *at)).collect::<Vec<_>>()
    });
    let parts: Vec<_> = parts.collect();
    if parts.is_empty() { job.short() } else { format!("{}: {}", job.short(), parts.join(", ")) }
}

fn class(column: &str) -> &'static str {
    if settings::is_number(column) { "num" } else { "" }
}

/// Accuracies stand beneath each other with equally many digits.
fn shown_value(column: &str, cell: &Value) -> String {
    match cell {
        Value::Real(x) if column.ends_with("_val") || column.ends_with("_test") => {
            format!("{x:.4}")
        }
        cell => value(cell),
    }
}

fn table(rows: &Rows, differing: &[usize], parameters: &Parameters, jobs: &[JobId]) -> Markup {
    let results = rows.columns.len() - RESULTS.len();
    let shown: Vec<_> = differing.iter().copied().chain(results..rows.columns.len()).collect();
    let without = |id: &str| {
        let others = jobs.iter().map(ToString::to_string).filter(|job| job != id);
        others.fold(parameters.without("job"), |all, job| all.and("job", job))
    };
    let table = html! {
        table {
            thead { tr {
                th scope="col" { "job" }
                @for at in &shown { th scope="col" class=(class(&rows.columns[*at])) title=[settings::doc(&rows.columns[*at])] { (rows.columns[*at]) } }
                th scope="col" { span.hidden { "Leave out" } }
            } }
            tbody { @for row in &rows.rows {
                @let id = value(&row[0]);
                tr {
                    th scope="row" { a.id href={ "/job/" (id) } { (id.chars().take(10).collect::<String>()) } }
                    @for at in &shown {
                        @if rows.columns[*at] == "state" { td { (state(&value(&row[*at]))) } }
                        @else { td class=(class(&rows.columns[*at])) { (printable(&shown_value(&rows.columns[*at], &row[*at]))) } }
                    }
                    td { a href={ "/compare" (without(&id)) } aria-label={ "Leave " (id) " out" } { "leave out" } }
                }
            } }
        }
    };
    scroll("compared-table", "What the jobs differ in", &table)
}
