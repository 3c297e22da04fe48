//! The open jobs: where each is between being heard of and its end.
//!
//! Slots are known here by name, and by whether they fit; workers not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use augreg_executor::SlotId;
use augreg_protocol::{AttemptKey, FailureKind, JobState};
use augreg_spec::JobId;

use super::fit::{Class, Fits};
use super::history::{History, Verdict};
use super::policy::Policy;
use super::queue::{Lane, Queue, Rank};
use super::words::{AttemptEnd, Millis, NewJob};

/// The attempt that a job has going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Live {
    pub(super) number: u32,
    /// None if it runs in a worker left behind by an earlier scheduler.
    pub(super) slot: Option<SlotId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// For its parent.
    Waiting,
    /// In the queue; kept from a slot that failed it until the time given.
    Ready(Option<(SlotId, Millis)>),
    /// For the end of a back-off; to be kept from a slot that failed it.
    Delayed(Millis, Option<SlotId>),
    Live(Live),
}

#[derive(Debug)]
struct Job {
    rank: Rank,
    class: Class,
    place: Place,
    history: History,
    wanted: bool,
}

impl Job {
    fn lane(&self) -> Lane {
        let avoid = match self.place {
            Place::Ready(Some((slot, _))) => Some(slot),
            _ => None,
        };
        Lane { class: self.class, avoid }
    }
}

/// How many jobs are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Wait for another job to succeed.
    pub waiting: usize,
    /// Wait for a slot or for the end of a back-off.
    pub queued: usize,
    /// Have a live attempt.
    pub running: usize,
    /// Succeeded since this core began.
    pub succeeded: usize,
    /// Failed since this core began.
    pub failed: usize,
    /// Cancelled since this core began.
    pub cancelled: usize,
}

impl Counts {
    /// Jobs that have not come to their end.
    #[must_use]
    pub fn left(&self) -> usize {
        self.waiting + self.queued + self.running
    }
}

/// What there is of a class.
#[derive(Debug, Clone, Copy, Default)]
struct Members {
    open: usize,
    /// Ready or delayed.
    queued: usize,
}

/// Every job that has not come to its end.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    open: BTreeMap<JobId, Job>,
    queue: Queue,
    /// When a back-off is over, or a job need no longer be kept from a slot.
    timers: BTreeSet<(Millis, JobId)>,
    /// Jobs whose live attempt has no slot.
    orphans: BTreeSet<JobId>,
    /// The jobs that wait for each.
    children: BTreeMap<JobId, Vec<JobId>>,
    classes: Vec<Members>,
    /// Jobs that this core saw fail or be cancelled: an attempt that was given up may finish them yet.
    failed: BTreeMap<JobId, JobState>,
    /// Jobs that are kept out of the queue.
    held: BTreeSet<JobId>,
    counts: Counts,
}

impl Jobs {
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Whether anything may still come of the jobs: one runs, or could on a slot that is left.
    pub(super) fn have_hope(&self, fits: &Fits) -> bool {
        self.counts.running > 0
            || self.unfit(fits).map(|(_, jobs)| jobs).sum::<usize>() < self.counts.queued
    }

    /// The classes that fit no slot that is left, and their queued jobs.
    pub(super) fn unfit(&self, fits: &Fits) -> impl Iterator<Item = (Class, usize)> {
        let classes = self.classes.iter().enumerate();
        classes
            .filter(|(class, members)| members.queued > 0 && fits.slots(*class) == 0)
            .map(|(class, members)| (class, members.queued))
    }

    /// Whether every class with open jobs fits another slot than this.
    pub(super) fn can_spare(&self, slot: SlotId, fits: &Fits) -> bool {
        let mut classes = self.classes.iter().enumerate().filter(|(_, members)| members.open > 0);
        classes.all(|(class, _)| fits.slots(class) == 0 || fits.has_other(class, slot))
    }

    pub(super) fn has_orphans(&self) -> bool {
        !self.orphans.is_empty()
    }

    /// Attempts that run in workers left behind by an earlier scheduler.
    pub(super) fn orphans(&self) -> Vec<AttemptKey> {
        let key = |job: &JobId| Some(AttemptKey { job: *job, number: self.live(*job)?.number });
        self.orphans.iter().filter_map(key).collect()
    }

