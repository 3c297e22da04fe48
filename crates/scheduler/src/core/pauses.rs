//! Who has paused the run, and what that means for those at work. Nothing else is known here.

use super::words::Pauser;

/// The reasons for which nothing is handed out. Work goes on when none is left.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    disk: bool,
    /// A person's pause, and whether running attempts may go on to their ends.
    person: Option<bool>,
}

impl Pauses {
    /// Takes note of a pause. Returns whether it changes anything.
    pub(super) fn begin(&mut self, by: Pauser, drain: bool) -> bool {
        match by {
            Pauser::Disk => !std::mem::replace(&mut self.disk, true),
            Pauser::Person => self.person.replace(drain) != Some(drain),
        }
    }

    /// Takes note of the end of a pause. Returns whether there was one.
    pub(super) fn end(&mut self, by: Pauser) -> bool {
        match by {
            Pauser::Disk => std::mem::take(&mut self.disk),
            Pauser::Person => self.person.take().is_some(),
        }
    }

    /// Whether nothing is handed out.
    pub(super) fn any(&self) -> bool {
        self.disk || self.person.is_some()
    }

    /// Whether workers without an attempt are to leave: a person wants the devices, a full disk
    /// does not.
    pub(super) fn empties_slots(&self) -> bool {
        self.person.is_some()
    }
}
