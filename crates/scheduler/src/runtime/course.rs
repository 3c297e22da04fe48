//! The course of a run, wherever its workers are: which jobs are open, what the core decides about them, how that is
//! recorded, and who is told. What is done about workers is in `run` and `cluster`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use augreg_protocol::{AttemptKey, JobState, RunFolder};
use augreg_spec::JobId;
use augreg_store::{Change, PendingJob, Store};
use tracing::{debug, info};

use super::journals::News;
use super::late::{Late, Word, catch_up};
use super::opening::Opening;
use super::options::{Progress, RunError, RunOptions, Summary};
use super::record::{change, persist};
use super::requests::{Asked, Requests, cancel, cancel_what_waits};
use super::selections::Selections;
use super::space::{Space, default_reserve};
use super::stop::StopListener;
use super::tidy::Tidy;
use crate::core::{Action, AttemptEnd, Core, Event, Finish, Millis};

/// How often attempts that were given up are looked at.
const LATE_PAUSE: Duration = Duration::from_secs(1);

/// Everything a run is made of but its workers.
pub(super) struct Course<F> {
    /// The study's folder, absolute and without links.
    pub(super) root: PathBuf,
    pub(super) store: Store,
    pub(super) options: RunOptions,
    pub(super) stop: StopListener,
    pub(super) core: Core,
    /// Every open job; emptied as jobs come to their end.
    pub(super) jobs: HashMap<JobId, PendingJob>,
    pub(super) began: Instant,
    pub(super) late: Late,
    /// When attempts that were given up were looked at last.
    pub(super) late_seen: Instant,
    /// Jobs of which it was found out before the run that they had succeeded.
    pub(super) succeeded_before: usize,
    pub(super) requests: Requests,
    /// The sweep that is run; the whole study without one.
    pub(super) sweep: Option<String>,
    pub(super) selections: Selections,
    pub(super) space: Space,
    pub(super) tidy: Tidy,
    pub(super) finish: Option<Finish>,
    pub(super) observe: F,
}

/// What there is before a run begins.
pub(super) struct Prologue {
    pub(super) root: PathBuf,
    /// Jobs of which it was found out that they had succeeded.
    succeeded: usize,
    selections: Selections,
    notes: Vec<String>,
    /// The jobs that have not come to their end.
    pub(super) pending: Vec<PendingJob>,
    began: Instant,
}

impl Prologue {
    /// Puts right what an earlier scheduler left, chooses what can be chosen, reads what is open.
    pub(super) async fn of(store: &Store, sweep: Option<&str>) -> Result<Self, RunError> {
        let began = Instant::now();
        let root = store.root().canonicalize();
        let root =
            root.map_err(|source| RunError::Root { path: store.root().to_owned(), source })?;
        let succeeded = catch_up(store).await?;
        cancel_what_waits(store).await?;
        let (mut selections, mut notes) = Selections::of(store, sweep).await?;
        notes.extend(selections.choose(store).await?.lines);
        let pending = store.pending(sweep).await?;
        Ok(Self { root, succeeded, selections, notes, pending, began })
    }

    /// The end of a run that has nothing to do.
    pub(super) fn summary(&self) -> Summary {
        let (succeeded, elapsed) = (self.succeeded, self.began.elapsed());
        Summary { succeeded, elapsed, ..Summary::default() }
    }
}

/// Jobs that have just been taken in.
pub(super) struct Admitted {
    /// What the core is to hear.
    pub(super) events: Vec<Event>,
    /// The jobs, with how many attempts each has had.
    pub(super) attempts: Vec<(JobId, u32)>,
}

impl<F: FnMut(Progress) + Send> Course<F> {
    /// A run that is about to begin with the jobs returned; `side_by_side` of them run at once.
    pub(super) async fn new(
        (store, sweep): (Store, Option<&str>),
        prologue: Prologue,
        (options, core, side_by_side): (RunOptions, Core, usize),
        stop: StopListener,
        observe: F,
    ) -> Result<(Self, Vec<PendingJob>), RunError> {
        let Prologue { root, succeeded, selections, notes, pending, began } = prologue;
        let reserve = options.reserve.unwrap_or_else(|| {
            let largest = pending.iter().map(|job| job.parameters).max();
            default_reserve(largest.unwrap_or(0), side_by_side)
        });
        let mut course = Self {
            space: Space::new(root.clone(), reserve),
            tidy: Tidy::new(&store, options.keep.clone()).await?,
            late: Late::new(&root),
            late_seen: began,
            requests: Requests::new(sweep),
            sweep: sweep.map(str::to_owned),
            jobs: HashMap::new(),
            succeeded_before: succeeded,
            finish: None,
            root,
            store,
            options,
            stop,
            core,
            began,
            selections,
            observe,
        };
        for note in notes {
            course.note(note);
        }
        Ok((course, pending))
    }

    /// Takes in the jobs there are to begin with, on so many slots, and whatever an earlier scheduler left.
    /// Returns what the core is to hear first, and the attempts that may still be under way.
    pub(super) async fn begin(
        &mut self,
        pending: Vec<PendingJob>,
        slots: usize,
    ) -> Result<(Vec<Event>, Vec<AttemptKey>), RunError> {
        let Opening { new, left, repairs } = Opening::of(&pending);
        self.jobs.extend(pending.into_iter().map(|job| (job.job, job)));
        let wanted = || new.iter().filter(|job| job.wanted);
        let (jobs, flops) = (wanted().count(), wanted().map(|job| job.flops).sum());
        info!(jobs, slots, left_running = left.len(), "the run begins");
        (self.observe)(Progress::Began { jobs, flops, slots });
        let changes: Vec<_> = repairs.iter().filter_map(|action| change(action, &[])).collect();
        self.record(&[], &changes).await?;
        // What pauses the run comes before there is anything to hand out.
        let mut events = self.requests.pauses(&self.store).await?;
        events.extend(self.space.look());
        events.push(Event::Expect { more: self.selections.are_open() });
        events.push(Event::JobsAdded(new));
        Ok((events, left))
    }

