//! One attempt from assignment to the last line of its journal.

use std::fs::{self, File};
use std::io;

use augreg_protocol::{
    Assignment, FailureKind, FromWorker, JournalEvent, JournalWriter, RunFolder, with_causes,
};
use augreg_train::{DatasetCache, End, Failure, Host, execute};
use tracing::{error, info, info_span, warn};

use crate::host::Process;
use crate::inbox::Leave;
use crate::lock::{self, Refused};
use crate::log::Redirected;
use crate::outbox::Outbox;

/// Executes an attempt and tells the scheduler that it is over, whatever came of it.
pub(crate) fn run(
    assignment: &Assignment,
    leave: &Leave,
    outbox: &mut Outbox,
    datasets: &mut DatasetCache,
) {
    let attempt = assignment.attempt;
    let _span = info_span!("attempt", %attempt).entered();
    let folder = RunFolder::new(&assignment.root, attempt.job);
    match JournalWriter::create(&folder.journal(attempt.number), attempt) {
        Ok(journal) => {
            let log = Redirected::to(&folder.log(attempt.number));
            if let Err(error) = &log {
                warn!("the attempt's log could not be opened: {error}");
            }
            let mut process = Process { assignment, journal, outbox, leave };
            journalled(&mut process, &folder, datasets);
        }
        // Without a journal there is nothing to say what was done, so nothing is done.
        Err(error) => error!("the attempt cannot begin: {}", with_causes(&error)),
    }
    outbox.send(&FromWorker::Ended { attempt });
}

/// Executes an attempt under the job's lock and journals how it ended.
fn journalled(process: &mut Process<'_>, folder: &RunFolder, datasets: &mut DatasetCache) {
    let end = match lock::acquire(&folder.lock(), || process.leave.requested()) {
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
        Err(Refused::Io(error)) => {
            let text = format!("failed to lock `{}`: {error}", folder.lock().display());
            failed(FailureKind::Bug, text)
        }
    };
    if let Err(error) = process.started(0) {
        error!("{}", with_causes(&error));
    }
    conclude(process, folder, end, None);
}

fn failed(kind: FailureKind, message: String) -> End {
    End::Failed { failure: Failure { kind, message }, step: 0 }
}

/// Journals the end; once a success is on disk, the state to resume from is no longer needed.
fn conclude(process: &mut Process<'_>, folder: &RunFolder, end: End, _lock: Option<File>) {
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
    if let Err(error) = process.journal(event) {
        error!("the attempt's end could not be journalled: {}", with_causes(&error));
    } else if succeeded {
        match fs::remove_file(folder.latest()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                warn!("failed to remove `{}`: {error}", folder.latest().display());
            }
            _ => {}
        }
    }
}
