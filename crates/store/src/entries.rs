//! What the entries of a journal become: rows, and what the attempt's own row learns.

use augreg_protocol::{AttemptKey, AttemptState, Entry, JournalEvent, Outcome, Placement};

use crate::batch::{Batch, Kind};
use crate::ingest::JournalPart;

/// Adds the rows that store `new` entries of a journal, the first of which has number `first`.
/// Returns whether they end the attempt.
pub(crate) fn plan(part: &JournalPart, new: &[Entry], first: u64, batch: &mut Batch) -> bool {
    let AttemptKey { job, number } = part.attempt;
    let mut learned = Learned::default();
    // Each kind in its turn, so that all of the part goes into one round.
    for entry in new {
        match &entry.event {
            JournalEvent::Metrics { step, values } => {
                for (name, value) in values {
                    let row = (job, name, number, step, 1, value, ());
                    batch.add(job, Kind::Metric, &row);
                }
            }
            JournalEvent::Series { name, first, values } => {
                for (first, values) in (*first..).step_by(RUN).zip(values.chunks(RUN)) {
                    let row = (job, name, number, first, values.len(), (), values);
                    batch.add(job, Kind::Metric, &row);
                }
            }
            _ => {}
        }
    }
    for entry in new {
        match &entry.event {
            JournalEvent::Checkpoint { step } => {
                batch.add(job, Kind::Checkpoint, &(job, step, number, entry.at));
            }
            JournalEvent::Note { text } => {
                batch.event(&(entry.at, job, number, "worker", "note", text));
            }
            start @ JournalEvent::Started { .. } => learned.start = Some(start),
            JournalEvent::MicroBatch { images } => learned.micro_batch = Some(images.get()),
            JournalEvent::Energy { joules } => learned.energy = Some(*joules),
            JournalEvent::DeviceName { name } => learned.device_name = Some(name),
            JournalEvent::Placed(placement) => learned.placement = Some(placement),
            event if event.is_terminal() => learned.end = Some(entry),
            _ => {}
        }
    }
    if let Some(Entry { at, event: JournalEvent::Succeeded(outcome), .. }) = learned.end {
        result(part.attempt, *at, outcome, batch);
    }
    learned.store(part, first + new.len() as u64, batch);
    learned.end.is_some()
}

/// Numbers in a row of `metric_series` at the most; the schema holds to it.
const RUN: usize = 1024;

/// What entries say of the attempt itself.
#[derive(Default)]
struct Learned<'a> {
    start: Option<&'a JournalEvent>,
    micro_batch: Option<u32>,
    energy: Option<f64>,
    device_name: Option<&'a str>,
    placement: Option<&'a Placement>,
    end: Option<&'a Entry>,
}

impl Learned<'_> {
    fn store(&self, part: &JournalPart, next: u64, batch: &mut Batch) {
        let start = match self.start {
            Some(JournalEvent::Started { version, host, pid, device, threads, step }) => {
                Some((version, host, pid, device.to_string(), threads, step))
            }
            _ => None,
        };
        let end = self.end.map(|entry| {
            let (state, failure, message, outcome) = match &entry.event {
                JournalEvent::Failed { kind, message, .. } => {
                    (AttemptState::Failed, Some(kind.name()), Some(message), None)
                }
                JournalEvent::Succeeded(outcome) => {
                    (AttemptState::Succeeded, None, None, Some(outcome))
                }
                _ => (AttemptState::Stopped, None, None, None),
            };
            let memory = outcome.map(|outcome| outcome.peak_memory);
            let speed = outcome.map(|outcome| outcome.images_per_second);
            (state.name(), failure, message, entry.at, memory, speed)
        });
        let AttemptKey { job, number } = part.attempt;
        let seen = part.entries.last().map_or(0, |entry| entry.at);
        let (images, energy, device) = (self.micro_batch, self.energy, self.device_name);
        let place = self
            .placement
            .map(|place| (&place.task, &place.job, &place.node, place.restarts, &place.gpus));
        let row = (job, number, next, part.offset, seen, start, end, images, energy, device, place);
        batch.add(job, Kind::Learn, &row);
    }
}

fn result(attempt: AttemptKey, at: u64, outcome: &Outcome, batch: &mut Batch) {
    let AttemptKey { job, number } = attempt;
    let proof = outcome.proof.as_ref();
    let row = (
        job,
        number,
        outcome.best_val,
        outcome.final_val,
        outcome.final_test,
        outcome.train_loss,
        outcome.steps,
        outcome.seconds,
        outcome.images_per_second,
        outcome.peak_memory,
        &outcome.parameters_sha256,
        proof.map(|proof| &proof.optimizer_sha256),
        proof.map(|proof| &proof.order),
        proof.map(|proof| &proof.epoch_orders),
        at,
    );
    batch.add(job, Kind::Result, &row);
}
