//! Which jobs go into a task together, and which tasks into an array. Pure.

use std::path::Path;
use std::time::Duration;

use augreg_executor::slurm::BatchScript;
use augreg_protocol::SubmissionFolder;
use augreg_spec::{JobId, Slurm, SlurmTask, Stage};

/// How long before its end a task is told to write a checkpoint, unless it is said.
const GRACE: Duration = Duration::from_mins(2);

/// How long the jobs of a task are to take together, unless it is said.
const SLICE: Duration = Duration::from_hours(1);

/// Jobs of a task at the most: it is a file, and a person may look into it.
const MOST: usize = 10_000;

/// A job that is to be placed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Load<'a> {
    pub(super) job: JobId,
    pub(super) stage: Stage,
    /// What its model is called.
    pub(super) model: &'a str,
    /// How long it is expected to take.
    pub(super) seconds: f64,
}

/// Tasks that are given the same, to be submitted as one array.
#[derive(Debug, Clone, PartialEq)]
pub struct Pack {
    /// What each is given.
    pub task: SlurmTask,
    /// Its time limit: what is said, else what follows from what is expected.
    pub time: Duration,
    /// The jobs of each, in the order in which they are taken up.
    pub shares: Vec<Vec<JobId>>,
    /// Seconds that all are expected to take together.
    pub seconds: f64,
    /// What is in it, for a person: `pretrain, transfer of Ti/16, S/16`.
    pub about: String,
}

impl Pack {
    /// Hours that its tasks are expected to take, one after the other.
    #[must_use]
    pub fn task_hours(&self) -> f64 {
        let workers = self.task.gpus.as_ref().map_or(1, |gpus| gpus.count).max(1);
        self.seconds / f64::from(workers) / 3600.0
    }

    /// The batch script, under the name `name` in the study at `root`.
    #[must_use]
    pub fn script(&self, root: &Path, name: &str, program: &Path, slurm: &Slurm) -> String {
        let jobs: usize = self.shares.iter().map(Vec::len).sum();
        let about = format!("{} tasks for {jobs} jobs: {}", self.shares.len(), self.about);
        let folder = SubmissionFolder::new(root, name);
        let script = BatchScript {
            name,
            folder: folder.path(),
            root,
            program,
            task: &self.task,
            time: Some(self.time),
            grace: slurm.grace.unwrap_or(GRACE).min(self.time / 2),
            setup: &slurm.setup,
            scratch: slurm.scratch.as_deref(),
            about: &about,
        };
        script.text()
    }
}

/// Packs jobs, each by its id, stage, what its model is called, and the seconds that it is expected to take,
/// in the order of their length.
#[must_use]
pub fn packs(
    jobs: impl Iterator<Item = (JobId, Stage, String, f64)>,
    slurm: &Slurm,
    array_size: usize,
) -> Vec<Pack> {
    let mut jobs: Vec<_> = jobs.collect();
    jobs.sort_by(|a, b| b.3.total_cmp(&a.3));
    let loads = jobs.iter().map(|(job, stage, model, seconds)| Load {
        job: *job,
        stage: *stage,
        model,
        seconds: *seconds,
    });
    pack(loads, slurm, array_size)
}

/// A share that is being filled.
#[derive(Debug, Default)]
struct Filling {
    jobs: Vec<JobId>,
    seconds: f64,
}

/// Jobs that are given the same.
struct Class {
    task: SlurmTask,
    full: Vec<Filling>,
    filling: Filling,
    stages: Vec<&'static str>,
    models: Vec<String>,
}

/// Packs jobs, in their order, into tasks that last about a slice each, and those into arrays of at most
/// `array_size` tasks. Jobs that are given different things are never in one task.
pub(super) fn pack<'a>(
    loads: impl IntoIterator<Item = Load<'a>>,
    slurm: &Slurm,
    array_size: usize,
) -> Vec<Pack> {
    let mut classes: Vec<Class> = Vec::new();
    for load in loads {
        let task = slurm.task_for(load.stage, load.model);
        let found = classes.iter().position(|class| class.task == task);
        let at = found.unwrap_or_else(|| {
            let (full, filling, stages, models) =
                (Vec::new(), Filling::default(), Vec::new(), Vec::new());
            classes.push(Class { task, full, filling, stages, models });
            classes.len() - 1
        });
        classes[at].take(&load);
    }
    let packs = classes.into_iter().flat_map(|class| class.packs(array_size.max(1)));
    packs.collect()
}

impl Class {
    fn take(&mut self, load: &Load<'_>) {
        let slice = self.task.slice.unwrap_or(SLICE).as_secs_f64() * f64::from(self.workers());
        let most = self.task.jobs_per_task.map_or(MOST, |most| most.get() as usize);
        let is_full = match self.task.jobs_per_task {
            Some(_) => self.filling.jobs.len() >= most,
            None => {
                self.filling.jobs.len() >= most
                    || !self.filling.jobs.is_empty() && self.filling.seconds + load.seconds > slice
            }
        };
        if is_full {
            self.full.push(std::mem::take(&mut self.filling));
        }
        self.filling.jobs.push(load.job);
        self.filling.seconds += load.seconds;
        if !self.stages.contains(&load.stage.name()) {
            self.stages.push(load.stage.name());
        }
        if !self.models.iter().any(|model| model == load.model) {
            self.models.push(load.model.to_owned());
        }
    }

