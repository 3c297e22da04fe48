//! The loop: wake, decide, record, perform.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use augreg_executor::{
    Local, LocalOptions, SlotId, WorkerEvent, WorkerReport, detect, program, tail_of_log,
};
use augreg_protocol::{
    Assignment, AttemptKey, FailureKind, JobState, RunFolder, ToWorker, with_causes,
};
use augreg_spec::JobId;
use augreg_store::{PendingJob, Store};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, info, warn};

use super::journals::{Journals, News};
use super::lock::StudyLock;
use super::options::{Progress, RunError, RunOptions, Summary};
use super::orphans;
use super::record::{change, persist};
use super::stop::{StopListener, Urgency};
use crate::core::{Action, AttemptEnd, Core, Event, Finish, Millis, NewJob};

/// How often time is looked at: timeouts and back-offs are this exact.
const TICK: Duration = Duration::from_millis(100);

/// Everything that can wake the loop.
enum Wake {
    Worker(WorkerEvent),
    Stop(Urgency),
    Tick,
}

/// Runs the jobs of a sweep, or of the whole study, that have not come to their end.
///
/// Returns when there are none left, or when `stop` says so and the workers have left; then the
/// database shows nothing running. `observe` is called from within the loop and must be quick.
///
/// # Errors
///
/// [`RunError`]; what was finished until then is in the database.
pub async fn run(
    store: Store,
    sweep: Option<&str>,
    options: RunOptions,
    mut stop: StopListener,
    observe: impl FnMut(Progress) + Send,
) -> Result<Summary, RunError> {
    let began = Instant::now();
    let root = store.root().canonicalize();
    let root = root.map_err(|source| RunError::Root { path: store.root().to_owned(), source })?;
    let _lock = StudyLock::take(&root)?;

    let pending = load(&store, sweep).await?;
    if pending.is_empty() {
        return Ok(Summary { elapsed: began.elapsed(), ..Summary::default() });
    }
    let program = options.program.clone().map_or_else(program, Ok)?;
    let slots = detect(options.workers);
    let (local, mut events) = Local::new(LocalOptions { program, root: root.clone(), slots });
    let core = Core::new(options.policy.clone(), local.slots().iter().map(|slot| slot.id));
    let mut run = Run {
        root,
        store,
        options,
        stop: stop.clone(),
        core,
        local,
        journals: Journals::default(),
        jobs: HashMap::new(),
        assigned: BTreeMap::new(),
        began,
        orphans_seen: began,
        finish: None,
        observe,
    };
    run.begin(pending).await?;
    run.go_on(&mut stop, &mut events).await?;
    run.summary()
}

/// The jobs to run (true), and those of other sweeps whose attempts an earlier scheduler left
/// running (false).
async fn load(store: &Store, sweep: Option<&str>) -> Result<Vec<(PendingJob, bool)>, RunError> {
    let wanted = store.pending(sweep).await?;
    let mut jobs: Vec<_> = wanted.into_iter().map(|job| (job, true)).collect();
    if sweep.is_some() {
        let ids: HashSet<JobId> = jobs.iter().map(|(job, _)| job.job).collect();
        let others = store.pending(None).await?.into_iter();
        let left = |job: &PendingJob| job.running.is_some() && !ids.contains(&job.job);
        jobs.extend(others.filter(left).map(|job| (job, false)));
    }
    Ok(jobs)
}

struct Run<F> {
    /// The study's folder, absolute and without links.
    root: PathBuf,
    store: Store,
    options: RunOptions,
    stop: StopListener,
    core: Core,
    local: Local,
    journals: Journals,
    /// Every open job; emptied as jobs come to their end.
    jobs: HashMap<JobId, PendingJob>,
    /// The attempt that each slot's worker was last given; taken out when it says it is free or is
    /// gone.
    assigned: BTreeMap<SlotId, AttemptKey>,
    began: Instant,
    /// When orphans were looked at last.
    orphans_seen: Instant,
    finish: Option<Finish>,
    observe: F,
}

impl<F: FnMut(Progress) + Send> Run<F> {
    /// Takes in the jobs and whatever an earlier scheduler left behind.
    async fn begin(&mut self, pending: Vec<(PendingJob, bool)>) -> Result<(), RunError> {
        let mut new = Vec::with_capacity(pending.len());
        let mut left = Vec::new();
        let mut repairs = Vec::new();
        for (job, wanted) in pending {
            if let Some(running) = &job.running {
                left.push(AttemptKey { job: job.job, number: running.number });
            } else if job.state == JobState::Running {
                repairs.push(Action::SetJobState { job: job.job, state: JobState::Queued });
            }
            new.push(NewJob {
                id: job.job,
                priority: job.priority,
                flops: job.flops,
                attempts: job.attempts,
                live: job.running.is_some(),
                wanted,
                checkpoint: job.checkpoint.unwrap_or(0),
                losses: job.losses,
                out_of_memory: job.out_of_memory,
                bugs: job.bugs,
            });
            self.jobs.insert(job.job, job);
        }
        let jobs = new.iter().filter(|job| job.wanted).count();
        let slots = self.local.slots().len();
        info!(jobs, slots, left_running = left.len(), "the run begins");
        (self.observe)(Progress::Began { jobs, slots });

        let changes: Vec<_> = repairs.iter().filter_map(|action| change(action, &[])).collect();
        let grace = self.options.policy.stop_grace;
        persist(&self.store, None, &changes, &self.stop, grace).await?;
        for attempt in &left {
            let offset = self.store.journal_offset(*attempt).await?;
            self.journals.open(&self.folder(attempt.job), *attempt, offset);
        }
        self.turn(None, vec![Event::JobsAdded(new)]).await?;
        for attempt in left {
            self.see_orphan(attempt).await?;
        }
        Ok(())
    }

