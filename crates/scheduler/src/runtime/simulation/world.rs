//! The world around the scheduler: time, workers, the disk, and what was really done.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;

use augreg_executor::{SlotId, WorkerReport};
use augreg_protocol::{AttemptKey, JobState, RunFolder};
use augreg_spec::JobId;
use augreg_spec::random::Stream;
use augreg_store::Store;

use super::super::late::catch_up;
use super::coverage::Coverage;
use super::desk::Halt;
use super::disk::Disk;
use super::faults::Faults;
use super::person::{Deed, Scope};
use super::row::Row;
use super::setting::Setting;
use super::timeline::Timeline;
use super::witness::{Violation, Witness};
use super::worker::{Done, Nature, Worker};
use crate::core::Policy;

/// What the scheduler's clock shows at the beginning: enough to go back a long way.
const EPOCH: u64 = 1_700_000_000_000;

/// What comes to pass.
#[derive(Debug)]
pub(super) enum Happening {
    /// Time passes for a scheduler.
    Tick { scheduler: u32 },
    /// A worker's word arrives.
    Heard { scheduler: u32, slot: SlotId, report: WorkerReport },
    /// A worker does its next act.
    Act { worker: u32 },
    /// Something reaches a worker.
    Sent { worker: u32, line: Line },
    /// From now on the disk has so much room.
    Room(Disk),
    /// The scheduler's clock jumps by so many milliseconds.
    Leap { by: i64 },
    /// A person does something.
    Person(Deed),
    /// The worker on a slot is to be replaced.
    Recycle { slot: SlotId },
    /// The machine dies, with all that runs on it.
    PowerCut,
    /// A scheduler is started.
    Boot,
    /// All faults end.
    Calm,
}

/// What reaches a worker.
#[derive(Debug, Clone, Copy)]
pub(super) enum Line {
    Run(AttemptKey),
    Stop,
    Kill,
    /// The scheduler is gone.
    End,
}

/// What workers have done, by job.
#[derive(Debug, Default)]
pub(super) struct Deeds(BTreeMap<JobId, Done>);

impl Deeds {
    pub(super) fn job(&self, id: JobId) -> &Done {
        self.0.get(&id).expect("only jobs of the study are executed")
    }

    pub(super) fn job_mut(&mut self, id: JobId) -> &mut Done {
        self.0.get_mut(&id).expect("only jobs of the study are executed")
    }

    pub(super) fn knows(&self, id: JobId) -> bool {
        self.0.contains_key(&id)
    }

    pub(super) fn ids(&self) -> Vec<JobId> {
        self.0.keys().copied().collect()
    }

    /// Lets nothing be wrong with any job any more.
    pub(super) fn mend(&mut self) {
        self.0.values_mut().for_each(|done| done.nature = Nature::Sound);
    }
}

/// What the executor knows of a slot: the last worker it started there.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) worker: u32,
    pub(super) assigned: VecDeque<AttemptKey>,
    /// It has been heard of.
    pub(super) heard: bool,
    /// The scheduler has heard that it is free, and has said nothing since.
    pub(super) free: bool,
    /// It was told to leave, or killed.
    pub(super) told: bool,
}

pub(super) struct World {
    pub(super) time: Timeline<Happening>,
    pub(super) draws: Stream,
    pub(super) faults: Faults,
    pub(super) root: PathBuf,
    pub(super) store: Store,
    pub(super) sweep: String,
    pub(super) policy: Policy,
    pub(super) setting: Setting,
    pub(super) disk: Disk,
    /// All faults have ended.
    pub(super) calm: bool,
    /// A person has asked for something that no scheduler has looked at.
    pub(super) asked: bool,
    /// What a person has paused.
    pub(super) paused: Vec<Scope>,
    /// Jobs that a person had tried again while a scheduler was up, which knows nothing of it.
    pub(super) beside: BTreeSet<JobId>,
    /// How far the scheduler's clock is off, in milliseconds.
    pub(super) skew: i64,
    pub(super) deeds: Deeds,
    pub(super) witness: Witness,
    pub(super) workers: BTreeMap<u32, Worker>,
    /// Journals that nobody writes any more, and how many bytes of each are on disk for certain.
    pub(super) unsynced: BTreeMap<AttemptKey, u64>,
    pub(super) born: u32,
    /// The last scheduler that is no more.
    pub(super) fallen: u32,
    pub(super) seats: BTreeMap<SlotId, Seat>,
    pub(super) seen: Coverage,
    /// The last things that happened.
    log: VecDeque<String>,
    keep_log: usize,
}

