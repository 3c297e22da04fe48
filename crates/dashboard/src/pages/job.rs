//! One job: its settings, curves, attempts, log, checkpoints and audit.

use augreg_protocol::{Outcome, RunFolder};
use augreg_spec::JobId;
use augreg_store::{AttemptDetails, JobDetails, StoreError};
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::settings;
use crate::chart::{SMALL, Series, chart};
use crate::frame::{self, Frame, scroll};
use crate::guard::Rights;
use crate::parameters::Parameters;
use crate::state::Shared;
use crate::tail::tail;
use crate::trouble::Trouble;
use crate::words::{count, duration, number, printable, quantity, time};

/// Points of a curve: more than there are pixels for.
const POINTS: u32 = 500;
/// The metrics that are looked at first.
const FIRST: [&str; 5] =
    ["train_loss", "val_accuracy", "val_loss", "learning_rate", "images_per_second"];
/// Checkpoints that are listed.
const CHECKPOINTS: usize = 20;

/// Sends a browser from the start of an id to the job's page.
pub(crate) async fn find(
    State(state): State<Shared>,
    parameters: Parameters,
) -> Result<Response, Trouble> {
    let prefix = parameters.get("id").unwrap_or_default().trim();
    if prefix.is_empty() {
        return Err(StoreError::UnknownJob { prefix: String::new() }.into());
    }
    Ok(go_to(state.store.job_by_prefix(prefix).await?))
}