    /// Takes in a job.
    pub(super) fn add(&mut self, new: &NewJob, fits: &mut Fits) {
        if self.open.contains_key(&new.id) || !(new.wanted || new.live) {
            return;
        }
        self.reopen(new.id);
        let class = fits.class(new.needs);
        if self.classes.len() <= class {
            self.classes.resize(class + 1, Members::default());
        }
        self.classes[class].open += 1;
        let place = match new.parent {
            _ if new.live => Place::Live(Live { number: new.attempts, slot: None }),
            Some(_) => Place::Waiting,
            None => Place::Ready(None),
        };
        if let (Place::Waiting, Some(parent)) = (place, new.parent) {
            self.children.entry(parent).or_default().push(new.id);
        }
        if new.live {
            self.orphans.insert(new.id);
        }
        let rank = Rank::new(new.priority, new.flops, new.id);
        let history = History::new(new);
        // A place that is not counted, until it is put where it belongs.
        let job = Job { rank, class, place: Place::Waiting, history, wanted: new.wanted };
        self.open.insert(new.id, job);
        self.counts.waiting += 1;
        self.put(new.id, place);
    }

    /// Jobs that wait for one that is not open, each with the one it waits for.
    pub(super) fn stranded(&self) -> impl Iterator<Item = (JobId, JobId)> {
        let gone = self.children.iter().filter(|(parent, _)| !self.open.contains_key(parent));
        gone.flat_map(|(parent, jobs)| jobs.iter().map(|job| (*job, *parent)))
    }

    /// The jobs that wait, each with the one it waits for, in the order in which they would be done.
    pub(super) fn waiting(&self) -> Vec<(JobId, JobId)> {
        let pairs =
            self.children.iter().flat_map(|(parent, jobs)| jobs.iter().map(|job| (*job, *parent)));
        let ranked = pairs.filter_map(|(id, parent)| {
            let job = self.open.get(&id).filter(|job| job.place == Place::Waiting)?;
            Some((job.rank, id, parent)).filter(|_| !self.held.contains(&id))
        });
        let mut ranked: Vec<_> = ranked.collect();
        ranked.sort_unstable();
        ranked.into_iter().map(|(_, id, parent)| (id, parent)).collect()
    }

    /// Moves a job, and everything that is counted or sorted by its place.
    fn put(&mut self, id: JobId, place: Place) {
        let Some(job) = self.open.get_mut(&id) else { return };
        let members = &mut self.classes[job.class];
        match job.place {
            Place::Waiting => self.counts.waiting -= 1,
            Place::Live(_) => self.counts.running -= 1,
            Place::Ready(_) | Place::Delayed(..) => {
                self.counts.queued -= 1;
                members.queued -= 1;
            }
        }
        match job.place {
            Place::Ready(avoid) => {
                self.queue.remove(job.lane(), &job.rank);
                if let Some((_, until)) = avoid {
                    self.timers.remove(&(until, id));
                }
            }
            Place::Delayed(at, _) => _ = self.timers.remove(&(at, id)),
            Place::Waiting | Place::Live(_) => {}
        }
        job.place = place;
        match place {
            Place::Waiting => self.counts.waiting += 1,
            Place::Live(_) => self.counts.running += 1,
            Place::Ready(_) | Place::Delayed(..) => {
                self.counts.queued += 1;
                members.queued += 1;
            }
        }
        match place {
            Place::Ready(avoid) => {
                if !self.held.contains(&id) {
                    self.queue.insert(job.lane(), job.rank);
                }
                if let Some((_, until)) = avoid {
                    self.timers.insert((until, id));
                }
            }
            Place::Delayed(at, _) => _ = self.timers.insert((at, id)),
            Place::Waiting | Place::Live(_) => {}
        }
    }

    /// Gives a job another place in the queue, or the next time that it is queued.
    pub(super) fn prioritize(&mut self, id: JobId, priority: i64) {
        let Some(job) = self.open.get_mut(&id) else { return };
        let rank = job.rank.with_priority(priority);
        if matches!(job.place, Place::Ready(_)) && !self.held.contains(&id) {
            self.queue.remove(job.lane(), &job.rank);
            self.queue.insert(job.lane(), rank);
        }
        job.rank = rank;
    }

