//! What a worker tells its scheduler: lines on standard output, which may be lost.

use std::io::{self, Stdout, Write};

use augreg_protocol::FromWorker;

/// Standard output as a line of messages, or nothing where nobody listens. Errors are ignored: a scheduler that does not listen
/// learns everything from the journal.
pub(crate) struct Outbox(Option<Stdout>);

impl Outbox {
    pub(crate) fn stdout() -> Self {
        Self(Some(io::stdout()))
    }

    pub(crate) fn nowhere() -> Self {
        Self(None)
    }

    /// Says that the worker is up.
    pub(crate) fn hello(&mut self) {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        self.send(&FromWorker::Hello { version, pid: std::process::id() });
    }

    /// Sends a message.
    pub(crate) fn send(&mut self, message: &FromWorker) {
        if self.0.is_some()
            && let Ok(text) = serde_json::to_string(message)
        {
            self.line(&text);
        }
    }

    /// Writes a line at once.
    pub(crate) fn line(&mut self, text: &str) {
        let Some(out) = &self.0 else { return };
        let mut out = out.lock();
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }
}
