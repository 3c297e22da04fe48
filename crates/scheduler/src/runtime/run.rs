//! The loop: wake, decide, record, perform.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use augreg_executor::{Local, LocalOptions, SlotId, WorkerEvent, WorkerReport, detect, program};
use augreg_protocol::{Assignment, AttemptKey, JobState, ToWorker, with_causes};
use augreg_spec::JobId;
use augreg_store::{Change, PendingJob, Store};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, info, warn};

use super::arrivals::Arrivals;
use super::briefing::{AHEAD, Briefing};
use super::journals::News;
use super::late::{Late, Word, catch_up};
use super::lock::StudyLock;
use super::opening::{Opening, offer};
use super::options::{Progress, RunError, RunOptions, Summary};
use super::orphans;
use super::reading::Reading;
use super::record::{change, persist, withdraw};
use super::requests::{Asked, Requests, cancel, cancel_what_waits};
use super::selections::Selections;
use super::space::{Space, default_reserve};
use super::stop::{StopListener, Urgency};
use super::tidy::Tidy;
use crate::core::{Action, AttemptEnd, Core, Event, Finish, Millis};

/// How often time is looked at: timeouts and back-offs are this exact.
const TICK: Duration = Duration::from_millis(100);

/// Everything that can wake the loop.
enum Wake {
    Workers(Vec<WorkerEvent>),
    Stop(Urgency),
    Tick,
}

/// Runs the jobs of a sweep, or of the whole study, that have not come to their end. The lock, taken
/// before the study was opened, is the caller's word that nobody else does.
///
/// Returns when there are none left, or when `stop` says so and the workers have left; then the
/// database shows nothing running but what workers of an earlier scheduler still execute. `observe` is called from within the loop and must be quick.
///
/// # Errors
///
/// [`RunError`]; what was finished until then is in the database.
pub async fn run(
    store: Store,
    _lock: &StudyLock,
    sweep: Option<&str>,
    options: RunOptions,
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
    if pending.is_empty() {
        return Ok(Summary { succeeded, elapsed: began.elapsed(), ..Summary::default() });
    }
    let program = options.program.clone().map_or_else(program, Ok)?;
    let mut slots = detect(options.workers);
    if let Some(threads) = options.threads {
        for slot in &mut slots {
            slot.threads = threads.get();
        }
    }
    let (local, events) = Local::new(LocalOptions { program, root: root.clone(), slots });
    let core = Core::new(options.policy.clone(), local.slots().iter().map(offer));
    let reading = Reading::new(root.clone(), options.journal_interval);
    let reserve = options.reserve.unwrap_or_else(|| {
        let largest = pending.iter().map(|job| job.parameters).max();
        default_reserve(largest.unwrap_or(0), local.slots().len())
    });
    let mut run = Run {
        space: Space::new(root.clone(), reserve),
        tidy: Tidy::new(&store, options.keep.clone()).await?,
        store,
        options,
        stop: stop.clone(),
        core,
        local,
        reading,
        jobs: HashMap::new(),
        briefing: Briefing::default(),
        began,
        orphans_seen: began,
        late: Late::new(&root),
        root,
        late_seen: began,
        succeeded_before: succeeded,
        requests: Requests::new(sweep),
        sweep: sweep.map(str::to_owned),
        selections,
        finish: None,
        observe,
    };
    for note in notes {
        (run.observe)(Progress::Note(note));
    }
    run.begin(pending).await?;
    run.go_on(&mut stop, Arrivals::new(events)).await?;
    run.summary()
}

struct Run<F> {
    /// The study's folder, absolute and without links.
    root: PathBuf,
    store: Store,
    options: RunOptions,
    stop: StopListener,
    core: Core,
    local: Local,
    reading: Reading,
    /// Every open job; emptied as jobs come to their end.
    jobs: HashMap<JobId, PendingJob>,
    briefing: Briefing,
    began: Instant,
    /// When orphans were looked at last.
    orphans_seen: Instant,
    late: Late,
    /// When attempts that were given up were looked at last.
    late_seen: Instant,
    /// Jobs of which it was found out before the run that they had succeeded.
    succeeded_before: usize,
    requests: Requests,
    /// The sweep that is run; the whole study without one.
    sweep: Option<String>,
    selections: Selections,
    space: Space,
    tidy: Tidy,
    finish: Option<Finish>,
    observe: F,
}

