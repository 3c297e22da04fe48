//! A run whose jobs a Slurm cluster places: packs them into tasks, submits arrays, follows what becomes of them.
//!
//! Slurm places, restarts and accounts. Which jobs there are, what is tried again and when it is over is the
//! [`Core`](crate::core::Core)'s to say, as in a local run; it has no slots here. What tasks did is in the
//! journals, in the study's folder, which nodes and this process share; nobody talks to a task, and no node
//! touches the database. Of Slurm one question is asked for all tasks together. Whatever it says, and whether
//! or not it says anything, two attempts of a job hold its lock in turn, and the earlier one leaves.

mod fleet;
mod follow;
mod options;
mod packing;
mod poll;
mod submit;

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use augreg_executor::SlotId;
use augreg_executor::slurm::{Limits, Slurm};
use augreg_protocol::{AttemptKey, Device, JobState, JournalReader, RunFolder};
use augreg_spec::JobId;
use augreg_store::{Change, PendingJob, Store};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{debug, info, warn};

use self::fleet::Fleet;
pub use self::options::{ClusterOptions, Pricing};
pub use self::packing::{Pack, packs};
use self::poll::Poll;
pub use self::submit::call_off;
use super::journals::{Journals, News};
use super::late::{Late, catch_up};
use super::lock::StudyLock;
use super::opening::Opening;
use super::options::{Progress, RunError, RunOptions, Summary};
use super::record::{change, now, persist};
use super::requests::{Asked, Requests, cancel, cancel_what_waits};
use super::selections::Selections;
use super::space::{Space, default_reserve};
use super::stop::{StopListener, Urgency};
use super::tidy::Tidy;
use crate::core::{Action, AttemptEnd, Core, Event, Finish, Millis};

/// How often time is looked at.
const TICK: Duration = Duration::from_millis(200);

/// The folders of so many attempts are looked at in a second at the most: this long for each.
const LOOK: Duration = Duration::from_millis(10);

/// How long tasks are waited for whose jobs have all ended.
const SEEN_OFF: Duration = Duration::from_secs(15);

/// Runs the jobs of a sweep, or of the whole study, that have not come to their end, on a Slurm cluster. As
/// [`run`](super::run()) otherwise. When it is told to stop it leaves what it submitted to Slurm.
///
/// # Errors
///
/// [`RunError`]; what was finished until then is in the database.
pub async fn run_on_slurm(
    store: Store,
    _lock: &StudyLock,
    sweep: Option<&str>,
    (options, cluster): (RunOptions, ClusterOptions),
    mut stop: StopListener,
    observe: impl FnMut(Progress) + Send,
) -> Result<Summary, RunError> {
    let began = Instant::now();
    let root = store.root().canonicalize();
    let root = root.map_err(|source| RunError::Root { path: store.root().to_owned(), source })?;
    let succeeded = catch_up(&store).await?;
    cancel_what_waits(&store).await?;
    let (mut selections, mut notes) = Selections::of(&store, sweep).await?;
    notes.extend(selections.choose(&store).await?.lines);
    let pending = store.pending(sweep).await?;
    if pending.is_empty() && store.live_submissions().await?.is_empty() {
        return Ok(Summary { succeeded, elapsed: began.elapsed(), ..Summary::default() });
    }
    let program = match options.program.clone().map_or_else(augreg_executor::program, Ok) {
        Err(_) if cluster.collect => PathBuf::new(),
        program => program?,
    };
    let slurm = Slurm::new();
    let limits = match slurm.limits().await {
        // What was done is in the study's folder, whether or not Slurm answers.
        Err(_) if cluster.collect => Limits::default(),
        limits => limits?,
    };
    let largest = pending.iter().map(|job| job.parameters).max();
    let reserve = options.reserve.unwrap_or_else(|| default_reserve(largest.unwrap_or(0), 1));
    let mut run = Cluster {
        study: submit::study_id(&root)?,
        space: Space::new(root.clone(), reserve),
        tidy: Tidy::new(&store, options.keep.clone()).await?,
        requests: Requests::new(sweep),
        late: Late::new(&root),
        sweep: sweep.map(str::to_owned),
        core: Core::elsewhere(options.policy.clone()),
        stop: stop.clone(),
        journals: Journals::default(),
        jobs: HashMap::new(),
        attempts: HashMap::new(),
        fleet: Fleet::default(),
        poll: Poll::new(&cluster),
        numbered: store.submissions_so_far().await?,
        succeeded_before: succeeded,
        ready_since: None,
        submit_at: began,
        looked: began,
        late_seen: began,
        finish: None,
        program,
        limits,
        slurm,
        store,
        options,
        how: cluster,
        began,
        root,
        selections,
        observe,
    };
    for note in notes {
        (run.observe)(Progress::Note(note));
    }
    run.begin(pending).await?;
    if run.how.collect {
        run.collect().await?;
    } else {
        run.go_on(&mut stop).await?;
    }
    Ok(run.summary())
}

