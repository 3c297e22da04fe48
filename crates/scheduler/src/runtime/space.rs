//! Room on the disk: how much a run wants, and whether it has it.
//!
//! The run pauses while there is room yet, so that what is under way can be written and the database
//! can say why. A worker that finds no room all the same is believed, whatever the numbers say: a
//! quota may be full.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use augreg_spec::{parameter_bytes, state_bytes};
use tracing::debug;

use crate::core::{Event, Pauser};

/// A run keeps so much free in any case: the database and journals of a day fit in.
const LEAST: u64 = 200_000_000;

/// How often is looked.
const INTERVAL: Duration = Duration::from_secs(1);

/// A worker that waits for room says so every second. One that is silent for so long has found some.
const WORD: Duration = Duration::from_secs(4);

/// The bytes that may still be written below a folder.
///
/// # Errors
///
/// If the system does not tell.
pub fn free_space(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// What a run keeps free unless it is told otherwise, by the number of parameters of its largest job:
/// room for one more checkpoint on each slot, and for the best parameters beside it.
#[must_use]
pub fn default_reserve(parameters: u64, slots: usize) -> u64 {
    LEAST.max(slots as u64 * (state_bytes(parameters) + parameter_bytes(parameters)))
}

/// Watches the disk that the study lies on.
#[derive(Debug)]
pub(super) struct Space {
    folder: PathBuf,
    /// Bytes to be kept free.
    reserve: u64,
    looked: Option<Instant>,
    /// The last word of a worker without room.
    word: Option<(Instant, String)>,
    /// When the disk had room again.
    relieved: Option<Instant>,
    full: bool,
}

impl Space {
    pub(super) fn new(folder: PathBuf, reserve: u64) -> Self {
        let (looked, word, relieved) = (None, None, None);
        Self { folder, reserve, looked, word, relieved, full: false }
    }

    /// A worker says that it finds no room, and for what.
    pub(super) fn missed(&mut self, why: &str) {
        self.missed_at(Instant::now(), why);
    }

    /// The same, at `now`.
    pub(super) fn missed_at(&mut self, now: Instant, why: &str) {
        // What is heard right after there was room may have been said before.
        if self.relieved.is_some_and(|relieved| now.duration_since(relieved) < WORD) {
            return;
        }
        self.word = Some((now, why.to_owned()));
    }

    /// What has become of the disk; none if it is too early to look, or all is as it was.
    pub(super) fn look(&mut self) -> Option<Event> {
        self.look_at(Instant::now(), free_space)
    }

    /// The same, at `now`; `free` says how many bytes there are below a folder.
    pub(super) fn look_at(
        &mut self,
        now: Instant,
        free: impl FnOnce(&Path) -> io::Result<u64>,
    ) -> Option<Event> {
        if self.looked.is_some_and(|looked| now.duration_since(looked) < INTERVAL) {
            return None;
        }
        self.looked = Some(now);
        let free = match free(&self.folder) {
            Ok(free) => free,
            Err(error) => {
                debug!(%error, "the system does not say how much room there is");
                u64::MAX
            }
        };
        self.judge(now, free)
    }

    fn judge(&mut self, now: Instant, free: u64) -> Option<Event> {
        self.word.take_if(|(said, _)| now.duration_since(*said) > WORD);
        // More is needed to go on than to pause: else every checkpoint would tip the scales.
        let more = self.reserve.saturating_add(self.reserve / 4);
        let why = if free < if self.full { more } else { self.reserve } {
            Some(format!(
                "`{}` has {} left and {} are to be kept free (work goes on at {})",
                self.folder.display(),
                size(free),
                size(self.reserve),
                size(more)
            ))
        } else {
            self.word.as_ref().map(|(_, why)| format!("a worker finds no room: {why}"))
        };
        let was_full = std::mem::replace(&mut self.full, why.is_some());
        match why {
            Some(why) if !was_full => Some(Event::Pause { by: Pauser::Disk, drain: true, why }),
            None if was_full => {
                self.relieved = Some(now);
                Some(Event::GoOn { by: Pauser::Disk })
            }
            _ => None,
        }
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..10_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        10_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(event: Option<&Event>) -> bool {
        matches!(event, Some(Event::Pause { by: Pauser::Disk, .. }))
    }

    const GO_ON: Option<Event> = Some(Event::GoOn { by: Pauser::Disk });

    #[test]
    fn it_pauses_below_the_reserve_and_goes_on_well_above_it() {
        let (mut space, now) = (Space::new("/study".into(), 1000), Instant::now());
        assert_eq!(space.judge(now, 1000), None);
        assert!(pauses(space.judge(now, 999).as_ref()));
        assert_eq!([space.judge(now, 0), space.judge(now, 1249)], [None, None]);
        assert_eq!(space.judge(now, 1250), GO_ON);
        assert_eq!(space.judge(now, 1000), None);
    }

    #[test]
    fn the_folder_and_both_amounts_are_said() {
        let (mut space, now) = (Space::new("/study".into(), 200_000_000), Instant::now());
        let Some(Event::Pause { why, .. }) = space.judge(now, 12_345_678) else {
            panic!("no pause")
        };
        for said in ["`/study`", "12 MB left", "200 MB are to be kept", "at 250 MB"] {
            assert!(why.contains(said), "{why}");
        }
    }

    #[test]
    fn a_worker_without_room_is_believed_as_long_as_it_says_so() {
        let (mut space, now) = (Space::new("/study".into(), 1000), Instant::now());
        space.missed_at(now, "disk quota exceeded");
        assert!(pauses(space.judge(now, u64::MAX).as_ref()));
        assert_eq!(space.judge(now + WORD, u64::MAX), None);
        let later = now + 2 * WORD;
        assert_eq!(space.judge(later, u64::MAX), GO_ON);
        space.missed_at(later, "said before there was room, heard after");
        assert_eq!(space.judge(later, u64::MAX), None);
    }
}