    pub(super) fn now(&self) -> Millis {
        Millis(self.began.elapsed().as_millis() as u64)
    }

    pub(super) fn folder(&self, job: JobId) -> RunFolder {
        RunFolder::new(&self.root, job)
    }

    pub(super) fn note(&mut self, note: String) {
        info!("{note}");
        (self.observe)(Progress::Note(note));
    }

    pub(super) async fn record(
        &mut self,
        news: &[News],
        changes: &[Change],
    ) -> Result<(), RunError> {
        let grace = self.options.policy.stop_grace;
        persist(&self.store, news, changes, (&self.stop, grace), &mut self.observe).await?;
        Ok(())
    }

    /// What people have asked for lately: the jobs of this run that are to be cancelled, and the rest. Jobs that
    /// are not this run's are cancelled right here.
    pub(super) async fn requested(&mut self) -> Result<(Vec<JobId>, Admitted), RunError> {
        let Asked { cancel: asked, others: mut events, retry } =
            self.requests.look(&self.store).await?;
        let (ours, others): (Vec<_>, Vec<_>) =
            asked.into_iter().partition(|job| self.jobs.contains_key(job));
        // A full disk stops no run; it is tried again.
        if !others.is_empty() && cancel(&self.store, &others).await?.is_none() {
            self.requests.ask_again(&others);
        }
        let mut attempts = Vec::new();
        if retry {
            let admitted = self.admit().await?;
            events.extend(admitted.events);
            attempts = admitted.attempts;
        }
        Ok((ours, Admitted { events, attempts }))
    }

    /// What attempts that were given up have come to say, looked at not too often.
    pub(super) async fn late_words(&mut self) -> Result<Vec<Word>, RunError> {
        if self.late_seen.elapsed() < LATE_PAUSE {
            return Ok(Vec::new());
        }
        self.late_seen = Instant::now();
        Ok(self.late.look(&self.store).await?)
    }

    /// Chooses what jobs start from, as far as that can be said now, and takes those in.
    pub(super) async fn choose(&mut self) -> Result<Admitted, RunError> {
        let nothing = |events| Admitted { events, attempts: Vec::new() };
        let chosen = match self.selections.choose(&self.store).await {
            Ok(chosen) => chosen,
            // Tried again with the next event: until then the run is not over.
            Err(error) if error.is_busy() || error.is_disk_full() => {
                return Ok(nothing(Vec::new()));
            }
            Err(error) => return Err(error.into()),
        };
        for line in chosen.lines {
            self.note(line);
        }
        let expect = Event::Expect { more: self.selections.are_open() };
        if chosen.new == 0 {
            return Ok(nothing(vec![expect]));
        }
        let mut admitted = self.admit().await?;
        admitted.events.push(expect);
        Ok(admitted)
    }

    /// Takes in the jobs that are to be run and not known.
    async fn admit(&mut self) -> Result<Admitted, RunError> {
        let mut pending = self.store.pending(self.sweep.as_deref()).await?;
        pending.retain(|job| !self.jobs.contains_key(&job.job) && job.running.is_none());
        let Opening { new, repairs, .. } = Opening::of(&pending);
        if new.is_empty() {
            return Ok(Admitted { events: Vec::new(), attempts: Vec::new() });
        }
        let attempts = pending.iter().map(|job| (job.job, job.attempts)).collect();
        self.jobs.extend(pending.into_iter().map(|job| (job.job, job)));
        let changes: Vec<_> = repairs.iter().filter_map(|action| change(action, &[])).collect();
        self.record(&[], &changes).await?;
        let (jobs, flops) = (new.len(), new.iter().map(|job| job.flops).sum());
        (self.observe)(Progress::Added { jobs, flops });
        // Those of a paused sweep are held back before they are heard of.
        let held = self.requests.held(&self.store).await?;
        let events = held.into_iter().chain([Event::JobsAdded(new)]).collect();
        Ok(Admitted { events, attempts })
    }

    /// A job is in a new state. `ended` is its attempt that has just come to an end, if one has.
    pub(super) fn tell_state(
        &mut self,
        job: JobId,
        state: JobState,
        ended: Option<(AttemptKey, AttemptEnd)>,
    ) {
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

    /// Performs an action that has nothing to do with workers; returns it if it has.
    pub(super) fn perform(
        &mut self,
        action: Action,
        ended: &mut Option<(AttemptKey, AttemptEnd)>,
    ) -> Option<Action> {
        match action {
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
            other => return Some(other),
        }
        None
    }

    /// How it went, if it has `interrupted` what was to be done.
    pub(super) fn summary(&self, interrupted: bool) -> Summary {
        let counts = self.core.counts();
        Summary {
            succeeded: self.succeeded_before + counts.succeeded,
            failed: counts.failed,
            cancelled: counts.cancelled,
            left: counts.left(),
            interrupted,
            elapsed: self.began.elapsed(),
        }
    }
}