    /// Jobs that a task does at once: one a GPU.
    fn workers(&self) -> u32 {
        self.task.gpus.as_ref().map_or(1, |gpus| gpus.count).max(1)
    }

    fn packs(mut self, array_size: usize) -> Vec<Pack> {
        if !self.filling.jobs.is_empty() {
            self.full.push(std::mem::take(&mut self.filling));
        }
        let workers = f64::from(self.workers());
        let about = format!("{} of {}", self.stages.join(", "), named(&self.models));
        let mut packs = Vec::new();
        let mut full = self.full.into_iter().peekable();
        while full.peek().is_some() {
            let shares: Vec<_> = full.by_ref().take(array_size).collect();
            let longest = shares.iter().map(|share| share.seconds).fold(0.0, f64::max) / workers;
            packs.push(Pack {
                time: self.task.time.unwrap_or_else(|| limit(longest)),
                task: self.task.clone(),
                seconds: shares.iter().map(|share| share.seconds).sum(),
                shares: shares.into_iter().map(|share| share.jobs).collect(),
                about: about.clone(),
            });
        }
        packs
    }
}

/// A few names, and how many more.
fn named(models: &[String]) -> String {
    match models {
        [] => "nothing".to_owned(),
        [.., _] if models.len() <= 4 => models.join(", "),
        _ => format!("{} and {} more", models[..3].join(", "), models.len() - 3),
    }
}

/// A time limit for what is expected to take so many seconds: expectations may be wrong by a factor of two,
/// and to start takes a while. What takes longer goes on from a checkpoint in another task.
fn limit(seconds: f64) -> Duration {
    let minutes = (2.0 * seconds / 60.0).ceil() + 10.0;
    Duration::from_secs(minutes.min(60.0 * 24.0 * 365.0) as u64 * 60)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use augreg_spec::SlurmOverride;

    use super::*;

    fn load(i: u32, model: &str, seconds: f64) -> Load<'_> {
        Load { job: JobId::of(&format!("job {i}")), stage: Stage::Transfer, model, seconds }
    }

    fn sizes(packs: &[Pack]) -> Vec<Vec<usize>> {
        packs.iter().map(|pack| pack.shares.iter().map(Vec::len).collect()).collect()
    }

    #[test]
    fn tasks_last_about_a_slice_and_the_transfers_of_the_paper_are_hundreds_of_them() {
        let loads = (0..51_408).map(|i| load(i, "B/16", 60.0));
        let packs = pack(loads, &Slurm::default(), 1001);
        assert_eq!(packs.len(), 1);
        assert_eq!(packs[0].shares.len(), 857);
        assert!(packs[0].shares.iter().all(|share| share.len() <= 60));
        assert_eq!(packs[0].time, Duration::from_mins(130));
        assert_eq!(packs[0].about, "transfer of B/16");
        let all: usize = packs[0].shares.iter().map(Vec::len).sum();
        assert_eq!(all, 51_408);
    }

    #[test]
    fn a_job_that_is_longer_than_a_slice_has_a_task_of_its_own() {
        let loads = [9000.0, 9000.0, 100.0, 100.0].into_iter().zip(0..);
        let packs = pack(loads.map(|(seconds, i)| load(i, "L/16", seconds)), &Slurm::default(), 9);
        assert_eq!(sizes(&packs), [[1, 1, 2]]);
        assert_eq!(packs[0].time, Duration::from_mins(310));
    }

    #[test]
    fn arrays_are_no_larger_than_the_cluster_allows() {
        let slurm = Slurm {
            task: SlurmTask { jobs_per_task: NonZeroU32::new(2), ..SlurmTask::default() },
            ..Slurm::default()
        };
        let packs = pack((0..11).map(|i| load(i, "Ti/16", 1e6)), &slurm, 3);
        assert_eq!(sizes(&packs), [vec![2, 2, 2], vec![2, 2, 1]]);
    }

    #[test]
    fn jobs_that_are_given_different_things_are_in_different_arrays() {
        let large = SlurmOverride {
            models: vec!["L/16".to_owned()],
            task: SlurmTask {
                memory: Some(64 << 30),
                gpus: "4".parse().ok(),
                time: Some(Duration::from_hours(8)),
                ..SlurmTask::default()
            },
            ..SlurmOverride::default()
        };
        let slurm = Slurm { overrides: vec![large], ..Slurm::default() };
        let loads = (0..20).map(|i| load(i, if i % 2 == 0 { "L/16" } else { "Ti/16" }, 1200.0));
        let packs = pack(loads, &slurm, 100);
        // Four GPUs do four jobs at once.
        assert_eq!(sizes(&packs), [vec![10], vec![3, 3, 3, 1]]);
        assert_eq!(packs[0].time, Duration::from_hours(8));
        assert_eq!(packs[1].task, SlurmTask::default());
    }
}
