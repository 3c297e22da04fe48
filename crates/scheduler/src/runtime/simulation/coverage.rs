//! What happened in schedules: one in which nothing happens proves nothing about it.

use std::collections::BTreeMap;

/// How often each thing happened, by its name.
#[derive(Debug, Default)]
pub(super) struct Coverage(BTreeMap<&'static str, u64>);

/// Faults and decisions, and how often each occurs in ten thousand schedules at least. The names in
/// the second half are those of the audit.
const EXPECTED: [(&str, u64); 72] = [
    ("the scheduler died before a write", 300),
    ("the scheduler died after a write", 300),
    ("the scheduler died between two actions", 300),
    ("the database was opened anew", 100),
    ("the machine died", 300),
    ("a worker died", 1000),
    ("a worker died between a result and the word of it", 100),
    ("a worker ran out of memory", 100),
    ("a worker hung", 300),
    ("half a line was left in a journal", 100),
    ("no worker could be started", 1000),
    ("a worker was refused", 30),
    ("a report was lost", 1000),
    ("a report came twice", 1000),
    ("a report was late", 1000),
    ("a beat was overtaken", 1000),
    ("a worker died between a checkpoint and the word of it", 100),
    ("a journal was damaged", 100),
    ("a journal was not to be trusted", 100),
    ("an attempt was brief", 3000),
    ("an end was not synced", 3000),
    ("a power cut took entries", 150),
    ("a power cut took a result", 3),
    ("a power cut left zeros", 30),
    ("the database kept what a power cut took", 100),
    ("a line was lost", 300),
    ("a line came twice", 100),
    ("a worker was forgotten", 300),
    ("a worker was said to be gone, and was not", 100),
    ("a worker did not notice that its scheduler was gone", 300),
    ("the disk was full", 500),
    ("the disk was short of room", 700),
    ("a quota was used up", 200),
    ("a worker waited for room", 3000),
    ("a worker was heard to wait for room", 2000),
    ("a write waited for room", 300),
    ("the clock leapt", 1000),
    ("a result came late", 40),
    ("a result came late beside another attempt", 10),
    ("a result came late after the job's end", 1),
    ("a result came late to no run", 5),
    ("an attempt was handed out ahead", 300),
    ("a slot was bad", 200),
    ("a person stopped a run", 100),
    ("a person ended a run at once", 100),
    ("a person cancelled a job without a run", 200),
    ("a person had a job cancelled", 700),
    ("a job was cancelled that an earlier scheduler was asked for", 3),
    ("a person had a job tried again", 30),
    ("a person had a job tried again beside a run", 50),
    ("a person paused the study", 300),
    ("a person paused a sweep", 700),
    ("started", 10_000),
    ("succeeded", 10_000),
    ("failed", 1000),
    ("cancelled", 100),
    ("retried", 1000),
    ("queued-again", 1000),
    ("released", 300),
    ("left-waiting", 100),
    ("put-off", 30),
    ("fits-nowhere", 30),
    ("paused", 300),
    ("unpaused", 150),
    ("held-back", 200),
    ("disk-full", 500),
    ("disk-has-room", 400),
    ("worker-recycled", 300),
    ("slot-quarantined", 10),
    ("slot-retired", 100),
    ("slowed-down", 20),
    ("gave-up", 5),
];

impl Coverage {
    /// It happened.
    pub(super) fn count(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    pub(super) fn add(&mut self, other: Self) {
        for (what, times) in other.0 {
            *self.0.entry(what).or_default() += times;
        }
    }

    /// What happened less often than so many schedules should have it happen.
    pub(super) fn missing(&self, schedules: u64) -> Vec<String> {
        let times = |what| self.0.get(what).copied().unwrap_or(0);
        let few = EXPECTED.iter().filter(|(what, least)| times(what) < least * schedules / 10_000);
        few.map(|(what, least)| format!("{what}: {} times, not {least}", times(what))).collect()
    }

    /// A line for each.
    pub(super) fn table(&self) -> String {
        let lines: Vec<_> =
            self.0.iter().map(|(what, times)| format!("{times:>9}  {what}")).collect();
        lines.join("\n")
    }
}
