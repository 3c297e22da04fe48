//! Where a job's artefacts lie below the study's root.

use std::path::{Path, PathBuf};
use std::{fs, io};

use augreg_spec::{JobId, Keep};

/// Where a file of parameters lies that jobs of the study at `root` start from, by the BLAKE3 (hex) of its
/// bytes: `ROOT/imports/<hash>`.
#[must_use]
pub fn imported(root: &Path, hash: &str) -> PathBuf {
    root.join("imports").join(hash)
}

/// The folder of one job: `ROOT/runs/<job>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// The folder of `job` in the study at `root`.
    #[must_use]
    pub fn new(root: &Path, job: JobId) -> Self {
        Self(root.join("runs").join(job.to_string()))
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Held (flock) by the worker that executes the job, so that a late worker of a dead scheduler
    /// and the worker of the next attempt never write the same checkpoint.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// The folder of one attempt.
    #[must_use]
    pub fn attempt(&self, number: u32) -> PathBuf {
        self.0.join(format!("attempt-{number}"))
    }

    /// The journal of one attempt.
    #[must_use]
    pub fn journal(&self, number: u32) -> PathBuf {
        self.attempt(number).join("journal.jsonl")
    }

    /// What the worker wrote to its standard error during one attempt.
    #[must_use]
    pub fn log(&self, number: u32) -> PathBuf {
        self.attempt(number).join("worker.log")
    }

    /// As long as this file is there, workers that nobody talks to leave the job alone: it was cancelled.
    #[must_use]
    pub fn stop(&self) -> PathBuf {
        self.0.join("stop")
    }

    /// The number of the last attempt that has left a folder; 0 if none has.
    ///
    /// # Errors
    ///
    /// What the system said; a job that has no folder has no attempts.
    pub fn last_attempt(&self) -> io::Result<u32> {
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            entries => entries?,
        };
        let mut last = 0;
        for entry in entries {
            let name = entry?.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix("attempt-")?.parse().ok());
            last = last.max(number.unwrap_or(0));
        }
        Ok(last)
    }

    /// All that resume needs: parameters, optimizer state, step.
    #[must_use]
    pub fn latest(&self) -> PathBuf {
        self.0.join("checkpoint/latest.safetensors")
    }

    /// The parameters with the best validation accuracy so far.
    #[must_use]
    pub fn best(&self) -> PathBuf {
        self.0.join("checkpoint/best.safetensors")
    }

    /// The parameters at the end; stays when the job is done.
    #[must_use]
    pub fn last(&self) -> PathBuf {
        self.0.join("checkpoint/final.safetensors")
    }

    /// Removes what a job that has succeeded needs no longer: the state to resume from, and parameters
    /// that nobody wants to keep. The state goes last: as long as it is there, not all was removed.
    /// Returns the files that could not be removed, each with what the system said.
    #[must_use]
    pub fn tidy(&self, keep: Keep) -> Vec<(PathBuf, io::Error)> {
        let files =
            [(keep.best(), self.best()), (keep.last(), self.last()), (false, self.latest())];
        let unneeded = files.into_iter().filter(|(kept, _)| !kept).map(|(_, path)| path);
        let failed = unneeded.filter_map(|path| {
            let error = fs::remove_file(&path).err()?;
            (error.kind() != io::ErrorKind::NotFound).then_some((path, error))
        });
        failed.collect()
    }
}
