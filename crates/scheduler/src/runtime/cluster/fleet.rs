//! The tasks that were submitted, and what a poll of the queue says of them. Pure: no I/O, no clock.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use augreg_executor::slurm::{End, Phase, Seen, phase};
use augreg_protocol::FailureKind;
use augreg_spec::JobId;
use augreg_store::{Submission, TaskState};

use crate::core::Millis;

/// Names a task of the study: its submission, and its index in the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct TaskKey {
    pub(super) submission: i64,
    pub(super) number: u32,
}

/// How often in a row the queue must be silent about a task before it is taken for gone.
const SILENCES: u32 = 2;

/// So long after it was submitted an array may not be in the queue's answers yet.
const SETTLING: Duration = Duration::from_secs(10);

/// Every task that is not over.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    arrays: BTreeMap<i64, Array>,
    /// Where each job is that a task has in its share.
    placed: HashMap<JobId, TaskKey>,
}

#[derive(Debug)]
struct Array {
    name: String,
    /// Slurm's number.
    id: Option<String>,
    submitted: Millis,
    /// How often in a row the queue said nothing of it while it has no number.
    silences: u32,
    tasks: Vec<Tracked>,
}

#[derive(Debug)]
struct Tracked {
    jobs: Vec<JobId>,
    state: TaskState,
    phase: Phase,
    silences: u32,
}

/// What a poll has brought to light.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// States that are new.
    pub(super) states: Vec<(i64, u32, TaskState)>,
    /// Tasks that are over, or will never run, and what that means.
    pub(super) over: Vec<(TaskKey, End)>,
    /// Tasks that the queue does not know any more.
    pub(super) gone: Vec<TaskKey>,
    /// Arrays under names of this study that it knows nothing of: their numbers and names.
    pub(super) strangers: Vec<(String, String)>,
}

impl Fleet {
    /// Takes in a submission.
    pub(super) fn add(&mut self, now: Millis, submission: Submission) {
        let Submission { id: number, name, array_job, tasks, .. } = submission;
        let mut tracked = Vec::new();
        for task in tasks {
            let key = TaskKey { submission: number, number: task.number };
            if !task.state.is_over {
                self.placed.extend(task.jobs.iter().map(|job| (*job, key)));
            }
            tracked.push(Tracked {
                jobs: task.jobs,
                state: task.state,
                phase: Phase::Waits,
                silences: 0,
            });
        }
        let array = Array { name, id: array_job, submitted: now, silences: 0, tasks: tracked };
        self.arrays.insert(number, array);
    }

    /// Slurm has taken a submission.
    pub(super) fn submitted(&mut self, now: Millis, submission: i64, id: &str) {
        if let Some(array) = self.arrays.get_mut(&submission) {
            array.id = Some(id.to_owned());
            array.submitted = now;
        }
    }

    /// Whether a task has the job in its share.
    pub(super) fn has(&self, job: JobId) -> bool {
        self.placed.contains_key(&job)
    }

    /// The task that has the job in its share.
    pub(super) fn task_of(&self, job: JobId) -> Option<TaskKey> {
        self.placed.get(&job).copied()
    }

    /// Tasks that are not over.
    pub(super) fn len(&self) -> usize {
        self.tasks().count()
    }

    fn tasks(&self) -> impl Iterator<Item = (TaskKey, &Tracked)> {
        let all = self.arrays.iter().flat_map(|(submission, array)| {
            (0..)
                .zip(&array.tasks)
                .map(|(number, task)| (TaskKey { submission: *submission, number }, task))
        });
        all.filter(|(_, task)| !task.state.is_over)
    }

    /// The tasks that may have begun something that is not known yet.
    pub(super) fn at_work(&self) -> Vec<TaskKey> {
        let runs = self.tasks().filter(|(_, task)| task.phase == Phase::Runs);
        runs.map(|(key, _)| key).collect()
    }

