//! What is handed out, held back, and when the run is over.

use std::collections::BTreeSet;

use augreg_executor::SlotId;
use augreg_spec::JobId;

use super::breaker::Turn;
use super::slots::{Busy, Seat};
use super::state::{Core, Phase};
use super::words::{Action, Finish, Millis, Pauser};

impl Core {
    pub(super) fn pause(&mut self, by: Pauser, drain: bool, why: &str) {
        if !self.pauses.begin(by, drain) {
            return;
        }
        let (what, follows) = match by {
            Pauser::Disk => ("disk-full", "nothing is handed out until there is room"),
            Pauser::Person if drain => {
                ("paused", "attempts go on to their ends, nothing more is handed out")
            }
            Pauser::Person => ("paused", "workers write checkpoints and leave"),
        };
        self.audit(None, what, format!("{why}: {follows}"));
        if by == Pauser::Person && !drain && self.phase == Phase::Running {
            for slot in self.slots.occupied().clone() {
                self.stop_worker(slot);
            }
        }
    }

    pub(super) fn go_on(&mut self, by: Pauser) {
        if !self.pauses.end(by) {
            return;
        }
        let (what, mut reason) = match by {
            Pauser::Disk => ("disk-has-room", "the disk has room again".to_owned()),
            Pauser::Person => ("unpaused", "a person lets the run go on".to_owned()),
        };
        if self.pauses.any() {
            reason += ", but there is another reason to pause";
        }
        self.audit(None, what, reason);
    }

    /// Holds back these jobs and no others. Those of them that run are told to stop, unless they may
    /// go on to their ends.
    pub(super) fn hold(&mut self, jobs: BTreeSet<JobId>, drain: bool) {
        let (held, released) = self.jobs.hold(jobs);
        if held == 0 && released == 0 {
            return;
        }
        let held_back = self.jobs.held().len();
        let reason = format!("{held_back} jobs of paused sweeps wait for `augreg unpause`");
        self.audit(None, if held > 0 { "held-back" } else { "released" }, reason);
        if !drain && self.phase == Phase::Running {
            let live = |job: &JobId| self.jobs.live(*job)?.slot;
            let slots: Vec<_> = self.jobs.held().iter().filter_map(live).collect();
            for slot in slots {
                self.stop_worker(slot);
            }
        }
    }

    /// Lets workers go that have nothing to do while a person's pause lasts.
    pub(super) fn rest(&mut self) {
        let all_held = || !self.jobs.held().is_empty() && self.jobs.queue().len() == 0;
        if self.phase == Phase::Running && (self.pauses.empties_slots() || all_held()) {
            for slot in self.slots.idle().clone() {
                self.stop_worker(slot);
            }
        }
    }

    /// Follows the breaker.
    pub(super) fn turn(&mut self, turn: Turn) {
        match turn {
            Turn::None => {}
            Turn::Tripped(why) => self.audit(None, "slowed-down", why),
            Turn::Reset => {
                let reason = "an attempt got further than those before it: all go on".to_owned();
                self.audit(None, "sped-up", reason);
            }
            Turn::Hopeless(why) => {
                let reason = format!(
                    "{why}; the jobs that are left stay queued: mend it, then `augreg retry` and \
                     `augreg resume`"
                );
                self.audit(None, "gave-up", reason);
                self.leave(Finish::AllFail(why));
            }
        }
    }

    /// Hands the first jobs of the queue to workers.
    pub(super) fn dispatch(&mut self) {
        let now = self.now();
        self.jobs.wake(now, &self.policy);
        let turn = self.breaker.look(now, &self.policy);
        self.turn(turn);
        if self.elsewhere || !self.is_running() || self.jobs.queue().len() == 0 {
            return;
        }
        self.hand_out(now);
        self.hand_ahead(now);
    }

    /// Hands jobs to idle workers, those of least use to others first.
    fn hand_out(&mut self, now: Millis) {
        let mut idle: Vec<_> = self.slots.idle().iter().copied().collect();
        idle.sort_by_key(|id| self.fits.rank(*id));
        for id in idle {
            if !self.breaker.lets_pass(now) {
                return;
            }
            let Some(attempt) = self.jobs.begin(id, &self.fits) else { continue };
            self.breaker.pass(attempt, now);
            self.slots.change(id, |slot| slot.seat = Seat::Busy(Busy::new(attempt, now)));
            self.actions.push(Action::Assign { slot: id, attempt });
            self.audit(Some(attempt), "started", format!("first of the queue; {id} is free"));
        }
    }

    /// Hands workers that finish jobs within milliseconds more of them, none of which is expected to
    /// take longer; each its share, so that none has jobs in hand while another idles.
    fn hand_ahead(&mut self, now: Millis) {
        if self.breaker.is_cautious() {
            return;
        }
        let swift = self.slots.swift().clone();
        // What one is handed may have been what kept another from its share.
        while swift.iter().map(|id| self.hand_share(*id, now)).sum::<usize>() > 0 {}
    }

