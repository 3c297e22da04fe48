//! The scheduler in a hostile world that is a function of a seed.
//!
//! The real core, the real store on a real file, real journals and locks, and the runtime's own code
//! between them, in virtual time: workers die at every point, words are lost, repeated, delayed
//! and overtaken, the executor forgets workers, the scheduler dies before, after and between
//! writes and comes back from what is on disk, the machine loses what was not synced, the disk is
//! full for a while, clocks jump, people cancel, stop and retry. After every write the [`witness`]
//! looks at the database; when the faults end, the run must too.
//!
//! A failure names its seed. `AUGREG_SIM_SEED=<seed>` plays that schedule alone and tells it line by
//! line; `AUGREG_SIM_SCHEDULES=<n>` plays more of them.

mod act;
mod audit;
mod coverage;
mod desk;
mod disk;
mod executor;
mod faults;
mod order;
mod person;
mod plan;
mod play;
mod row;
mod setting;
mod start;
mod study;
mod timeline;
mod witness;
mod worker;
mod world;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use coverage::Coverage;
use play::{Failure, play};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use study::Template;
use tokio::runtime::Runtime;
use witness::Violation;

/// Schedules played unless told otherwise.
const SCHEDULES: u64 = 10_000;

/// Failures after which no more are looked for.
const ENOUGH: usize = 10;

/// Lines told of a schedule that is played alone.
const STORY: usize = 100_000;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A thread's studies: one is made when the last is used up.
struct Table<'a> {
    runtime: Runtime,
    template: &'a Template,
}

impl<'a> Table<'a> {
    fn new(template: &'a Template) -> Self {
        Self { runtime: runtime(), template }
    }

    /// Plays some schedules on one study. A panic is a failure as any other; after a failure the
    /// study is a new one.
    fn play(&self, seeds: Range<u64>, keep_log: usize, seen: &mut Coverage) -> Vec<(u64, Failure)> {
        let mut failed = Vec::new();
        let mut study = self.runtime.block_on(self.template.copy());
        for seed in seeds {
            let schedule = play(seed, self.template, &mut study, keep_log);
            let played = catch_unwind(AssertUnwindSafe(|| self.runtime.block_on(schedule)));
            let failure = match played {
                Ok(Ok(happened)) => {
                    seen.add(happened);
                    continue;
                }
                Ok(Err(failure)) => failure,
                Err(panic) => {
                    let said = panic.downcast_ref::<String>().cloned();
                    let said = said.or_else(|| panic.downcast_ref::<&str>().map(|&s| s.to_owned()));
                    let violation = Violation::new("nothing panics", said.unwrap_or_default());
                    Failure { violation, log: String::new() }
                }
            };
            failed.push((seed, failure));
            study = self.runtime.block_on(self.template.copy());
        }
        self.runtime.block_on(study.store.close());
        failed
    }
}

/// The cores that this process may use.
fn cores() -> Vec<usize> {
    let allowed = sched_getaffinity(None).expect("the system tells");
    (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect()
}

/// Keeps this thread, and those that it starts, on one core: a schedule and its database take turns
/// all the time, and waking a thread on another core takes longer than most of what it does.
fn settle_on(core: usize) {
    let mut only = CpuSet::new();
    only.set(core);
    // Slower otherwise, no more.
    let _ = sched_setaffinity(None, &only);
}

/// Plays many schedules on as many threads as there are cores, until too many failed.
fn play_many(template: &Template, schedules: u64) -> (Vec<(u64, Violation)>, Coverage) {
    let next = AtomicU64::new(0);
    let failed: Mutex<Vec<(u64, Violation)>> = Mutex::default();
    let seen: Mutex<Coverage> = Mutex::default();
    let (next_seed, failures, seen_by_all) = (&next, &failed, &seen);
    std::thread::scope(|scope| {
        for core in cores() {
            scope.spawn(move || {
                settle_on(core);
                let (next, failed) = (next_seed, failures);
                let table = Table::new(template);
                let mut seen = Coverage::default();
                loop {
                    let from = next.fetch_add(study::SCHEDULES, Ordering::Relaxed);
                    if from >= schedules || failed.lock().is_ok_and(|f| f.len() >= ENOUGH) {
                        break;
                    }
                    let until = schedules.min(from + study::SCHEDULES);
                    let broken = table.play(from..until, 0, &mut seen).into_iter();
                    let broken = broken.map(|(seed, failure)| (seed, failure.violation));
                    failed.lock().expect("not poisoned").extend(broken);
                }
                seen_by_all.lock().expect("not poisoned").add(seen);
            });
        }
    });
    let mut failed = failed.into_inner().expect("not poisoned");
    failed.sort_by_key(|(seed, _)| *seed);
    (failed, seen.into_inner().expect("not poisoned"))
}

#[test]
fn whatever_befalls_it_a_run_loses_nothing_and_ends() {
    let template = runtime().block_on(Template::new());
    if let Some(seed) = number("AUGREG_SIM_SEED") {
        let mut seen = Coverage::default();
        let failed = Table::new(&template).play(seed..seed + 1, STORY, &mut seen).pop();
        let told = failed.map(|(_, Failure { violation, log })| format!("{log}\n{}", violation.0));
        assert!(told.is_none(), "{}", told.unwrap_or_default());
        return;
    }
    let schedules = number("AUGREG_SIM_SCHEDULES").unwrap_or(SCHEDULES);
    let (failed, seen) = play_many(&template, schedules);
    eprintln!("{schedules} schedules, in which\n{}", seen.table());
    let told: Vec<_> =
        failed.iter().map(|(seed, violation)| format!("  {seed}: {}", violation.0)).collect();
    let told = told.join("\n");
    let first = failed.first().map_or(0, |(seed, _)| *seed);
    assert!(
        failed.is_empty(),
        "schedules that broke an invariant:\n{told}\nreplay one with\n  \
         AUGREG_SIM_SEED={first} cargo nextest run -p augreg-scheduler whatever_befalls"
    );
    let missing = seen.missing(schedules);
    assert!(missing.is_empty(), "what happened too rarely to say anything:\n{missing:#?}");
}
