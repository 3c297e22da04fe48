//! Small pieces of SQL text and row decoding that several queries share.

use std::error::Error;
use std::str::FromStr;

use augreg_protocol::{AttemptState, Device, FailureKind, JobState};
use augreg_spec::JobId;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::StoreError;
use crate::error::decode;

pub(crate) fn job_id(text: &str) -> Result<JobId, StoreError> {
    text.parse().map_err(decode("the id", &text))
}

pub(crate) fn json<T: DeserializeOwned>(
    what: &'static str,
    row: &str,
    text: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(decode(what, &row))
}

pub(crate) fn json_text(
    what: &'static str,
    row: &str,
    value: &impl Serialize,
) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(decode(what, &row))
}

pub(crate) fn job_state(row: &str, name: &str) -> Result<JobState, StoreError> {
    named(JobState::ALL.map(|state| (state.name(), state)), "the state", row, name)
}

pub(crate) fn attempt_state(row: &str, name: &str) -> Result<AttemptState, StoreError> {
    const ALL: [AttemptState; 4] = [
        AttemptState::Running,
        AttemptState::Succeeded,
        AttemptState::Failed,
        AttemptState::Stopped,
    ];
    named(ALL.map(|state| (state.name(), state)), "the state of an attempt", row, name)
}

pub(crate) fn failure(row: &str, name: &str) -> Result<FailureKind, StoreError> {
    named(FailureKind::ALL, "the failure", row, name)
}

fn named<T: Copy>(
    all: impl IntoIterator<Item = (&'static str, T)>,
    what: &'static str,
    row: &str,
    name: &str,
) -> Result<T, StoreError> {
    all.into_iter()
        .find(|known| known.0 == name)
        .map(|known| known.1)
        .ok_or_else(|| decode(what, &row)(format!("`{name}` is unknown to this augreg")))
}

/// Reads what [`Device`] displays: `cpu`, `cuda:0`.
pub(crate) fn device(row: &str, text: &str) -> Result<Device, StoreError> {
    let fail = |reason: Box<dyn Error + Send + Sync>| decode("the device", &row)(reason);
    match text.split_once(':') {
        None if text == "cpu" => Ok(Device::Cpu),
        Some(("cuda", index)) => u32::from_str(index).map(Device::Cuda).map_err(|e| fail(e.into())),
        _ => Err(fail(format!("`{text}` is unknown to this augreg").into())),
    }
}
