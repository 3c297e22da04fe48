//! What workers do, act by act.

use augreg_executor::WorkerReport;
use augreg_protocol::{AttemptKey, Beat, FailureKind, JournalEvent};
use augreg_spec::JobId;

use super::witness::Row;
use super::worker::{self, Known, Life, Nature, Task};
use super::world::{Happening, Line, World};

/// How long a worker waits for the lock of a job, in milliseconds.
const PATIENCE: u64 = 60_000;

impl World {
    /// Something reaches a worker.
    pub(super) fn reach(&mut self, id: u32, line: Line) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        let idle = worker.life == Life::Up && worker.task.is_none() && worker.inbox.is_empty();
        match line {
            Line::Run(attempt) => worker.inbox.push(attempt),
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
        let leaving = worker.leaving;
        let rising = worker.life == Life::Rising;
        if rising && self.strikes(self.faults.refuse, "a worker was refused") {
            self.say(id, WorkerReport::Refused { why: "it is of version 9".to_owned() });
            self.workers.remove(&id);
            return;
        }
        let Some(worker) = self.workers.get_mut(&id) else { return };
        if worker.life == Life::Rising {
            worker.life = Life::Up;
            self.say(id, WorkerReport::Ready { pid: id });
        } else if worker.task.is_some() {
            self.work(id, leaving);
        } else if !worker.inbox.is_empty() {
            let attempt = worker.inbox.remove(0);
            self.begin(id, attempt);
        } else if leaving {
            return self.die(id, "it left with status 0");
        } else {
            return; // Whatever is sent to it wakes it.
        }
        // One that is cut off has all the time in the world.
        let pause = if cut_off { self.between(50, 20_000) } else { self.between(50, 1500) };
        self.time.after(pause, Happening::Act { worker: id });
    }

    fn begin(&mut self, id: u32, attempt: AttemptKey) {
        let folder = self.folder(attempt.job);
        let now = self.time.now();
        let task = if self.disk_full { None } else { Task::begin(&folder, attempt, now) };
        match task {
            None => self.say(id, WorkerReport::Ended { attempt }),
            Some(task) => {
                if let Some(worker) = self.workers.get_mut(&id) {
                    worker.task = Some(task);
                }
            }
        }
    }

    fn work(&mut self, id: u32, leaving: bool) {
        let Some(mut task) = self.workers.get_mut(&id).and_then(|worker| worker.task.take()) else {
            return;
        };
        let goes_on = self.further(id, &mut task, leaving);
        let attempt = task.attempt;
        if goes_on {
            if let Some(worker) = self.workers.get_mut(&id) {
                worker.task = Some(task);
            }
            return;
        }
        drop(task);
        // Between the result and the word of it.
        let what = "a worker died between a result and the word of it";
        if self.strikes(self.faults.die, what) {
            self.die(id, "killed by signal 11 after its attempt");
        } else {
            self.say(id, WorkerReport::Ended { attempt });
        }
    }

    /// One act of an attempt. Returns whether there are more.
    fn further(&mut self, id: u32, task: &mut Task, leaving: bool) -> bool {
        let attempt = task.attempt;
        let folder = self.folder(attempt.job);
        if self.disk_full {
            return false; // Neither a journal nor a checkpoint can be written.
        }
        let waited = self.time.now() - task.since;
        let checkpoint = self.deeds.job(attempt.job).checkpoint;
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
            }
            return !(leaving || waited > PATIENCE);
        }
        if !began {
            // That an attempt lives is told by its lock. Of one that has it only after its scheduler's
            // end, or its own, nobody can know; the lock keeps it apart from the next.
            let over = self.running(attempt.job) != Some(attempt.number);
            if let Some(worker) = self.workers.get_mut(&id) {
                worker.given_up |= over || worker.scheduler <= self.fallen;
            }
            task.step = checkpoint;
            self.append(task, worker::started(checkpoint));
            return true;
        }
        if leaving {
            let step = task.step;
            self.append(task, JournalEvent::Checkpoint { step });
            self.append(task, JournalEvent::Stopped { step });
            return false;
        }
        task.step += 1;
        self.step(id, task)
    }

    fn step(&mut self, id: u32, task: &mut Task) -> bool {
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
        if self.draws.chance(0.5) {
            self.append(task, worker::metrics(step));
        }
        if self.draws.chance(0.2) {
            self.append(task, JournalEvent::Note { text: "a word".to_owned() });
        }
        if let Some(kind) = fails.filter(|_| step >= steps.min(2)) {
            self.append(task, failed(kind, step));
            return false;
        }
        if step >= steps {
            self.append(task, worker::succeeded(attempt.job, steps));
            return false;
        }
        if self.draws.chance(0.4) {
            self.append(task, JournalEvent::Checkpoint { step });
        }
        let beat = Beat { attempt, step, steps, loss: None, images_per_second: 1.0 };
        self.say(id, WorkerReport::Beat(beat));
        true
    }

    fn append(&mut self, task: &mut Task, event: JournalEvent) {
        self.note(|| format!("journal of {}: {event:?}", task.attempt));
        let AttemptKey { job, number } = task.attempt;
        let late = event.is_terminal() && self.running(job) != Some(number);
        let done = self.deeds.job_mut(job);
        task.append(event, done);
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
