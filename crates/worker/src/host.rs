//! The process around an attempt, as `augreg-train` sees it.

use augreg_protocol::{
    Assignment, Beat, Device, FromWorker, JournalError, JournalEvent, JournalWriter, Placement,
    with_causes,
};
use augreg_train::Host;

use crate::energy::{Gpu, Meter};
use crate::inbox::Leave;
use crate::outbox::Outbox;
use crate::room;

/// The journal of an attempt, and the way to the scheduler.
pub(crate) struct Process<'a> {
    pub(crate) assignment: &'a Assignment,
    pub(crate) journal: JournalWriter,
    pub(crate) outbox: &'a mut Outbox,
    pub(crate) leave: &'a Leave,
    /// Counts what the device takes, where it can be known.
    pub(crate) energy: Option<Meter<'a>>,
    /// The GPU that it computes on, where that is known.
    pub(crate) gpu: Option<&'a Gpu>,
    /// Where a batch system has put the process, if one has.
    pub(crate) placement: Option<&'a Placement>,
}

/// What the system calls its processor.
fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

impl Process<'_> {
    fn append(&mut self, event: JournalEvent) -> Result<(), JournalError> {
        let written = self.journal.append(event);
        self.patiently(written)
    }

    /// Goes on with what the journal could not do for want of room, until it could or it is time to
    /// leave.
    fn patiently(&mut self, mut done: Result<(), JournalError>) -> Result<(), JournalError> {
        while let Err(error) = &done
            && error.is_disk_full()
            && self.wait_for_room(&with_causes(error))
        {
            done = self.journal.retry();
        }
        done
    }
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
        })?;
        match self.placement {
            Some(placement) => self.journal(JournalEvent::Placed(placement.clone())),
            None => Ok(()),
        }
    }

    fn journal(&mut self, event: JournalEvent) -> Result<(), JournalError> {
        if event.is_durable()
            && let Some(joules) = self.energy.as_ref().and_then(Meter::joules)
        {
            self.append(JournalEvent::Energy { joules })?;
        }
        self.append(event)
    }

    fn device_name(&self) -> Option<String> {
        match self.assignment.device {
            Device::Cpu => processor(),
            Device::Cuda(_) => self.gpu.and_then(Gpu::name),
        }
    }

    fn sync(&mut self) -> Result<(), JournalError> {
        let synced = self.journal.sync();
        self.patiently(synced)
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
