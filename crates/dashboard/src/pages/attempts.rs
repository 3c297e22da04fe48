//! What runs, as a table: on several pages.

use augreg_store::{FailedJob, Pause, RunningAttempt};
use maud::{Markup, html};

use crate::frame::{Frame, job, scroll};
use crate::words::{count, counted, duration, now, printable, time};

/// Rows that are shown.
const SHOWN: usize = 50;

/// The attempts that run.
pub(crate) fn running(attempts: &[RunningAttempt]) -> Markup {
    if attempts.is_empty() {
        return html! { p.muted { "Nothing runs." } };
    }
    let now = now();
    let table = html! {
        table {
            thead { tr {
                th scope="col" { "Job" } th scope="col" { "Model" } th scope="col" { "Data" }
                th scope="col" { "Augmentation" } th scope="col" { "Slot" } th scope="col" { "Host" }
                th.num scope="col" { "Attempt" } th scope="col" { "Steps" } th.num scope="col" { "For" }
            } }
            tbody { @for one in attempts.iter().take(SHOWN) { tr {
                td { (job(one.attempt.job)) }
                td { (printable(&one.labels.model)) } td { (printable(&one.labels.dataset)) }
                td { (printable(&one.labels.augmentation)) }
                td { (printable(&one.slot)) " " span.muted { (one.device) } }
                td { (printable(one.host.as_deref().unwrap_or("…"))) }
                td.num { (one.attempt.number) }
                td { (progress(one.step, one.steps)) }
                td.num { (duration(now.saturating_sub(one.started) as f64 / 1000.0)) }
            } } }
        }
    };
    html! {
        (scroll("running-table", "What runs", &table))
        @if attempts.len() > SHOWN { p.muted { "and " (count((attempts.len() - SHOWN) as u64)) " more" } }
    }
}

/// Steps done of all, as numbers and as a bar.
pub(crate) fn progress(step: u64, steps: u64) -> Markup {
    html! {
        progress max=(steps.max(1)) value=(step.min(steps)) aria-label="steps done" {}
        " " span.tabular { (count(step)) "/" (count(steps)) }
    }
}

/// The jobs that have failed, and why.
pub(crate) fn failures(failed: &[FailedJob]) -> Markup {
    let table = html! {
        table {
            thead { tr { th scope="col" { "Job" } th scope="col" { "Model" } th scope="col" { "Augmentation" }
                th scope="col" { "Failure" } th.num scope="col" { "Attempts" } th scope="col" { "Message" } } }
            tbody { @for one in failed { tr {
                td { (job(one.job)) } td { (printable(&one.labels.model)) }
                td { (printable(&one.labels.augmentation)) }
                td { @if let Some(kind) = one.failure { span.state.failed { (kind.name()) } } }
                td.num { (one.attempts) }
                td.why { (printable(one.message.as_deref().unwrap_or_default())) }
            } } }
        }
    };
    scroll("failures-table", "What failed", &table)
}

/// The pauses that concern a sweep, or all.
pub(crate) fn pauses(pauses: &[Pause], sweep: Option<&str>) -> Markup {
    let concerns = |pause: &&Pause| {
        sweep.is_none() || pause.sweep.is_none() || pause.sweep.as_deref() == sweep
    };
    html! {
        @for pause in pauses.iter().filter(concerns) {
            p.notice.held {
                @match &pause.sweep { Some(name) => { b { (printable(name)) } " is" }, None => "The study is" }
                " paused since " (time(pause.since)) @if pause.drain { ", after what ran then" }
                ", " (printable(&pause.by)) "."
            }
        }
    }
}

/// The button that pauses a sweep or the study, or lets it go on.
pub(crate) fn pause_button(frame: &Frame<'_>, all: &[Pause], sweep: Option<&str>) -> Markup {
    let is_paused = all.iter().any(|pause| pause.sweep.as_deref() == sweep);
    let what = if sweep.is_some() { "sweep" } else { "study" };
    if !frame.rights.acts {
        return html! {};
    }
    html! {
        form.line method="post" action=(if is_paused { "/act/unpause" } else { "/act/pause" }) {
            (frame.hidden())
            @if let Some(name) = sweep { input type="hidden" name="sweep" value=(name); }
            @if is_paused {
                button { "Let the " (what) " go on" }
            } @else {
                button { "Pause the " (what) }
                label { input type="checkbox" name="drain" value="yes"; " what runs goes on to its end" }
            }
        }
    }
}

/// What is said where a list is cut.
pub(crate) fn more(shown: usize, all: u64, link: &str, noun: &str) -> Markup {
    html! {
        @if all > shown as u64 { p { a href=(link) { "All " (counted(all, noun)) } } }
    }
}
