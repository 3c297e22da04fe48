//! Submits what is ready: packs it, writes down what is about to be submitted, writes shares and script,
//! submits. After a crash between any two of these the next scheduler finds the array by its name, or submits
//! it; and it withdraws what it had to give up.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::io;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::{Duration, Instant};

use augreg_executor::slurm::{Slurm, SlurmError};
use augreg_protocol::{
    Assignment, AttemptKey, Device, RunFolder, Share, SubmissionFolder, WhenAbandoned, with_causes,
};
use augreg_spec::JobId;
use augreg_store::{NewSubmission, Store, StoreError, Submission, Task, TaskState, Work};
use tracing::warn;

use super::Cluster;
use super::fleet::TaskKey;
use super::packing::{Load, Pack, pack};
use crate::runtime::options::{Progress, RunError};

/// After so many pauses between questions a cluster that took no more is asked again.
const FULL_PAUSES: u32 = 12;

/// How long after there was nothing to submit it is looked again.
const PAUSE: Duration = Duration::from_secs(1);

/// Jobs that are read and packed together at the most: of more only the first are submitted at once.
const TOGETHER: usize = 100_000;

/// The name of a study for a batch system: made once, kept in its folder with where that was, so that it is
/// found again also by who has lost the database, and is another one for a copy of the study.
pub(super) fn study_id(root: &Path) -> Result<String, RunError> {
    let folder = root.join("slurm");
    let path = folder.join("id");
    let fail = |source| RunError::Folder { path: path.clone(), source };
    let here = root.to_string_lossy();
    match fs::read_to_string(&path) {
        Ok(text) => {
            if let Some((id, place)) = text.trim().split_once(' ')
                && place == here
            {
                return Ok(id.to_owned());
            }
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fail(error)),
        Err(_) => {}
    }
    let seed = format!("{here}{:?}{}", std::time::SystemTime::now(), std::process::id());
    let id = JobId::of(&seed).short();
    let written =
        fs::create_dir_all(&folder).and_then(|()| fs::write(&path, format!("{id} {here}\n")));
    written.map_err(fail)?;
    Ok(id)
}

impl<F: FnMut(Progress) + Send> Cluster<F> {
    /// What the names of all arrays of the study begin with.
    pub(super) fn prefix(&self) -> String {
        format!("augreg-{}-", self.study)
    }

    /// Submits the jobs that are ready and in nobody's hands, once they have been gathered for a while.
    pub(super) async fn submit(&mut self) -> Result<(), RunError> {
        let now = Instant::now();
        // What was submitted before must be accounted for first.
        if now < self.submit_at || self.poll.vain > 0 || !self.fleet.unsubmitted().is_empty() {
            return Ok(());
        }
        let (ready, after) = self.to_submit();
        if ready.is_empty() {
            self.ready_since = None;
            // To go through all jobs takes a while where there are many.
            self.submit_at = now + PAUSE;
            return Ok(());
        }
        if self.ready_since.get_or_insert(now).elapsed() < self.how.gather {
            return Ok(());
        }
        let works = self.course.store.work(&ready).await?;
        let loads = ready.iter().filter_map(|job| {
            let work = works.get(job)?;
            let (stage, model) = (work.spec.stage(), work.labels.model.as_str());
            Some(Load {
                job: *job,
                stage,
                model,
                seconds: (self.how.seconds)(&work.spec, &work.labels),
            })
        });
        let most = self.how.slurm.array_size.map_or(u32::MAX, NonZeroU32::get);
        let whole = most.min(self.limits.array_size) as usize;
        let most = whole.min(self.fits);
        let packs = pack(loads, &self.how.slurm, most);
        let all: usize = packs.iter().map(|pack| pack.shares.len()).sum();
        for pack in packs {
            let parallel = self.parallel(pack.shares.len(), all);
            if !self.submit_pack(&pack, &works, parallel, &after).await? {
                break;
            }
            if most < whole {
                // The next is tried with twice as many tasks.
                self.fits = most.saturating_mul(2);
                break;
            }
        }
        self.ready_since = None;
        Ok(())
    }

