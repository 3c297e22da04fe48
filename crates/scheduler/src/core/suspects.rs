//! Which slots fail jobs that others then finish. Knows neither workers nor the queue.

use std::collections::BTreeMap;

use augreg_executor::SlotId;
use augreg_spec::JobId;

/// Failures in a row remembered of each slot: a job may take long to succeed elsewhere.
const REMEMBERED: usize = 32;

/// The failures of each slot since it last finished a job.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    /// The jobs it failed, and whether another slot has finished them since.
    rows: BTreeMap<SlotId, Vec<(JobId, bool)>>,
    /// The slots that failed each of those jobs.
    slots: BTreeMap<JobId, Vec<SlotId>>,
}

impl Suspects {
    /// A slot failed a job.
    pub(super) fn failed(&mut self, slot: SlotId, job: JobId) {
        let row = self.rows.entry(slot).or_default();
        if row.iter().any(|(other, _)| *other == job) {
            return;
        }
        row.push((job, false));
        self.slots.entry(job).or_default().push(slot);
        if self.rows[&slot].len() > REMEMBERED {
            let (oldest, _) = self.rows.entry(slot).or_default().remove(0);
            self.forget(slot, oldest);
        }
    }

    /// A slot finished a job. Returns the slots that this was the last of `limit` cases against.
    pub(super) fn finished(&mut self, slot: SlotId, job: JobId, limit: usize) -> Vec<SlotId> {
        for (other, _) in self.rows.remove(&slot).unwrap_or_default() {
            self.forget(slot, other);
        }
        let mut found = Vec::new();
        for suspect in self.slots.remove(&job).unwrap_or_default() {
            let Some(row) = self.rows.get_mut(&suspect) else { continue };
            row.iter_mut().filter(|(failed, _)| *failed == job).for_each(|case| case.1 = true);
            if row.iter().filter(|(_, elsewhere)| *elsewhere).count() >= limit {
                found.push(suspect);
            }
        }
        found
    }

    /// A job came to another end than success: it says nothing about the slots that failed it.
    pub(super) fn ended(&mut self, job: JobId) {
        for slot in self.slots.remove(&job).unwrap_or_default() {
            if let Some(row) = self.rows.get_mut(&slot) {
                row.retain(|(failed, _)| *failed != job);
            }
        }
    }

    fn forget(&mut self, slot: SlotId, job: JobId) {
        if let Some(slots) = self.slots.get_mut(&job) {
            slots.retain(|other| *other != slot);
            if slots.is_empty() {
                self.slots.remove(&job);
            }
        }
    }
}
