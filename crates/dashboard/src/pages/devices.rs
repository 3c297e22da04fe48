//! Devices and slots: what occupies them, what they were used for, which were given up.

use augreg_store::{RunningAttempt, SlotUse};
use axum::Extension;
use axum::extract::State;
use maud::{Markup, html};

use super::attempts;
use crate::frame::{Frame, job, scroll};
use crate::guard::Rights;
use crate::parameters::Parameters;
use crate::state::Shared;
use crate::trouble::Trouble;
use crate::words::{count, duration, printable, time};

/// Slots that are shown: on a cluster each task is one.
const SLOTS: u32 = 200;

pub(crate) async fn page(
    State(state): State<Shared>,
    Extension(rights): Extension<Rights>,
    parameters: Parameters,
) -> Result<Markup, Trouble> {
    let frame = Frame::new(&state, rights, "/devices", "/devices", &parameters);
    let running = state.store.running(None).await?;
    let speeds = state.store.running_speeds().await?;
    let speed: f64 = speeds.iter().map(|(_, speed)| speed).sum();
    let (used, wasted) = state.device_time.get(&state).await?;
    let given_up = state.store.slots_given_up().await?;
    let body = html! {
        h1 { "Devices and slots" }
        div #totals data-live {
            ul.counts {
                li { b { (count(running.len() as u64)) } " occupied" }
                li { b { (format!("{speed:.0}")) } " images/s" }
                li { b { (duration(used)) } " of device time used" }
                li { b { (duration(wasted)) } " of it repeated" }
            }
            @for (at, why) in &given_up { p.notice.bad { (time(*at)) ": " (printable(why)) } }
        }
        section aria-labelledby="slots" {
            h2 #slots { "Slots" }
            div #slot-list data-live { (slots(&state.store.slots_used(SLOTS).await?, &running)) }
        }
        section aria-labelledby="runs" {
            h2 #runs { "What runs" }
            div #running data-live { (attempts::running(&running)) }
        }
    };
    Ok(frame.page("Devices", &body))
}

fn slots(used: &[SlotUse], running: &[RunningAttempt]) -> Markup {
    if used.is_empty() {
        return html! { p.muted { "Nothing has run yet." } };
    }
    let at = |slot: &SlotUse| {
        running
            .iter()
            .find(|one| one.slot == slot.slot && (one.host == slot.host || one.host.is_none()))
    };
    let table = html! {
        table {
            thead { tr {
                th scope="col" { "Slot" } th scope="col" { "Host" } th scope="col" { "Device" } th scope="col" { "Now" }
                th scope="col" { "Steps" } th.num scope="col" { "Attempts" } th.num scope="col" { "Failed" }
                th.num scope="col" { "Busy" } th scope="col" { "Last began" }
            } }
            tbody { @for slot in used {
                @let now = at(slot);
                tr {
                    th scope="row" { (printable(&slot.slot)) }
                    td { (printable(slot.host.as_deref().unwrap_or("…"))) }
                    td { (slot.device) @if let Some(name) = &slot.device_name { " " span.muted { (printable(name)) } } }
                    td { @match now { Some(one) => (job(one.attempt.job)), None => span.muted { "idle" } } }
                    td { @if let Some(one) = now { (attempts::progress(one.step, one.steps)) } }
                    td.num { (count(slot.attempts)) }
                    td.num { @if slot.failed > 0 { span.state.failed { (count(slot.failed)) } } @else { "0" } }
                    td.num { (duration(slot.seconds)) }
                    td { (time(slot.last_started)) }
                }
            } }
        }
    };
    scroll("slots-table", "Slots", &table)
}
