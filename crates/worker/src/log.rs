//! Standard error: tracing's events, and its redirection into an attempt's log.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use tracing_subscriber::EnvFilter;

/// Sends tracing's events to standard error; `AUGREG_LOG` filters them as `RUST_LOG` would.
pub(crate) fn start() {
    let filter = EnvFilter::try_from_env("AUGREG_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(io::stderr)
        .log_internal_errors(false) // They would be printed, and printing to a full disk panics.
        .init();
}

/// Standard error goes to a file until this is dropped, whoever writes to it: tracing, a panic, or
/// libtorch.
pub(crate) struct Redirected {
    before: OwnedFd,
}

impl Redirected {
    pub(crate) fn to(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let before = io::stderr().as_fd().try_clone_to_owned()?;
        rustix::stdio::dup2_stderr(&file)?;
        Ok(Self { before })
    }
}

impl Drop for Redirected {
    fn drop(&mut self) {
        // Cannot fail with a descriptor that was standard error before; if it did, the worker's
        // last words would go to the attempt's log.
        let _ = rustix::stdio::dup2_stderr(&self.before);
    }
}
