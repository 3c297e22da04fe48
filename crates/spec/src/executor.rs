//! `[executor]` as it is meant: where jobs run, and what a task of a cluster's batch system is given. Never
//! part of a job's identity.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

use crate::job::Stage;

/// Where jobs run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ExecutorKind {
    /// Worker processes on this machine.
    #[default]
    Local,
    /// Tasks of a Slurm cluster.
    Slurm,
}

impl ExecutorKind {
    /// Every kind with its name.
    pub const ALL: [(&'static str, Self); 2] = [("local", Self::Local), ("slurm", Self::Slurm)];
}

/// GPUs of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpus {
    /// Their kind, as the cluster calls it.
    pub kind: Option<String>,
    /// How many.
    pub count: u32,
}

impl fmt::Display for Gpus {
    /// As `sbatch --gres` takes it: `gpu:h100:2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("gpu:")?;
        if let Some(kind) = &self.kind {
            write!(f, "{kind}:")?;
        }
        write!(f, "{}", self.count)
    }
}

impl FromStr for Gpus {
    type Err = String;

    /// `2`, `h100:2` or `h100`.
    fn from_str(text: &str) -> Result<Self, String> {
        let what = "a number, or a kind and a number such as `h100:2`";
        let text = text.strip_prefix("gpu:").unwrap_or(text);
        let (kind, count) = match text.rsplit_once(':') {
            Some((kind, count)) => (Some(kind), count),
            None if text.starts_with(|c: char| c.is_ascii_digit()) => (None, text),
            None => (Some(text), "1"),
        };
        let plain = |kind: &str| {
            let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            kind.starts_with(|c: char| c.is_ascii_alphanumeric()) && kind.chars().all(valid)
        };
        match count.parse() {
            Ok(count) if kind.is_none_or(plain) => {
                Ok(Self { kind: kind.map(str::to_owned), count })
            }
            _ => Err(format!("`{text}` names no GPUs: write {what}")),
        }
    }
}

/// A length of time as people and Slurm write it: `90 min`, `1 h 30 min`, `2 d`, `1-12:00:00`, `04:00:00`.
///
/// # Errors
///
/// What to write instead.
pub fn length_of_time(text: &str) -> Result<Duration, String> {
    let seconds = if text.contains(':') { clock(text) } else { spelt(text) };
    seconds
        .filter(|seconds| (1..=100 * 365 * 86_400).contains(seconds))
        .map(Duration::from_secs)
        .ok_or_else(|| {
            format!("`{text}` is no length of time: write such as `90 min`, `4 h`, `1-12:00:00`")
        })
}

fn spelt(text: &str) -> Option<u64> {
    let span: Span = text.parse().ok()?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    u64::try_from(duration.as_secs()).ok()
}

/// `[days-]hours:minutes:seconds`
fn clock(text: &str) -> Option<u64> {
    let (days, rest) = match text.split_once('-') {
        Some((days, rest)) => (days.parse::<u64>().ok()?, rest),
        None => (0, text),
    };
    let parts: Vec<u64> = rest.split(':').map(str::parse).collect::<Result<_, _>>().ok()?;
    let &[hours, minutes, seconds] = parts.as_slice() else { return None };
    let all = [(days, 86_400), (hours, 3600), (minutes, 60), (seconds, 1)];
    all.iter().try_fold(0_u64, |sum, (count, unit)| sum.checked_add(count.checked_mul(*unit)?))
}

/// What a task of Slurm is given and does; nothing of what is not said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlurmTask {
    /// `sbatch --partition`
    pub partition: Option<String>,
    /// `sbatch --account`
    pub account: Option<String>,
    /// `sbatch --qos`
    pub qos: Option<String>,
    /// `sbatch --constraint`
    pub constraint: Option<String>,
    /// `sbatch --gres`; as many workers work side by side on a share.
    pub gpus: Option<Gpus>,
    /// `sbatch --cpus-per-task`; a worker's threads.
    pub cpus: Option<NonZeroU32>,
    /// `sbatch --mem`, bytes.
    pub memory: Option<u64>,
    /// `sbatch --time`
    pub time: Option<Duration>,
    /// How long the jobs of a task are to take together.
    pub slice: Option<Duration>,
    /// How many jobs a task has; without it, as many as fill the slice.
    pub jobs_per_task: Option<NonZeroU32>,
    /// Further arguments of `sbatch`.
    pub sbatch: Vec<String>,
}

impl SlurmTask {
    /// What this one leaves open, as `base` has it. Arguments of `sbatch` are those of both, so that the
    /// later ones win.
    #[must_use]
    pub fn or(&self, base: &Self) -> Self {
        let Self {
            partition,
            account,
            qos,
            constraint,
            gpus,
            cpus,
            memory,
            time,
            slice,
            jobs_per_task,
            sbatch,
        } = self.clone();
        Self {
            partition: partition.or_else(|| base.partition.clone()),
            account: account.or_else(|| base.account.clone()),
            qos: qos.or_else(|| base.qos.clone()),
            constraint: constraint.or_else(|| base.constraint.clone()),
            gpus: gpus.or_else(|| base.gpus.clone()),
            cpus: cpus.or(base.cpus),
            memory: memory.or(base.memory),
            time: time.or(base.time),
            slice: slice.or(base.slice),
            jobs_per_task: jobs_per_task.or(base.jobs_per_task),
            sbatch: [base.sbatch.clone(), sbatch].concat(),
        }
    }
}