    /// The jobs that are kept out of the queue, heard of or not.
    pub(super) fn held(&self) -> &BTreeSet<JobId> {
        &self.held
    }

    /// Keeps these jobs, and no others, out of the queue. Returns how many open jobs are new among
    /// them, and how many are so no longer.
    pub(super) fn hold(&mut self, jobs: BTreeSet<JobId>) -> (usize, usize) {
        let before = std::mem::replace(&mut self.held, jobs);
        let new: Vec<JobId> = self.held.difference(&before).copied().collect();
        let old: Vec<JobId> = before.difference(&self.held).copied().collect();
        for id in new.iter().chain(&old) {
            let Some(job) = self.open.get(id) else { continue };
            if !matches!(job.place, Place::Ready(_)) {
                continue;
            }
            if self.held.contains(id) {
                self.queue.remove(job.lane(), &job.rank);
            } else {
                self.queue.insert(job.lane(), job.rank);
            }
        }
        (new.len(), old.len())
    }

    /// Moves jobs whose back-off is over to the queue, and lets those take any slot that have waited
    /// long enough for another than the one that failed them.
    pub(super) fn wake(&mut self, now: Millis, policy: &Policy) {
        while let Some(&(at, id)) = self.timers.first()
            && at <= now
        {
            let place = self.open.get(&id).map(|job| job.place);
            let next = match place {
                Some(Place::Delayed(_, Some(slot))) => Some((slot, now + policy.elsewhere)),
                _ => None,
            };
            self.put(id, Place::Ready(next));
        }
    }

    /// When [`Self::wake`] has something to do next.
    pub(super) fn next_wake(&self) -> Option<Millis> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Takes the first job that may go to `slot` and gives it a new attempt there.
    pub(super) fn begin(&mut self, slot: SlotId, fits: &Fits) -> Option<AttemptKey> {
        let id = self.queue.first(slot, fits)?.1.job;
        let job = self.open.get_mut(&id)?;
        job.history.attempts = job.history.attempts.saturating_add(1);
        let number = job.history.attempts;
        self.put(id, Place::Live(Live { number, slot: Some(slot) }));
        Some(AttemptKey { job: id, number })
    }

    /// An attempt of a job has begun without a slot. Returns whether the job is open, was at nothing, and has
    /// had no such attempt before.
    pub(super) fn begin_elsewhere(&mut self, attempt: AttemptKey) -> bool {
        let AttemptKey { job: id, number } = attempt;
        let Some(job) = self.open.get_mut(&id) else { return false };
        if matches!(job.place, Place::Live(_)) || number <= job.history.attempts {
            return false;
        }
        job.history.attempts = number;
        self.orphans.insert(id);
        self.put(id, Place::Live(Live { number, slot: None }));
        true
    }

    /// What a job is ranked by.
    pub(super) fn rank(&self, id: JobId) -> Option<Rank> {
        self.open.get(&id).map(|job| job.rank)
    }

    /// The live attempt of a job.
    pub(super) fn live(&self, id: JobId) -> Option<Live> {
        match self.open.get(&id)?.place {
            Place::Live(live) => Some(live),
            Place::Waiting | Place::Ready(_) | Place::Delayed(..) => None,
        }
    }

    /// Whether this attempt is the live one of its job.
    pub(super) fn is_live(&self, attempt: AttemptKey) -> bool {
        self.live(attempt.job).is_some_and(|live| live.number == attempt.number)
    }

    /// Notes that the next attempt would go on from `step`.
    pub(super) fn checkpointed(&mut self, id: JobId, step: u64) {
        if let Some(job) = self.open.get_mut(&id) {
            job.history.checkpointed(step);
        }
    }