impl<F: FnMut(Progress) + Send> Run<F> {
    /// Takes in the jobs and whatever an earlier scheduler left behind.
    async fn begin(&mut self, pending: Vec<PendingJob>) -> Result<(), RunError> {
        let Opening { new, left, repairs } = Opening::of(&pending);
        self.jobs.extend(pending.into_iter().map(|job| (job.job, job)));
        let wanted = || new.iter().filter(|job| job.wanted);
        let (jobs, flops) = (wanted().count(), wanted().map(|job| job.flops).sum());
        let slots = self.local.slots().len();
        info!(jobs, slots, left_running = left.len(), "the run begins");
        (self.observe)(Progress::Began { jobs, flops, slots });

        let changes: Vec<_> = repairs.iter().filter_map(|action| change(action, &[])).collect();
        self.record(&[], &changes).await?;
        for attempt in &left {
            let offset = self.store.journal_offset(*attempt).await?;
            self.reading.adopt(*attempt, offset);
        }
        // What pauses the run comes before there is anything to hand out.
        let mut events = self.requests.pauses(&self.store).await?;
        events.extend(self.space.look());
        events.push(Event::Expect { more: self.selections.are_open() });
        events.push(Event::JobsAdded(new));
        self.turn(Vec::new(), events).await?;
        for attempt in left {
            self.see_orphan(attempt).await?;
        }
        Ok(())
    }

    async fn go_on(
        &mut self,
        stop: &mut StopListener,
        mut arrivals: Arrivals,
    ) -> Result<(), RunError> {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        if stop.urgency() != Urgency::Not {
            self.handle(Wake::Stop(stop.urgency())).await?;
        }
        while self.finish.is_none() {
            let youngest = self.reading.youngest();
            let wake = tokio::select! {
                urgency = stop.changed() => Wake::Stop(urgency),
                events = arrivals.take(youngest) => Wake::Workers(events),
                _ = tick.tick() => Wake::Tick,
            };
            self.handle(wake).await?;
        }
        self.tidy.finish();
        Ok(())
    }

    async fn handle(&mut self, wake: Wake) -> Result<(), RunError> {
        match wake {
            Wake::Tick => {
                let (news, mut events) = self.reading.glance();
                events.push(Event::Tick);
                events.extend(self.space.look());
                events.append(&mut self.requested().await?);
                self.turn(news, events).await?;
                if self.orphans_seen.elapsed() >= 5 * TICK {
                    self.orphans_seen = Instant::now();
                    for attempt in self.core.orphans() {
                        self.see_orphan(attempt).await?;
                    }
                }
                self.tidy.look();
                if self.late_seen.elapsed() >= 10 * TICK {
                    self.late_seen = Instant::now();
                    let words = self.late.look(&self.store).await?;
                    self.see_late(words).await?;
                }
                Ok(())
            }
            Wake::Stop(urgency) => {
                info!(?urgency, "told to stop");
                (self.observe)(Progress::Stopping);
                let event = if urgency == Urgency::Now { Event::StopNow } else { Event::Stop };
                self.turn(Vec::new(), vec![event]).await
            }
            Wake::Workers(words) => {
                let (mut all_news, mut all_events) = (Vec::new(), Vec::new());
                for WorkerEvent { slot, report } in words {
                    match &report {
                        WorkerReport::Beat(beat) => (self.observe)(Progress::Beat(beat.clone())),
                        WorkerReport::NoRoom { why, .. } => self.space.missed(why),
                        WorkerReport::Ended { .. } => all_events.extend(self.memory(slot)),
                        _ => {}
                    }
                    let (news, mut events) = self.reading.report(slot, report);
                    all_news.extend(news);
                    all_events.append(&mut events);
                }
                self.turn(all_news, all_events).await
            }
        }
    }

