//! What workers do, act by act.

use augreg_executor::WorkerReport;
use augreg_protocol::{AttemptKey, Beat, FailureKind, JournalEvent};
use augreg_spec::JobId;

use super::row::Row;
use super::worker::{self, Known, Life, Nature, Task};
use super::world::{Happening, Line, World};

/// How long a worker waits for the lock of a job, in milliseconds.
const PATIENCE: u64 = 60_000;

/// What comes of an act of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// There are more.
    More,
    /// It is over.
    Over,
    /// It is over, and its journal does not say so: there was no room, and its worker is to leave.
    Unsaid,
    /// Its worker died of it.
    Died,
}

impl World {
    /// Something reaches a worker.
    pub(super) fn reach(&mut self, id: u32, line: Line) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let idle = worker.life == Life::Up && worker.task.is_none() && worker.inbox.is_empty();
        match line {
            Line::Run(attempt) => worker.inbox.push(attempt),
            // What was not begun by now is not begun: the next scheduler could not know of it.
            Line::End if self.setting.finishes => {
                worker.inbox.clear();
                worker.finishing = true;
            }
            Line::Stop | Line::End => worker.leaving = true,
            Line::Kill => return self.die(id, "killed by signal 9"),
        }
        if idle {
            self.time.after(1, Happening::Act { worker: id });
        }
    }

    /// A worker does its next act.
    pub(super) fn act(&mut self, id: u32) {
        let Some(worker) = self.workers.get(&id) else { return };
        let cut_off = worker.known == Known::CutOff;
        if self.strikes(self.faults.die, "a worker died") {
            return self.die(id, "killed by signal 11");
        }
        if !cut_off && self.strikes(self.faults.belie, "a worker was said to be gone, and was not")
        {
            self.cut_off(id);
        }
        let hangs = self.strikes(self.faults.hang, "a worker hung");
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if hangs || worker.life == Life::Hung {
            worker.life = Life::Hung;
            return;
        }
        let leaving = worker.leaving || worker.finishing;
        let rising = worker.life == Life::Rising;
        if rising && self.strikes(self.faults.refuse, "a worker was refused") {
            self.say(id, WorkerReport::Refused { why: "it is of version 9".to_owned() });
            self.workers.remove(&id);
            return;
        }
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let mut brief = false;
        if worker.life == Life::Rising {
            worker.life = Life::Up;
            self.say(id, WorkerReport::Ready { pid: id });
        } else if worker.task.is_some() {
            self.work(id);
        } else if let Some(attempt) = worker.inbox.first().copied() {
            brief = self.deeds.job(attempt.job).brief;
            self.begin(id, attempt);
            if brief {
                self.work(id);
            }
        } else if leaving {
            return self.die(id, "it left with status 0");
        } else {
            return; // Whatever is sent to it wakes it.
        }
        let pause = match (cut_off, brief) {
            // One that is cut off has all the time in the world.
            (true, _) => self.between(50, 20_000),
            (false, true) => self.between(1, 99),
            (false, false) => self.between(50, 1500),
        };
        self.time.after(pause, Happening::Act { worker: id });
    }

    fn begin(&mut self, id: u32, attempt: AttemptKey) {
        let (room, now, folder) =
            (self.disk.takes_files(), self.time.now(), self.folder(attempt.job));
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if !room {
            if worker.leaving {
                worker.inbox.clear();
            } else {
                self.lack_room(id, attempt);
            }
            return;
        }
        worker.inbox.remove(0);
        match Task::begin(&folder, attempt, now) {
            Some(task) => worker.task = Some(task),
            None => self.say(id, WorkerReport::Ended { attempt }),
        }
    }

    fn lack_room(&mut self, id: u32, attempt: AttemptKey) {
        self.seen.count("a worker waited for room");
        self.say(id, WorkerReport::NoRoom { attempt, why: "no room for its journal".to_owned() });
    }

    fn work(&mut self, id: u32) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let leaving = worker.leaving;
        let Some(mut task) = worker.task.take() else { return };
        let attempt = task.attempt;
        let next = self.further(id, &mut task, leaving);
        if let Some(worker) = self.workers.get_mut(&id).filter(|_| next == Next::More) {
            worker.task = Some(task);
            return;
        }
        self.unsynced.insert(attempt, task.synced);
        drop(task);
        // One that leaves begins nothing more.
        if let Some(worker) = self.workers.get_mut(&id).filter(|w| w.leaving || w.finishing) {
            worker.inbox.clear();
        }
        match next {
            Next::More | Next::Unsaid => {}
            Next::Died => self.die(id, "killed by signal 11"),
            Next::Over => {
                // Between the result and the word of it.
                let what = "a worker died between a result and the word of it";
                if self.strikes(self.faults.die, what) {
                    self.die(id, "killed by signal 11 after its attempt");
                } else {
                    self.say(id, WorkerReport::Ended { attempt });
                }
            }
        }
    }

    /// One act of an attempt.
    fn further(&mut self, id: u32, task: &mut Task, leaving: bool) -> Next {
        let attempt = task.attempt;
        if !self.disk.takes_files() {
            if leaving {
                return Next::Unsaid;
            }
            self.lack_room(id, attempt);
            return Next::More;
        }
        let folder = self.folder(attempt.job);
        let waited = self.time.now() - task.since;
        let began = task.is_locked();
        if !task.lock(&folder) {
            if leaving || waited > PATIENCE {
                self.append(task, worker::started(0));
                let event = if leaving {
                    JournalEvent::Stopped { step: 0 }
                } else {
                    failed(FailureKind::Timeout, 0)
                };
                self.append(task, event);
                return Next::Over;
            }
            return Next::More;
        }
        if began {
            return if leaving { self.leave(task) } else { self.step(id, task, false) };
        }
        // That an attempt lives is told by its lock. Of one that has it only after its scheduler's
        // end, or its own, nobody can know; the lock keeps it apart from the next.
        let over = self.running(attempt.job) != Some(attempt.number);
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.given_up |= over || worker.scheduler <= self.fallen;
        }
        let done = self.deeds.job(attempt.job);
        task.step = done.checkpoint;
        let brief = done.brief && task.step == 0;
        self.append(task, worker::started(task.step));
        if !brief {
            return Next::More;
        }
        self.seen.count("an attempt was brief");
        if leaving {
            return self.leave(task);
        }
        loop {
            match self.step(id, task, true) {
                Next::More => {}
                next => return next,
            }
        }
    }

    /// Writes a checkpoint, as a worker does that is to leave.
    fn leave(&mut self, task: &mut Task) -> Next {
        let step = task.step;
        self.tell_losses(task);
        self.keep_checkpoint(task);
        self.append(task, JournalEvent::Checkpoint { step });
        self.append(task, JournalEvent::Stopped { step });
        Next::Over
    }

    /// A step of training, and what is written after it. In a `brief` attempt only its end is.
    fn step(&mut self, id: u32, task: &mut Task, brief: bool) -> Next {
        task.step += 1;
        task.losses += 1;
        let (attempt, step) = (task.attempt, task.step);
        let done = self.deeds.job(attempt.job);
        let steps = done.steps;
        let fails = match done.nature {
            Nature::Sound => None,
            Nature::Always(kind) => Some(kind),
            Nature::Once(kind) => (attempt.number == 1).then_some(kind),
        };
        let slot = self.workers.get(&id).map(|worker| worker.slot);
        let spoilt = slot.is_some_and(|slot| self.setting.bad == Some(slot))
            && self.strikes(self.faults.spoil, "a slot was bad");
        let fails = fails.or(spoilt.then_some(FailureKind::Bug));
        if !brief && self.draws.chance(0.3) {
            self.tell_losses(task);
            self.append(task, worker::metrics(step));
        }
        if self.draws.chance(if brief { 0.05 } else { 0.2 }) {
            self.append(task, JournalEvent::Note { text: "a word".to_owned() });
        }
        if !task.damaged && self.strikes(self.faults.damage, "a journal was damaged") {
            task.damage();
        }
        if let Some(kind) = fails.filter(|_| step >= steps.min(2)) {
            self.tell_losses(task);
            self.append(task, failed(kind, step));
            return Next::Over;
        }
        if step >= steps {
            self.tell_losses(task);
            self.append(task, worker::succeeded(attempt.job, steps));
            return Next::Over;
        }
        if brief {
            return Next::More;
        }
        if self.draws.chance(0.4) {
            self.keep_checkpoint(task);
            // It is on disk, and nobody knows.
            if self
                .strikes(self.faults.die, "a worker died between a checkpoint and the word of it")
            {
                return Next::Died;
            }
            self.tell_losses(task);
            self.append(task, JournalEvent::Checkpoint { step });
        }
        let beat = Beat { attempt, step, steps, loss: None, images_per_second: 1.0 };
        self.say(id, WorkerReport::Beat(beat));
        Next::More
    }

    /// The checkpoint is whole; a power cut may still bring the one before it back.
    fn keep_checkpoint(&mut self, task: &Task) {
        self.deeds.job_mut(task.attempt.job).checkpoint = task.step;
    }

    fn tell_losses(&mut self, task: &mut Task) {
        if task.losses > 0 {
            let event = worker::losses(task.step, task.losses);
            task.losses = 0;
            self.append(task, event);
        }
    }

    fn append(&mut self, task: &mut Task, event: JournalEvent) {
        self.note(|| format!("journal of {}: {event:?}", task.attempt));
        let AttemptKey { job, number } = task.attempt;
        let now = self.time.now();
        let late = event.is_terminal() && self.running(job) != Some(number);
        let done = self.deeds.job_mut(job);
        if let JournalEvent::Checkpoint { step } = &event {
            done.synced_checkpoint = *step;
        }
        if task.append(event, now, done) {
            self.seen.count("an end was not synced");
        }
        if late {
            done.late.insert(number);
        }
    }

    /// The number of the attempt of a job that runs, as the database has it.
    pub(super) fn running(&self, job: JobId) -> Option<u32> {
        self.witness.rows.get(&job).and_then(Row::running)
    }
}

fn failed(kind: FailureKind, step: u64) -> JournalEvent {
    JournalEvent::Failed { kind, message: "it broke".to_owned(), step }
}