struct Cluster<F> {
    /// The study's folder, absolute and without links.
    root: PathBuf,
    /// What the names of the study's arrays begin with, after `augreg-`.
    study: String,
    store: Store,
    options: RunOptions,
    how: ClusterOptions,
    program: PathBuf,
    limits: Limits,
    slurm: Slurm,
    stop: StopListener,
    core: Core,
    journals: Journals,
    /// Every open job; emptied as jobs come to their end.
    jobs: HashMap<JobId, PendingJob>,
    /// The number of the last attempt that is known of each.
    attempts: HashMap<JobId, u32>,
    fleet: Fleet,
    poll: Poll,
    /// How many submissions there were so far.
    numbered: u64,
    began: Instant,
    /// Since when there have been jobs to be submitted.
    ready_since: Option<Instant>,
    /// When something may be submitted again.
    submit_at: Instant,
    /// When folders were looked at last.
    looked: Instant,
    late: Late,
    late_seen: Instant,
    succeeded_before: usize,
    requests: Requests,
    sweep: Option<String>,
    selections: Selections,
    space: Space,
    tidy: Tidy,
    finish: Option<Finish>,
    observe: F,
}

impl<F: FnMut(Progress) + Send> Cluster<F> {
    /// Takes in the jobs, and what was submitted before.
    async fn begin(&mut self, pending: Vec<PendingJob>) -> Result<(), RunError> {
        let Opening { new, left, repairs } = Opening::of(&pending);
        for job in pending {
            self.attempts.insert(job.job, job.attempts);
            self.jobs.insert(job.job, job);
        }
        let wanted = || new.iter().filter(|job| job.wanted);
        let (jobs, flops) = (wanted().count(), wanted().map(|job| job.flops).sum());
        let now = self.now();
        for submission in self.store.live_submissions().await? {
            self.fleet.add(now, submission);
        }
        info!(jobs, tasks = self.fleet.len(), left_running = left.len(), "the run begins");
        (self.observe)(Progress::Began { jobs, flops, slots: 0 });
        let changes: Vec<_> = repairs.iter().filter_map(|action| change(action, &[])).collect();
        self.record(&[], &changes).await?;
        for attempt in &left {
            let offset = self.store.journal_offset(*attempt).await?;
            self.journals.open(&self.folder(attempt.job), *attempt, offset);
        }
        let mut events = self.requests.pauses(&self.store).await?;
        events.extend(self.space.look());
        events.push(Event::Expect { more: self.selections.are_open() });
        events.push(Event::JobsAdded(new));
        self.turn(Vec::new(), events).await
    }

    async fn go_on(&mut self, stop: &mut StopListener) -> Result<(), RunError> {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while self.finish.is_none() {
            if stop.urgency() != Urgency::Not {
                (self.observe)(Progress::Stopping);
                self.turn(Vec::new(), vec![Event::Stop]).await?;
                continue;
            }
            tokio::select! {
                _ = stop.changed() => continue,
                _ = tick.tick() => {}
            }
            self.step().await?;
            if self.how.detach && self.has_submitted_all() {
                self.finish = Some(Finish::Stopped);
            }
        }
        if self.finish == Some(Finish::Done) {
            self.see_off().await?;
        }
        self.tidy.finish();
        Ok(())
    }

    /// Waits a little for the tasks of jobs that have all ended: they are about to end too.
    async fn see_off(&mut self) -> Result<(), RunError> {
        let since = Instant::now();
        self.poll.due = since;
        while self.fleet.len() > 0
            && since.elapsed() < SEEN_OFF
            && self.stop.urgency() == Urgency::Not
        {
            self.ask().await?;
            sleep(TICK).await;
        }
        Ok(())
    }

