//! The messages of event files, field by field, after `tensorboard/compat/proto/{event,summary}.proto` and
//! `tensorboard/plugins/hparams/plugin_data.proto`.

use augreg_store::Value;

use super::message::Message;

/// `DT_STRING` of `types.proto`.
const STRING: u64 = 7;

/// `STATUS_SUCCESS`, `STATUS_FAILURE` and `STATUS_RUNNING` of the HParams plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Success = 1,
    Failure = 2,
    Running = 3,
}

/// The first event of every file.
pub(super) fn version(seconds: f64) -> Vec<u8> {
    Message::default().double(1, seconds).text(3, "brain.Event:2").into_bytes()
}

/// A number at a step.
pub(super) fn scalar(seconds: f64, step: u64, tag: &str, value: f64) -> Vec<u8> {
    let value = Message::default().text(1, tag).float(2, value as f32);
    summary(seconds, step, &value)
}

/// A text, which TensorBoard reads as Markdown.
pub(super) fn text(seconds: f64, tag: &str, text: &str) -> Vec<u8> {
    let shape = Message::default().message(2, &Message::default().integer(1, 1));
    let tensor = Message::default().integer(1, STRING).message(2, &shape).text(8, text);
    let plugin = Message::default().text(1, "text");
    let metadata = Message::default().message(1, &plugin);
    let value = Message::default().text(1, tag).message(9, &metadata).message(8, &tensor);
    summary(seconds, 0, &value)
}

/// The settings of a run, for the HParams tab.
pub(super) fn settings(seconds: f64, settings: &[(String, Value)]) -> Vec<u8> {
    let mut info = Message::default();
    for (name, value) in settings {
        let value = match value {
            Value::Null => continue,
            Value::Integer(value) => Message::default().double(2, *value as f64),
            Value::Real(value) => Message::default().double(2, *value),
            Value::Text(value) => Message::default().text(3, value),
        };
        info = info.message(1, &Message::default().text(1, name).message(2, &value));
    }
    hparams(seconds, "_hparams_/session_start_info", 3, &info.double(5, seconds))
}

/// How the run stands, for the HParams tab.
pub(super) fn ending(seconds: f64, status: Status) -> Vec<u8> {
    let info = Message::default().integer(1, status as u64).double(2, seconds);
    hparams(seconds, "_hparams_/session_end_info", 4, &info)
}

fn hparams(seconds: f64, tag: &str, field: u64, info: &Message) -> Vec<u8> {
    let content = Message::default().message(field, info).into_bytes();
    let plugin = Message::default().text(1, "hparams").bytes(2, &content);
    let metadata = Message::default().message(1, &plugin);
    summary(seconds, 0, &Message::default().text(1, tag).message(9, &metadata))
}

fn summary(seconds: f64, step: u64, value: &Message) -> Vec<u8> {
    let summary = Message::default().message(1, value);
    Message::default().double(1, seconds).integer(2, step).message(5, &summary).into_bytes()
}
