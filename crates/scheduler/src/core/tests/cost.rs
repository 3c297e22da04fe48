//! What an event costs.

use std::time::{Duration, Instant};

use augreg_executor::SlotId;
use augreg_protocol::AttemptKey;

use super::{Bench, job};
use crate::core::{Action, Event};

/// So many slots, all busy, and as many jobs queued behind each.
fn crowd(slots: u32) -> (Bench, Vec<AttemptKey>) {
    let mut bench = Bench::new(slots);
    let jobs = (0..slots * 10).map(|i| job(&i.to_string())).collect();
    bench.send(Event::JobsAdded(jobs));
    let up = (0..slots).flat_map(|slot| bench.send(Event::WorkerReady { slot: SlotId(slot) }));
    let attempts: Vec<_> = up
        .filter_map(|action| match action {
            Action::Assign { attempt, .. } => Some(attempt),
            _ => None,
        })
        .collect();
    assert_eq!(attempts.len(), slots as usize);
    (bench, attempts)
}

fn beats(slots: u32, events: u64) -> Duration {
    let (mut bench, attempts) = crowd(slots);
    let began = Instant::now();
    for step in 0..events {
        let attempt = attempts[step as usize % attempts.len()];
        bench.now.0 += u64::from(step.is_multiple_of(10));
        assert!(bench.core.handle(bench.now, Event::Beat { attempt, step }).is_empty());
    }
    began.elapsed()
}

#[test]
fn a_million_beats_cost_the_same_whether_of_one_slot_or_of_many() {
    // The best of ten tenths: a busy machine slows some of them, not all.
    let best = |slots| (0..10).map(|_| beats(slots, 100_000)).min().unwrap_or_default() * 10;
    let (few, many) = (best(4), best(64));
    let ratio = many.as_secs_f64() / few.as_secs_f64();
    eprintln!("4 slots: {few:?}, 64 slots: {many:?} for a million beats: {ratio:.2} times");
    assert!(ratio < 6.0, "64 slots cost {ratio:.1} times as much as 4");
}

#[test]
fn the_next_alarm_is_that_of_the_first_worker_to_hang_and_never_a_leap_away() {
    let (mut bench, attempts) = crowd(2);
    let leap = Duration::from_mins(1);
    assert!(bench.core.next_alarm() <= leap / 2);
    let mut waited = Duration::ZERO;
    let killed = loop {
        let pause = bench.core.next_alarm();
        assert!(pause <= leap / 2);
        waited += pause;
        bench.now = bench.now + pause;
        let actions = bench.send(Event::Tick);
        if !actions.is_empty() {
            break actions;
        }
        bench.send(Event::Beat { attempt: attempts[0], step: 1 });
        assert!(waited < Duration::from_mins(5));
    };
    assert_eq!(killed.len(), 1);
    assert_eq!(waited, Duration::from_mins(2));
}
