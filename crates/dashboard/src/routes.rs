//! Which address is answered by what.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use crate::layout::Wanted;
use crate::pages::{compare, devices, job, jobs, sweep, sweeps};
use crate::state::Shared;
use crate::trouble::Trouble;
use crate::{act, assets, events, grids, guard, metrics};

/// All pages, behind the guard.
pub(crate) fn router(state: &Shared) -> Router {
    Router::new()
        .route("/", get(sweeps::page))
        .route("/sweep", get(sweep::page))
        .route("/jobs", get(jobs::page))
        .route("/job", get(job::find))
        .route("/job/{id}", get(job::page))
        .route("/job/{id}/log/{attempt}", get(job::log))
        .route("/compare", get(compare::page))
        .route("/devices", get(devices::page))
        .route("/metrics", get(metrics::serve))
        .route("/events", get(events::stream))
        .route("/act/{what}", post(act::act))
        .route("/static/{*path}", get(assets::serve))
        .fallback(async || Trouble::Nowhere)
        .layer(DefaultBodyLimit::max(state.limits.body))
        .layer(from_fn_with_state(Arc::clone(state), guard::guard))
        .with_state(Arc::clone(state))
}

/// Sweeps of more jobs are counted when somebody looks: it takes seconds.
const WARM: u64 = 200_000;

/// Counts the grids of all sweeps once, so that the first page need not wait.
pub(crate) async fn warm_up(state: Shared) {
    let sweeps = state.store.sweeps().await.unwrap_or_default();
    for sweep in sweeps.into_iter().filter(|sweep| sweep.jobs <= WARM) {
        let _ = grids::get(&state, &sweep.name, Wanted::default()).await;
    }
}