    async fn go_on(
        &mut self,
        stop: &mut StopListener,
        events: &mut mpsc::Receiver<WorkerEvent>,
    ) -> Result<(), RunError> {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        if stop.urgency() != Urgency::Not {
            self.handle(Wake::Stop(stop.urgency())).await?;
        }
        while self.finish.is_none() {
            let wake = tokio::select! {
                urgency = stop.changed() => Wake::Stop(urgency),
                // The executor holds a sender, so the channel is never closed.
                Some(event) = events.recv() => Wake::Worker(event),
                _ = tick.tick() => Wake::Tick,
            };
            self.handle(wake).await?;
        }
        Ok(())
    }

    async fn handle(&mut self, wake: Wake) -> Result<(), RunError> {
        match wake {
            Wake::Tick => {
                self.turn(None, vec![Event::Tick]).await?;
                if self.orphans_seen.elapsed() >= 5 * TICK {
                    self.orphans_seen = Instant::now();
                    for attempt in self.core.orphans() {
                        self.see_orphan(attempt).await?;
                    }
                }
                Ok(())
            }
            Wake::Stop(urgency) => {
                info!(?urgency, "told to stop");
                (self.observe)(Progress::Stopping);
                let event = if urgency == Urgency::Now { Event::StopNow } else { Event::Stop };
                self.turn(None, vec![event]).await
            }
            Wake::Worker(WorkerEvent { slot, report }) => {
                let (news, mut events) = self.translate(slot, report);
                let mut all = news.as_ref().map_or_else(Vec::new, |news| news.events.clone());
                all.append(&mut events);
                self.turn(news, all).await
            }
        }
    }

    /// What a worker's word means, together with what its journal has to say by then. The
    /// journal comes first: an attempt that finished and whose worker then died has finished.
    fn translate(&mut self, slot: SlotId, report: WorkerReport) -> (Option<News>, Vec<Event>) {
        match report {
            WorkerReport::Ready { pid } => {
                debug!(%slot, pid, "a worker is up");
                (None, vec![Event::WorkerReady { slot }])
            }
            WorkerReport::Refused { why } => {
                (None, vec![Event::StartFailed { slot, why, hopeless: true }])
            }
            WorkerReport::Beat(beat) => {
                let event = Event::Beat { attempt: beat.attempt, step: beat.step };
                let news = self.journals.glance(beat.attempt, self.options.journal_interval);
                (self.observe)(Progress::Beat(beat));
                (news, vec![event])
            }
            WorkerReport::Ended { attempt } => {
                let mut events = Vec::new();
                let news = self.journals.read(attempt);
                if self.journals.is_open(attempt) {
                    let path = self.folder(attempt.job).journal(attempt.number);
                    let message = format!(
                        "the worker says that the attempt is over, but its journal `{}` does not",
                        path.display()
                    );
                    let end = AttemptEnd::Failed { kind: FailureKind::Bug, message };
                    events.push(Event::AttemptEnded { attempt, end });
                }
                if self.assigned.get(&slot) == Some(&attempt) {
                    self.assigned.remove(&slot);
                }
                events.push(Event::WorkerFree { slot });
                (news, events)
            }
            WorkerReport::Gone { mut why, out_of_memory } => {
                let attempt = self.assigned.remove(&slot);
                let news = attempt.and_then(|attempt| self.journals.read(attempt));
                if let Some(attempt) = attempt
                    && let Some(tail) =
                        tail_of_log(&self.folder(attempt.job).log(attempt.number), 0)
                {
                    why = format!("{why}\nIts log ends with:\n{tail}");
                }
                (news, vec![Event::WorkerGone { slot, why, out_of_memory }])
            }
        }
    }

    /// Looks after an attempt that an earlier scheduler left running.
    async fn see_orphan(&mut self, attempt: AttemptKey) -> Result<(), RunError> {
        let folder = self.folder(attempt.job);
        // Asked before the journal is read: whoever is gone now writes nothing more.
        let alive = orphans::is_alive(&folder);
        let news = self.journals.read(attempt);
        let mut events = news.as_ref().map_or_else(Vec::new, |news| news.events.clone());
        if !alive && self.journals.is_open(attempt) {
            let message = "its worker is gone, as is the scheduler that had started it".to_owned();
            let end = AttemptEnd::Failed { kind: FailureKind::Preempted, message };
            events.push(Event::AttemptEnded { attempt, end });
        }
        if alive && self.journals.silence(attempt) > self.options.policy.step_timeout {
            let running = self.jobs.get(&attempt.job).and_then(|job| job.running.as_ref());
            if running.is_some_and(|running| orphans::kill(&self.root, running)) {
                let note = format!("killed the worker that an earlier scheduler left at {attempt}");
                warn!("{note}");
                (self.observe)(Progress::Note(note));
            }
        }
        self.turn(news, events).await
    }