impl World {
    pub(super) fn new(
        store: Store,
        (sweep, jobs): (String, &[JobId]),
        mut draws: Stream,
        policy: Policy,
        keep_log: usize,
    ) -> Self {
        let faults = Faults::draw(&mut draws);
        let setting = Setting::draw(&mut draws, jobs);
        let deeds = Deeds(setting.natures(&mut draws));
        Self {
            time: Timeline::new(),
            faults,
            root: store.root().to_owned(),
            store,
            sweep,
            policy,
            setting,
            draws,
            disk: Disk::default(),
            calm: false,
            asked: false,
            paused: Vec::new(),
            beside: BTreeSet::new(),
            skew: 0,
            deeds,
            witness: Witness::default(),
            workers: BTreeMap::new(),
            unsynced: BTreeMap::new(),
            born: 0,
            fallen: 0,
            seats: BTreeMap::new(),
            seen: Coverage::default(),
            log: VecDeque::new(),
            keep_log,
        }
    }

    /// Keeps a line of what happened, for whoever looks into a failure.
    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        if self.keep_log == 0 {
            return;
        }
        if self.log.len() == self.keep_log {
            self.log.pop_front();
        }
        self.log.push_back(format!("{:>8} {}", self.time.now(), line()));
    }

    pub(super) fn log(&self) -> String {
        self.log.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// The time by the scheduler's clock, in milliseconds.
    pub(super) fn clock(&self) -> u64 {
        (EPOCH + self.time.now()).saturating_add_signed(self.skew)
    }

    pub(super) fn folder(&self, job: JobId) -> RunFolder {
        RunFolder::new(&self.root, job)
    }

    /// Whether fate strikes, with this chance; counted under its name.
    pub(super) fn strikes(&mut self, chance: f64, what: &'static str) -> bool {
        let strikes = self.draws.chance(chance);
        if strikes {
            self.seen.count(what);
        }
        strikes
    }

    /// A point at which the scheduler may die.
    pub(super) fn may_crash(&mut self, at: &'static str) -> Result<(), Halt> {
        if self.strikes(self.faults.crash, at) { Err(Halt::Died) } else { Ok(()) }
    }

    /// Looks at the database. Returns the rows as they were before.
    pub(super) async fn look(&mut self) -> Result<BTreeMap<JobId, Row>, Violation> {
        self.witness.look(&self.store, &self.sweep, &self.deeds, &self.policy).await
    }

    /// A number in `from..=to`.
    pub(super) fn between(&mut self, from: u32, to: u32) -> u64 {
        u64::from(from + self.draws.below(to - from + 1))
    }

    /// A result is taken in of an attempt that had been given up.
    pub(super) fn came_late(&mut self, job: JobId) {
        self.seen.count("a result came late");
        let row = self.witness.rows.get(&job);
        if row.is_some_and(|row| row.running().is_some()) {
            self.seen.count("a result came late beside another attempt");
        } else if row.is_some_and(Row::has_ended) {
            self.seen.count("a result came late after the job's end");
        }
    }

    /// Takes in what came late while no run was under way.
    pub(super) async fn catch_up(&mut self) -> Result<(), Violation> {
        if !self.witness.has_given_up() {
            return Ok(());
        }
        let broken = |e| Violation::new("what came late is taken in", e);
        let before = self.witness.count(JobState::Succeeded);
        let caught_up = catch_up(&self.store).await.map_err(broken)?;
        self.look().await?;
        (0..caught_up).for_each(|_| self.seen.count("a result came late to no run"));
        if before + caught_up != self.witness.count(JobState::Succeeded) {
            return Err(Violation::new("results are counted once", format!("{caught_up} late")));
        }
        Ok(())
    }

    /// Opens the database as a scheduler of another process would.
    pub(super) async fn reopen(&mut self) -> Result<(), Violation> {
        let broken = |e| Violation::new("the database can be opened anew", e);
        self.store.clone().close().await;
        self.store = Store::open(&self.root).await.map_err(broken)?;
        Ok(())
    }

    /// Whether a worker may write anything yet.
    pub(super) fn is_anyone_at_work(&self) -> bool {
        self.workers.values().any(Worker::is_at_work)
    }

    /// Whether no run can end a job: it fits no slot, or waits for one that has failed.
    pub(super) fn is_beyond_help(&self, job: JobId) -> bool {
        if !self.setting.fits_any(job) {
            return true;
        }
        let parent = self.setting.roles.get(&job).and_then(|role| role.parent);
        let row = parent.and_then(|parent| self.witness.rows.get(&parent));
        row.is_some_and(|row| row.is(JobState::Failed) || row.is(JobState::Cancelled))
            || parent.is_some_and(|parent| {
                !self.witness.succeeded(&parent) && self.is_beyond_help(parent)
            })
    }

    /// Whether every job has come to its end or is beyond help.
    pub(super) fn is_over(&self) -> bool {
        self.witness.rows.iter().all(|(job, row)| row.has_ended() || self.is_beyond_help(*job))
    }
}