    /// The jobs that may be submitted now, and the arrays that must end before they begin: where everything is
    /// left to Slurm, what starts from jobs that are submitted is submitted behind them.
    pub(super) fn to_submit(&self) -> (Vec<JobId>, Vec<String>) {
        let mut ready = self.course.core.ready();
        ready.retain(|job| !self.fleet.has(*job));
        ready.truncate(TOGETHER);
        if !ready.is_empty() || !self.how.detach {
            return (ready, Vec::new());
        }
        let (mut jobs, mut after) = (Vec::new(), BTreeSet::new());
        for (job, parent) in self.course.core.waiting() {
            if let Some(array) = self.fleet.array_of(parent)
                && !self.fleet.has(job)
                && jobs.len() < TOGETHER
            {
                jobs.push(job);
                after.insert(array.to_owned());
            }
        }
        (jobs, after.into_iter().collect())
    }

    /// How many of an array's tasks may run at once: its share of what is allowed for all.
    fn parallel(&self, tasks: usize, all: usize) -> Option<u32> {
        let most = self.how.slurm.parallel?.get();
        let share = f64::from(most) * tasks as f64 / all.max(1) as f64;
        Some((share.floor() as u32).max(1))
    }

    /// Submits an array. Returns whether the next may follow at once.
    async fn submit_pack(
        &mut self,
        pack: &Pack,
        works: &HashMap<JobId, Work>,
        parallel: Option<u32>,
        after: &[String],
    ) -> Result<bool, RunError> {
        let name = format!("{}{}", self.prefix(), self.numbered + 1);
        let folder = SubmissionFolder::new(&self.course.root, &name);
        self.write(&name, pack, works)
            .map_err(|source| RunError::Folder { path: folder.path().to_owned(), source })?;
        let new = NewSubmission { name: name.clone(), tasks: pack.shares.clone() };
        let id = self
            .course
            .store
            .prepare_submissions(&[new])
            .await?
            .first()
            .copied()
            .unwrap_or_default();
        self.numbered = self.numbered.max(id.unsigned_abs());
        let tasks = (0..).zip(&pack.shares).map(|(number, jobs)| Task {
            number,
            state: TaskState { state: "NEW".to_owned(), ..TaskState::default() },
            jobs: jobs.clone(),
        });
        let submission = Submission {
            id,
            name: name.clone(),
            array_job: None,
            prepared: 0,
            tasks: tasks.collect(),
        };
        let now = self.course.now();
        self.fleet.add(now, submission);
        let jobs: usize = pack.shares.iter().map(Vec::len).sum();
        self.hand_over(id, &name, (pack.shares.len(), Some(jobs)), (parallel, after)).await
    }

    /// Hands what is written down over to Slurm. Returns whether the next may follow at once.
    async fn hand_over(
        &mut self,
        id: i64,
        name: &str,
        (tasks, jobs): (usize, Option<usize>),
        (parallel, after): (Option<u32>, &[String]),
    ) -> Result<bool, RunError> {
        let script = SubmissionFolder::new(&self.course.root, name).script();
        match self.slurm.submit(&script, tasks as u32, parallel, after).await {
            Ok(array) => {
                self.taken(id, &array).await?;
                let of = jobs.map_or_else(String::new, |jobs| format!(" for {jobs} jobs"));
                let plural = if tasks == 1 { "" } else { "s" };
                let then = if after.is_empty() { "" } else { ", behind those they start from" };
                self.course
                    .note(format!("submitted {tasks} task{plural}{of} as {array} ({name}){then}"));
                Ok(true)
            }
            Err(error) if error.is_full() => {
                self.refused(id, name, &with_causes(&error)).await?;
                // The limit may be below the array alone, and part of it may fit beside what is there.
                self.fits = (tasks / 2).max(1);
                if tasks > 1 && self.fleet.len() == 0 {
                    self.course.note(format!("{error}; an array of {} is tried", self.fits));
                    return Ok(false);
                }
                self.submit_at = Instant::now() + FULL_PAUSES * self.poll.every;
                self.course.note(format!("{error}; {}", error.hint().unwrap_or_default()));
                Ok(false)
            }
            // Whether it was taken is not known: the queue will say.
            Err(error) if error.is_down() => {
                self.poll.again(false);
                self.course.note(format!("{error}; it is asked again"));
                Ok(false)
            }
            Err(error) => {
                self.refused(id, name, &with_causes(&error)).await?;
                Err(error.into())
            }
        }
    }

    /// Slurm has not taken a submission: nothing of it is left but that it was.
    async fn refused(&mut self, id: i64, name: &str, why: &str) -> Result<(), RunError> {
        self.give_up(id, name, why).await?;
        let folder = SubmissionFolder::new(&self.course.root, name);
        if let Err(error) = fs::remove_dir_all(folder.path()) {
            warn!("failed to remove `{}`: {error}", folder.path().display());
        }
        Ok(())
    }

