//! Liveness: one watcher a server looks whether the study has changed, and every live page hears of it.
//!
//! What a page hears is that there is something new, not what: it fetches itself again and takes the
//! parts that differ. So there is one way in which a page is made.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::state::Shared;
use crate::trouble::Trouble;

/// How often the watcher looks, which costs two questions to the system.
const LOOK: Duration = Duration::from_millis(250);

/// A page hears of changes at most so often.
const PACE: Duration = Duration::from_secs(1);

/// A line now and then, so that a connection which is gone is found out.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// Looks after the study until the server stops.
pub(crate) async fn watch(state: Shared) {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = state.store.pulse();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = state.stop.cancelled() => return,
        }
        let pulse = state.store.pulse();
        if pulse != seen {
            seen = pulse;
            state.touch();
        }
    }
}

/// The stream of a live page.
pub(crate) async fn stream(State(state): State<Shared>) -> Response {
    let Ok(permit) = Arc::clone(&state.streams).try_acquire_owned() else {
        return Trouble::Crowded.into_response();
    };
    let (changes, stop) = (state.changes.subscribe(), state.stop.clone());
    let begin = (changes, stop, Instant::now(), permit);
    let news = stream::unfold(begin, async |(mut changes, stop, next, permit)| {
        tokio::select! {
            more = async { sleep_until(next).await; changes.changed().await } => more.ok()?,
            () = stop.cancelled() => return None,
        }
        let number = *changes.borrow_and_update();
        let event = Event::default().event("change").data(number.to_string());
        Some((Ok::<_, Infallible>(event), (changes, stop, Instant::now() + PACE, permit)))
    });
    Sse::new(news).keep_alive(KeepAlive::new().interval(SIGN_OF_LIFE)).into_response()
}
