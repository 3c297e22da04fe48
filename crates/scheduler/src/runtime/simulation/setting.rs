//! What a schedule plays with: slots and what they offer, jobs and what they need, who waits for whom.
//! All of it from the seed, none of it in the database: the scheduler is told as it would be by one.

use std::collections::BTreeMap;

use augreg_executor::SlotId;
use augreg_protocol::FailureKind;
use augreg_spec::JobId;
use augreg_spec::random::Stream;
use augreg_store::PendingJob;

use super::worker::{Done, Nature};
use crate::core::{Needs, NewJob, Offer};

/// Memory of the larger slots, and of jobs that need one.
const LARGE: u64 = 80 << 30;

/// What a job is to the scheduler.
#[derive(Debug, Clone, Copy)]
pub(super) struct Role {
    pub(super) parent: Option<JobId>,
    pub(super) needs: Needs,
    pub(super) priority: i64,
    flops: f64,
}

#[derive(Debug)]
pub(super) struct Setting {
    pub(super) slots: BTreeMap<SlotId, Offer>,
    pub(super) roles: BTreeMap<JobId, Role>,
    /// A slot on which most jobs fail.
    pub(super) bad: Option<SlotId>,
    /// Whatever is tried fails alike, until a person mends it.
    pub(super) storm: bool,
    /// Jobs take milliseconds, most of them.
    brief: bool,
    /// Workers whose scheduler is gone finish what they are at.
    pub(super) finishes: bool,
}

impl Setting {
    pub(super) fn draw(draws: &mut Stream, jobs: &[JobId]) -> Self {
        let slots = 1 + draws.below(4);
        let (classes, family) = (draws.chance(0.25), draws.chance(0.3));
        let offer = |draws: &mut Stream| {
            let large = draws.chance(0.5);
            let memory = Some(if large { LARGE } else { LARGE / 10 });
            if classes { Offer { gpus: draws.below(2), memory } } else { Offer::default() }
        };
        let slots: BTreeMap<_, _> = (0..slots).map(|id| (SlotId(id), offer(draws))).collect();
        let mut roles = BTreeMap::new();
        for (at, id) in jobs.iter().enumerate() {
            let before = (at > 0 && family && draws.chance(0.5))
                .then(|| jobs[draws.below(at as u32) as usize]);
            let needs = Needs {
                gpus: u32::from(classes && draws.chance(0.4)),
                memory: if classes && draws.chance(0.4) { LARGE } else { 0 },
            };
            let priority = i64::from(draws.below(3)) - 1;
            let flops = f64::from(draws.below(4));
            roles.insert(*id, Role { parent: before, needs, priority, flops });
        }
        let bad = (slots.len() > 1 && jobs.len() > 2 && draws.chance(0.7))
            .then(|| SlotId(draws.below(slots.len() as u32)));
        let storm = jobs.len() > 20 && draws.chance(0.5);
        let (brief, finishes) = (draws.chance(0.4), draws.chance(0.3));
        Self { slots, roles, bad, storm, brief, finishes }
    }

    /// What becomes of each job when it is executed.
    pub(super) fn natures(&self, draws: &mut Stream) -> BTreeMap<JobId, Done> {
        let storm = Nature::Always(FailureKind::Bug);
        let mut done = || {
            let nature = if self.storm { storm } else { nature(draws) };
            let steps = 1 + u64::from(draws.below(5));
            Done::new(nature, steps, self.brief && draws.chance(0.8))
        };
        self.roles.keys().map(|id| (*id, done())).collect()
    }

    /// Tells of a job what a database would that knew of parents and priorities. `succeeded` says
    /// which jobs have.
    pub(super) fn complete(&self, job: &mut PendingJob, succeeded: impl Fn(&JobId) -> bool) {
        if let Some(role) = self.roles.get(&job.job) {
            job.parent = role.parent.filter(|parent| !succeeded(parent));
            (job.priority, job.flops) = (role.priority, role.flops);
        }
    }

    /// The same for what a job needs.
    pub(super) fn equip(&self, job: &mut NewJob) {
        job.needs = self.roles.get(&job.id).map_or(job.needs, |role| role.needs);
    }

    pub(super) fn fits(&self, job: JobId, slot: SlotId) -> bool {
        let (role, offer) = (self.roles.get(&job), self.slots.get(&slot));
        let (Some(Role { needs, .. }), Some(offer)) = (role, offer) else { return false };
        offer.gpus >= needs.gpus && offer.memory.is_none_or(|memory| memory >= needs.memory)
    }

    /// Whether any slot fits a job.
    pub(super) fn fits_any(&self, job: JobId) -> bool {
        self.slots.keys().any(|slot| self.fits(job, *slot))
    }

    /// Whether a job is to be handed out before another.
    pub(super) fn comes_before(&self, job: JobId, other: JobId) -> bool {
        let rank = |id: JobId| self.roles.get(&id).map(|role| (role.priority, role.flops));
        rank(job) > rank(other)
    }
}

fn nature(draws: &mut Stream) -> Nature {
    use FailureKind::{Bug, Data, Diverged, OutOfMemory};
    match draws.below(16) {
        0 => Nature::Always(Diverged),
        1 => Nature::Always(Data),
        2 => Nature::Always(OutOfMemory),
        3 => Nature::Always(Bug),
        4 => Nature::Once(OutOfMemory),
        5 => Nature::Once(Bug),
        _ => Nature::Sound,
    }
}