    /// What memory the worker on a slot holds, where that matters.
    fn memory(&self, slot: SlotId) -> Option<Event> {
        self.options.policy.worker_memory?;
        self.local.resident(slot).map(|bytes| Event::Resident { slot, bytes })
    }

    /// What people have asked for lately. Jobs that are not this run's are cancelled right here.
    async fn requested(&mut self) -> Result<Vec<Event>, RunError> {
        let Asked { cancel: asked, others: events } = self.requests.look(&self.store).await?;
        let (ours, others): (Vec<_>, Vec<_>) =
            asked.into_iter().partition(|job| self.jobs.contains_key(job));
        // A full disk stops no run; it is tried again.
        if !others.is_empty() && cancel(&self.store, &others).await?.is_none() {
            self.requests.ask_again(&others);
        }
        Ok(ours.into_iter().map(|job| Event::Cancel { job }).chain(events).collect())
    }

    /// Looks after an attempt that an earlier scheduler left running.
    async fn see_orphan(&mut self, attempt: AttemptKey) -> Result<(), RunError> {
        let alive = orphans::is_alive(&self.reading.folder(attempt.job));
        let (news, events) = self.reading.orphan(attempt, alive);
        let hangs = self.reading.silence(attempt) > self.options.policy.step_timeout;
        if alive && (hangs || self.reading.is_distrusted(attempt)) {
            let running = self.jobs.get(&attempt.job).and_then(|job| job.running.as_ref());
            if running.is_some_and(|running| orphans::kill(&self.root, running)) {
                let note = format!("killed the worker that an earlier scheduler left at {attempt}");
                warn!("{note}");
                (self.observe)(Progress::Note(note));
            }
        }
        self.turn(news.into_iter().collect(), events).await
    }

    /// Takes in what attempts that were given up have come to say.
    async fn see_late(&mut self, words: Vec<Word>) -> Result<(), RunError> {
        for Word { news, events, changes } in words {
            self.turn_with(news, events, changes).await?;
        }
        Ok(())
    }

    /// [`Self::turn_with`] no further changes.
    async fn turn(&mut self, news: Vec<News>, events: Vec<Event>) -> Result<(), RunError> {
        self.turn_with(news, events, Vec::new()).await
    }

    /// Lets the core decide on `events`, records its decisions with the entries they rest on and the
    /// `changes`, and performs them. What comes of performing is handled in turn.
    async fn turn_with(
        &mut self,
        mut news: Vec<News>,
        events: Vec<Event>,
        mut changes: Vec<Change>,
    ) -> Result<(), RunError> {
        let mut events = VecDeque::from(events);
        loop {
            let now = Millis(self.began.elapsed().as_millis() as u64);
            let mut actions: Vec<Action> =
                events.drain(..).flat_map(|event| self.core.handle(now, event)).collect();
            let slots = self.local.slots();
            changes.extend(actions.iter().filter_map(|a| change(a, slots)));
            withdraw(&mut actions);
            // Before they are said to run: of a newer augreg's jobs none can be.
            let next = || self.core.upcoming(AHEAD);
            self.briefing.prepare(&self.store, &actions, next).await?;
            self.record(&news, &changes).await?;
            changes.clear();
            for note in news.drain(..).flat_map(|news| news.notes) {
                (self.observe)(Progress::Note(note));
            }
            self.perform(actions, &mut events);
            if self.selections.are_due() {
                events.extend(self.choose().await?);
            }
            if events.is_empty() {
                return Ok(());
            }
        }
    }

