//! The world around the scheduler: time, workers, the disk, and what was really done.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;

use augreg_executor::{SlotId, WorkerReport};
use augreg_protocol::{AttemptKey, FailureKind, RunFolder};
use augreg_spec::JobId;
use augreg_spec::random::Stream;
use augreg_store::Store;

use super::desk::Halt;
use super::faults::Faults;
use super::timeline::Timeline;
use super::witness::{Row, Violation, Witness};
use super::worker::{self, Done, Life, Nature, Task, Worker};
use crate::core::{Pauser, Policy};

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
    /// The disk is full from now on, or has room again.
    Disk { full: bool },
    /// The scheduler's clock jumps by so many milliseconds.
    Leap { by: i64 },
    /// Nothing is handed out from now on, for one more reason.
    Pause { by: Pauser, drain: bool },
    /// A reason is gone.
    GoOn { by: Pauser },
    /// A person does something.
    Person,
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

    pub(super) fn ids(&self) -> Vec<JobId> {
        self.0.keys().copied().collect()
    }
}

/// What the executor knows of a slot: the last worker it started there.
#[derive(Debug)]
struct Seat {
    worker: u32,
    assigned: VecDeque<AttemptKey>,
    /// The scheduler has heard that it is free, and has said nothing since.
    free: bool,
    /// It was told to leave, or killed.
    told: bool,
}

pub(super) struct World {
    pub(super) time: Timeline<Happening>,
    pub(super) draws: Stream,
    pub(super) faults: Faults,
    pub(super) root: PathBuf,
    pub(super) store: Store,
    pub(super) sweep: String,
    pub(super) policy: Policy,
    pub(super) slots: u32,
    pub(super) disk_full: bool,
    /// The reasons for which nothing is to be handed out; the next scheduler is told of them.
    pub(super) paused: Vec<(Pauser, bool)>,
    /// How far the scheduler's clock is off, in milliseconds.
    pub(super) skew: i64,
    pub(super) deeds: Deeds,
    pub(super) witness: Witness,
    pub(super) workers: BTreeMap<u32, Worker>,
    born: u32,
    /// The last scheduler that is no more.
    pub(super) fallen: u32,
    seats: BTreeMap<SlotId, Seat>,
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
        let deeds = Deeds(jobs.iter().map(|id| (*id, done(&mut draws))).collect());
        Self {
            time: Timeline::new(),
            faults,
            root: store.root().to_owned(),
            store,
            sweep,
            policy,
            slots: 1 + draws.below(4),
            draws,
            disk_full: false,
            paused: Vec::new(),
            skew: 0,
            deeds,
            witness: Witness::default(),
            workers: BTreeMap::new(),
            born: 0,
            fallen: 0,
            seats: BTreeMap::new(),
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
        (self.time.now() as i64 + self.skew).max(0) as u64
    }

    pub(super) fn folder(&self, job: JobId) -> RunFolder {
        RunFolder::new(&self.root, job)
    }

    /// A point at which the scheduler may die.
    pub(super) fn may_crash(&mut self) -> Result<(), Halt> {
        if self.draws.chance(self.faults.crash) { Err(Halt::Died) } else { Ok(()) }
    }

    pub(super) async fn look(&mut self) -> Result<(), Violation> {
        self.witness.look(&self.store, &self.sweep, &self.deeds, &self.policy).await
    }

    /// A number in `from..=to`.
    pub(super) fn between(&mut self, from: u32, to: u32) -> u64 {
        u64::from(from + self.draws.below(to - from + 1))
    }

