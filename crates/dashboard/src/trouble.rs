//! What cannot be answered, and the page that says so.

use std::error::Error;

use augreg_store::{QueryError, StoreError};
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use maud::html;

use crate::frame;
use crate::words::printable;

/// Why a request has no answer.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It calls this machine by a name that is not its own.
    Misdirected,
    /// Whoever asks has not shown the token.
    Unknown,
    /// It would change something and comes from another site's page, or from none.
    Foreign,
    /// It makes no sense.
    Nonsense(String),
    /// There is no such page.
    Nowhere,
    /// It took too long.
    Late,
    /// As many pages are live as can be.
    Crowded,
    /// The store has no answer.
    Store(StoreError),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<QueryError> for Trouble {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Store(error) => Self::Store(error),
            error => Self::Nonsense(error.to_string()),
        }
    }
}

impl Trouble {
    fn status(&self) -> StatusCode {
        match self {
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::Unknown => StatusCode::UNAUTHORIZED,
            Self::Foreign => StatusCode::FORBIDDEN,
            Self::Nonsense(_) => StatusCode::BAD_REQUEST,
            Self::Late => StatusCode::REQUEST_TIMEOUT,
            Self::Crowded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(StoreError::AmbiguousJob { .. }) => StatusCode::MULTIPLE_CHOICES,
            Self::Nowhere
            | Self::Store(StoreError::UnknownJob { .. } | StoreError::UnknownSweep { .. }) => {
                StatusCode::NOT_FOUND
            }
            Self::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What is wrong and what to do about it.
    fn text(&self) -> (String, String) {
        let (what, so) = match self {
            Self::Misdirected => (
                "this dashboard is not called that".to_owned(),
                "use its number or `localhost` in the address, or start it with `--name NAME`",
            ),
            Self::Unknown => (
                "that takes the token".to_owned(),
                "open the address that `augreg dashboard` printed, with `?token=…`, once in this browser",
            ),
            Self::Foreign => (
                "that did not come from a page of this dashboard".to_owned(),
                "nothing was changed: use the buttons on its pages",
            ),
            Self::Nonsense(what) => (what.clone(), "nothing was changed"),
            Self::Nowhere => {
                ("there is no such page".to_owned(), "the links above lead to all there are")
            }
            Self::Late => ("that took too long".to_owned(), "try it again, or ask for less"),
            Self::Crowded => ("too many live pages are open".to_owned(), "close some and reload"),
            Self::Store(error) => {
                let so = match error {
                    StoreError::UnknownJob { .. } => "the jobs of the study are under Jobs",
                    StoreError::AmbiguousJob { .. } => "choose one",
                    StoreError::UnknownSweep { .. } => "the sweeps of the study are under Sweeps",
                    _ => "`augreg status` says more",
                };
                let mut text = error.to_string();
                let mut source = error.source();
                while let Some(cause) = source {
                    text += &format!(": {cause}");
                    source = cause.source();
                }
                (text, so)
            }
        };
        (what, so.to_owned())
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let (what, so) = self.text();
        let candidates = match &self {
            Self::Store(StoreError::AmbiguousJob { candidates, .. }) => candidates.as_slice(),
            _ => &[],
        };
        let page = frame::bare(
            "This cannot be shown",
            &html! {
                h1 { "This cannot be shown" }
                p role="alert" { strong { (printable(&what)) } "." }
                p { (so) "." }
                @if !candidates.is_empty() {
                    ul.candidates { @for id in candidates { li { a href={ "/job/" (id) } { code { (id) } } } } }
                }
            },
        );
        let mut answer = (self.status(), page).into_response();
        if matches!(self, Self::Crowded) {
            answer.headers_mut().insert(RETRY_AFTER, 30.into());
        }
        answer
    }
}
