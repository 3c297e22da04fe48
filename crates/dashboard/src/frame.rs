//! What surrounds every page: head, navigation, notices, and the pieces that several pages share.

use augreg_protocol::JobState;
use augreg_spec::JobId;
use augreg_store::Counts;
use maud::{DOCTYPE, Markup, html};

use crate::assets;
use crate::guard::Rights;
use crate::parameters::Parameters;
use crate::state::{Notice, State};
use crate::words::{count, counted, printable};

/// The pages that the navigation leads to.
const NAVIGATION: [(&str, &str); 4] =
    [("/", "Sweeps"), ("/jobs", "Jobs"), ("/compare", "Compare"), ("/devices", "Devices")];

/// A page that knows who looks at it.
pub(crate) struct Frame<'a> {
    pub(crate) state: &'a State,
    pub(crate) rights: Rights,
    /// Of [`NAVIGATION`], where it belongs.
    pub(crate) at: &'static str,
    /// Its own address with what stands behind the `?`, to come back to after an order.
    pub(crate) here: String,
    notice: Option<Notice>,
}

impl<'a> Frame<'a> {
    pub(crate) fn new(
        state: &'a State,
        rights: Rights,
        at: &'static str,
        path: &str,
        parameters: &Parameters,
    ) -> Self {
        let said = parameters.get("said").and_then(|number| number.parse().ok());
        let here = format!("{path}{}", parameters.without("said"));
        Self { state, rights, at, here, notice: said.and_then(|number| state.said(number)) }
    }

    /// The whole page.
    pub(crate) fn page(&self, title: &str, body: &Markup) -> Markup {
        document(title, Some(self), body)
    }

    /// What an order's form carries beside its own fields: a proof that it is ours, and the way back.
    pub(crate) fn hidden(&self) -> Markup {
        html! {
            input type="hidden" name="form" value=(self.state.token.of_forms());
            input type="hidden" name="next" value=(self.here);
        }
    }

    /// What stands in place of buttons where nobody may act.
    pub(crate) fn reader(&self) -> Markup {
        html! {
            @if !self.rights.acts {
                p.muted { "Reading only: to act, open the address that " code { "augreg dashboard" }
                    " printed, with " code { "?token=…" } ", once in this browser." }
            }
        }
    }
}

/// A page that needs no study.
pub(crate) fn bare(title: &str, body: &Markup) -> Markup {
    document(title, None, body)
}

fn document(title: &str, frame: Option<&Frame<'_>>, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (printable(title)) " · augreg" }
                link rel="stylesheet" href=(assets::style());
                link rel="icon" href="data:,";
                script src=(assets::script()) defer {}
            }
            body {
                a.skip href="#main" { "Skip to content" }
                header.top {
                    a.name href="/" { "augreg" }
                    nav aria-label="Main" {
                        ul { @for (path, name) in NAVIGATION { li {
                            @let here = frame.is_some_and(|frame| frame.at == path);
                            a href=(path) aria-current=[here.then_some("page")] { (name) }
                        } } }
                    }
                    @if frame.is_some() {
                        form.find action="/job" method="get" role="search" {
                            label for="find" { "Job" }
                            input id="find" name="id" placeholder="start of its id" size="14"
                                autocomplete="off" spellcheck="false" required;
                        }
                        p #liveness role="status" aria-live="polite" {}
                    }
                }
                main #main tabindex="-1" {
                    @if let Some(notice) = frame.and_then(|frame| frame.notice.as_ref()) {
                        p role=(if notice.good { "status" } else { "alert" })
                            class=(if notice.good { "notice good" } else { "notice bad" }) {
                            (printable(&notice.text))
                        }
                    }
                    (body)
                }
            }
        }
    }
}

/// A job as a link.
pub(crate) fn job(id: JobId) -> Markup {
    html! { a.id href={ "/job/" (id) } { (id.short()) } }
}

/// A state as a word with its colour.
pub(crate) fn state(name: &str) -> Markup {
    html! { span class={ "state " (name) } { (name) } }
}

/// How many jobs are where, each number leading to them.
pub(crate) fn counts(counts: &Counts, filter: &Parameters) -> Markup {
    html! {
        ul.counts {
            @for state in JobState::ALL {
                @let number = counts.of(state);
                @let to = filter.clone().and("where", format!("state={state}"));
                @if number > 0 {
                    li { a href={ "/jobs" (to) } { b { (count(number)) } " " (self::state(state.name())) } }
                }
            }
        }
    }
}

/// The same as a bar.
pub(crate) fn bar(counts: &Counts) -> Markup {
    let total = counts.total().max(1);
    let mut next = 0.0;
    let mut pieces = Vec::new();
    let order = [
        JobState::Succeeded,
        JobState::Failed,
        JobState::Cancelled,
        JobState::Running,
        JobState::Queued,
        JobState::Waiting,
    ];
    for state in order {
        let width = counts.of(state) as f64 * 1000.0 / total as f64;
        if width > 0.0 {
            pieces.push((state, next, width));
            next += width;
        }
    }
    let done = counts.total() - counts.unfinished();
    let text = format!("{} of {} ended", count(done), counted(counts.total(), "job"));
    html! {
        svg.bar viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label=(text) {
            @for (state, x, width) in pieces {
                rect class=(state.name()) x=(format!("{x:.1}")) y="0" width=(format!("{width:.1}")) height="10" {}
            }
        }
    }
}

/// A box in which something wide scrolls by itself, also by keyboard.
pub(crate) fn scroll(id: &str, label: &str, inside: &Markup) -> Markup {
    html! { div.scroll id=(id) role="region" aria-label=(label) tabindex="0" { (inside) } }
}