    /// Starts a worker on a slot, or says why not.
    pub(super) fn start(
        &mut self,
        scheduler: u32,
        slot: SlotId,
    ) -> Result<Result<(), String>, Violation> {
        let occupied = self.seats.get(&slot).and_then(|seat| self.workers.get(&seat.worker));
        if occupied.is_some_and(|worker| !worker.forgotten) {
            return Err(Violation::new("a slot has one worker", format!("{slot} has one")));
        }
        if self.draws.chance(self.faults.no_start) {
            return Ok(Err("no process can be had".to_owned()));
        }
        self.born += 1;
        let forgotten = self.draws.chance(self.faults.forget);
        self.workers.insert(self.born, Worker::new(slot, scheduler, forgotten));
        self.seats.insert(
            slot,
            Seat { worker: self.born, assigned: VecDeque::new(), free: false, told: false },
        );
        let delay = self.between(10, 3000);
        self.time.after(delay, Happening::Act { worker: self.born });
        Ok(Ok(()))
    }

    /// Hands an attempt to the worker on a slot.
    pub(super) fn assign(
        &mut self,
        scheduler: u32,
        slot: SlotId,
        attempt: AttemptKey,
    ) -> Result<(), Violation> {
        let running = self.witness.rows.get(&attempt.job).and_then(Row::running);
        if running != Some(attempt.number) {
            let how = format!("{attempt} is handed out, the database has {running:?}");
            return Err(Violation::new("what is done was recorded before", how));
        }
        let at_it = |worker: &&Worker| {
            let task = worker.task.as_ref().filter(|task| task.attempt.job == attempt.job);
            task.is_some_and(Task::is_locked) && !worker.given_up && !worker.forgotten
        };
        if let Some(Worker { task: Some(other), .. }) = self.workers.values().find(at_it) {
            let how = format!("{attempt} is handed out while a worker is at {}", other.attempt);
            return Err(Violation::new("no job has two live attempts", how));
        }
        if let Some(seat) = self.seats.get_mut(&slot) {
            seat.assigned.push_back(attempt);
            seat.free = false;
        }
        self.send(scheduler, slot, Line::Run(attempt));
        Ok(())
    }

    pub(super) fn stop(&mut self, scheduler: u32, slot: SlotId) {
        self.send(scheduler, slot, Line::Stop);
    }

    pub(super) fn kill(&mut self, scheduler: u32, slot: SlotId) {
        self.send(scheduler, slot, Line::Kill);
    }

    fn send(&mut self, scheduler: u32, slot: SlotId, line: Line) {
        let Some(seat) = self.seats.get_mut(&slot) else { return };
        seat.free = false;
        seat.told |= matches!(line, Line::Stop | Line::Kill);
        let id = seat.worker;
        let Some(worker) = self.workers.get_mut(&id).filter(|w| w.scheduler == scheduler) else {
            return;
        };
        let kills = matches!(line, Line::Kill);
        let forgotten = worker.forgotten;
        worker.given_up |= kills;
        if kills && forgotten || !kills && self.draws.chance(self.faults.lose) {
            return;
        }
        let mut at = self.time.now() + self.delay();
        if !kills && let Some(worker) = self.workers.get_mut(&id) {
            at = at.max(worker.sent);
            worker.sent = at;
        }
        self.time.at(at, Happening::Sent { worker: id, line });
    }

    fn delay(&mut self) -> u64 {
        if self.draws.chance(self.faults.dawdle) {
            self.between(100, 30_000)
        } else {
            self.between(1, 50)
        }
    }

