//! What always holds of the core, whatever workers do: a hostile little world, played from a seed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use augreg_executor::SlotId;
use augreg_protocol::{AttemptKey, FailureKind, JobState};
use augreg_spec::JobId;
use augreg_spec::random::{Purpose, Stream, stream};
use proptest::prelude::*;

use crate::core::{
    Action, AttemptEnd, Core, Event, Finish, Millis, Needs, NewJob, Offer, Pauser, Policy,
};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Worker {
    Starting,
    Idle,
    Busy(AttemptKey, u64),
}

#[derive(Debug, Default)]
struct History {
    live: Option<u32>,
    last: u32,
    state: Option<JobState>,
    checkpoint: u64,
    losses: u32,
    bugs: u32,
    out_of_memory: u32,
}

/// Workers as the world has them, and what the core has been seen to decide.
struct World {
    core: Core,
    /// Hears every word twice that may come twice, and must decide the same.
    twin: Core,
    now: Millis,
    draws: Stream,
    workers: BTreeMap<SlotId, Worker>,
    /// What busy workers were handed ahead of time.
    ahead: BTreeMap<SlotId, VecDeque<AttemptKey>>,
    /// Slots told to leave.
    told: BTreeSet<SlotId>,
    /// Slots whose worker was killed, to be reported before time goes on.
    killed: Vec<SlotId>,
    jobs: BTreeMap<JobId, History>,
    /// Events that were delivered, some of which come again.
    old: Vec<Event>,
    finish: Option<Finish>,
    policy: Policy,
}

impl World {
    fn new(seed: u64, slots: u32, jobs: u32) -> Self {
        let ahead = Duration::from_secs(30 * (seed % 2));
        let policy = Policy { ahead, seed, ..Policy::default() };
        let core = || {
            let offers = (0..slots).map(|slot| (SlotId(slot), Offer::default()));
            Core::new(policy.clone(), offers)
        };
        let mut world = Self {
            core: core(),
            twin: core(),
            now: Millis(0),
            draws: stream(seed, Purpose::Backoff, 0, 0),
            workers: BTreeMap::new(),
            ahead: BTreeMap::new(),
            told: BTreeSet::new(),
            killed: Vec::new(),
            jobs: BTreeMap::new(),
            old: Vec::new(),
            finish: None,
            policy,
        };
        let new = |i: u32| NewJob {
            id: JobId::of(&i.to_string()),
            priority: i64::from(i % 3),
            flops: f64::from(i % 5),
            parent: None,
            needs: Needs::default(),
            attempts: 0,
            live: false,
            wanted: true,
            checkpoint: 0,
            losses: 0,
            out_of_memory: 0,
            bugs: 0,
        };
        let new: Vec<_> = (0..jobs).map(new).collect();
        world.jobs.extend(new.iter().map(|job| (job.id, History::default())));
        world.send(Event::JobsAdded(new));
        world
    }

    fn send(&mut self, event: Event) {
        if let Event::Checkpointed { attempt, step } = event {
            let job = self.jobs.get_mut(&attempt.job).expect("known");
            if job.live == Some(attempt.number) && step > job.checkpoint {
                (job.checkpoint, job.losses) = (step, 0);
            }
        }
        let actions = self.core.handle(self.now, event.clone());
        assert_eq!(self.twin.handle(self.now, event.clone()), actions, "after {event:?}");
        // The executor tells a worker's end once; another worker may have its place by then.
        if !matches!(event, Event::WorkerGone { .. }) {
            let mut again = self.twin.handle(self.now, event.clone());
            again.retain(|action| !matches!(action, Action::Audit { .. }));
            assert_eq!(again, [], "{event:?} came twice");
        }
        self.old.push(event);
        let explained =
            actions.iter().filter(|action| matches!(action, Action::Audit { .. })).count();
        let decided =
            |action: &&Action| matches!(action, Action::Assign { .. } | Action::SetJobState { .. });
        assert!(explained >= actions.iter().filter(decided).count(), "unexplained: {actions:?}");
        for action in actions {
            self.take(action);
        }

        let idle = |(slot, worker): (&SlotId, &Worker)| {
            *worker == Worker::Idle && !self.told.contains(slot) && self.core.has_work_for(*slot)
        };
        assert!(!self.workers.iter().any(idle), "a slot idles");
    }

