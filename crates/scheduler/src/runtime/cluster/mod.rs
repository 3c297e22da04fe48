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
mod pace;
mod packing;
mod poll;
mod submit;

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use augreg_executor::SlotId;
use augreg_executor::slurm::{Limits, Slurm};
use augreg_protocol::{AttemptKey, Device, JournalReader};
use augreg_spec::JobId;
use augreg_store::{Change, PendingJob, Store};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::warn;

use self::fleet::Fleet;
pub use self::options::{ClusterOptions, Pricing};
use self::pace::Paces;
pub use self::packing::{Pack, packs};
use self::poll::Poll;
pub use self::submit::call_off;
use super::course::{Admitted, Course, Prologue};
use super::journals::{Journals, News};
use super::late::Word;
use super::lock::StudyLock;
use super::options::{Progress, RunError, RunOptions, Summary};
use super::record::{change, now};
use super::stop::{StopListener, Urgency};
use crate::core::{Action, AttemptEnd, Core, Event, Finish};

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
    let prologue = Prologue::of(&store, sweep).await?;
    if prologue.pending.is_empty() && !store.has_live_submissions().await? {
        return Ok(prologue.summary());
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
    let (study, numbered) = (submit::study_id(&prologue.root)?, store.submissions_so_far().await?);
    let core = Core::elsewhere(options.policy.clone());
    let (course, pending) =
        Course::new((store, sweep), prologue, (options, core, 1), stop.clone(), observe).await?;
    let now = Instant::now();
    let mut run = Cluster {
        study,
        journals: Journals::default(),
        paces: Paces::default(),
        attempts: HashMap::new(),
        fleet: Fleet::default(),
        poll: Poll::new(&cluster),
        numbered,
        fits: usize::MAX,
        ready_since: None,
        submit_at: now,
        looked: now,
        program,
        limits,
        slurm,
        how: cluster,
        course,
    };
    run.begin(pending).await?;
    if run.how.collect {
        run.collect().await?;
    } else {
        run.go_on(&mut stop).await?;
    }
    Ok(run.summary())
}

struct Cluster<F> {
    course: Course<F>,
    /// What the names of the study's arrays begin with, after `augreg-`.
    study: String,
    how: ClusterOptions,
    program: PathBuf,
    limits: Limits,
    slurm: Slurm,
    journals: Journals,
    paces: Paces,
    /// The number of the last attempt that is known of each job.
    attempts: HashMap<JobId, u32>,
    fleet: Fleet,
    poll: Poll,
    /// How many submissions there were so far.
    numbered: u64,
    /// Tasks of an array that a limit on what a user may submit is expected to let through.
    fits: usize,
    /// Since when there have been jobs to be submitted.
    ready_since: Option<Instant>,
    /// When something may be submitted again.
    submit_at: Instant,
    /// When folders were looked at last.
    looked: Instant,
}

impl<F: FnMut(Progress) + Send> Cluster<F> {
    /// Takes in the jobs, and what was submitted before.
    async fn begin(&mut self, pending: Vec<PendingJob>) -> Result<(), RunError> {
        self.attempts.extend(pending.iter().map(|job| (job.job, job.attempts)));
        let now = self.course.now();
        for submission in self.course.store.live_submissions().await? {
            self.fleet.add(now, submission);
        }
        let (events, left) = self.course.begin(pending, 0).await?;
        for attempt in &left {
            let offset = self.course.store.journal_offset(*attempt).await?;
            self.journals.open(&self.course.folder(attempt.job), *attempt, offset);
        }
        self.tell_begun(left).await?;
        self.turn(Vec::new(), events).await
    }

    async fn go_on(&mut self, stop: &mut StopListener) -> Result<(), RunError> {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while self.course.finish.is_none() {
            if stop.urgency() != Urgency::Not {
                (self.course.observe)(Progress::Stopping);
                self.turn(Vec::new(), vec![Event::Stop]).await?;
                continue;
            }
            tokio::select! {
                _ = stop.changed() => continue,
                _ = tick.tick() => {}
            }
            self.step().await?;
            if self.how.detach && self.has_submitted_all() {
                self.course.finish = Some(Finish::Stopped);
            }
        }
        if self.course.finish == Some(Finish::Done) {
            self.see_off().await?;
        }
        self.course.tidy.finish();
        Ok(())
    }

    /// Waits a little for the tasks of jobs that have all ended: they are about to end too.
    async fn see_off(&mut self) -> Result<(), RunError> {
        let since = Instant::now();
        self.poll.due = since;
        while self.fleet.len() > 0
            && since.elapsed() < SEEN_OFF
            && self.course.stop.urgency() == Urgency::Not
        {
            self.ask().await?;
            sleep(TICK).await;
        }
        Ok(())
    }

