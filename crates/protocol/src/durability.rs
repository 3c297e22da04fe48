//! Which entries of a journal must be on disk before their worker goes on.
//!
//! Results and checkpoints must: what else a power cut takes, a later attempt does again. The end of a
//! *brief* attempt need not: one that began at step 0, left no checkpoint and took less than [`BRIEF`].
//! All there is to lose is that time, and the scheduler's database has the end a moment later, on disk.
//! A sync of a new file takes ten times as long as the smallest jobs do.

use std::time::Duration;

use crate::journal::JournalEvent;

/// An attempt that took less, and left nothing to go on from, is as well done again.
pub const BRIEF: Duration = Duration::from_millis(100);

/// Decides for one attempt, whose entries it is told in their order.
#[derive(Debug, Clone, Copy, Default)]
pub struct Durability {
    /// Whether there is a checkpoint that the attempt went on from or wrote.
    has_checkpoint: bool,
}

impl Durability {
    /// Whether `event`, and all before it, must survive a power cut before the worker goes on. `age`
    /// is how long ago the attempt began.
    #[must_use]
    pub fn needs_sync(&mut self, event: &JournalEvent, age: Duration) -> bool {
        match event {
            JournalEvent::Checkpoint { .. } => self.has_checkpoint = true,
            JournalEvent::Started { step, .. } | JournalEvent::Stopped { step } => {
                self.has_checkpoint |= *step > 0;
            }
            _ => {}
        }
        event.is_durable() && (self.has_checkpoint || age >= BRIEF)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::FailureKind;
    use crate::message::Device;

    const AT_ONCE: Duration = Duration::from_millis(99);

    fn started(step: u64) -> JournalEvent {
        let (version, host) = (String::new(), String::new());
        JournalEvent::Started { version, host, pid: 1, device: Device::Cpu, threads: 1, step }
    }

    fn failed() -> JournalEvent {
        JournalEvent::Failed { kind: FailureKind::Bug, message: String::new(), step: 0 }
    }

    /// What is synced of `events`, all of them at `age`.
    fn synced<const N: usize>(age: Duration, events: [JournalEvent; N]) -> [bool; N] {
        let mut durability = Durability::default();
        events.map(|event| durability.needs_sync(&event, age))
    }

    #[test]
    fn the_end_of_an_attempt_that_lasted_is_synced() {
        assert_eq!(synced(BRIEF, [started(0), failed()]), [false, true]);
        assert_eq!(synced(BRIEF, [started(0), JournalEvent::Stopped { step: 0 }]), [false, true]);
    }

    #[test]
    fn the_end_of_a_brief_attempt_is_not() {
        assert_eq!(synced(AT_ONCE, [started(0), failed()]), [false, false]);
        assert_eq!(synced(AT_ONCE, [failed()]), [false]);
    }

    #[test]
    fn where_there_is_a_checkpoint_no_attempt_is_brief() {
        assert_eq!(synced(AT_ONCE, [started(7), failed()]), [false, true]);
        let checkpoint = JournalEvent::Checkpoint { step: 3 };
        assert_eq!(synced(AT_ONCE, [started(0), checkpoint, failed()]), [false, true, true]);
        assert_eq!(synced(AT_ONCE, [started(0), JournalEvent::Stopped { step: 3 }]), [false, true]);
    }
}