/// What tasks of some jobs are given otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlurmOverride {
    /// Jobs of these stages; of all if none is named.
    pub stages: Vec<Stage>,
    /// Jobs of these models; of all if none is named.
    pub models: Vec<String>,
    /// What they are given.
    pub task: SlurmTask,
}

/// How jobs run on a Slurm cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slurm {
    /// What tasks are given.
    pub task: SlurmTask,
    /// What some are given otherwise; the later ones win.
    pub overrides: Vec<SlurmOverride>,
    /// Tasks of an array at the most; the cluster may allow fewer.
    pub array_size: Option<NonZeroU32>,
    /// Tasks that run at once at the most.
    pub parallel: Option<NonZeroU32>,
    /// How long before its end a task is told to write a checkpoint.
    pub grace: Option<Duration>,
    /// Lines of the batch script before the worker starts: modules, environment.
    pub setup: Vec<String>,
    /// A folder of the node's own disk to which a task copies its data sets; variables are the node's.
    pub scratch: Option<String>,
    /// The GPU that jobs are priced for as long as none was measured, as `plan --device` names it.
    pub device: Option<String>,
}

impl Slurm {
    /// What a task for jobs of a stage and model is given.
    #[must_use]
    pub fn task_for(&self, stage: Stage, model: &str) -> SlurmTask {
        let concerns = |one: &&SlurmOverride| {
            (one.stages.is_empty() || one.stages.contains(&stage))
                && (one.models.is_empty() || one.models.iter().any(|name| name == model))
        };
        let overrides = self.overrides.iter().filter(concerns);
        overrides.fold(self.task.clone(), |task, one| one.task.or(&task))
    }
}

/// Where and how jobs run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Executor {
    /// Where.
    pub kind: ExecutorKind,
    /// How on a Slurm cluster, whether or not they run there.
    pub slurm: Slurm,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_as_people_and_slurm_write_them() {
        for (text, seconds) in [
            ("90 min", 5400),
            ("4h", 14_400),
            ("1 h 30 min", 5400),
            ("45 s", 45),
            ("2 d", 172_800),
            ("1-12:00:00", 129_600),
            ("00:02:03", 123),
        ] {
            assert_eq!(length_of_time(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in
            ["", "4", "four hours", "-1 h", "0 s", "1:2", "1-2-3:4:5", "9999999999999-0:0:0"]
        {
            assert!(length_of_time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn gpus_are_a_number_or_a_kind_and_a_number() {
        for (text, shown) in
            [("2", "gpu:2"), ("h100:4", "gpu:h100:4"), ("a100", "gpu:a100:1"), ("0", "gpu:0")]
        {
            assert_eq!(text.parse::<Gpus>().map(|gpus| gpus.to_string()).as_deref(), Ok(shown));
        }
        for text in ["", "h100:", "h 100:2", "h100:two", "-1", ":2"] {
            assert!(text.parse::<Gpus>().is_err(), "{text}");
        }
    }

    #[test]
    fn later_overrides_win_and_arguments_of_sbatch_add_up() {
        let task = |partition: &str, extra: &str| SlurmTask {
            partition: Some(partition.to_owned()),
            sbatch: vec![extra.to_owned()],
            ..SlurmTask::default()
        };
        let slurm = Slurm {
            task: SlurmTask { memory: Some(7), ..task("main", "-a") },
            overrides: vec![
                SlurmOverride {
                    models: vec!["L/16".to_owned()],
                    task: task("big", "-b"),
                    ..SlurmOverride::default()
                },
                SlurmOverride {
                    stages: vec![Stage::Transfer],
                    models: vec!["L/16".to_owned(), "B/16".to_owned()],
                    task: SlurmTask { memory: Some(9), ..task("huge", "-c") },
                },
            ],
            ..Slurm::default()
        };
        let of = |stage, model| slurm.task_for(stage, model);
        assert_eq!(of(Stage::Pretrain, "Ti/16"), slurm.task);
        let large = of(Stage::Pretrain, "L/16");
        assert_eq!((large.partition.as_deref(), large.memory), (Some("big"), Some(7)));
        let transfer = of(Stage::Transfer, "L/16");
        assert_eq!((transfer.partition.as_deref(), transfer.memory), (Some("huge"), Some(9)));
        assert_eq!(transfer.sbatch, ["-a", "-b", "-c"]);
        assert_eq!(of(Stage::Transfer, "S/16"), slurm.task);
    }
}
