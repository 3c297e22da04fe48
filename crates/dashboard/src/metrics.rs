//! The study for Prometheus, in its text format.

use std::fmt::Write;
use std::time::{Duration, Instant};

use augreg_protocol::JobState;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use tokio::sync::Mutex;

use augreg_store::Pulse;

use crate::state::{self, Shared};
use crate::trouble::Trouble;

/// What all attempts took and wasted, as it was added up last: of fifty thousand that takes a moment.
#[derive(Default)]
pub(crate) struct DeviceTime(Mutex<Option<Sums>>);

/// Device seconds used and wasted, when that was found out, and how long it took to.
struct Sums {
    pulse: Pulse,
    at: Instant,
    took: Duration,
    seconds: (f64, f64),
}

/// It is added up again after so many times as long as it took.
const REST: u32 = 10;

impl DeviceTime {
    pub(crate) async fn get(&self, state: &state::State) -> Result<(f64, f64), Trouble> {
        let mut last = self.0.lock().await;
        let pulse = state.store.pulse();
        if let Some(sums) = &*last
            && (sums.pulse == pulse || sums.at.elapsed() < sums.took * REST)
        {
            return Ok(sums.seconds);
        }
        let began = Instant::now();
        let seconds = state.store.device_seconds().await?;
        *last = Some(Sums { pulse, at: Instant::now(), took: began.elapsed(), seconds });
        Ok(seconds)
    }
}

/// Answers Prometheus.
pub(crate) async fn serve(State(state): State<Shared>) -> Result<Response, Trouble> {
    let text = text(&state).await?;
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

async fn text(state: &state::State) -> Result<String, Trouble> {
    let store = &state.store;
    let mut page = Page::default();
    page.family("build_info", "gauge", "The dashboard's version.");
    page.sample("build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);

    page.family(
        "study_jobs",
        "gauge",
        "Jobs of the whole study by state; a shared job counts once.",
    );
    let counts = store.counts(None).await?;
    for state in JobState::ALL {
        page.sample("study_jobs", &[("state", state.name())], counts.of(state) as f64);
    }
    page.family("jobs", "gauge", "Jobs that a sweep asks for, by state.");
    for sweep in store.sweeps().await? {
        let counts = store.counts(Some(&sweep.name)).await?;
        for state in JobState::ALL {
            let labels = [("sweep", sweep.name.as_str()), ("state", state.name())];
            page.sample("jobs", &labels, counts.of(state) as f64);
        }
    }
    page.family("paused", "gauge", "1 for each sweep that is paused; without a name the study.");
    for pause in store.pauses().await? {
        page.sample("paused", &[("sweep", pause.sweep.as_deref().unwrap_or_default())], 1.0);
    }

    let running = store.running(None).await?;
    page.family("running_attempts", "gauge", "Attempts that run.");
    page.sample("running_attempts", &[], running.len() as f64);
    let speeds = store.running_speeds().await?;
    page.family("images_per_second", "gauge", "Training images a second, all that runs together.");
    page.sample("images_per_second", &[], speeds.iter().map(|(_, speed)| speed).sum());

    page.family("failed_attempts_total", "counter", "Attempts that failed, by kind of failure.");
    for loss in store.losses().await? {
        page.sample("failed_attempts_total", &[("failure", &loss.failure)], loss.attempts as f64);
    }
    let (used, wasted) = state.device_time.get(state).await?;
    page.family("device_seconds_total", "counter", "Device time of all attempts.");
    page.sample("device_seconds_total", &[], used);
    let help = "Of it, what later attempts had to repeat.";
    page.family("wasted_device_seconds_total", "counter", help);
    page.sample("wasted_device_seconds_total", &[], wasted);
    page.family("slots_given_up", "gauge", "Slots that get nothing more in this run.");
    page.sample("slots_given_up", &[], store.slots_given_up().await?.len() as f64);
    Ok(page.0)
}

/// Text in Prometheus' format.
#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP augreg_{name} {help}\n# TYPE augreg_{name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let label = |(name, value): &(&str, &str)| format!("{name}=\"{}\"", escaped(value));
        let labels: Vec<_> = labels.iter().map(label).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "augreg_{name}{labels} {value}");
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
