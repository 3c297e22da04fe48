//! The first page: the sweeps, what runs, what failed, and what was decided lately.

use augreg_protocol::JobState;
use axum::Extension;
use axum::extract::State;
use maud::{Markup, html};

use super::attempts;
use crate::frame::{Frame, bar, counts, job, scroll};
use crate::guard::Rights;
use crate::parameters::Parameters;
use crate::state::Shared;
use crate::trouble::Trouble;
use crate::words::{count, printable, time};

/// Lines of the audit that are shown.
const EVENTS: u32 = 12;
/// Failed jobs that are shown.
const FAILURES: u64 = 8;

pub(crate) async fn page(
    State(state): State<Shared>,
    Extension(rights): Extension<Rights>,
    parameters: Parameters,
) -> Result<Markup, Trouble> {
    let frame = Frame::new(&state, rights, "/", "/", &parameters);
    let (all, pauses) = (state.store.counts(None).await?, state.store.pauses().await?);
    let body = html! {
        h1 { "Sweeps" }
        (frame.reader())
        div #study data-live {
            (counts(&all, &Parameters::default()))
            (attempts::pauses(&pauses, None))
            @if let Some((at, why)) = state.store.disk_full().await? {
                p.notice.bad role="alert" { "The disk is full since " (time(at)) ": " (printable(&why)) }
            }
            (attempts::pause_button(&frame, &pauses, None))
            (sweeps(&state).await?)
        }
        section aria-labelledby="runs" {
            h2 #runs { "What runs" }
            div #running data-live { (attempts::running(&state.store.running(None).await?)) }
        }
        section aria-labelledby="failed" {
            h2 #failed { "What failed" }
            div #failures data-live { (failures(&state).await?) }
        }
        section aria-labelledby="lately" {
            h2 #lately { "What was decided lately" }
            div #events data-live { (events(&state).await?) }
        }
    };
    Ok(frame.page("Sweeps", &body))
}

async fn sweeps(state: &Shared) -> Result<Markup, Trouble> {
    let mut rows = Vec::new();
    for sweep in state.store.sweeps().await? {
        let counts = state.store.counts(Some(&sweep.name)).await?;
        rows.push((sweep, counts));
    }
    let table = html! {
        table {
            thead { tr {
                th scope="col" { "Sweep" } th.num scope="col" { "Jobs" } th.wide scope="col" { "Progress" }
                th.num scope="col" { "Done" } th.num scope="col" { "Running" } th.num scope="col" { "Left" }
                th.num scope="col" { "Failed" } th scope="col" { "Registered" }
            } }
            tbody { @for (sweep, counts) in &rows {
                @let of = |state| counts.of(state);
                tr {
                    th scope="row" { a href={ "/sweep" (Parameters::default().and("name", &sweep.name)) } { (printable(&sweep.name)) } }
                    td.num { (count(counts.total())) }
                    td.wide { (bar(counts)) }
                    td.num { (count(of(JobState::Succeeded))) }
                    td.num { (count(of(JobState::Running))) }
                    td.num { (count(of(JobState::Queued) + of(JobState::Waiting))) }
                    td.num { (count(of(JobState::Failed))) }
                    td { (time(sweep.updated)) }
                }
            } }
        }
    };
    Ok(scroll("sweeps-table", "Sweeps", &table))
}

async fn failures(state: &Shared) -> Result<Markup, Trouble> {
    let failed = state.store.failures(None, FAILURES).await?;
    let all = state.store.counts(None).await?.of(JobState::Failed);
    let link = format!("/jobs{}", Parameters::default().and("where", "state=failed"));
    Ok(html! {
        @if failed.is_empty() { p.muted { "Nothing." } } @else { (attempts::failures(&failed)) }
        (attempts::more(failed.len(), all, &link, "failed job"))
    })
}

async fn events(state: &Shared) -> Result<Markup, Trouble> {
    let table = html! {
        table {
            thead { tr { th scope="col" { "When" } th scope="col" { "About" } th scope="col" { "Who" }
                th scope="col" { "What" } th scope="col" { "Why" } } }
            tbody { @for event in state.store.events(EVENTS).await? { tr {
                td { (time(event.at)) }
                td {
                    @if let Some(id) = event.job { (job(id)) }
                    @else if let Some(name) = &event.sweep { (printable(name)) }
                }
                td { (printable(&event.actor)) } td { (printable(&event.what)) }
                td.why { (printable(&event.reason)) }
            } } }
        }
    };
    Ok(scroll("events-table", "The audit's last lines", &table))
}