    /// Chooses what jobs start from, as far as that can be said now, and takes those in.
    async fn choose(&mut self) -> Result<Vec<Event>, RunError> {
        let chosen = match self.selections.choose(&self.store).await {
            Ok(chosen) => chosen,
            // Tried again with the next event: until then the run is not over.
            Err(error) if error.is_busy() || error.is_disk_full() => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        for line in chosen.lines {
            (self.observe)(Progress::Note(line));
        }
        let expect = Event::Expect { more: self.selections.are_open() };
        if chosen.new == 0 {
            return Ok(vec![expect]);
        }
        let mut pending = self.store.pending(self.sweep.as_deref()).await?;
        pending.retain(|job| !self.jobs.contains_key(&job.job) && job.running.is_none());
        let Opening { new, repairs, .. } = Opening::of(&pending);
        self.jobs.extend(pending.into_iter().map(|job| (job.job, job)));
        let changes: Vec<_> = repairs.iter().filter_map(|action| change(action, &[])).collect();
        self.record(&[], &changes).await?;
        let (jobs, flops) = (new.len(), new.iter().map(|job| job.flops).sum());
        (self.observe)(Progress::Added { jobs, flops });
        // Those of a paused sweep are held back before they are heard of.
        let held = self.requests.held(&self.store).await?;
        Ok(held.into_iter().chain([Event::JobsAdded(new), expect]).collect())
    }

    async fn record(&mut self, news: &[News], changes: &[Change]) -> Result<(), RunError> {
        let grace = self.options.policy.stop_grace;
        persist(&self.store, news, changes, (&self.stop, grace), &mut self.observe).await?;
        Ok(())
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
                // Only of a core whose jobs are placed elsewhere.
                Action::Begun { .. } => {}
                Action::EndAttempt { attempt, end } => {
                    self.reading.close(attempt);
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
            self.briefing.forget(job);
            self.selections.ended(job);
            let ended = self.jobs.remove(&job);
            let trained = ended.as_ref().is_some_and(|job| job.parameters > 0);
            if state == JobState::Succeeded && trained {
                self.tidy.succeeded(job);
            }
            let flops = ended.map_or(0.0, |job| job.flops);
            (self.observe)(Progress::Finished { job, state, flops, failure });
        } else if let Some(attempt) = attempt {
            (self.observe)(Progress::Requeued { attempt, failure });
        }
    }

    fn assign(&mut self, id: SlotId, attempt: AttemptKey) {
        let slot = self.local.slots().iter().find(|slot| slot.id == id);
        let (Some(work), Some(slot)) = (self.briefing.take(attempt), slot) else {
            // The core hands out only what it was given; should it not, the watch ends the attempt.
            warn!(%attempt, %id, "assigned a job or a slot that does not exist");
            return;
        };
        let (steps, name) = (work.spec.steps(), work.spec.title(&work.labels));
        let keep = self.options.keep.of(attempt.job, work.spec.stage());
        let flops = self.jobs.get(&attempt.job).map_or(0.0, |job| job.flops);
        let assignment = Assignment {
            attempt,
            spec: work.spec,
            source: work.source,
            root: self.root.clone(),
            device: slot.device,
            threads: slot.threads,
            micro_batch: self.options.micro_batch,
            checkpoint_seconds: self.options.checkpoint_seconds,
            when_abandoned: self.options.when_abandoned,
            keep,
        };
        self.reading.assign(id, attempt);
        self.local.send(id, ToWorker::Run(Box::new(assignment)));
        (self.observe)(Progress::Started { attempt, slot: id, steps, flops, name });
    }

    fn summary(self) -> Result<Summary, RunError> {
        let counts = self.core.counts();
        if let Some(Finish::GaveUp(why)) = self.finish {
            return Err(RunError::NoWorker { why });
        }
        Ok(Summary {
            succeeded: self.succeeded_before + counts.succeeded,
            failed: counts.failed,
            cancelled: counts.cancelled,
            left: counts.left(),
            interrupted: matches!(
                self.finish,
                Some(Finish::Stopped | Finish::AllFail(_) | Finish::Left { unfit: 1.., .. })
            ),
            elapsed: self.began.elapsed(),
        })
    }
}