    /// Hands the worker on a slot what it lacks of its share. Returns how many jobs those were.
    fn hand_share(&mut self, id: SlotId, now: Millis) -> usize {
        let Some(slot) = self.slots.get(id) else { return 0 };
        let Some(pace) = slot.pace else { return 0 };
        let share = self.jobs.queue().len() / self.fits.left().max(1);
        let missing = slot.depth(&self.policy).min(share).saturating_sub(slot.ahead.len());
        for handed in 0..missing {
            let next = self.jobs.queue().first(id, &self.fits);
            if next.is_none_or(|(_, rank)| rank.is_longer(&pace.rank)) {
                return handed;
            }
            let Some(attempt) = self.jobs.begin(id, &self.fits) else { return handed };
            self.breaker.pass(attempt, now);
            self.slots.change(id, |slot| slot.ahead.push_back(attempt));
            self.actions.push(Action::Assign { slot: id, attempt });
            let reason = format!("first of the queue; {id} will be free in a moment");
            self.audit(Some(attempt), "started", reason);
        }
        missing
    }

    /// Starts as many workers as there are jobs for them.
    pub(super) fn start_workers(&mut self) {
        let now = self.now();
        if self.elsewhere || !self.is_running() || self.jobs.queue().len() == 0 {
            return;
        }
        let mut wanted = self.jobs.queue().wanting(
            self.slots.starting().iter().copied(),
            self.slots.startable(now),
            &self.fits,
        );
        if self.breaker.is_cautious() {
            // An idle worker that no job fits tries none.
            let fit = |id: &&SlotId| self.jobs.queue().first(**id, &self.fits).is_some();
            let idle = self.slots.idle().iter().filter(fit).count();
            let enough = self.slots.starting().len() + idle;
            wanted.truncate(1_usize.saturating_sub(enough));
        }
        for id in wanted {
            self.slots.change(id, |slot| {
                slot.seat = Seat::Starting { since: now };
                slot.leaving = None;
            });
            self.actions.push(Action::StartWorker { slot: id });
        }
    }

    /// Says once of each class of jobs that no slot fits them.
    pub(super) fn tell_unfit(&mut self) {
        if self.elsewhere || self.phase != Phase::Running {
            return;
        }
        let unfit = self.jobs.unfit(&self.fits);
        let new: Vec<_> = unfit.filter(|(class, _)| !self.told_unfit.contains(class)).collect();
        for (class, jobs) in new {
            self.told_unfit.insert(class);
            let needs = self.fits.needs(class);
            let memory = match needs.memory {
                0 => String::new(),
                bytes => format!(" with {:.1} GB of memory", bytes as f64 / 1e9),
            };
            let reason = format!(
                "{jobs} jobs fit no slot of this run and stay queued: they need {} GPUs{memory}",
                needs.gpus
            );
            self.audit(None, "fits-nowhere", reason);
        }
    }

    /// Lets every worker leave; `finish` says why, unless there was a reason already.
    pub(super) fn leave(&mut self, finish: Finish) {
        if self.phase != Phase::Running {
            return;
        }
        let orphans_until = self.now() + self.policy.stop_grace;
        self.phase = Phase::Leaving { finish, orphans_until };
        for slot in self.slots.occupied().clone() {
            self.stop_worker(slot);
        }
    }

    /// Whether anything may still come of the jobs that are left.
    fn has_hope(&self) -> bool {
        let counts = self.jobs.counts();
        if self.elsewhere {
            counts.queued + counts.running > 0
        } else {
            self.jobs.have_hope(&self.fits)
        }
    }

    /// Leaves when there is nothing more to do, finishes when everybody has left.
    pub(super) fn wind_up(&mut self) {
        let expects = self.expects && self.jobs.is_empty();
        if self.phase == Phase::Running && self.begun && !expects && !self.has_hope() {
            let counts = self.jobs.counts();
            let (unfit, waiting) = (counts.queued, counts.waiting);
            let all = self.jobs.is_empty();
            self.leave(if all { Finish::Done } else { Finish::Left { unfit, waiting } });
        }
        let Phase::Leaving { finish, orphans_until } = &self.phase else { return };
        if !self.slots.occupied().is_empty() {
            return;
        }
        let finish = finish.clone();
        // What runs elsewhere goes on there.
        if self.jobs.has_orphans() && !self.elsewhere {
            if self.now() < *orphans_until {
                return;
            }
            // Whoever works on them still may finish: the next scheduler sees to them.
            for attempt in self.jobs.orphans() {
                let reason = "the worker of an earlier scheduler still executes it".to_owned();
                self.audit(Some(attempt), "left-running", reason);
            }
        }
        self.phase = Phase::Over;
        self.audit(None, "finished", finish.to_string());
        self.actions.push(Action::Finish(finish));
    }
}