    /// Slurm has taken a submission.
    pub(super) async fn taken(&mut self, id: i64, array: &str) -> Result<(), RunError> {
        let now = self.course.now();
        self.fleet.submitted(now, id, array);
        self.course.store.submitted(id, array).await?;
        Ok(())
    }

    /// Submits again what was written down, and what the queue knows nothing of.
    pub(super) async fn submit_again(&mut self, id: i64, name: &str) -> Result<(), RunError> {
        let mut tasks = 0;
        let folder = SubmissionFolder::new(&self.course.root, name);
        while folder.share(tasks).exists() {
            tasks += 1;
        }
        if tasks == 0 || !folder.script().exists() {
            return self.give_up(id, name, "its folder is gone").await;
        }
        let parallel = self.how.slurm.parallel.map(NonZeroU32::get);
        // What it was to wait for is not known any more: jobs that find nothing to start from are passed over.
        self.hand_over(id, name, (tasks as usize, None), (parallel, &[])).await.map(drop)
    }

    /// Nothing more is expected of a submission. Should its tasks run all the same, they do nothing.
    pub(super) async fn give_up(&mut self, id: i64, name: &str, why: &str) -> Result<(), RunError> {
        self.mark(name, Marker::Withdrawn);
        let over = self.fleet.forget(id);
        let states: Vec<_> = over
            .into_iter()
            .map(|key| {
                let state = TaskState {
                    state: "GIVEN_UP".to_owned(),
                    reason: Some(why.to_owned()),
                    node: None,
                    is_over: true,
                };
                (id, key.number, state)
            })
            .collect();
        self.course.store.set_task_states(&states).await?;
        self.course.store.end_submission(id, Some(why)).await?;
        Ok(())
    }

    /// Tells the tasks of a submission to take up nothing more.
    pub(super) fn mark(&self, name: &str, marker: Marker) {
        let folder = SubmissionFolder::new(&self.course.root, name);
        let path = match marker {
            Marker::Withdrawn => folder.withdrawn(),
            Marker::Drained => folder.drained(),
        };
        if folder.path().exists()
            && let Err(error) = fs::write(&path, "")
        {
            warn!("failed to write `{}`: {error}", path.display());
        }
    }

    /// Whether the tasks of an array were told to take up nothing more.
    pub(super) fn is_taken_back(&self, key: TaskKey) -> bool {
        self.fleet.array_name(key).is_some_and(|name| {
            let folder = SubmissionFolder::new(&self.course.root, name);
            folder.withdrawn().exists() || folder.drained().exists()
        })
    }

    /// Takes everything back that was submitted: what waits is cancelled, what runs leaves, at once or after
    /// its attempt.
    pub(super) async fn withdraw_all(&mut self, drain: bool) {
        let marker = if drain { Marker::Drained } else { Marker::Withdrawn };
        for (_, name) in self.fleet.submissions() {
            self.mark(&name, marker);
        }
        let waiting = self.fleet.waiting();
        self.cancel_tasks(&waiting).await;
    }

    /// Jobs are not to be done any more: tasks leave them, and tasks that had nothing else are cancelled.
    pub(super) async fn call_off(&mut self, jobs: &[JobId]) {
        let mut tasks = HashSet::new();
        for job in jobs {
            let folder = self.course.folder(*job);
            let written =
                fs::create_dir_all(folder.path()).and_then(|()| fs::write(folder.stop(), ""));
            if let Err(error) = written {
                warn!("failed to write `{}`: {error}", folder.stop().display());
            }
            tasks.extend(self.fleet.task_of(*job));
        }
        let is_off = |job: &JobId| jobs.contains(job) || !self.course.jobs.contains_key(job);
        let waits = self.fleet.waiting();
        let idle: Vec<_> = tasks
            .into_iter()
            .filter(|key| waits.contains(key) && self.fleet.jobs(*key).iter().all(is_off))
            .collect();
        self.cancel_tasks(&idle).await;
    }