    /// Ends the live attempt of a job and decides what becomes of the job. `expected` says whether
    /// the worker had a reason to leave. Returns the verdict and why.
    pub(super) fn end(
        &mut self,
        now: Millis,
        attempt: AttemptKey,
        end: &AttemptEnd,
        expected: bool,
        policy: &Policy,
    ) -> Option<(Verdict, Option<String>)> {
        let id = attempt.job;
        let slot = self.live(id)?.slot;
        let job = self.open.get_mut(&id)?;
        let (verdict, why) = job.history.verdict(policy, attempt, end, expected);
        let verdict = match verdict {
            Verdict::Retry(_) if !job.wanted => Verdict::Leave,
            verdict => verdict,
        };
        self.orphans.remove(&id);
        match verdict {
            Verdict::Leave => _ = self.take_out(id),
            Verdict::End(state) => {
                self.close(id, state);
            }
            Verdict::Retry(Duration::ZERO) => self.put(id, Place::Ready(None)),
            Verdict::Retry(delay) => {
                let avoid = slot.filter(|_| blames_slot(end));
                self.put(id, Place::Delayed(now + delay, avoid));
            }
        }
        Some((verdict, why))
    }

    /// Takes a job out. Returns whether that was all, or it has a live attempt that must end first.
    pub(super) fn cancel(&mut self, id: JobId) -> Option<Cancelled> {
        let job = self.open.get_mut(&id)?;
        if let Place::Live(live) = job.place {
            job.history.cancelled = true;
            return Some(Cancelled::Later(live));
        }
        self.close(id, JobState::Cancelled);
        Some(Cancelled::Now)
    }

    /// Whether a job came to its end before this attempt of it, which was given up, finished it.
    pub(super) fn knows(&self, attempt: AttemptKey) -> bool {
        let open = self.open.get(&attempt.job);
        open.is_some_and(|job| (1..=job.history.attempts).contains(&attempt.number))
            || self.failed.contains_key(&attempt.job)
    }

    /// A job has succeeded, whatever was thought of it before. Returns the attempt of it that is live.
    pub(super) fn finished_late(&mut self, id: JobId) -> Option<Live> {
        let live = self.live(id);
        self.orphans.remove(&id);
        if self.open.contains_key(&id) {
            self.close(id, JobState::Succeeded);
            return live;
        }
        self.reopen(id);
        self.counts.succeeded += 1;
        None
    }

    /// Forgets that a job failed or was cancelled, if this core saw it.
    fn reopen(&mut self, id: JobId) {
        match self.failed.remove(&id) {
            Some(JobState::Cancelled) => self.counts.cancelled -= 1,
            Some(_) => self.counts.failed -= 1,
            None => {}
        }
    }

    /// The jobs that waited for one that has ended. Those of one that succeeded are queued.
    pub(super) fn after(&mut self, parent: JobId, state: JobState) -> Vec<JobId> {
        let waits = |job: &JobId| self.open.get(job).is_some_and(|j| j.place == Place::Waiting);
        if state != JobState::Succeeded {
            let children = self.children.get(&parent).into_iter().flatten();
            return children.copied().filter(waits).collect();
        }
        let mut children = self.children.remove(&parent).unwrap_or_default();
        children.retain(waits);
        for job in &children {
            self.put(*job, Place::Ready(None));
        }
        children
    }

    fn take_out(&mut self, id: JobId) -> bool {
        // Out of the queue, the timers and their counts; then out of what is left.
        self.put(id, Place::Waiting);
        let Some(job) = self.open.remove(&id) else { return false };
        self.counts.waiting -= 1;
        self.classes[job.class].open -= 1;
        true
    }

    fn close(&mut self, id: JobId, state: JobState) {
        if !self.take_out(id) {
            return;
        }
        match state {
            JobState::Succeeded => self.counts.succeeded += 1,
            JobState::Cancelled => self.counts.cancelled += 1,
            _ => self.counts.failed += 1,
        }
        if state != JobState::Succeeded {
            self.failed.insert(id, state);
        }
    }
}

/// Whether an attempt's end leaves open what became of it.
fn is_loss(end: &AttemptEnd) -> bool {
    use FailureKind::{Lost, Timeout};
    matches!(end, AttemptEnd::Failed { kind: Lost | Timeout, .. })
}

/// Whether the slot may be at fault for how an attempt ended.
pub(super) fn blames_slot(end: &AttemptEnd) -> bool {
    use FailureKind::{Bug, OutOfMemory};
    is_loss(end) || matches!(end, AttemptEnd::Failed { kind: Bug | OutOfMemory, .. })
}

/// Whether a job is out, or will be when its live attempt has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cancelled {
    Now,
    Later(Live),
}