    /// The tasks that are not over.
    pub(super) fn open(&self) -> Vec<TaskKey> {
        self.tasks().map(|(key, _)| key).collect()
    }

    /// The tasks that the queue said nothing of when it was asked last.
    pub(super) fn silent(&self) -> Vec<TaskKey> {
        self.tasks().filter(|(_, task)| task.silences > 0).map(|(key, _)| key).collect()
    }

    /// The tasks that wait.
    pub(super) fn waiting(&self) -> Vec<TaskKey> {
        let waits =
            self.tasks().filter(|(_, task)| !matches!(task.phase, Phase::Runs | Phase::Over(_)));
        waits.map(|(key, _)| key).collect()
    }

    /// Whether a task will never run.
    pub(super) fn is_stuck(&self, key: TaskKey) -> bool {
        self.task(key).is_some_and(|task| matches!(task.phase, Phase::Stuck(_)))
    }

    /// Whether a task has failed, by what the queue said last.
    pub(super) fn has_failed(&self, key: TaskKey) -> bool {
        self.task(key).is_some_and(|task| task.state.state == "FAILED")
    }

    /// The name of a task's array.
    pub(super) fn array_name(&self, key: TaskKey) -> Option<&str> {
        self.arrays.get(&key.submission).map(|array| array.name.as_str())
    }

    /// Whether the queue has said nothing of a submission, of which it is not known whether Slurm has taken it,
    /// for as long as it takes to be sure.
    pub(super) fn is_unheard(&self, submission: i64) -> bool {
        self.arrays.get(&submission).is_some_and(|array| array.silences > SILENCES)
    }

    /// The share of a task.
    pub(super) fn jobs(&self, key: TaskKey) -> &[JobId] {
        self.task(key).map_or(&[], |task| &task.jobs)
    }

    /// The name of a task, such as `4711_3`; of its submission and index as long as Slurm has given none.
    pub(super) fn name(&self, key: TaskKey) -> String {
        let array = self.arrays.get(&key.submission);
        let id = array.and_then(|array| array.id.as_deref().or(Some(&array.name)));
        format!("{}_{}", id.unwrap_or("?"), key.number)
    }

    /// Slurm's number of the array that has the job in one of its shares, if it has given one.
    pub(super) fn array_of(&self, job: JobId) -> Option<&str> {
        self.arrays.get(&self.placed.get(&job)?.submission)?.id.as_deref()
    }

    /// All submissions that are not over: numbers and names.
    pub(super) fn submissions(&self) -> Vec<(i64, String)> {
        self.arrays.iter().map(|(number, array)| (*number, array.name.clone())).collect()
    }

    /// Submissions that nobody has taken yet, as far as is known.
    pub(super) fn unsubmitted(&self) -> Vec<(i64, String)> {
        let arrays = self.arrays.iter().filter(|(_, array)| array.id.is_none());
        arrays.map(|(number, array)| (*number, array.name.clone())).collect()
    }

