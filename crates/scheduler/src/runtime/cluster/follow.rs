//! Follows what was submitted: asks the queue, looks into the folders of jobs, reads journals.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use augreg_executor::slurm::{End, Listed, Phase, SlurmError, phase};
use augreg_protocol::AttemptKey;
use augreg_spec::JobId;
use tracing::{info, warn};

use super::Cluster;
use super::fleet::{Findings, TaskKey, vanished};
use super::submit::Marker;
use crate::core::{AttemptEnd, Event};
use crate::runtime::options::{Progress, RunError};

/// Jobs of a share that are looked at beyond the first that has not begun, for each worker of the task.
const AHEAD: usize = 2;

impl<F: FnMut(Progress) + Send> Cluster<F> {
    /// Asks the queue if it is time, and takes in what it has answered. The question is put beside everything
    /// else: a controller that is down lets one wait for long.
    pub(super) async fn ask(&mut self) -> Result<(), RunError> {
        match self.poll.asked.take() {
            Some(asked) if asked.is_finished() => {
                let answer = asked.await.unwrap_or_else(|_| {
                    Err(SlurmError::Down { words: "the question was lost".to_owned() })
                });
                match answer {
                    Ok(seen) => {
                        if self.poll.vain > 0 {
                            self.course.note("Slurm answers again".to_owned());
                        }
                        self.poll.again(true);
                        let now = self.course.now();
                        let findings = self.fleet.poll(now, &seen);
                        self.adopt(&seen).await?;
                        self.act_on(findings).await?;
                    }
                    Err(error) => {
                        if self.poll.vain == 0 {
                            self.course
                                .note(format!("{error}; tasks go on meanwhile, it is asked again"));
                        }
                        self.poll.again(false);
                    }
                }
            }
            Some(asked) => self.poll.asked = Some(asked),
            None if Instant::now() >= self.poll.due => {
                let (slurm, prefix) = (self.slurm.clone(), self.prefix());
                let question = async move { slurm.queue(&prefix).await };
                self.poll.asked = Some(tokio::spawn(question));
            }
            None => {}
        }
        Ok(())
    }

    /// Finds arrays again of which it was not known whether Slurm had taken them.
    async fn adopt(&mut self, seen: &[augreg_executor::slurm::Seen]) -> Result<(), RunError> {
        for (id, name) in self.fleet.unsubmitted() {
            let found = match seen.iter().find(|seen| seen.name == name) {
                Some(seen) => Some(seen.array.clone()),
                None => match self.slurm.find(&name).await {
                    Ok(found) => found,
                    Err(error) => {
                        info!("{name} is looked for again: {error}");
                        continue;
                    }
                },
            };
            if let Some(array) = found {
                self.taken(id, &array).await?;
                self.course.note(format!("found {name} again: Slurm has it as {array}"));
            } else if self.fleet.is_unheard(id) {
                self.submit_again(id, &name).await?;
            }
        }
        Ok(())
    }

    /// Takes in what tasks have done since somebody looked, and what has become of them.
    pub(super) async fn collect(&mut self) -> Result<(), RunError> {
        for key in self.fleet.open() {
            self.discover_all(key).await?;
        }
        // Ends of attempts may let others be seen that began after them.
        for _ in 0..2 {
            let mut news = Vec::new();
            let mut events = Vec::new();
            for attempt in self.course.core.orphans() {
                if let Some(mut read) = self.journals.read(attempt) {
                    events.append(&mut read.events);
                    news.push(read);
                }
            }
            self.turn(news, events).await?;
        }
        match self.slurm.queue(&self.prefix()).await {
            Ok(seen) => {
                let now = self.course.now();
                let Findings { states, over, .. } = self.fleet.poll(now, &seen);
                self.course.store.set_task_states(&states).await?;
                for (key, end) in over {
                    if !self.fleet.is_stuck(key) {
                        self.finish_task(key, &end, None).await?;
                    }
                }
            }
            Err(error) => self.course.note(error.to_string()),
        }
        // Of tasks that have nothing left to do nothing more is to be heard.
        for key in self.fleet.silent() {
            if self.fleet.jobs(key).iter().all(|job| !self.course.jobs.contains_key(job)) {
                let state = ("VANISHED".to_owned(), String::new());
                self.finish_task(key, &vanished(), Some(state)).await?;
            }
        }
        Ok(())
    }

