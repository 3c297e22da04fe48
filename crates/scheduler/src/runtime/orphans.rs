//! Attempts left running by a scheduler that died: watched until their workers are gone.
//!
//! Such a worker sees the end of its standard input and leaves, at once with a checkpoint or after
//! its job, as `--when-abandoned` had told it. One that hangs is killed. Whether it is gone is told by the
//! lock on the job's folder, which it holds as long as it lives. What it achieved is told by its journal,
//! here as always.

use std::path::Path;

use augreg_protocol::RunFolder;
use augreg_spec::JobId;
use augreg_store::PendingAttempt;
use rustix::process::{Pid, Signal, kill_process};
use tracing::warn;

use super::lock::{host, is_held};

/// Whether the worker of a job is still there.
pub(super) fn is_alive(folder: &RunFolder) -> bool {
    is_held(&folder.lock())
}

/// Whether a worker holds this job of the study at `root`, be it one whose scheduler is gone.
#[must_use]
pub fn has_worker(root: &Path, job: JobId) -> bool {
    is_alive(&RunFolder::new(root, job))
}

/// Kills the worker of an orphaned attempt if it can be told for certain which process it is:
/// on this host, still running, and at home in this study's folder. Returns whether it did.
pub(super) fn kill(root: &Path, attempt: &PendingAttempt) -> bool {
    let (Some(pid), Some(name)) = (attempt.pid, &attempt.host) else { return false };
    let at_home = || {
        let home = std::fs::read_link(format!("/proc/{pid}/cwd")).ok();
        home.is_some() && home == root.canonicalize().ok()
    };
    let Some(process) = Pid::from_raw(pid.cast_signed()).filter(|_| *name == host() && at_home())
    else {
        return false;
    };
    match kill_process(process, Signal::KILL) {
        Ok(()) => true,
        Err(error) => {
            warn!(pid, %error, "failed to kill the worker of an earlier scheduler");
            false
        }
    }
}
