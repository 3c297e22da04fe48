//! The batch script: one for all tasks of an array, to be read by people.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use augreg_spec::SlurmTask;

/// What a batch script is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchScript<'a> {
    /// The name of the array.
    pub name: &'a str,
    /// The folder of the submission, absolute.
    pub folder: &'a Path,
    /// The study's root, absolute.
    pub root: &'a Path,
    /// The worker binary, as nodes find it.
    pub program: &'a Path,
    /// What a task is given.
    pub task: &'a SlurmTask,
    /// Its time limit, if one is asked for.
    pub time: Option<Duration>,
    /// How long before its end a task is told to write a checkpoint.
    pub grace: Duration,
    /// Lines before the worker starts.
    pub setup: &'a [String],
    /// A folder of the node's own disk for copies of data sets.
    pub scratch: Option<&'a str>,
    /// What it is for, for a person: `12 tasks for 240 jobs (transfer of B/16)`.
    pub about: &'a str,
}

impl BatchScript<'_> {
    /// The text.
    #[must_use]
    pub fn text(&self) -> String {
        let folder = quoted(&self.folder.to_string_lossy());
        let mut share = format!("--share {folder}/task-\"$SLURM_ARRAY_TASK_ID\".jsonl");
        if self.workers() > 1 {
            let _ = write!(share, " --workers {}", self.workers());
        }
        self.text_for(&share)
    }

    /// The text of a script that gives the worker these arguments.
    #[must_use]
    pub fn text_for(&self, arguments: &str) -> String {
        let mut text = String::from("#!/bin/bash\n");
        let _ = writeln!(text, "# {}", self.about);
        let _ = writeln!(text, "# Written by augreg for the study `{}`.", self.root.display());
        for option in self.options() {
            let _ = writeln!(text, "#SBATCH {option}");
        }
        let threads = self.task.cpus.map_or(1, std::num::NonZeroU32::get) / self.workers();
        let threads = threads.max(1);
        text.push_str("\n# OpenMP's threads sleep at barriers: spinning costs far more where anything else runs.\n");
        let _ = writeln!(
            text,
            "export OMP_NUM_THREADS={threads} MKL_NUM_THREADS={threads} OMP_WAIT_POLICY=passive"
        );
        if let Some(scratch) = self.scratch {
            // Not quoted: its variables are the node's.
            let _ = writeln!(text, "export AUGREG_SCRATCH=\"{}\"", scratch.replace('"', "\\\""));
        }
        for line in self.setup {
            let _ = writeln!(text, "{line}");
        }
        text.push_str(
            "\n# The worker takes this process's place, so that Slurm's signals reach it.\n",
        );
        let _ = writeln!(text, "exec {} {arguments}", quoted(&self.program.to_string_lossy()));
        text
    }

    /// Processes of a task: one a GPU.
    fn workers(&self) -> u32 {
        self.task.gpus.as_ref().map_or(1, |gpus| gpus.count).max(1)
    }

    fn options(&self) -> Vec<String> {
        let task = self.task;
        // Of a path `%` would be a pattern.
        let log = self.folder.to_string_lossy().replace('%', "%%");
        let mut options = vec![
            format!("--job-name={}", self.name),
            format!("--output=\"{log}/task-%a.log\""),
            "--open-mode=append".to_owned(),
            "--requeue".to_owned(),
            format!("--signal=B:USR1@{}", self.grace.as_secs()),
        ];
        let mut add = |name: &str, value: Option<String>| {
            options.extend(value.map(|value| format!("--{name}={value}")));
        };
        add("partition", task.partition.clone());
        add("account", task.account.clone());
        add("qos", task.qos.clone());
        add("constraint", task.constraint.as_ref().map(|text| format!("\"{text}\"")));
        let gpus = task.gpus.as_ref().filter(|gpus| gpus.count > 0);
        add("gres", gpus.map(ToString::to_string));
        add("cpus-per-task", task.cpus.map(|cpus| cpus.to_string()));
        add("mem", task.memory.map(|bytes| format!("{}M", bytes.div_ceil(1 << 20))));
        add("time", self.time.map(time_limit));
        options.extend(task.sbatch.iter().cloned());
        options
    }
}

/// A time limit as `sbatch` takes it, in whole minutes: `1-02:30:00`.
#[must_use]
pub fn time_limit(time: Duration) -> String {
    let minutes = time.as_secs().div_ceil(60).max(1);
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    if days > 0 {
        format!("{days}-{hours:02}:{minutes:02}:00")
    } else {
        format!("{hours:02}:{minutes:02}:00")
    }
}

/// A word for a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn script(task: &SlurmTask, change: impl FnOnce(&mut BatchScript<'_>)) -> String {
        let setup = ["module load cuda/12".to_owned(), "source ~/env/bin/activate".to_owned()];
        let mut script = BatchScript {
            name: "augreg-1a2b3c4d-7",
            folder: Path::new("/home/ada/my study/slurm/augreg-1a2b3c4d-7"),
            root: Path::new("/home/ada/my study"),
            program: Path::new("/home/ada/augreg/target/debug/augreg-worker"),
            task,
            time: Some(Duration::from_mins(150)),
            grace: Duration::from_secs(90),
            setup: &setup,
            scratch: None,
            about: "12 tasks for 240 jobs (transfer of B/16)",
        };
        change(&mut script);
        script.text()
    }

    #[test]
    fn a_script_says_what_it_is_for_and_what_it_asks_for() {
        let task = SlurmTask {
            partition: Some("gpu".to_owned()),
            account: Some("vision".to_owned()),
            constraint: Some("a100|h100".to_owned()),
            gpus: "h100:2".parse().ok(),
            cpus: NonZeroU32::new(16),
            memory: Some(64_000_000_000),
            sbatch: vec!["--exclude=n7".to_owned()],
            ..SlurmTask::default()
        };
        insta::assert_snapshot!(script(&task, |script| script.scratch = Some("$TMPDIR/augreg")));
    }

    #[test]
    fn what_is_not_said_is_left_to_the_cluster() {
        let text = script(&SlurmTask::default(), |script| {
            script.time = None;
            script.setup = &[];
        });
        insta::assert_snapshot!(text);
    }

    #[test]
    fn times_are_rounded_up_to_minutes() {
        for (seconds, text) in [(1, "00:01:00"), (61, "00:02:00"), (90_000, "1-01:00:00")] {
            assert_eq!(time_limit(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn words_for_a_shell_are_quoted_where_they_must_be() {
        assert_eq!(quoted("/a/b-c_1.sh"), "/a/b-c_1.sh");
        assert_eq!(quoted("/a b/$c"), "'/a b/$c'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