    async fn act_on(&mut self, findings: Findings) -> Result<(), RunError> {
        let Findings { states, over, gone, strangers } = findings;
        self.course.store.set_task_states(&states).await?;
        let stuck: Vec<TaskKey> =
            over.iter().filter(|(key, _)| self.fleet.is_stuck(*key)).map(|(key, _)| *key).collect();
        self.cancel_tasks(&stuck).await;
        for (key, end) in self.with_exit_codes(over).await {
            self.finish_task(key, &end, None).await?;
        }
        if !gone.is_empty() {
            self.look_up(&gone).await?;
        }
        for (array, name) in strangers {
            self.mark_stranger(&array, &name).await;
        }
        Ok(())
    }

    /// Ends of tasks that failed, with their exit codes, which the queue does not tell.
    async fn with_exit_codes(&self, mut over: Vec<(TaskKey, End)>) -> Vec<(TaskKey, End)> {
        let mut records: HashMap<String, Vec<Listed>> = HashMap::new();
        for (key, end) in over.iter_mut().filter(|(key, _)| self.fleet.has_failed(*key)) {
            let name = self.fleet.name(*key);
            let Some((array, _)) = name.rsplit_once('_') else { continue };
            if !records.contains_key(array) {
                let told = self.slurm.records(array).await.unwrap_or_else(|error| {
                    info!("why {name} failed is not told: {error}");
                    Vec::new()
                });
                records.insert(array.to_owned(), told);
            }
            let known = records[array].iter().find(|one| one.task == name);
            if let Some(Phase::Over(told)) = known.map(|one| phase(&one.state, "", Some(&one.exit)))
            {
                *end = told;
            }
        }
        over
    }

    /// An array under a name of this study that it knows nothing of: the database was lost, or an answer was.
    /// What it would do is in other hands.
    async fn mark_stranger(&mut self, array: &str, name: &str) {
        let is_ours = self.fleet.submissions().iter().any(|(_, known)| known == name);
        if !is_ours {
            self.mark(name, Marker::Withdrawn);
        }
        match self.slurm.cancel(&[array.to_owned()]).await {
            Ok(()) => {
                self.course.note(format!("cancelled {array} ({name}): the study does not know it"));
            }
            Err(error) => warn!("failed to cancel {array} ({name}): {error}"),
        }
    }

    /// Asks the accounting about tasks that the queue does not know any more.
    async fn look_up(&mut self, gone: &[TaskKey]) -> Result<(), RunError> {
        let names: Vec<_> = gone.iter().map(|key| self.fleet.name(*key)).collect();
        let listed: Option<HashMap<String, Listed>> = if self.limits.accounting {
            match self.slurm.history(&names).await {
                Ok(listed) => {
                    listed.map(|all| all.into_iter().map(|one| (one.task.clone(), one)).collect())
                }
                // It is asked again: the queue will be as silent the next time.
                Err(error) => {
                    info!("the accounting is asked again: {error}");
                    return Ok(());
                }
            }
        } else {
            None
        };
        for (key, name) in gone.iter().zip(names) {
            let known = listed.as_ref().and_then(|all| all.get(&name));
            match known.map(|one| (phase(&one.state, "", Some(&one.exit)), one)) {
                Some((Phase::Over(end) | Phase::Stuck(end), one)) => {
                    let state = (one.state.clone(), one.node.clone());
                    self.finish_task(*key, &end, Some(state)).await?;
                }
                Some((Phase::Waits | Phase::Runs, _)) => {}
                None => {
                    let state = ("VANISHED".to_owned(), String::new());
                    self.finish_task(*key, &vanished(), Some(state)).await?;
                }
            }
        }
        Ok(())
    }