    /// What there is to do from time to time.
    async fn step(&mut self) -> Result<(), RunError> {
        let mut events = vec![Event::Tick];
        events.extend(self.space.look());
        events.append(&mut self.requested().await?);
        self.turn(Vec::new(), events).await?;
        self.ask().await?;
        // A shared file system answers slowly: of many attempts each is looked at less often.
        let look = self.how.look.max(LOOK * self.core.counts().running as u32);
        if self.looked.elapsed() >= look {
            self.looked = Instant::now();
            for task in self.fleet.at_work() {
                self.discover(task).await?;
            }
            self.read_journals().await?;
        }
        self.tidy.look();
        if self.late_seen.elapsed() >= 10 * TICK {
            self.late_seen = Instant::now();
            for word in self.late.look(&self.store).await? {
                self.turn_with(word.news, word.events, word.changes).await?;
            }
        }
        self.submit().await
    }

    /// Whether nothing more can be submitted for now, and all that was is known to be.
    fn has_submitted_all(&self) -> bool {
        self.to_submit().0.is_empty() && self.fleet.unsubmitted().is_empty()
    }

    fn now(&self) -> Millis {
        Millis(self.began.elapsed().as_millis() as u64)
    }

    fn folder(&self, job: JobId) -> RunFolder {
        RunFolder::new(&self.root, job)
    }

    fn note(&mut self, note: String) {
        info!("{note}");
        (self.observe)(Progress::Note(note));
    }

    /// What people have asked for lately.
    async fn requested(&mut self) -> Result<Vec<Event>, RunError> {
        let Asked { cancel: asked, others: events } = self.requests.look(&self.store).await?;
        let (ours, others): (Vec<_>, Vec<_>) =
            asked.into_iter().partition(|job| self.jobs.contains_key(job));
        if !others.is_empty() && cancel(&self.store, &others).await?.is_none() {
            self.requests.ask_again(&others);
        }
        for event in &events {
            if let Event::Pause { drain, .. } = event {
                self.withdraw_all(*drain).await;
            }
        }
        if !ours.is_empty() {
            self.call_off(&ours).await;
        }
        Ok(ours.into_iter().map(|job| Event::Cancel { job }).chain(events).collect())
    }

    /// [`Self::turn_with`] no further changes.
    async fn turn(&mut self, news: Vec<News>, events: Vec<Event>) -> Result<(), RunError> {
        self.turn_with(news, events, Vec::new()).await
    }

    /// Lets the core decide on `events`, records its decisions with the entries they rest on and the
    /// `changes`, and performs them.
    async fn turn_with(
        &mut self,
        mut news: Vec<News>,
        events: Vec<Event>,
        mut changes: Vec<Change>,
    ) -> Result<(), RunError> {
        let mut events = VecDeque::from(events);
        loop {
            let now = self.now();
            let actions: Vec<Action> =
                events.drain(..).flat_map(|event| self.core.handle(now, event)).collect();
            changes.extend(actions.iter().filter_map(|action| match action {
                Action::Begun { attempt } => Some(self.begun(*attempt)),
                other => change(other, &[]),
            }));
            self.record(&news, &changes).await?;
            changes.clear();
            for note in news.drain(..).flat_map(|news| news.notes) {
                self.note(note);
            }
            self.tell_begun(&actions).await?;
            self.perform(actions);
            if self.selections.are_due() {
                events.extend(self.choose().await?);
            }
            if events.is_empty() {
                return Ok(());
            }
        }
    }

    /// The change that records that an attempt has begun in a task.
    fn begun(&self, attempt: AttemptKey) -> Change {
        let task = self.fleet.task_of(attempt.job).map(|key| self.fleet.name(key));
        Change::AttemptStarted {
            attempt,
            executor: "slurm".to_owned(),
            slot: task.unwrap_or_else(|| "?".to_owned()),
            device: Device::Cpu, // Until its journal says otherwise.
            // It may have begun, and ended, long before anybody looked.
            at: began_at(&self.folder(attempt.job).journal(attempt.number)).unwrap_or_else(now),
        }
    }

