//! The process around an attempt, as `augreg-train` sees it.

use augreg_protocol::{Assignment, Beat, FromWorker, JournalError, JournalEvent, JournalWriter};
use augreg_train::Host;

use crate::inbox::Leave;
use crate::outbox::Outbox;

/// The journal of an attempt, and the way to the scheduler.
pub(crate) struct Process<'a> {
    pub(crate) assignment: &'a Assignment,
    pub(crate) journal: JournalWriter,
    pub(crate) outbox: &'a mut Outbox,
    pub(crate) leave: &'a Leave,
}

impl Host for Process<'_> {
    fn started(&mut self, step: u64) -> Result<(), JournalError> {
        let uname = rustix::system::uname();
        self.journal.append(JournalEvent::Started {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: uname.nodename().to_string_lossy().into_owned(),
            pid: std::process::id(),
            device: self.assignment.device,
            threads: self.assignment.threads,
            step,
        })
    }

    fn journal(&mut self, event: JournalEvent) -> Result<(), JournalError> {
        self.journal.append(event)
    }

    fn beat(&mut self, beat: Beat) {
        self.outbox.send(&FromWorker::Beat(beat));
    }

    fn stop_requested(&self) -> bool {
        self.leave.requested()
    }
}
