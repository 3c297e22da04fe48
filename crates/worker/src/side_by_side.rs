//! A task with several GPUs: a process for each, all at parts of one share.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tracing::error;

use crate::inbox;
use crate::share::requeue;

/// How soon it is seen that a process has ended, or that all are to leave.
const GLANCE: Duration = Duration::from_millis(100);

/// Starts `workers` processes on parts of the share at `path`, each with one of the task's GPUs, and ends as
/// the worst of them does.
pub(crate) fn run(path: &Path, workers: usize) -> ExitCode {
    let leave = match inbox::signals_alone() {
        Ok(leave) => leave,
        Err(error) => {
            error!("failed to listen for signals: {error}");
            return ExitCode::FAILURE;
        }
    };
    let gpus = std::env::var("CUDA_VISIBLE_DEVICES").unwrap_or_default();
    let gpus: Vec<&str> = gpus.split(',').filter(|gpu| !gpu.is_empty()).collect();
    let mut children = Vec::new();
    for i in 0..workers {
        match start(path, i, workers, gpus.get(i).copied()) {
            Ok(child) => children.push(child),
            Err(error) => {
                error!("failed to start a process for part {i} of the share: {error}");
                tell(&children, Signal::TERM);
                return ExitCode::FAILURE;
            }
        }
    }
    let (mut code, mut told) = (0, false);
    while !children.is_empty() {
        thread::sleep(GLANCE);
        if leave.requested() && !told {
            tell(&children, Signal::TERM);
            told = true;
        }
        children.retain_mut(|child| match child.try_wait() {
            Ok(None) => true,
            Ok(Some(status)) => {
                code =
                    code.max(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1));
                false
            }
            Err(_) => false,
        });
    }
    if leave.warned() && code != 0 {
        requeue();
    }
    ExitCode::from(code)
}

fn start(path: &Path, i: usize, of: usize, gpu: Option<&str>) -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--share").arg(path).arg("--part").arg(format!("{i}/{of}"));
    if let Some(gpu) = gpu {
        command.env("CUDA_VISIBLE_DEVICES", gpu);
    }
    command.spawn()
}

fn tell(children: &[Child], signal: Signal) {
    for child in children {
        // One that has just ended needs to be told nothing.
        let _ = Pid::from_raw(child.id().cast_signed()).map(|pid| kill_process(pid, signal));
    }
}

/// `--share FILE --workers N`
pub(crate) fn arguments(arguments: &[String]) -> Option<(PathBuf, usize)> {
    match arguments {
        [flag, path, other, count] if flag == "--share" && other == "--workers" => {
            let count = count.parse().ok().filter(|count| (1..=1024).contains(count))?;
            Some((path.into(), count))
        }
        _ => None,
    }
}