    /// A task is over. What it has done is read to the end; what it left undone is free for another.
    async fn finish_task(
        &mut self,
        key: TaskKey,
        end: &End,
        state: Option<(String, String)>,
    ) -> Result<(), RunError> {
        self.discover_all(key).await?;
        let jobs: HashSet<JobId> = self.fleet.jobs(key).iter().copied().collect();
        let live = |attempt: &AttemptKey| jobs.contains(&attempt.job);
        let at_work: Vec<AttemptKey> =
            self.course.core.orphans().into_iter().filter(live).collect();
        let (mut news, mut events) = (Vec::new(), Vec::new());
        for attempt in &at_work {
            if let Some(mut read) = self.journals.read(*attempt) {
                events.append(&mut read.events);
                news.push(read);
            }
        }
        self.turn(news, events).await?;
        let name = self.fleet.name(key);
        let cut_off: Vec<AttemptKey> =
            at_work.into_iter().filter(|attempt| self.journals.is_open(*attempt)).collect();
        let ends = cut_off.iter().map(|attempt| {
            let message = format!("{} (task {name})", end.what);
            let end = AttemptEnd::Failed { kind: end.kind, message };
            Event::AttemptEnded { attempt: *attempt, end }
        });
        let ends: Vec<_> = ends.collect();
        self.turn(Vec::new(), ends).await?;
        let undone = jobs.iter().filter(|job| self.course.jobs.contains_key(job)).count();
        if undone > 0 {
            let jobs = if undone == 1 { "job of it is" } else { "jobs of it are" };
            self.course.note(if self.is_taken_back(key) {
                format!("task {name} was taken back; {undone} {jobs} not done")
            } else {
                format!("task {name}: {}; {undone} {jobs} not done: {}", end.what, end.next)
            });
        }
        let state = state.as_ref().map(|(state, node)| (state.as_str(), node.as_str()));
        let (written, submission) = self.fleet.end(key, state);
        self.course.store.set_task_states(written.as_slice()).await?;
        if let Some(id) = submission {
            self.course.store.end_submission(id, None).await?;
        }
        Ok(())
    }

    /// Looks for attempts that a task at work has begun.
    pub(super) async fn discover(&mut self, key: TaskKey) -> Result<(), RunError> {
        let events = self.begun_in(key, AHEAD);
        if events.is_empty() { Ok(()) } else { self.turn(Vec::new(), events).await }
    }

    /// The same in the whole of its share.
    async fn discover_all(&mut self, key: TaskKey) -> Result<(), RunError> {
        let events = self.begun_in(key, usize::MAX);
        if events.is_empty() { Ok(()) } else { self.turn(Vec::new(), events).await }
    }

    /// Attempts of a share that have left a folder and are not known: those of the first jobs that have not
    /// come to their end, and of `ahead` that have not begun.
    fn begun_in(&self, key: TaskKey, ahead: usize) -> Vec<Event> {
        let (mut events, mut untouched) = (Vec::new(), 0);
        for job in self.fleet.jobs(key).iter().filter(|job| self.course.jobs.contains_key(job)) {
            let folder = self.course.folder(*job);
            let known = self.attempts.get(job).copied().unwrap_or(0);
            let mut number = known;
            // An attempt whose worker died before its first word has a folder and no journal.
            while folder.journal(number + 1).exists() || folder.attempt(number + 2).exists() {
                number += 1;
                events.push(Event::Begun { attempt: AttemptKey { job: *job, number } });
            }
            if number == known && !self.journals.is_open(AttemptKey { job: *job, number }) {
                untouched += 1;
                if untouched > ahead {
                    break;
                }
            }
        }
        events
    }

    /// Takes in what the journals of attempts under way have to say.
    pub(super) async fn read_journals(&mut self) -> Result<(), RunError> {
        let (mut news, mut events) = (Vec::new(), Vec::new());
        for attempt in self.course.core.orphans() {
            if let Some(mut read) = self.journals.glance(attempt, self.how.look) {
                events.append(&mut read.events);
                news.push(read);
            }
        }
        if news.is_empty() && events.is_empty() { Ok(()) } else { self.turn(news, events).await }
    }
}
