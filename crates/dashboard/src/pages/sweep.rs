//! One sweep: its grid as heat maps that fill in, what runs of it, what failed, and its file.

use augreg_protocol::JobState;
use augreg_store::SweepSummary;
use axum::Extension;
use axum::extract::State;
use maud::{Markup, html};

use super::attempts;
use crate::frame::{Frame, bar, counts, scroll};
use crate::grids;
use crate::guard::Rights;
use crate::layout::{Wanted, choices};
use crate::parameters::Parameters;
use crate::state::Shared;
use crate::trouble::Trouble;
use crate::words::{counted, printable, time};

/// Failed jobs that are shown.
const FAILURES: u64 = 20;

pub(crate) async fn page(
    State(state): State<Shared>,
    Extension(rights): Extension<Rights>,
    parameters: Parameters,
) -> Result<Markup, Trouble> {
    let name = parameters.get("name").unwrap_or_default();
    let all = state.store.counts(Some(name)).await?;
    let frame = Frame::new(&state, rights, "/", "/sweep", &parameters);
    let (sweeps, pauses) = (state.store.sweeps().await?, state.store.pauses().await?);
    let sweep = sweeps.iter().find(|sweep| sweep.name == name);
    let filter = Parameters::default().and("sweep", name);
    let failed = state.store.failures(Some(name), FAILURES).await?;
    let body = html! {
        h1 { (printable(name)) }
        (frame.reader())
        div #state data-live {
            (bar(&all))
            (counts(&all, &filter))
            (attempts::pauses(&pauses, Some(name)))
            div.line {
                a href={ "/jobs" (filter) } { "All " (counted(all.total(), "job")) }
                (attempts::pause_button(&frame, &pauses, Some(name)))
                @if frame.rights.acts && all.of(JobState::Failed) > 0 { (retry(&frame, name)) }
            }
        }
        section aria-labelledby="grid" {
            h2 #grid { "Grid" }
            (grid(&state, name, Wanted::of(&parameters)).await?)
        }
        section aria-labelledby="runs" {
            h2 #runs { "What runs" }
            div #running data-live { (attempts::running(&state.store.running(Some(name)).await?)) }
        }
        @if !failed.is_empty() {
            section aria-labelledby="failed" {
                h2 #failed { "What failed" }
                div #failures data-live { (attempts::failures(&failed)) }
            }
        }
        @if let Some(sweep) = sweep { (file(sweep)) }
    };
    Ok(frame.page(name, &body))
}

async fn grid(state: &Shared, name: &str, wanted: Wanted) -> Result<Markup, Trouble> {
    let Some(grid) = grids::get(state, name, wanted).await? else {
        return Ok(html! {
            div #choices data-live {}
            div #cells data-live {
                p.muted { "The grid is being counted for the first time: it appears by itself, or reload in a moment." }
            }
        });
    };
    Ok(html! {
        div #choices data-live { (choices(&grid, name)) }
        div #cells data-live {
            @if grid.stage.is_none() { p.muted { "The sweep asks for no job." } }
            (grid.render(name))
        }
    })
}

fn retry(frame: &Frame<'_>, name: &str) -> Markup {
    html! {
        form.line method="post" action="/act/retry" {
            (frame.hidden())
            input type="hidden" name="sweep" value=(name);
            button { "Retry what failed" }
        }
    }
}

fn file(sweep: &SweepSummary) -> Markup {
    let text = html! { pre { (printable(&sweep.text)) } };
    html! {
        section aria-labelledby="file" {
            h2 #file { "Sweep file" }
            p.muted { "First registered " (time(sweep.created)) ", last " (time(sweep.updated)) "." }
            details #sweep-file { summary { "As last registered" } (scroll("file-text", "The sweep file", &text)) }
        }
    }
}