    /// What there is to do from time to time.
    async fn step(&mut self) -> Result<(), RunError> {
        let mut events = vec![Event::Tick];
        events.extend(self.course.space.look());
        events.append(&mut self.requested().await?);
        self.turn(Vec::new(), events).await?;
        self.ask().await?;
        // A shared file system answers slowly: of many attempts each is looked at less often.
        let look = self.how.look.max(LOOK * self.course.core.counts().running as u32);
        if self.looked.elapsed() >= look {
            self.looked = Instant::now();
            for task in self.fleet.at_work() {
                self.discover(task).await?;
            }
            self.read_journals().await?;
        }
        self.course.tidy.look();
        for Word { news, events, changes } in self.course.late_words().await? {
            self.turn_with(news, events, changes).await?;
        }
        self.submit().await
    }

    /// Whether nothing more can be submitted for now, and all that was is known to be.
    fn has_submitted_all(&self) -> bool {
        self.to_submit().0.is_empty() && self.fleet.unsubmitted().is_empty()
    }

    /// What people have asked for lately.
    async fn requested(&mut self) -> Result<Vec<Event>, RunError> {
        let (ours, Admitted { events, attempts }) = self.course.requested().await?;
        self.attempts.extend(attempts);
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
            let now = self.course.now();
            let actions: Vec<Action> =
                events.drain(..).flat_map(|event| self.course.core.handle(now, event)).collect();
            changes.extend(actions.iter().filter_map(|action| match action {
                Action::Begun { attempt } => Some(self.begun(*attempt)),
                other => change(other, &[]),
            }));
            self.course.record(&news, &changes).await?;
            changes.clear();
            let begun = actions.iter().filter_map(|action| match action {
                Action::Begun { attempt } => Some(*attempt),
                _ => None,
            });
            self.tell_begun(begun.collect()).await?;
            for news in news.drain(..) {
                if let Some(beat) = self.paces.beat(news.attempt, &news.entries) {
                    (self.course.observe)(Progress::Beat(beat));
                }
                for note in news.notes {
                    self.course.note(note);
                }
            }
            self.perform(actions);
            if self.course.selections.are_due() {
                let chosen = self.course.choose().await?;
                self.attempts.extend(chosen.attempts);
                events.extend(chosen.events);
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
            at: began_at(&self.course.folder(attempt.job).journal(attempt.number))
                .unwrap_or_else(now),
        }
    }

    /// Tells of attempts that have begun.
    async fn tell_begun(&mut self, begun: Vec<AttemptKey>) -> Result<(), RunError> {
        if begun.is_empty() {
            return Ok(());
        }
        let jobs: Vec<JobId> = begun.iter().map(|attempt| attempt.job).collect();
        let works = self.course.store.work(&jobs).await?;
        for attempt in begun {
            let Some(work) = works.get(&attempt.job) else { continue };
            let flops = self.course.jobs.get(&attempt.job).map_or(0.0, |job| job.flops);
            let (steps, name) = (work.spec.steps(), work.spec.title(&work.labels));
            let batch = work.spec.training().map_or(0, |training| training.batch_size);
            self.paces.follow(attempt.job, steps, batch);
            (self.course.observe)(Progress::Started {
                attempt,
                slot: SlotId(0),
                steps,
                epochs: work.spec.epochs(),
                flops,
                name,
            });
        }
        Ok(())
    }

    fn perform(&mut self, actions: Vec<Action>) {
        let mut ended: Option<(AttemptKey, AttemptEnd)> = None;
        for action in actions {
            match self.course.perform(action, &mut ended) {
                Some(Action::Begun { attempt }) => {
                    let folder = self.course.folder(attempt.job);
                    self.attempts.insert(attempt.job, attempt.number);
                    self.journals.open(&folder, attempt, 0);
                }
                Some(Action::EndAttempt { attempt, end }) => {
                    self.journals.close(attempt);
                    self.paces.forget(attempt.job);
                    ended = Some((attempt, end));
                }
                Some(_) => warn!("a core without slots has workers"),
                None => {}
            }
        }
    }

    fn summary(self) -> Summary {
        let stopped = matches!(self.course.finish, Some(Finish::Stopped));
        self.course.summary(stopped && !self.how.detach)
    }
}

/// When the first entry of a journal was written, by the clock of whoever did.
fn began_at(journal: &Path) -> Option<u64> {
    let entries = JournalReader::new(journal.to_owned(), 0).read().ok()?;
    entries.first().map(|entry| entry.at)
}
