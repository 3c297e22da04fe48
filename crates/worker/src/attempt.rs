//! One attempt from assignment to the last line of its journal.

use std::fs::File;

use augreg_protocol::{
    Assignment, FailureKind, FromWorker, JournalError, JournalEvent, JournalWriter, Placement,
    RunFolder, is_disk_full, with_causes,
};
use augreg_spec::JobSpec;
use augreg_train::{DatasetCache, End, Failure, Host, execute};
use tracing::{error, info, info_span, warn};

use crate::energy::{Gpu, Meter};
use crate::host::Process;
use crate::inbox::Leave;
use crate::lock::{self, Refused};
use crate::log::Redirected;
use crate::outbox::Outbox;
use crate::room;

/// What is known of an attempt's end when it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Concluded {
    /// Its journal says it.
    Recorded,
    /// Its journal says it, and that the device is lost to this process.
    DeviceLost,
    /// Its journal could not be written.
    Unrecorded,
}

/// Executes an attempt and tells the scheduler that it is over, whatever came of it. Returns whether
/// the worker is good for another.
pub(crate) fn run(
    assignment: &Assignment,
    leave: &Leave,
    outbox: &mut Outbox,
    datasets: &mut DatasetCache,
    gpu: Option<&Gpu>,
    placement: Option<&Placement>,
) -> bool {
    let attempt = assignment.attempt;
    let _span = info_span!("attempt", %attempt).entered();
    let folder = RunFolder::new(&assignment.root, attempt.job);
    let mut concluded = Concluded::Unrecorded;
    match create_journal(assignment, &folder, leave, outbox) {
        Ok(journal) => {
            let _log = redirect(assignment, &folder);
            let energy = gpu.and_then(|gpu| Meter::start(gpu));
            let mut process =
                Process { assignment, journal, outbox, leave, energy, gpu, placement };
            concluded = journalled(&mut process, &folder, datasets);
        }
        // Without a journal there is nothing to say what was done, so nothing is done.
        Err(error) => error!("the attempt cannot begin: {}", with_causes(&error)),
    }
    match concluded {
        // Whoever says that it is free is given the next attempt, which would fail.
        Concluded::DeviceLost => return false,
        // One that is to leave and cannot say how its attempt ended just leaves, which says that.
        Concluded::Unrecorded if leave.requested() => {}
        _ => outbox.send(&FromWorker::Ended { attempt }),
    }
    true
}

/// Standard error goes to the attempt's log from now on. One that does nothing has nothing to say, and
/// a file costs as much as all the rest of it: what it says all the same stays in the worker's own log.
fn redirect(assignment: &Assignment, folder: &RunFolder) -> Option<Redirected> {
    if matches!(assignment.spec, JobSpec::Noop(_)) {
        return None;
    }
    let log = Redirected::to(&folder.log(assignment.attempt.number));
    log.inspect_err(|error| warn!("the attempt's log could not be opened: {error}")).ok()
}

fn create_journal(
    assignment: &Assignment,
    folder: &RunFolder,
    leave: &Leave,
    outbox: &mut Outbox,
) -> Result<JournalWriter, JournalError> {
    let attempt = assignment.attempt;
    loop {
        match JournalWriter::create(&folder.journal(attempt.number), attempt) {
            Err(error)
                if error.is_disk_full()
                    && room::wait(attempt, &with_causes(&error), outbox, leave) => {}
            created => return created,
        }
    }
}

/// Executes an attempt under the job's lock and journals how it ended.
fn journalled(
    process: &mut Process<'_>,
    folder: &RunFolder,
    datasets: &mut DatasetCache,
) -> Concluded {
    let end = match take_lock(process, folder) {
        Ok(lock) => {
            let end = execute(process.assignment, process, datasets);
            return conclude(process, folder, end, Some(lock));
        }
        Err(Refused::Leaving) => End::Stopped { step: 0 },
        Err(Refused::Held) => {
            let text = format!(
                "another worker has held `{}` for a minute; it may outlive a scheduler that is gone",
                folder.lock().display()
            );
            failed(FailureKind::Timeout, text)
        }
        Err(Refused::Io(error)) if is_disk_full(&error) => {
            let text = format!("failed to lock `{}`: {error}", folder.lock().display());
            failed(FailureKind::Preempted, text)
        }
        Err(Refused::Io(error)) => {
            let text = format!("failed to lock `{}`: {error}", folder.lock().display());
            failed(FailureKind::Bug, text)
        }
    };
    if let Err(error) = process.started(0) {
        error!("{}", with_causes(&error));
    }
    conclude(process, folder, end, None)
}

fn take_lock(process: &mut Process<'_>, folder: &RunFolder) -> Result<File, Refused> {
    loop {
        match lock::acquire(&folder.lock(), || process.leave.requested()) {
            Err(Refused::Io(error))
                if is_disk_full(&error)
                    && process.wait_for_room(&format!("failed to lock the job: {error}")) => {}
            taken => return taken,
        }
    }
}

fn failed(kind: FailureKind, message: String) -> End {
    End::Failed { failure: Failure { kind, message }, step: 0 }
}

/// Journals the end; once a success is on disk, the state to resume from is no longer needed, nor are
/// parameters that nobody wants to keep.
fn conclude(
    process: &mut Process<'_>,
    folder: &RunFolder,
    end: End,
    _lock: Option<File>,
) -> Concluded {
    let event = match end {
        End::Stopped { step } if process.leave.by_host() => JournalEvent::Failed {
            kind: FailureKind::Preempted,
            message: format!("the host told the worker to leave; the checkpoint holds step {step}"),
            step,
        },
        end => end.into(),
    };
    match &event {
        JournalEvent::Failed { kind, message, step } => {
            error!(kind = kind.name(), step, "the attempt failed: {message}");
        }
        JournalEvent::Stopped { step } => info!(step, "stopped"),
        _ => info!("succeeded"),
    }
    let succeeded = matches!(event, JournalEvent::Succeeded(_));
    let lost = matches!(event, JournalEvent::Failed { kind: FailureKind::Lost, .. });
    if let Err(error) = process.journal(event) {
        error!("the attempt's end could not be journalled: {}", with_causes(&error));
        return Concluded::Unrecorded;
    }
    if succeeded {
        for (path, error) in folder.tidy(process.assignment.keep) {
            warn!("failed to remove `{}`: {error}", path.display());
        }
    }
    if lost { Concluded::DeviceLost } else { Concluded::Recorded }
}