    /// A worker says something; whether and when it is heard is fate.
    pub(super) fn say(&mut self, id: u32, report: WorkerReport) {
        let Some(worker) = self.workers.get(&id) else { return };
        let (slot, scheduler, heard) = (worker.slot, worker.scheduler, worker.heard);
        let last = matches!(report, WorkerReport::Gone { .. });
        if worker.forgotten && worker.life != Life::Rising && (last || self.draws.chance(0.5))
            || !last && self.draws.chance(self.faults.lose)
        {
            return;
        }
        let overtakes = matches!(report, WorkerReport::Beat(_));
        let at = self.time.now() + self.delay();
        let happening = |report| Happening::Heard { scheduler, slot, report };
        if overtakes && self.draws.chance(self.faults.overtake) {
            self.time.at(at, happening(report));
            return;
        }
        let at = at.max(heard);
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.heard = at;
        }
        if !last && self.draws.chance(self.faults.repeat) {
            let again = at + self.between(0, 5000);
            self.time.at(again, happening(report.clone()));
        }
        self.time.at(at, happening(report));
    }

    /// The scheduler takes in a worker's word.
    pub(super) fn heard(&mut self, slot: SlotId, report: &WorkerReport) {
        let Some(seat) = self.seats.get_mut(&slot) else { return };
        match report {
            WorkerReport::Ready { .. } => seat.free = seat.assigned.is_empty(),
            WorkerReport::Ended { attempt } => {
                if let Some(at) = seat.assigned.iter().position(|one| one == attempt) {
                    seat.assigned.drain(..=at);
                    seat.free = seat.assigned.is_empty();
                }
            }
            WorkerReport::Gone { .. } => _ = self.seats.remove(&slot),
            _ => {}
        }
    }

    /// Slots whose worker has nothing to do and was not told to leave, as the scheduler knows.
    pub(super) fn idle_slots(&self) -> impl Iterator<Item = SlotId> {
        self.seats.iter().filter(|(_, seat)| seat.free && !seat.told).map(|(slot, _)| *slot)
    }

    /// A worker is no more.
    pub(super) fn die(&mut self, id: u32, why: &str) {
        let Some(worker) = self.workers.get(&id) else { return };
        if let Some(task) = &worker.task
            && self.draws.chance(self.faults.tear)
        {
            worker::tear(&self.folder(task.attempt.job), task.attempt.number);
        }
        self.note(|| format!("worker {id} dies: {why}"));
        self.say(id, WorkerReport::Gone { why: why.to_owned(), out_of_memory: false });
        self.workers.remove(&id);
    }

    /// Kills the worker that holds the lock of an attempt's job.
    pub(super) fn kill_holder(&mut self, attempt: AttemptKey) {
        let at_it = |worker: &Worker| {
            worker.task.as_ref().is_some_and(|task| task.attempt.job == attempt.job)
        };
        let found = self.workers.iter().find(|(_, worker)| at_it(worker)).map(|(id, _)| *id);
        if let Some(id) = found {
            self.die(id, "killed by a later scheduler");
        }
    }

    /// The scheduler is no more: its workers see so, the executor's knowledge is lost.
    pub(super) fn abandon(&mut self, scheduler: u32) {
        self.seats.clear();
        self.fallen = scheduler;
        let left: Vec<u32> = self
            .workers
            .iter()
            .filter(|(_, w)| w.scheduler == scheduler)
            .map(|(id, _)| *id)
            .collect();
        for id in left {
            let delay = self.between(1, 2000);
            if !self.draws.chance(self.faults.oblivious) {
                self.time.after(delay, Happening::Sent { worker: id, line: Line::End });
            }
        }
        let delay = self.between(10, 20_000);
        self.time.after(delay, Happening::Boot);
    }

    /// The machine is no more: every worker dies, and what was not synced is lost.
    pub(super) fn black_out(&mut self) {
        self.note(|| "the machine dies".to_owned());
        for worker in std::mem::take(&mut self.workers).into_values() {
            if let Some(task) = worker.task {
                let folder = self.folder(task.attempt.job);
                worker::lose_unsynced(&folder, task.attempt.number);
            }
        }
    }
}

fn done(draws: &mut Stream) -> Done {
    use FailureKind::{Bug, Data, Diverged, OutOfMemory};
    let nature = match draws.below(16) {
        0 => Nature::Always(Diverged),
        1 => Nature::Always(Data),
        2 => Nature::Always(OutOfMemory),
        3 => Nature::Always(Bug),
        4 => Nature::Once(OutOfMemory),
        5 => Nature::Once(Bug),
        _ => Nature::Sound,
    };
    Done {
        nature,
        steps: 1 + u64::from(draws.below(5)),
        checkpoint: 0,
        entries: BTreeMap::new(),
        notes: 0,
        succeeded: std::collections::BTreeSet::new(),
        reported: std::collections::BTreeSet::new(),
        requeued: 0,
    }
}