    /// Lets the core decide on `events`, records its decisions with the entries they rest on, and
    /// performs them. What comes of performing is handled in turn.
    async fn turn(&mut self, news: Option<News>, events: Vec<Event>) -> Result<(), RunError> {
        let mut news = news;
        let mut events = VecDeque::from(events);
        loop {
            let now = Millis(self.began.elapsed().as_millis() as u64);
            let actions: Vec<Action> =
                events.drain(..).flat_map(|event| self.core.handle(now, event)).collect();
            let slots = self.local.slots();
            let changes: Vec<_> = actions.iter().filter_map(|a| change(a, slots)).collect();
            let grace = self.options.policy.stop_grace;
            let news = news.take();
            persist(&self.store, news.as_ref(), &changes, &self.stop, grace).await?;
            for note in news.into_iter().flat_map(|news| news.notes) {
                (self.observe)(Progress::Note(note));
            }
            self.perform(actions, &mut events);
            if events.is_empty() {
                return Ok(());
            }
        }
    }

    fn perform(&mut self, actions: Vec<Action>, events: &mut VecDeque<Event>) {
        let mut ended: Option<(AttemptKey, AttemptEnd)> = None;
        for action in actions {
            match action {
                Action::StartWorker { slot } => {
                    if let Err(error) = self.local.start(slot) {
                        let (why, hopeless) = (with_causes(&error), error.is_hopeless());
                        events.push_back(Event::StartFailed { slot, why, hopeless });
                    }
                }
                Action::Assign { slot, attempt } => self.assign(slot, attempt),
                Action::EndAttempt { attempt, end } => {
                    self.journals.close(attempt);
                    ended = Some((attempt, end));
                }
                Action::SetJobState { job, state } => {
                    let ended = ended.take().filter(|(attempt, _)| attempt.job == job);
                    self.tell_state(job, state, ended);
                }
                Action::StopWorker { slot } => self.local.send(slot, ToWorker::Stop),
                Action::KillWorker { slot, why } => {
                    info!(%slot, why, "killing a worker");
                    self.local.kill(slot);
                }
                Action::Audit { job: Some(job), attempt, what, reason } => {
                    debug!(%job, attempt, what, reason, "decided");
                }
                Action::Audit { job: None, what, reason, .. } => {
                    info!(what, reason, "decided");
                    if what != "finished" {
                        (self.observe)(Progress::Note(reason));
                    }
                }
                Action::Finish(finish) => self.finish = Some(finish),
            }
        }
    }

    fn tell_state(&mut self, job: JobId, state: JobState, ended: Option<(AttemptKey, AttemptEnd)>) {
        let (attempt, failure) = match ended {
            Some((attempt, AttemptEnd::Failed { kind, message })) => {
                (Some(attempt), Some((kind, message)))
            }
            Some((attempt, AttemptEnd::Succeeded | AttemptEnd::Stopped)) => (Some(attempt), None),
            None => (None, None),
        };
        if state.is_end() {
            self.jobs.remove(&job);
            (self.observe)(Progress::Finished { job, state, failure });
        } else if let Some(attempt) = attempt {
            (self.observe)(Progress::Requeued { attempt, failure });
        }
    }

    fn assign(&mut self, id: SlotId, attempt: AttemptKey) {
        let slot = self.local.slots().iter().find(|slot| slot.id == id);
        let (Some(job), Some(slot)) = (self.jobs.get(&attempt.job), slot) else {
            // The core hands out only what it was given; should it not, the watch ends the attempt.
            warn!(%attempt, %id, "assigned a job or a slot that does not exist");
            return;
        };
        let assignment = Assignment {
            attempt,
            spec: job.spec.clone(),
            source: job.source.clone(),
            root: self.root.clone(),
            device: slot.device,
            threads: slot.threads,
            checkpoint_seconds: self.options.checkpoint_seconds,
            when_abandoned: self.options.when_abandoned,
        };
        let steps = job.spec.steps();
        self.journals.open(&self.folder(attempt.job), attempt, 0);
        self.assigned.insert(id, attempt);
        self.local.send(id, ToWorker::Run(Box::new(assignment)));
        (self.observe)(Progress::Started { attempt, slot: id, steps });
    }

    fn folder(&self, job: JobId) -> RunFolder {
        RunFolder::new(&self.root, job)
    }

    fn summary(self) -> Result<Summary, RunError> {
        let counts = self.core.counts();
        if let Some(Finish::GaveUp(why)) = self.finish {
            return Err(RunError::NoWorker { why });
        }
        Ok(Summary {
            succeeded: counts.succeeded,
            failed: counts.failed,
            cancelled: counts.cancelled,
            left: counts.queued + counts.running,
            interrupted: self.finish == Some(Finish::Stopped),
            elapsed: self.began.elapsed(),
        })
    }
}
