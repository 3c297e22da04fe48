//! The boundary of an attempt: whatever happens inside comes out as an [`End`].

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use augreg_protocol::{Assignment, Beat, JournalError, JournalEvent, Outcome, with_causes};
use augreg_spec::JobSpec;
use augreg_vit::CheckpointError;

use crate::cache::DatasetCache;
use crate::device;
use crate::failure::Failure;
use crate::{judge, noop, throughput, training};

/// What an attempt asks of the process it runs in.
pub trait Host {
    /// The attempt begins at this step: it is journalled with what the process knows of itself.
    ///
    /// # Errors
    ///
    /// [`JournalError`] if the journal cannot be written.
    fn started(&mut self, step: u64) -> Result<(), JournalError>;

    /// Journals an event that is not the attempt's end.
    ///
    /// # Errors
    ///
    /// [`JournalError`] if the journal cannot be written.
    fn journal(&mut self, event: JournalEvent) -> Result<(), JournalError>;

    /// What the device that it computes on is called, if the system tells.
    fn device_name(&self) -> Option<String>;

    /// Brings all that was journalled so far to the disk.
    ///
    /// # Errors
    ///
    /// [`JournalError`] if that cannot be done.
    fn sync(&mut self) -> Result<(), JournalError>;

    /// Passes on a sign of life. May be lost.
    fn beat(&mut self, beat: Beat);

    /// Whether to write a checkpoint and leave. Asked at every step.
    fn stop_requested(&self) -> bool;

    /// The disk is full, for what `why` tells a person: waits a while for room. False if there is no
    /// time to wait.
    fn wait_for_room(&mut self, why: &str) -> bool;
}

/// Writes a checkpoint; on a full disk again and again, until there is room or no time. Until then
/// the last one stands.
pub(crate) fn patiently(
    host: &mut dyn Host,
    write: impl Fn() -> Result<(), CheckpointError>,
) -> Result<(), Failure> {
    loop {
        match write() {
            Err(error) if error.is_disk_full() && host.wait_for_room(&with_causes(&error)) => {}
            written => return Ok(written?),
        }
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// The job is done.
    Succeeded(Outcome),
    /// Told to stop; the checkpoint on disk holds this step.
    Stopped {
        /// The step.
        step: u64,
    },
    /// It failed after this many steps.
    Failed {
        /// Why.
        failure: Failure,
        /// Steps done.
        step: u64,
    },
}

impl From<End> for JournalEvent {
    fn from(end: End) -> Self {
        match end {
            End::Succeeded(outcome) => Self::Succeeded(outcome),
            End::Stopped { step } => Self::Stopped { step },
            End::Failed { failure: Failure { kind, message }, step } => {
                Self::Failed { kind, message, step }
            }
        }
    }
}

/// Runs one attempt to its end, from the job's checkpoint if there is one.
///
/// Every step of the way is a function of the job's spec and the step, so an attempt that goes on
/// from a checkpoint ends with the bytes of one that was never interrupted, on the same kind of
/// device with the same number of threads. libtorch's errors become failures here.
pub fn execute(assignment: &Assignment, host: &mut dyn Host, datasets: &mut DatasetCache) -> End {
    let progress = Cell::new(0);
    let run = AssertUnwindSafe(|| {
        if matches!(assignment.spec, JobSpec::Noop(_)) {
            return noop::run(host);
        }
        device::configure_threads(assignment.threads);
        device::reset_peak_memory(assignment.device);
        match &assignment.spec {
            JobSpec::Pretrain(spec) => {
                training::run(assignment, &spec.training(), host, datasets, &progress)
            }
            JobSpec::Transfer(spec) => {
                training::run(assignment, &spec.training(), host, datasets, &progress)
            }
            JobSpec::Evaluate(spec) => judge::run(assignment, spec, host, datasets),
            JobSpec::Throughput(spec) => throughput::run(assignment, spec, host),
            JobSpec::Noop(_) => noop::run(host),
        }
    });
    let failure = match catch_unwind(run) {
        Ok(Ok(end)) => return end,
        Ok(Err(failure)) => failure,
        Err(payload) => Failure::of_panic(payload.as_ref()),
    };
    End::Failed { failure, step: progress.get() }
}
