//! Orders: forms that a page has sent, and what is said of them on the next page.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::{LOCATION, REFERER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::guard::local;
use crate::order::Order;
use crate::parameters::Parameters;
use crate::state::{self, Notice, Shared};
use crate::trouble::Trouble;

/// Jobs that one form may name.
const JOBS: usize = 1000;

/// Takes in a form, has it carried out, and sends the browser back to where it came from. `guard` has
/// seen to it that the browser holds the token and that one of our pages sent it.
pub(crate) async fn act(
    State(state): State<Shared>,
    Path(what): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Trouble> {
    let form = Parameters::parse(&body);
    if !form.get("form").is_some_and(|proof| state.token.is_of_forms(proof)) {
        return Err(Trouble::Foreign);
    }
    let back = form.get("next").or_else(|| referer(&headers)).unwrap_or("/");
    if local(back).is_none() {
        return Err(Trouble::Nonsense(format!("`{back}` is no page")));
    }
    let order = order(&state, &what, &form).await?;
    // On its own: whoever asked may have left by the time it is done.
    let hands = state.hands.clone();
    let carried = tokio::spawn(async move { hands.carry_out(order).await }).await;
    let carried =
        carried.unwrap_or_else(|_| Err("that went wrong in a way nobody foresaw".to_owned()));
    state.touch();
    let number = state.say(match carried {
        Ok(text) => Notice { good: true, text },
        Err(text) => Notice { good: false, text },
    });
    let (path, rest) = back.split_once('?').unwrap_or((back, ""));
    let rest = Parameters::parse(rest.as_bytes()).without("said").and("said", number);
    let to = local(&format!("{path}{rest}")).ok_or(Trouble::Nowhere)?;
    Ok((StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response())
}

/// The page of ours that a form was sent from, as the browser says.
fn referer(headers: &HeaderMap) -> Option<&str> {
    let from = headers.get(REFERER)?.to_str().ok()?.split_once("://")?.1;
    Some(&from[from.find('/')?..])
}

async fn order(state: &state::State, what: &str, form: &Parameters) -> Result<Order, Trouble> {
    let sweep = form.get("sweep").map(str::to_owned);
    if let Some(name) = &sweep {
        // So that a name which is unknown is said to be so before anything is done.
        state.store.counts(Some(name)).await?;
    }
    let jobs = async || {
        let mut jobs = Vec::new();
        for prefix in form.all("job").take(JOBS) {
            jobs.push(state.store.job_by_prefix(prefix).await?);
        }
        if jobs.is_empty() {
            Err(Trouble::Nonsense("no job was chosen".to_owned()))
        } else {
            Ok(jobs)
        }
    };
    Ok(match what {
        "cancel" => Order::Cancel(jobs().await?),
        "retry" => match &sweep {
            Some(name) => Order::Retry(state.store.failed_jobs(Some(name)).await?),
            None => Order::Retry(jobs().await?),
        },
        "priority" => {
            let text = form.get("priority").unwrap_or_default();
            let priority = text.trim().parse().map_err(|_| {
                Trouble::Nonsense(format!("a priority is a whole number, and `{text}` is none"))
            })?;
            Order::Prioritize(jobs().await?, priority)
        }
        "pause" => Order::Pause { sweep, drain: form.get("drain").is_some() },
        "unpause" => Order::Unpause { sweep },
        _ => return Err(Trouble::Nowhere),
    })
}
