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
mod desk;
mod faults;
mod play;
mod study;
mod timeline;
mod witness;
mod worker;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use play::{Failure, play};
use study::Template;
use witness::Violation;

/// Schedules played unless told otherwise.
const SCHEDULES: u64 = 10_000;

/// Lines told of a schedule that is played alone.
const STORY: usize = 2000;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Plays one schedule; a panic is a failure as any other.
fn play_one(
    runtime: &tokio::runtime::Runtime,
    seed: u64,
    templates: &[Template],
    keep_log: usize,
) -> Result<(), Failure> {
    let played =
        catch_unwind(AssertUnwindSafe(|| runtime.block_on(play(seed, templates, keep_log))));
    played.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(|&s| s.to_owned()));
        let violation = Violation::new("nothing panics", said.unwrap_or_default());
        Err(Failure { violation, log: String::new() })
    })
}

#[test]
fn whatever_befalls_it_a_run_loses_nothing_and_ends() {
    let templates = runtime().block_on(Template::all());
    if let Some(seed) = number("AUGREG_SIM_SEED") {
        if let Err(Failure { violation, log }) = play_one(&runtime(), seed, &templates, STORY) {
            panic!("{log}\nschedule {seed} broke “{}", violation.0);
        }
        return;
    }
    let schedules = number("AUGREG_SIM_SCHEDULES").unwrap_or(SCHEDULES);
    let next = AtomicU64::new(0);
    let failed: Mutex<Vec<(u64, Violation)>> = Mutex::default();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let runtime = runtime();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= schedules || failed.lock().is_ok_and(|failed| failed.len() > 9) {
                        break;
                    }
                    if let Err(failure) = play_one(&runtime, seed, &templates, 0) {
                        failed.lock().expect("not poisoned").push((seed, failure.violation));
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().expect("not poisoned");
    failed.sort_by_key(|(seed, _)| *seed);
    let told: String =
        failed.iter().map(|(seed, violation)| format!("  {seed}: {}\n", violation.0)).collect();
    let first = failed.first().map_or(0, |(seed, _)| *seed);
    assert!(
        failed.is_empty(),
        "schedules that broke an invariant:\n{told}replay one with\n  \
         AUGREG_SIM_SEED={first} cargo nextest run -p augreg-scheduler whatever_befalls"
    );
}