    /// Tells of attempts that have begun.
    async fn tell_begun(&mut self, actions: &[Action]) -> Result<(), RunError> {
        let begun = actions.iter().filter_map(|action| match action {
            Action::Begun { attempt } => Some(*attempt),
            _ => None,
        });
        let begun: Vec<AttemptKey> = begun.collect();
        if begun.is_empty() {
            return Ok(());
        }
        let jobs: Vec<JobId> = begun.iter().map(|attempt| attempt.job).collect();
        let works = self.store.work(&jobs).await?;
        for attempt in begun {
            let Some(work) = works.get(&attempt.job) else { continue };
            let flops = self.jobs.get(&attempt.job).map_or(0.0, |job| job.flops);
            let (steps, name) = (work.spec.steps(), work.spec.title(&work.labels));
            (self.observe)(Progress::Started { attempt, slot: SlotId(0), steps, flops, name });
        }
        Ok(())
    }

    async fn choose(&mut self) -> Result<Vec<Event>, RunError> {
        let chosen = match self.selections.choose(&self.store).await {
            Ok(chosen) => chosen,
            Err(error) if error.is_busy() || error.is_disk_full() => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        for line in chosen.lines {
            self.note(line);
        }
        let expect = Event::Expect { more: self.selections.are_open() };
        if chosen.new == 0 {
            return Ok(vec![expect]);
        }
        let mut pending = self.store.pending(self.sweep.as_deref()).await?;
        pending.retain(|job| !self.jobs.contains_key(&job.job) && job.running.is_none());
        let Opening { new, repairs, .. } = Opening::of(&pending);
        for job in pending {
            self.attempts.insert(job.job, job.attempts);
            self.jobs.insert(job.job, job);
        }
        let changes: Vec<_> = repairs.iter().filter_map(|action| change(action, &[])).collect();
        self.record(&[], &changes).await?;
        let (jobs, flops) = (new.len(), new.iter().map(|job| job.flops).sum());
        (self.observe)(Progress::Added { jobs, flops });
        let held = self.requests.held(&self.store).await?;
        Ok(held.into_iter().chain([Event::JobsAdded(new), expect]).collect())
    }

    async fn record(&mut self, news: &[News], changes: &[Change]) -> Result<(), RunError> {
        let grace = self.options.policy.stop_grace;
        persist(&self.store, news, changes, (&self.stop, grace), &mut self.observe).await?;
        Ok(())
    }

    fn perform(&mut self, actions: Vec<Action>) {
        let mut ended: Option<(AttemptKey, AttemptEnd)> = None;
        for action in actions {
            match action {
                Action::Begun { attempt } => {
                    let folder = self.folder(attempt.job);
                    self.attempts.insert(attempt.job, attempt.number);
                    self.journals.open(&folder, attempt, 0);
                }
                Action::EndAttempt { attempt, end } => {
                    self.journals.close(attempt);
                    ended = Some((attempt, end));
                }
                Action::SetJobState { job, state } => {
                    let ended = ended.take().filter(|(attempt, _)| attempt.job == job);
                    self.tell_state(job, state, ended);
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
                // A core without slots asks for none of these.
                Action::StartWorker { .. }
                | Action::Assign { .. }
                | Action::StopWorker { .. }
                | Action::KillWorker { .. } => warn!("a core without slots has workers"),
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
            self.selections.ended(job);
            let ended = self.jobs.remove(&job);
            if state == JobState::Succeeded && ended.as_ref().is_some_and(|job| job.parameters > 0)
            {
                self.tidy.succeeded(job);
            }
            let flops = ended.map_or(0.0, |job| job.flops);
            (self.observe)(Progress::Finished { job, state, flops, failure });
        } else if let Some(attempt) = attempt {
            (self.observe)(Progress::Requeued { attempt, failure });
        }
    }

    fn summary(self) -> Summary {
        let counts = self.core.counts();
        Summary {
            succeeded: self.succeeded_before + counts.succeeded,
            failed: counts.failed,
            cancelled: counts.cancelled,
            left: counts.left(),
            interrupted: matches!(self.finish, Some(Finish::Stopped)) && !self.how.detach,
            elapsed: self.began.elapsed(),
        }
    }
}

/// When the first entry of a journal was written, by the clock of whoever did.
fn began_at(journal: &Path) -> Option<u64> {
    let entries = JournalReader::new(journal.to_owned(), 0).read().ok()?;
    entries.first().map(|entry| entry.at)
}