fn go_to(job: JobId) -> Response {
    let to = HeaderValue::from_str(&format!("/job/{job}"));
    let to = to.unwrap_or(HeaderValue::from_static("/jobs"));
    (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response()
}

pub(crate) async fn page(
    State(state): State<Shared>,
    Extension(rights): Extension<Rights>,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Result<Response, Trouble> {
    let job = state.store.job_by_prefix(&id).await?;
    if job.to_string() != id {
        return Ok(go_to(job));
    }
    let details = state.store.job(job).await?;
    let frame = Frame::new(&state, rights, "/jobs", &format!("/job/{job}"), &parameters);
    let rows = state.store.rows_of(&[job], &settings::columns()).await?;
    let spec = serde_json::to_string_pretty(&details.spec).unwrap_or_default();
    let body = html! {
        h1 { "Job " code { (job.short()) } }
        (frame.reader())
        div #head data-live { (head(&frame, &details)) }
        section aria-labelledby="curves" {
            h2 #curves { "Curves" }
            div #charts data-live { (curves(&state, &details).await?) }
        }
        section aria-labelledby="settings" {
            h2 #settings { "Settings" }
            (settings::one(&rows))
            details #spec { summary { "Spec: the JSON that the id is made from" }
                (scroll("spec-text", "Spec", &html! { pre { (printable(&spec)) } })) }
        }
        section aria-labelledby="attempts" {
            h2 #attempts { "Attempts" }
            div #attempt-list data-live { (attempts(&details)) }
        }
        section aria-labelledby="log" {
            h2 #log { "Log" }
            div #log-tail data-live { (log_tail(&state, &details).await) }
        }
        section aria-labelledby="checkpoints" {
            h2 #checkpoints { "Checkpoints" }
            div #checkpoint-list data-live { (checkpoints(&state, &details)) }
        }
        section aria-labelledby="audit" {
            h2 #audit { "Audit" }
            div #audit-list data-live { (audit(&details)) }
        }
    };
    Ok(frame.page(&format!("Job {}", job.short()), &body).into_response())
}

/// The end of one attempt's log as text.
pub(crate) async fn log(
    State(state): State<Shared>,
    Path((id, attempt)): Path<(String, String)>,
) -> Result<Response, Trouble> {
    let job = state.store.job_by_prefix(&id).await?;
    let details = state.store.job(job).await?;
    let known = details.attempts.iter().find(|known| known.number.to_string() == attempt);
    let Some(known) = known else { return Err(Trouble::Nowhere) };
    let text = tail(&state.store, job, known.number).await.unwrap_or_else(|why| why + "\n");
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

fn head(frame: &Frame<'_>, job: &JobDetails) -> Markup {
    let labels = &job.labels;
    html! {
        p.line {
            (frame::state(job.state.name()))
            span { (printable(&labels.model)) ", " (printable(&labels.dataset)) ", " (printable(&labels.augmentation)) }
            span.muted { "priority " (job.priority) ", " (quantity(job.flops, "FLOP")) ", "
                (count(job.parameters)) " parameters" }
        }
        p.muted { "id " code { (job.job) } ", registered " (time(job.created)) ", asked for by "
            @for (at, name) in job.sweeps.iter().enumerate() {
                @if at > 0 { ", " }
                a href={ "/sweep" (Parameters::default().and("name", name)) } { (printable(name)) }
            }
            ". " a href={ "/compare?job=" (job.job) } { "Compare with others" } }
        @if let Some(result) = &job.result { (outcome(result)) }
        @if frame.rights.acts { (buttons(frame, job)) }
    }
}

fn outcome(result: &Outcome) -> Markup {
    let percent =
        |value: Option<f64>| value.map_or("–".to_owned(), |v| format!("{:.2} %", 100.0 * v));
    html! {
        ul.counts {
            li { "test " b { (percent(result.final_test)) } }
            li { "val " b { (percent(result.final_val)) } }
            li { "best val " b { (percent(result.best_val)) } }
            @if let Some(loss) = result.train_loss { li { "train loss " b { (number(loss)) } } }
            li { b { (duration(result.seconds)) } " of device time" }
            li { b { (format!("{:.0}", result.images_per_second)) } " images/s" }
        }
    }
}

fn buttons(frame: &Frame<'_>, job: &JobDetails) -> Markup {
    let order = |what: &str, inside: &Markup| {
        html! {
            form.line method="post" action={ "/act/" (what) } {
                (frame.hidden())
                input type="hidden" name="job" value=(job.job);
                (inside)
            }
        }
    };
    let is_over = job.state.is_end();
    let is_done = job.state == augreg_protocol::JobState::Succeeded;
    html! {
        div.line {
            @if !is_over {
                (order("cancel", &html! { button { "Cancel" } }))
                (order("priority", &html! {
                    label { "Priority " input name="priority" type="number" step="1" value=(job.priority) size="4"; }
                    button { "Set" }
                }))
            }
            @if is_over && !is_done { (order("retry", &html! { button { "Retry" } })) }
        }
    }
}

/// The metrics of a job, those that are looked at first in front.
pub(crate) fn ordered(metrics: &[String]) -> Vec<&str> {
    let rank = |name: &str| FIRST.iter().position(|first| *first == name).unwrap_or(FIRST.len());
    let mut names: Vec<_> = metrics.iter().map(String::as_str).collect();
    names.sort_by_key(|name| rank(name));
    names
}

async fn curves(state: &Shared, job: &JobDetails) -> Result<Markup, Trouble> {
    let mut charts = Vec::new();
    for name in ordered(&job.metrics) {
        let points = state.store.thinned_curve(job.job, name, POINTS).await?;
        let series = Series { name: job.job.short(), link: None, points };
        let id = format!("chart-{name}");
        charts.push((FIRST.contains(&name), chart(&id, name, SMALL, &[series])));
    }
    Ok(html! {
        @if charts.is_empty() { p.muted { "Nothing was measured yet." } }
        div.charts { @for (_, chart) in charts.iter().filter(|chart| chart.0) { (chart) } }
        @if charts.iter().any(|chart| !chart.0) {
            details #more-charts { summary { "More metrics" }
                div.charts { @for (_, chart) in charts.iter().filter(|chart| !chart.0) { (chart) } } }
        }
    })
}

fn attempts(job: &JobDetails) -> Markup {
    if job.attempts.is_empty() {
        return html! { p.muted { "None yet." } };
    }
    let table = html! {
        table {
            thead { tr {
                th.num scope="col" { "No." } th scope="col" { "State" } th scope="col" { "Where" }
                th scope="col" { "Began" } th.num scope="col" { "Took" } th scope="col" { "From" }
                th.num scope="col" { "Images/s" } th.num scope="col" { "Memory" } th scope="col" { "Log" }
                th scope="col" { "Because" }
            } }
            tbody { @for one in job.attempts.iter().rev() { (attempt(job, one)) } }
        }
    };
    scroll("attempts-table", "Attempts", &table)
}

fn attempt(job: &JobDetails, one: &AttemptDetails) -> Markup {
    let boundary = job.boundaries.iter().find(|boundary| boundary.attempt == one.number);
    let inexact = boundary.and_then(|boundary| boundary.inexact.as_deref());
    let took = one.ended.map(|ended| duration(ended.saturating_sub(one.started) as f64 / 1000.0));
    html! {
        tr {
            th.num scope="row" { (one.number) }
            td { (frame::state(one.state.name())) @if let Some(kind) = one.failure { " " (kind.name()) } }
            td { (printable(&one.slot)) " " (one.device)
                @if let Some(host) = &one.host { " on " (printable(host)) }
                @if let Some(batch) = &one.batch_job { ", Slurm job " (printable(batch)) } }
            td { (time(one.started)) }
            td.num { (took.unwrap_or_else(|| "…".to_owned())) }
            td { @match one.from_step { None => "", Some(0) => "the start", Some(step) => { "step " (count(step)) } }
                @if let Some(why) = inexact { ", not exact: " (printable(why)) } }
            td.num { @if let Some(speed) = one.images_per_second { (format!("{speed:.0}")) } }
            td.num { @if let Some(bytes) = one.peak_memory { (quantity(bytes as f64, "B")) } }
            td { a href={ "/job/" (job.job) "/log/" (one.number) } { "log" } }
            td.why { (printable(one.message.as_deref().unwrap_or_default())) }
        }
    }
}

async fn log_tail(state: &Shared, job: &JobDetails) -> Markup {
    let Some(last) = job.attempts.last() else { return html! { p.muted { "None yet." } } };
    match tail(&state.store, job.job, last.number).await {
        Ok(text) if text.is_empty() => {
            html! { p.muted { "Attempt " (last.number) " wrote nothing." } }
        }
        Ok(text) => html! {
            p.muted { "The end of attempt " (last.number) "." }
            (scroll("log-text", "Log", &html! { pre { (text) } }))
        },
        Err(why) => html! { p.muted { (why) } },
    }
}

fn checkpoints(state: &Shared, job: &JobDetails) -> Markup {
    let folder = RunFolder::new(state.store.root(), job.job);
    let files = [folder.latest(), folder.best(), folder.last()].into_iter().filter_map(|path| {
        let size = std::fs::metadata(&path).ok()?.len();
        Some((path.file_name()?.to_string_lossy().into_owned(), size))
    });
    let files: Vec<_> = files.collect();
    let table = html! {
        table {
            thead { tr { th.num scope="col" { "Step" } th.num scope="col" { "Attempt" } th scope="col" { "Written" } } }
            tbody { @for one in job.checkpoints.iter().rev().take(CHECKPOINTS) { tr {
                td.num { (count(one.step)) } td.num { (one.attempt) } td { (time(one.at)) }
            } } }
        }
    };
    html! {
        @if files.is_empty() { p.muted { "No file is there." } }
        @else { ul.counts { @for (name, size) in &files { li { code { (name) } " " (quantity(*size as f64, "B")) } } } }
        @if !job.checkpoints.is_empty() { (scroll("checkpoints-table", "Checkpoints", &table)) }
        @if job.checkpoints.len() > CHECKPOINTS {
            p.muted { "and " (count((job.checkpoints.len() - CHECKPOINTS) as u64)) " before these" }
        }
    }
}

fn audit(job: &JobDetails) -> Markup {
    if job.events.is_empty() {
        return html! { p.muted { "Nothing was decided yet." } };
    }
    let table = html! {
        table {
            thead { tr { th scope="col" { "When" } th scope="col" { "Who" } th.num scope="col" { "Attempt" }
                th scope="col" { "What" } th scope="col" { "Why" } } }
            tbody { @for event in job.events.iter().rev() { tr {
                td { (time(event.at)) } td { (printable(&event.actor)) }
                td.num { @if let Some(number) = event.attempt { (number) } }
                td { (printable(&event.what)) } td.why { (printable(&event.reason)) }
            } } }
        }
    };
    scroll("audit-table", "Audit", &table)
}
