//! What a worker tells its scheduler: lines on standard output, which may be lost.

use std::io::{self, Stdout, Write};

use augreg_protocol::FromWorker;

/// Standard output as a line of messages. Errors are ignored: a scheduler that does not listen
/// learns everything from the journal.
pub(crate) struct Outbox(Stdout);

impl Outbox {
    pub(crate) fn stdout() -> Self {
        Self(io::stdout())
    }

    /// Says that the worker is up.
    pub(crate) fn hello(&mut self) {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        self.send(&FromWorker::Hello { version, pid: std::process::id() });
    }

    /// Sends a message.
    pub(crate) fn send(&mut self, message: &FromWorker) {
        if let Ok(text) = serde_json::to_string(message) {
            self.line(&text);
        }
    }

    /// Writes a line at once.
    pub(crate) fn line(&mut self, text: &str) {
        let mut out = self.0.lock();
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    }
}