    /// Takes in what the queue says.
    pub(super) fn poll(&mut self, now: Millis, seen: &[Seen]) -> Findings {
        let mut findings = Findings::default();
        let mut by_array: HashMap<&str, Vec<&Seen>> = HashMap::new();
        for one in seen {
            by_array.entry(&one.array).or_default().push(one);
        }
        let known: Vec<_> = self.arrays.values().filter_map(|array| array.id.clone()).collect();
        for one in seen {
            let ended = matches!(phase(&one.state, &one.reason, None), Phase::Over(_));
            let is_known = known.contains(&one.array)
                || self.arrays.values().any(|array| array.id.is_none() && array.name == one.name);
            let stranger = (one.array.clone(), one.name.clone());
            if !is_known && !ended && !findings.strangers.contains(&stranger) {
                findings.strangers.push(stranger);
            }
        }
        for (submission, array) in &mut self.arrays {
            let Some(id) = &array.id else {
                array.silences += u32::from(now >= array.submitted + SETTLING);
                continue;
            };
            let about = by_array.get(id.as_str()).map_or(&[][..], Vec::as_slice);
            let settled = now >= array.submitted + SETTLING;
            for (number, task) in
                (0..).zip(&mut array.tasks).filter(|(_, task)| !task.state.is_over)
            {
                let key = TaskKey { submission: *submission, number };
                // What runs again after a requeue comes after what ended before it.
                let Some(found) = about.iter().rfind(|seen| seen.contains(number)) else {
                    task.silences += 1;
                    if task.silences >= SILENCES && settled {
                        findings.gone.push(key);
                    }
                    continue;
                };
                task.silences = 0;
                let said = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
                let state = TaskState {
                    state: found.state.clone(),
                    reason: said(&found.reason),
                    node: said(&found.node).or_else(|| task.state.node.clone()),
                    is_over: false,
                };
                if state != task.state {
                    task.state = state.clone();
                    findings.states.push((*submission, number, state));
                }
                task.phase = phase(&found.state, &found.reason, None);
                if let Phase::Over(end) | Phase::Stuck(end) = &task.phase {
                    findings.over.push((key, end.clone()));
                }
            }
        }
        findings
    }

    /// A task is over: its jobs are not in its hands any more. Returns what is to be written down, and its
    /// submission if that is over with it.
    pub(super) fn end(
        &mut self,
        key: TaskKey,
        state: Option<(&str, &str)>,
    ) -> (Option<(i64, u32, TaskState)>, Option<i64>) {
        let Some(array) = self.arrays.get_mut(&key.submission) else { return (None, None) };
        let Some(task) = array.tasks.get_mut(key.number as usize) else { return (None, None) };
        if let Some((state, node)) = state {
            state.clone_into(&mut task.state.state);
            if !node.is_empty() {
                task.state.node = Some(node.to_owned());
            }
        }
        task.state.is_over = true;
        for job in &task.jobs {
            if self.placed.get(job) == Some(&key) {
                self.placed.remove(job);
            }
        }
        let state = (key.submission, key.number, task.state.clone());
        let all = array.tasks.iter().all(|task| task.state.is_over);
        if all {
            self.arrays.remove(&key.submission);
        }
        (Some(state), all.then_some(key.submission))
    }

    /// Forgets a submission: nothing of it is expected any more. Returns its tasks.
    pub(super) fn forget(&mut self, submission: i64) -> Vec<TaskKey> {
        let Some(array) = self.arrays.remove(&submission) else { return Vec::new() };
        self.placed.retain(|_, key| key.submission != submission);
        let open = (0..).zip(&array.tasks).filter(|(_, task)| !task.state.is_over);
        open.map(|(number, _)| TaskKey { submission, number }).collect()
    }

    fn task(&self, key: TaskKey) -> Option<&Tracked> {
        self.arrays.get(&key.submission)?.tasks.get(key.number as usize)
    }
}

/// What it means that the queue does not know a task any more and nothing else says what became of it.
pub(super) fn vanished() -> End {
    End {
        kind: FailureKind::Lost,
        what: "Slurm does not know the task any more".to_owned(),
        next: "what is left of its share is submitted again, and goes on from checkpoints",
    }
}

#[cfg(test)]
mod tests {
    use augreg_store::Task;

    use super::*;

    const LATER: Millis = Millis(60_000);

    fn job(name: &str) -> JobId {
        JobId::of(name)
    }

    fn key(number: u32) -> TaskKey {
        TaskKey { submission: 1, number }
    }

    /// Three tasks, of which the last has two jobs, submitted as 7.
    fn fleet() -> Fleet {
        let shares = [vec![job("a")], vec![job("b")], vec![job("c"), job("d")]];
        let task = |(number, jobs)| Task { number, state: TaskState::default(), jobs };
        let submission = Submission {
            id: 1,
            name: "augreg-x-1".to_owned(),
            array_job: None,
            prepared: 0,
            tasks: (0..).zip(shares).map(task).collect(),
        };
        let mut fleet = Fleet::default();
        fleet.add(Millis(0), submission);
        fleet.submitted(Millis(0), 1, "7");
        fleet
    }