    fn take(&mut self, action: Action) {
        assert_eq!(self.finish, None, "nothing follows the end");
        match action {
            Action::StartWorker { slot } => {
                assert_eq!(self.workers.insert(slot, Worker::Starting), None, "{slot} had one");
                self.told.remove(&slot);
            }
            Action::Assign { slot, attempt } => {
                let job = self.jobs.get_mut(&attempt.job).expect("known");
                assert_eq!(job.live.replace(attempt.number), None, "twice at once");
                assert_eq!(attempt.number, job.last + 1);
                assert!(job.state.is_none_or(|state| state == JobState::Queued));
                (job.last, job.state) = (attempt.number, Some(JobState::Running));
                match self.workers.get_mut(&slot).expect("a worker") {
                    Worker::Starting => panic!("{slot} has not said hello"),
                    worker @ Worker::Idle => *worker = Worker::Busy(attempt, 0),
                    Worker::Busy(..) => self.ahead.entry(slot).or_default().push_back(attempt),
                }
            }
            Action::Begun { attempt } => panic!("nobody else places {attempt}"),
            Action::EndAttempt { attempt, end } => {
                let job = self.jobs.get_mut(&attempt.job).expect("known");
                assert_eq!(job.live.take(), Some(attempt.number), "ended twice");
                let AttemptEnd::Failed { kind, .. } = end else { return };
                match kind {
                    FailureKind::Lost | FailureKind::Timeout => job.losses += 1,
                    FailureKind::Bug => job.bugs += 1,
                    FailureKind::OutOfMemory => job.out_of_memory += 1,
                    FailureKind::Diverged | FailureKind::Data | FailureKind::Preempted => {}
                }
                assert!(job.losses <= self.policy.losses);
                assert!(job.bugs <= self.policy.bug_retries + 1);
                assert!(job.out_of_memory <= self.policy.memory_retries + 1);
            }
            Action::SetJobState { job, state } => {
                let job = self.jobs.get_mut(&job).expect("known");
                assert!(job.state.is_none_or(|state| !state.is_end()), "an end is an end");
                assert_eq!(job.live, None);
                job.state = Some(state);
            }
            Action::StopWorker { slot } => {
                assert!(self.workers.contains_key(&slot));
                self.told.insert(slot);
            }
            Action::KillWorker { slot, .. } => {
                assert!(self.workers.contains_key(&slot));
                self.told.insert(slot);
                self.killed.push(slot);
            }
            Action::Audit { .. } => {}
            Action::Finish(finish) => {
                assert!(self.workers.is_empty(), "a worker is left");
                self.finish = Some(finish);
            }
        }
    }

    fn gone(&mut self, slot: SlotId, out_of_memory: bool) {
        self.workers.remove(&slot);
        self.ahead.remove(&slot);
        self.killed.retain(|killed| *killed != slot);
        self.send(Event::WorkerGone { slot, why: "gone".to_owned(), out_of_memory });
    }

    /// One worker does something; with `faults` it may be anything.
    fn step(&mut self, faults: bool) {
        while let Some(slot) = self.killed.pop() {
            self.gone(slot, false);
        }
        self.now = self.now + Duration::from_millis(u64::from(self.draws.below(2000)));
        self.send(Event::Tick);
        let slots: Vec<_> = self.workers.keys().copied().collect();
        if slots.is_empty() {
            return;
        }
        let slot = slots[self.draws.below(slots.len() as u32) as usize];
        if faults && self.draws.chance(0.1) && !self.old.is_empty() {
            // An old word comes again. Only what is about attempts can: workers' ends are told by
            // the executor, which tells each once and in order.
            let again = self.old[self.draws.below(self.old.len() as u32) as usize].clone();
            if matches!(
                again,
                Event::AttemptEnded { .. } | Event::Beat { .. } | Event::JobsAdded(_)
            ) && self.is_stale(&again)
            {
                self.send(again);
            }
            return;
        }
        if faults && self.draws.chance(0.1) {
            self.person(slot);
            return;
        }
        if faults && self.draws.chance(0.1) {
            let out_of_memory = self.draws.chance(0.2);
            self.gone(slot, out_of_memory);
            return;
        }
        match self.workers[&slot] {
            _ if self.told.contains(&slot) => {
                if let Worker::Busy(attempt, _) = self.workers[&slot]
                    && self.draws.chance(0.8)
                {
                    self.send(Event::AttemptEnded { attempt, end: AttemptEnd::Stopped });
                }
                self.gone(slot, false);
            }
            Worker::Starting => {
                self.workers.insert(slot, Worker::Idle);
                self.send(Event::WorkerReady { slot });
            }
            Worker::Idle => {}
            Worker::Busy(attempt, step) => self.work(slot, attempt, step, faults),
        }
    }