    /// Cancels tasks in Slurm. One that is not cancelled now does nothing when it starts.
    pub(super) async fn cancel_tasks(&mut self, tasks: &[TaskKey]) {
        if tasks.is_empty() {
            return;
        }
        let names: Vec<_> = tasks.iter().map(|key| self.fleet.name(*key)).collect();
        if let Err(error) = self.slurm.cancel(&names).await {
            self.course.note(format!("{} tasks were not cancelled in Slurm: {error}", names.len()));
        }
    }

    /// Writes the folder of a submission: the shares, then the script.
    fn write(&self, name: &str, pack: &Pack, works: &HashMap<JobId, Work>) -> io::Result<()> {
        let folder = SubmissionFolder::new(&self.course.root, name);
        fs::create_dir_all(folder.path())?;
        for (number, jobs) in (0..).zip(&pack.shares) {
            let assignments = jobs.iter().filter_map(|job| {
                // What was called off before is asked for again.
                let stop = RunFolder::new(&self.course.root, *job).stop();
                let _ = fs::remove_file(stop);
                self.assignment(*job, works.get(job)?, pack)
            });
            Share(assignments.collect()).write(&folder.share(number))?;
        }
        let script = pack.script(&self.course.root, name, &self.program, &self.how.slurm);
        fs::write(folder.script(), script)
    }

    fn assignment(&self, job: JobId, work: &Work, pack: &Pack) -> Option<Assignment> {
        let gpus = pack.task.gpus.as_ref().map_or(0, |gpus| gpus.count);
        let cpus = pack.task.cpus.map_or(1, NonZeroU32::get);
        Some(Assignment {
            attempt: AttemptKey { job, number: self.attempts.get(&job)? + 1 },
            spec: work.spec.clone(),
            source: work.source.clone(),
            root: self.course.root.clone(),
            device: if gpus > 0 { Device::Cuda(0) } else { Device::Cpu },
            threads: (cpus / gpus.max(1)).max(1),
            micro_batch: self.course.options.micro_batch,
            checkpoint_seconds: self.course.options.checkpoint_seconds,
            when_abandoned: WhenAbandoned::Finish,
            keep: self.course.options.keep.of(job, work.spec.stage()),
        })
    }
}

/// Jobs are not to be done any more that tasks have in their shares, and nobody follows those tasks: they leave
/// the jobs, and those that have nothing else are cancelled. Returns what was done, for a person.
///
/// # Errors
///
/// [`StoreError`].
pub async fn call_off(store: &Store, jobs: &[JobId]) -> Result<Vec<String>, StoreError> {
    let mut names = Vec::new();
    for submission in store.live_submissions().await? {
        for task in submission.tasks.iter().filter(|task| !task.state.is_over) {
            let mut ours = task.jobs.iter().filter(|job| jobs.contains(job)).peekable();
            if ours.peek().is_none() {
                continue;
            }
            for job in ours {
                let folder = RunFolder::new(store.root(), *job);
                let written =
                    fs::create_dir_all(folder.path()).and_then(|()| fs::write(folder.stop(), ""));
                if let Err(error) = written {
                    warn!("failed to write `{}`: {error}", folder.stop().display());
                }
            }
            let mut left = false;
            for job in &task.jobs {
                left |= !jobs.contains(job) && !store.state(*job).await?.is_end();
            }
            if let (Some(array), false) = (&submission.array_job, left) {
                names.push(format!("{array}_{}", task.number));
            }
        }
    }
    if names.is_empty() {
        return Ok(Vec::new());
    }
    Ok(match Slurm::new().cancel(&names).await {
        Ok(()) => names.iter().map(|name| format!("cancelled task {name} in Slurm")).collect(),
        Err(error) => vec![format!("{} tasks were not cancelled in Slurm: {error}", names.len())],
    })
}

/// What the tasks of a submission are told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Marker {
    /// To leave.
    Withdrawn,
    /// To leave after the attempt under way.
    Drained,
}

impl From<SlurmError> for RunError {
    fn from(error: SlurmError) -> Self {
        Self::Slurm(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_study_keeps_its_name_and_a_copy_of_it_has_another() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (one, copy) = (folder.path().join("one"), folder.path().join("copy"));
        let id = study_id(&one).expect("writes");
        assert_eq!(study_id(&one).expect("reads"), id);
        fs::create_dir_all(copy.join("slurm")).expect("creates");
        fs::copy(one.join("slurm/id"), copy.join("slurm/id")).expect("copies");
        assert_ne!(study_id(&copy).expect("writes"), id);
        assert_eq!(study_id(&one).expect("reads"), id);
    }
}