    fn seen(tasks: (u32, u32), state: &str, reason: &str) -> Seen {
        Seen {
            array: "7".to_owned(),
            tasks: vec![tasks],
            state: state.to_owned(),
            reason: reason.to_owned(),
            node: String::new(),
            name: "augreg-x-1".to_owned(),
        }
    }

    #[test]
    fn a_poll_tells_what_waits_what_runs_and_what_is_over() {
        let mut fleet = fleet();
        let answer = [seen((1, 2), "PENDING", "Resources"), seen((0, 0), "RUNNING", "")];
        let found = fleet.poll(LATER, &answer);
        assert_eq!(found.states.len(), 3);
        assert!(found.over.is_empty() && found.gone.is_empty() && found.strangers.is_empty());
        assert_eq!(fleet.waiting(), [key(1), key(2)]);
        assert_eq!(fleet.at_work(), [key(0)]);
        assert!(fleet.poll(LATER, &answer).states.is_empty(), "nothing is new");

        let found = fleet.poll(LATER, &[seen((1, 2), "RUNNING", ""), seen((0, 0), "TIMEOUT", "")]);
        assert_eq!(found.over.len(), 1);
        assert_eq!((found.over[0].0, found.over[0].1.kind), (key(0), FailureKind::Timeout));
        assert_eq!(fleet.name(key(0)), "7_0");
        let (state, submission) = fleet.end(key(0), None);
        assert!(state.is_some_and(|(_, _, state)| state.is_over));
        assert_eq!((submission, fleet.has(job("a")), fleet.has(job("b"))), (None, false, true));
        fleet.end(key(1), None);
        assert_eq!(fleet.end(key(2), None).1, Some(1), "the last one takes the submission along");
        assert_eq!(fleet.len(), 0);
    }

    #[test]
    fn a_task_is_gone_when_the_queue_says_nothing_of_it_twice_and_not_right_after_it_was_submitted()
    {
        let mut fleet = fleet();
        let now = Millis(5_000);
        assert!(fleet.poll(now, &[]).gone.is_empty());
        assert!(fleet.poll(now, &[]).gone.is_empty(), "it was submitted a moment ago");
        assert_eq!(fleet.poll(LATER, &[]).gone, [key(0), key(1), key(2)]);
        fleet.poll(LATER, &[seen((0, 2), "RUNNING", "")]);
        assert!(fleet.poll(LATER, &[]).gone.is_empty(), "once may be a slip");
    }

    #[test]
    fn a_task_that_was_put_back_to_the_queue_is_not_over() {
        let mut fleet = fleet();
        let answer = [seen((0, 0), "NODE_FAIL", ""), seen((0, 2), "PENDING", "BeginTime")];
        assert!(fleet.poll(LATER, &answer).over.is_empty());
        let held = [seen((0, 2), "PENDING", "launch failed requeued held")];
        assert_eq!(fleet.poll(LATER, &held).over.len(), 3, "these will not run by themselves");
    }

    #[test]
    fn an_array_under_a_name_of_the_study_that_it_did_not_submit_is_a_stranger() {
        let mut fleet = fleet();
        let other = Seen {
            array: "9".to_owned(),
            name: "augreg-x-5".to_owned(),
            ..seen((0, 3), "RUNNING", "")
        };
        let ended = Seen { state: "COMPLETED".to_owned(), array: "10".to_owned(), ..other.clone() };
        let found = fleet.poll(LATER, &[seen((0, 2), "RUNNING", ""), other, ended]);
        assert_eq!(found.strangers, [("9".to_owned(), "augreg-x-5".to_owned())]);
    }
}