    /// A person cancels, pauses, lets go on, or has a worker replaced.
    fn person(&mut self, slot: SlotId) {
        let (ids, drain) = (self.jobs.keys().copied(), self.draws.chance(0.5));
        let some: BTreeSet<_> = ids.filter(|_| self.draws.chance(0.3)).collect();
        let by = if self.draws.chance(0.5) { Pauser::Person } else { Pauser::Disk };
        let event = match self.draws.below(6) {
            5 => match some.first() {
                Some(job) => Event::Prioritize { job: *job, priority: i64::from(drain) },
                None => return,
            },
            0 => match some.first() {
                Some(job) => Event::Cancel { job: *job },
                None => return,
            },
            1 => Event::Pause { by, drain, why: "a whim".to_owned() },
            2 => Event::GoOn { by },
            3 => Event::Hold { jobs: some, drain },
            _ => Event::Recycle { slot, why: "it is old".to_owned() },
        };
        self.send(event);
    }

    /// Nobody wants anything else any more.
    fn calm_down(&mut self) {
        for by in [Pauser::Person, Pauser::Disk] {
            self.send(Event::GoOn { by });
        }
        self.send(Event::Hold { jobs: BTreeSet::new(), drain: true });
    }

    /// Whether an event speaks of an attempt that is over, or of jobs that are known.
    fn is_stale(&self, event: &Event) -> bool {
        match event {
            Event::AttemptEnded { attempt, .. } => {
                self.jobs[&attempt.job].live != Some(attempt.number)
            }
            Event::JobsAdded(jobs) => {
                jobs.iter().all(|job| self.jobs[&job.id].state.is_none_or(|state| !state.is_end()))
            }
            _ => true,
        }
    }

    fn work(&mut self, slot: SlotId, attempt: AttemptKey, step: u64, faults: bool) {
        self.workers.insert(slot, Worker::Busy(attempt, step + 1));
        self.send(Event::Beat { attempt, step: step + 1 });
        if self.workers.get(&slot) != Some(&Worker::Busy(attempt, step + 1)) {
            return;
        }
        if self.draws.chance(0.3) {
            self.send(Event::Checkpointed { attempt, step: step + 1 });
        }
        let end = if faults && self.draws.chance(0.2) {
            let kinds = FailureKind::ALL;
            let (_, kind) = kinds[self.draws.below(kinds.len() as u32) as usize];
            AttemptEnd::Failed { kind, message: "failed".to_owned() }
        } else if step >= 3 {
            AttemptEnd::Succeeded
        } else {
            return;
        };
        self.send(Event::AttemptEnded { attempt, end });
        if self.told.contains(&slot) {
            self.gone(slot, false);
        } else {
            let next = self.ahead.get_mut(&slot).and_then(VecDeque::pop_front);
            let next = next.map_or(Worker::Idle, |attempt| Worker::Busy(attempt, 0));
            self.workers.insert(slot, next);
            self.send(Event::WorkerFree { slot });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn whatever_workers_do_every_job_comes_to_one_end(
        seed: u64, slots in 1u32..4, jobs in 0u32..12, hostile in 0u32..200,
    ) {
        let mut world = World::new(seed, slots, jobs);
        for _ in 0..hostile {
            world.step(true);
        }
        world.calm_down();
        for _ in 0..20_000 {
            world.step(false);
            if world.finish.is_some() {
                break;
            }
        }
        match &world.finish {
            Some(Finish::Done) => prop_assert!(
                world.jobs.values().all(|job| job.state.is_some_and(JobState::is_end))
            ),
            // Starts failed three times in a row on every slot.
            Some(Finish::GaveUp(_)) => prop_assert!(world.jobs.values().all(|job| job.live.is_none())),
            other => prop_assert!(false, "{:?}: {:?}", other, world.jobs),
        }
        prop_assert_eq!(world.core.counts().running, 0);
    }

    #[test]
    fn stopped_at_any_moment_nothing_runs_and_every_job_is_resumable(
        seed: u64, slots in 1u32..4, jobs in 1u32..12, hostile in 0u32..100, at_once: bool,
    ) {
        let mut world = World::new(seed, slots, jobs);
        for _ in 0..hostile {
            world.step(true);
        }
        if world.finish.is_none() {
            world.send(Event::Stop);
            if at_once {
                world.send(Event::StopNow);
            }
            for _ in 0..200 {
                world.step(true);
            }
        }
        prop_assert!(world.finish.is_some());
        prop_assert!(world.jobs.values().all(|job| job.live.is_none()));
        prop_assert!(world.jobs.values().all(|job| job.state != Some(JobState::Running)));
    }
}
