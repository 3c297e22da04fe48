//! The loop: wake, decide, record, perform.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use augreg_executor::{Local, LocalOptions, SlotId, WorkerEvent, WorkerReport, detect, program};
use augreg_protocol::{Assignment, AttemptKey, ToWorker, with_causes};
use augreg_store::{Change, PendingJob, Store};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use super::arrivals::Arrivals;
use super::briefing::{AHEAD, Briefing};
use super::course::{Course, Prologue};
use super::journals::News;
use super::late::Word;
use super::lock::StudyLock;
use super::opening::offer;
use super::options::{Progress, RunError, RunOptions, Summary};
use super::orphans;
use super::reading::Reading;
use super::record::{change, withdraw};
use super::stop::{StopListener, Urgency};
use crate::core::{Action, AttemptEnd, Core, Event, Finish};

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
    let prologue = Prologue::of(&store, sweep).await?;
    if prologue.pending.is_empty() {
        return Ok(prologue.summary());
    }
    let root = prologue.root.clone();
    let program = options.program.clone().map_or_else(program, Ok)?;
    let mut slots = detect(options.workers);
    if let Some(threads) = options.threads {
        for slot in &mut slots {
            slot.threads = threads.get();
        }
    }
    let (local, events) = Local::new(LocalOptions { program, root: root.clone(), slots });
    let core = Core::new(options.policy.clone(), local.slots().iter().map(offer));
    let reading = Reading::new(root, options.journal_interval);
    let how = (options, core, local.slots().len());
    let (course, pending) =
        Course::new((store, sweep), prologue, how, stop.clone(), observe).await?;
    let orphans_seen = Instant::now();
    let mut run = Run { course, local, reading, briefing: Briefing::default(), orphans_seen };
    run.begin(pending).await?;
    run.go_on(&mut stop, Arrivals::new(events)).await?;
    run.summary()
}

struct Run<F> {
    course: Course<F>,
    local: Local,
    reading: Reading,
    briefing: Briefing,
    /// When orphans were looked at last.
    orphans_seen: Instant,
}

impl<F: FnMut(Progress) + Send> Run<F> {
    /// Takes in the jobs and whatever an earlier scheduler left behind.
    async fn begin(&mut self, pending: Vec<PendingJob>) -> Result<(), RunError> {
        let slots = self.local.slots().len();
        let (events, left) = self.course.begin(pending, slots).await?;
        for attempt in &left {
            let offset = self.course.store.journal_offset(*attempt).await?;
            self.reading.adopt(*attempt, offset);
        }
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
        while self.course.finish.is_none() {
            let youngest = self.reading.youngest();
            let wake = tokio::select! {
                urgency = stop.changed() => Wake::Stop(urgency),
                events = arrivals.take(youngest) => Wake::Workers(events),
                _ = tick.tick() => Wake::Tick,
            };
            self.handle(wake).await?;
        }
        self.course.tidy.finish();
        Ok(())
    }

