//! What the rules come to for any jobs, slots and ends, held against the rules said over again.

use std::collections::{BTreeMap, BTreeSet};

use augreg_executor::SlotId;
use augreg_protocol::{FailureKind, JobState};
use augreg_spec::JobId;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Bench, SLOT, failed, gone, id, job, key, policy};
use crate::core::{Action, AttemptEnd, Core, Event, Finish, Millis, Needs, NewJob, Offer};

/// What an attempt comes to: how it ends, and whether it got further than those before it.
#[derive(Debug, Clone, Copy)]
struct Fate {
    end: Option<FailureKind>,
    checkpoint: bool,
    /// Whether a scheduler that knows it only from the database decides about the next one.
    restart: bool,
}

fn fate() -> impl Strategy<Value = Fate> {
    let kinds = FailureKind::ALL.map(|(_, kind)| kind);
    // One in nine succeeds.
    (0..9_usize, any::<bool>(), any::<bool>()).prop_map(move |(end, checkpoint, restart)| Fate {
        end: kinds.get(end.saturating_sub(1)).copied().filter(|_| end > 0),
        checkpoint,
        restart,
    })
}

/// The rules of retrying, as the design has them.
#[derive(Debug, Default)]
struct Rules {
    job: Option<NewJob>,
    state: Option<JobState>,
}

impl Rules {
    fn take(&mut self, Fate { end, checkpoint, .. }: Fate) {
        let job = self.job.get_or_insert_with(|| job("a"));
        job.attempts += 1;
        if checkpoint {
            job.checkpoint += 1;
            job.losses = 0;
        }
        let ends = match end {
            None => return self.state = Some(JobState::Succeeded),
            Some(FailureKind::Diverged | FailureKind::Data) => true,
            Some(FailureKind::Preempted) => false,
            Some(FailureKind::Lost | FailureKind::Timeout) => {
                job.losses += 1;
                job.losses == 3
            }
            Some(FailureKind::OutOfMemory) => {
                job.out_of_memory += 1;
                job.out_of_memory == 2
            }
            Some(FailureKind::Bug) => {
                job.bugs += 1;
                job.bugs == 2
            }
        };
        self.state = ends.then_some(JobState::Failed);
    }
}

/// A slot's worker that ends whatever it is handed at once; the order in which it is handed things.
fn work_off(offers: &[Offer], jobs: &[NewJob]) -> (Vec<(SlotId, JobId)>, Option<Finish>) {
    let slots = (0..).map(SlotId).zip(offers.iter().copied());
    let mut bench = Bench { core: Core::new(policy(), slots), now: Millis(0) };
    let mut todo = vec![Event::JobsAdded(jobs.to_vec())];
    let (mut handed, mut finish) = (Vec::new(), None);
    while let Some(event) = todo.pop() {
        for action in bench.send(event) {
            match action {
                Action::StartWorker { slot } => todo.push(Event::WorkerReady { slot }),
                Action::Assign { slot, attempt } => {
                    handed.push((slot, attempt.job));
                    todo.push(Event::WorkerFree { slot });
                    todo.push(Event::AttemptEnded { attempt, end: AttemptEnd::Succeeded });
                }
                Action::StopWorker { slot } | Action::KillWorker { slot, .. } => {
                    todo.push(gone(slot));
                }
                Action::Finish(end) => finish = Some(end),
                _ => {}
            }
        }
    }
    (handed, finish)
}

fn jobs(most: usize) -> impl Strategy<Value = Vec<NewJob>> {
    let drawn = (-1_i64..2, 0_u8..4, 0_u32..3, 0_u64..3);
    vec(drawn, 0..most).prop_map(|drawn| {
        let drawn = drawn.into_iter().enumerate();
        let new = |(at, (priority, flops, gpus, memory)): (usize, _)| NewJob {
            priority,
            flops: f64::from(flops),
            needs: Needs { gpus, memory },
            ..job(&at.to_string())
        };
        drawn.map(new).collect()
    })
}

fn offers() -> impl Strategy<Value = Vec<Offer>> {
    let memory = prop_oneof![Just(None), (0_u64..3).prop_map(Some)];
    vec((0_u32..3, memory).prop_map(|(gpus, memory)| Offer { gpus, memory }), 1..5)
}

/// Whether a job comes before another.
fn comes_before(one: &NewJob, other: &NewJob) -> bool {
    let rank = |job: &NewJob| (-job.priority, -(job.flops as i64), job.id);
    rank(one) < rank(other)
}

fn fits(job: &NewJob, offer: Offer) -> bool {
    offer.gpus >= job.needs.gpus && offer.memory.is_none_or(|memory| memory >= job.needs.memory)
}

proptest! {
    #[test]
    fn a_job_is_tried_as_often_as_the_rules_say_whoever_decides_it(fates in vec(fate(), 1..25)) {
        let mut rules = Rules::default();
        let mut bench = Bench::busy();
        for (number, fate) in (1..).zip(fates) {
            let attempt = key("a", number);
            rules.take(fate);
            if fate.checkpoint {
                let step = u64::from(number);
                bench.send(Event::Checkpointed { attempt, step });
            }
            let end = fate.end.map_or(AttemptEnd::Succeeded, failed);
            let actions = bench.end(attempt, end);
            let state = rules.state.unwrap_or(JobState::Queued);
            prop_assert!(actions.contains(&Action::SetJobState { job: id("a"), state }), "{rules:?}");
            if rules.state.is_some() {
                prop_assert_eq!(bench.core.counts().left(), 0);
                return Ok(());
            }
            bench.send(gone(SLOT));
            if fate.restart {
                bench = Bench::new(1);
                let job = rules.job.clone().map(|job| NewJob { checkpoint: u64::from(number), ..job });
                bench.send(Event::JobsAdded(job.into_iter().collect()));
                bench.send(Event::WorkerReady { slot: SLOT });
                prop_assert_eq!(bench.core.slot_of(key("a", number + 1)), Some(SLOT));
            } else {
                prop_assert_eq!(bench.next_attempt(), key("a", number + 1));
            }
        }
    }

    #[test]
    fn every_slot_gets_the_first_job_that_fits_it_and_no_other(jobs in jobs(20), offers in offers()) {
        let (handed, finish) = work_off(&offers, &jobs);
        let by_id: BTreeMap<_, _> = jobs.iter().map(|job| (job.id, job)).collect();
        let mut left: BTreeSet<_> = by_id.keys().copied().collect();
        for (slot, id) in handed {
            let (offer, job) = (offers[slot.0 as usize], by_id[&id]);
            prop_assert!(left.remove(&id) && fits(job, offer), "{job:?} on {offer:?}");
            let passed_over =
                left.iter().map(|id| by_id[id]).find(|other| fits(other, offer) && comes_before(other, job));
            prop_assert!(passed_over.is_none(), "{job:?} before {passed_over:?} on {offer:?}");
        }
        prop_assert!(left.iter().all(|id| !offers.iter().any(|offer| fits(by_id[id], *offer))));
        let unfit = left.len();
        let expected = if unfit == 0 { Finish::Done } else { Finish::Left { unfit, waiting: 0 } };
        prop_assert_eq!(finish, Some(expected));
    }
}
