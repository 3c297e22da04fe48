//! What stands between scheduler and workers: an executor that starts, tells and kills them, as well
//! as it can.

use std::collections::VecDeque;

use augreg_executor::{SlotId, WorkerReport};
use augreg_protocol::AttemptKey;

use super::witness::Violation;
use super::worker::{self, Known, Life, Task, Worker};
use super::world::{Happening, Line, Seat, World};

impl World {
    /// Starts a worker on a slot, or says why not.
    pub(super) fn start(
        &mut self,
        scheduler: u32,
        slot: SlotId,
    ) -> Result<Result<(), String>, Violation> {
        let occupied = self.seats.get(&slot).and_then(|seat| self.workers.get(&seat.worker));
        if occupied.is_some_and(|worker| worker.known == Known::Well) {
            return Err(Violation::new("a slot has one worker", format!("{slot} has one")));
        }
        if self.strikes(self.faults.no_start, "no worker could be started") {
            return Ok(Err("no process can be had".to_owned()));
        }
        self.born += 1;
        let forgotten = self.strikes(self.faults.forget, "a worker was forgotten");
        let known = if forgotten { Known::Forgotten } else { Known::Well };
        self.workers.insert(self.born, Worker::new(slot, scheduler, known));
        self.seats.insert(
            slot,
            Seat {
                worker: self.born,
                assigned: VecDeque::new(),
                heard: false,
                free: false,
                told: false,
            },
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
        let running = self.running(attempt.job);
        if running != Some(attempt.number) {
            let how = format!("{attempt} is handed out, the database has {running:?}");
            return Err(Violation::new("what is done was recorded before", how));
        }
        let parent = self.setting.roles.get(&attempt.job).and_then(|role| role.parent);
        if let Some(parent) = parent.filter(|parent| !self.witness.succeeded(parent)) {
            let how = format!("{attempt} is handed out before {parent} has succeeded");
            return Err(Violation::new("a job begins after the one it starts from", how));
        }
        if !self.setting.fits(attempt.job, slot) {
            let how = format!("{attempt} is handed to {slot}");
            return Err(Violation::new("a job runs where it fits", how));
        }
        let at_it = |worker: &&Worker| {
            let task = worker.task.as_ref().filter(|task| task.attempt.job == attempt.job);
            task.is_some_and(Task::is_locked) && !worker.given_up && worker.known == Known::Well
        };
        if let Some(Worker { task: Some(other), .. }) = self.workers.values().find(at_it) {
            let how = format!("{attempt} is handed out while a worker is at {}", other.attempt);
            return Err(Violation::new("no job has two live attempts", how));
        }
        if let Some(seat) = self.seats.get_mut(&slot) {
            if !seat.assigned.is_empty() {
                self.seen.count("an attempt was handed out ahead");
            }
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
        let forgotten = worker.known != Known::Well;
        worker.given_up |= kills;
        if kills && forgotten || !kills && self.strikes(self.faults.lose, "a line was lost") {
            return;
        }
        if !kills && self.strikes(self.faults.repeat / 4.0, "a line came twice") {
            let again = self.between(1000, 10_000);
            self.time.after(again, Happening::Sent { worker: id, line });
        }
        let mut at = self.time.now() + self.delay();
        if !kills && let Some(worker) = self.workers.get_mut(&id) {
            at = at.max(worker.sent);
            worker.sent = at;
        }
        self.time.at(at, Happening::Sent { worker: id, line });
    }

    fn delay(&mut self) -> u64 {
        if self.strikes(self.faults.dawdle, "a report was late") {
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
        let vain = match worker.known {
            Known::Well => false,
            Known::Forgotten => worker.life != Life::Rising && (last || self.draws.chance(0.5)),
            Known::CutOff => true,
        };
        if vain || !last && self.strikes(self.faults.lose, "a report was lost") {
            return;
        }
        let overtakes = matches!(report, WorkerReport::Beat(_));
        let at = self.time.now() + self.delay();
        let happening = |report| Happening::Heard { scheduler, slot, report };
        if overtakes && self.strikes(self.faults.overtake, "a beat was overtaken") {
            self.time.at(at, happening(report));
            return;
        }
        let at = at.max(heard);
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.heard = at;
        }
        if !last && self.strikes(self.faults.repeat, "a report came twice") {
            let again = at + self.between(0, 5000);
            self.time.at(again, happening(report.clone()));
        }
        self.time.at(at, happening(report));
    }

    /// The scheduler takes in a worker's word.
    pub(super) fn heard(&mut self, slot: SlotId, report: &WorkerReport) {
        let Some(seat) = self.seats.get_mut(&slot) else { return };
        seat.heard = true;
        match report {
            WorkerReport::Ready { .. } => seat.free = seat.assigned.is_empty(),
            WorkerReport::Ended { attempt } => {
                if let Some(at) = seat.assigned.iter().position(|one| one == attempt) {
                    seat.assigned.drain(..=at);
                    seat.free = seat.assigned.is_empty();
                }
            }
            WorkerReport::Gone { .. } | WorkerReport::Refused { .. } => {
                self.seats.remove(&slot);
            }
            WorkerReport::Beat(_) | WorkerReport::NoRoom { .. } => {}
        }
    }

    /// Slots whose worker has nothing to do and was not told to leave, as the scheduler knows.
    pub(super) fn idle_slots(&self) -> impl Iterator<Item = SlotId> {
        self.seats.iter().filter(|(_, seat)| seat.free && !seat.told).map(|(slot, _)| *slot)
    }

    /// A worker is no more.
    pub(super) fn die(&mut self, id: u32, why: &str) {
        let Some(worker) = self.workers.get(&id) else { return };
        let at = worker.task.as_ref().map(|task| task.attempt);
        if let Some(AttemptKey { job, number }) = at
            && self.strikes(self.faults.tear, "half a line was left in a journal")
        {
            worker::tear(&self.folder(job), number);
        }
        self.note(|| format!("worker {id} dies: {why}"));
        let out_of_memory = self.draws.chance(0.5 * self.faults.die.sqrt());
        if out_of_memory {
            self.seen.count("a worker ran out of memory");
        }
        self.say(id, WorkerReport::Gone { why: why.to_owned(), out_of_memory });
        let task = self.workers.remove(&id).and_then(|worker| worker.task);
        self.unsynced.extend(task.map(|task| (task.attempt, task.synced)));
    }

    /// The executor takes a worker for gone that goes on: its host is cut off.
    pub(super) fn cut_off(&mut self, id: u32) {
        self.note(|| format!("worker {id} is said to be gone"));
        let why = "its host does not answer".to_owned();
        self.say(id, WorkerReport::Gone { why, out_of_memory: false });
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.known = Known::CutOff;
        }
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
        self.beside.clear();
        self.fallen = scheduler;
        let left: Vec<u32> = self
            .workers
            .iter()
            .filter(|(_, w)| w.scheduler == scheduler)
            .map(|(id, _)| *id)
            .collect();
        for id in left {
            let delay = self.between(1, 2000);
            let what = "a worker did not notice that its scheduler was gone";
            if !self.strikes(self.faults.oblivious, what) {
                self.time.after(delay, Happening::Sent { worker: id, line: Line::End });
            }
        }
        let delay = self.between(10, 20_000);
        self.time.after(delay, Happening::Boot);
    }
}