    async fn handle(&mut self, wake: Wake) -> Result<(), RunError> {
        match wake {
            Wake::Tick => {
                let (news, mut events) = self.reading.glance();
                events.push(Event::Tick);
                events.extend(self.course.space.look());
                let (cancelled, asked) = self.course.requested().await?;
                events.extend(cancelled.into_iter().map(|job| Event::Cancel { job }));
                events.extend(asked.events);
                self.turn(news, events).await?;
                if self.orphans_seen.elapsed() >= 5 * TICK {
                    self.orphans_seen = Instant::now();
                    for attempt in self.course.core.orphans() {
                        self.see_orphan(attempt).await?;
                    }
                }
                self.course.tidy.look();
                for Word { news, events, changes } in self.course.late_words().await? {
                    self.turn_with(news, events, changes).await?;
                }
                Ok(())
            }
            Wake::Stop(urgency) => {
                info!(?urgency, "told to stop");
                (self.course.observe)(Progress::Stopping);
                let event = if urgency == Urgency::Now { Event::StopNow } else { Event::Stop };
                self.turn(Vec::new(), vec![event]).await
            }
            Wake::Workers(words) => {
                let (mut all_news, mut all_events) = (Vec::new(), Vec::new());
                for WorkerEvent { slot, report } in words {
                    match &report {
                        WorkerReport::Beat(beat) => {
                            (self.course.observe)(Progress::Beat(beat.clone()));
                        }
                        WorkerReport::NoRoom { why, .. } => self.course.space.missed(why),
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
        self.course.options.policy.worker_memory?;
        self.local.resident(slot).map(|bytes| Event::Resident { slot, bytes })
    }

    /// Looks after an attempt that an earlier scheduler left running.
    async fn see_orphan(&mut self, attempt: AttemptKey) -> Result<(), RunError> {
        let alive = orphans::is_alive(&self.reading.folder(attempt.job));
        let (news, events) = self.reading.orphan(attempt, alive);
        let hangs = self.reading.silence(attempt) > self.course.options.policy.step_timeout;
        if alive && (hangs || self.reading.is_distrusted(attempt)) {
            let running = self.course.jobs.get(&attempt.job).and_then(|job| job.running.as_ref());
            if running.is_some_and(|running| orphans::kill(&self.course.root, running)) {
                let note = format!("killed the worker that an earlier scheduler left at {attempt}");
                warn!("{note}");
                (self.course.observe)(Progress::Note(note));
            }
        }
        self.turn(news.into_iter().collect(), events).await
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
            let now = self.course.now();
            let mut actions: Vec<Action> =
                events.drain(..).flat_map(|event| self.course.core.handle(now, event)).collect();
            let slots = self.local.slots();
            changes.extend(actions.iter().filter_map(|a| change(a, slots)));
            withdraw(&mut actions);
            // Before they are said to run: of a newer augreg's jobs none can be.
            let next = || self.course.core.upcoming(AHEAD);
            self.briefing.prepare(&self.course.store, &actions, next).await?;
            self.course.record(&news, &changes).await?;
            changes.clear();
            for note in news.drain(..).flat_map(|news| news.notes) {
                (self.course.observe)(Progress::Note(note));
            }
            self.perform(actions, &mut events);
            if self.course.selections.are_due() {
                events.extend(self.course.choose().await?.events);
            }
            if events.is_empty() {
                return Ok(());
            }
        }
    }

    fn perform(&mut self, actions: Vec<Action>, events: &mut VecDeque<Event>) {
        let mut ended: Option<(AttemptKey, AttemptEnd)> = None;
        for action in actions {
            if let Action::SetJobState { job, state } = &action
                && state.is_end()
            {
                self.briefing.forget(*job);
            }
            match self.course.perform(action, &mut ended) {
                Some(Action::StartWorker { slot }) => {
                    if let Err(error) = self.local.start(slot) {
                        let (why, hopeless) = (with_causes(&error), error.is_hopeless());
                        events.push_back(Event::StartFailed { slot, why, hopeless });
                    }
                }
                Some(Action::Assign { slot, attempt }) => self.assign(slot, attempt),
                Some(Action::EndAttempt { attempt, end }) => {
                    self.reading.close(attempt);
                    ended = Some((attempt, end));
                }
                Some(Action::StopWorker { slot }) => self.local.send(slot, ToWorker::Stop),
                Some(Action::KillWorker { slot, why }) => {
                    info!(%slot, why, "killing a worker");
                    self.local.kill(slot);
                }
                // `Begun` is only of a core whose jobs are placed elsewhere.
                _ => {}
            }
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
        let epochs = work.spec.epochs();
        let keep = self.course.options.keep.of(attempt.job, work.spec.stage());
        let flops = self.course.jobs.get(&attempt.job).map_or(0.0, |job| job.flops);
        let assignment = Assignment {
            attempt,
            spec: work.spec,
            source: work.source,
            root: self.course.root.clone(),
            device: slot.device,
            threads: slot.threads,
            micro_batch: self.course.options.micro_batch,
            checkpoint_seconds: self.course.options.checkpoint_seconds,
            when_abandoned: self.course.options.when_abandoned,
            keep,
        };
        self.reading.assign(id, attempt);
        self.local.send(id, ToWorker::Run(Box::new(assignment)));
        (self.course.observe)(Progress::Started { attempt, slot: id, steps, epochs, flops, name });
    }

    fn summary(self) -> Result<Summary, RunError> {
        if let Some(Finish::GaveUp(why)) = self.course.finish {
            return Err(RunError::NoWorker { why });
        }
        let interrupted = matches!(
            self.course.finish,
            Some(Finish::Stopped | Finish::AllFail(_) | Finish::Left { unfit: 1.., .. })
        );
        Ok(self.course.summary(interrupted))
    }
}
