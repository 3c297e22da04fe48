//! What a task of a batch system is to do: its share of the jobs, and where what belongs to it lies.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::Assignment;

/// The folder of what was submitted together: `ROOT/slurm/<name>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmissionFolder(PathBuf);

impl SubmissionFolder {
    /// The folder of the submission called `name` in the study at `root`.
    #[must_use]
    pub fn new(root: &Path, name: &str) -> Self {
        Self(root.join("slurm").join(name))
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The batch script.
    #[must_use]
    pub fn script(&self) -> PathBuf {
        self.0.join("batch.sh")
    }

    /// The share of a task, see [`Share`].
    #[must_use]
    pub fn share(&self, task: u32) -> PathBuf {
        self.0.join(format!("task-{task}.jsonl"))
    }

    /// What a task wrote to standard output and standard error, all its runs after each other.
    #[must_use]
    pub fn log(&self, task: u32) -> PathBuf {
        self.0.join(format!("task-{task}.log"))
    }

    /// As long as this file is there, no task of the submission takes up another job: the submission was
    /// given up, and others do its jobs.
    #[must_use]
    pub fn withdrawn(&self) -> PathBuf {
        self.0.join("withdrawn")
    }

    /// The same, but what a task is at may be finished first.
    #[must_use]
    pub fn drained(&self) -> PathBuf {
        self.0.join("drained")
    }
}

/// The jobs of a task, in the order in which it takes them up. The number of each attempt is the least that
/// is free as far as its scheduler knows: a task that was started again takes the next.
#[derive(Debug, Clone, PartialEq)]
pub struct Share(pub Vec<Assignment>);

impl Share {
    /// Writes it, a line of JSON a job, beside its place; then it is there as a whole.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let draft = path.with_extension("jsonl-draft");
        let mut file = BufWriter::new(File::create(&draft)?);
        for assignment in &self.0 {
            serde_json::to_writer(&mut file, assignment)?;
            file.write_all(b"\n")?;
        }
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_data()?;
        fs::rename(draft, path)
    }

    /// Reads it.
    ///
    /// # Errors
    ///
    /// What the system said, or which line is no assignment.
    pub fn read(path: &Path) -> io::Result<Self> {
        let lines = BufReader::new(File::open(path)?).lines().enumerate();
        let assignment = |(number, line): (usize, io::Result<String>)| {
            serde_json::from_str(&line?).map_err(|error| {
                let what = format!("line {}: {error}", number + 1);
                io::Error::new(io::ErrorKind::InvalidData, what)
            })
        };
        lines.map(assignment).collect::<io::Result<_>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use augreg_spec::{JobId, JobSpec, Keep, NoopSpec};

    use super::*;
    use crate::{AttemptKey, Device, WhenAbandoned};

    fn assignment(number: u32) -> Assignment {
        Assignment {
            attempt: AttemptKey { job: JobId::of("a job"), number },
            spec: JobSpec::Noop(NoopSpec { index: 3, seed: 0 }),
            source: None,
            root: PathBuf::from("/study"),
            device: Device::Cuda(0),
            threads: 8,
            micro_batch: NonZeroU32::new(4),
            checkpoint_seconds: 30.0,
            when_abandoned: WhenAbandoned::Finish,
            keep: Keep::Final,
        }
    }

    #[test]
    fn a_share_is_read_as_it_was_written_and_a_damaged_line_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("task-0.jsonl");
        let share = Share(vec![assignment(1), assignment(2)]);
        share.write(&path).expect("writes");
        assert_eq!(Share::read(&path).expect("reads"), share);
        let text = fs::read_to_string(&path).expect("reads");
        assert_eq!(text.lines().count(), 2, "a line a job, for people with `head`");
        fs::write(&path, text.replace("\"threads\":8", "\"threads\":-8")).expect("writes");
        let error = Share::read(&path).expect_err("is damaged").to_string();
        assert!(error.starts_with("line 1: "), "{error}");
    }
}
