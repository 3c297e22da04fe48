//! The process around an attempt, as `augreg-train` sees it.

use augreg_protocol::{
    Assignment, Beat, FromWorker, JournalError, JournalEvent, JournalWriter, with_causes,
};
use augreg_train::Host;

use crate::inbox::Leave;
use crate::outbox::Outbox;
use crate::room;

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
        self.journal(JournalEvent::Started {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            host: uname.nodename().to_string_lossy().into_owned(),
            pid: std::process::id(),
            device: self.assignment.device,
            threads: self.assignment.threads,
            step,
        })
    }

    fn journal(&mut self, event: JournalEvent) -> Result<(), JournalError> {
        let mut written = self.journal.append(event);
        while let Err(error) = &written
            && error.is_disk_full()
            && self.wait_for_room(&with_causes(error))
        {
            written = self.journal.retry();
        }
        written
    }

    fn beat(&mut self, beat: Beat) {
        self.outbox.send(&FromWorker::Beat(beat));
    }

    fn stop_requested(&self) -> bool {
        self.leave.requested()
    }

    fn wait_for_room(&mut self, why: &str) -> bool {
        room::wait(self.assignment.attempt, why, self.outbox, self.leave)
    }
}
