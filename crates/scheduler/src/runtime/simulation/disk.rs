//! The disk of the simulation: how much room it has, and what a power cut leaves of it.

use std::fs;
use std::mem;

use augreg_protocol::AttemptKey;

use super::witness::Violation;
use super::world::World;

/// What a run is to keep free, in bytes.
pub(super) const RESERVE: u64 = 1000;

/// How much room there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Disk {
    /// Enough.
    #[default]
    Roomy,
    /// Less than the run is to keep free; what is written fits.
    Short,
    /// None.
    Full,
    /// None for workers, whose quota is used up. The disk looks empty, and the database goes on.
    Quota,
}

impl Disk {
    /// What the system says is free.
    pub(super) fn free(self) -> u64 {
        match self {
            Self::Roomy | Self::Quota => u64::MAX,
            Self::Short => RESERVE - 1,
            Self::Full => 0,
        }
    }

    /// Whether the database can be written.
    pub(super) fn takes_rows(self) -> bool {
        self != Self::Full
    }

    /// Whether workers can write journals and checkpoints.
    pub(super) fn takes_files(self) -> bool {
        matches!(self, Self::Roomy | Self::Short)
    }

    /// The name under which it is counted.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Roomy => "the disk had room",
            Self::Short => "the disk was short of room",
            Self::Full => "the disk was full",
            Self::Quota => "a quota was used up",
        }
    }
}

impl World {
    /// The machine is no more: every worker dies, and of what was not synced some is lost. The
    /// database keeps what was committed.
    pub(super) async fn black_out(&mut self) -> Result<(), Violation> {
        self.note(|| "the machine dies".to_owned());
        self.seen.count("the machine died");
        self.look().await?;
        let mut tails = mem::take(&mut self.unsynced);
        for worker in mem::take(&mut self.workers).into_values() {
            tails.extend(worker.task.map(|task| (task.attempt, task.synced)));
        }
        for (attempt, synced) in tails {
            self.cut(attempt, synced as usize);
        }
        for job in self.deeds.ids() {
            let reverts = self.draws.chance(0.5);
            let done = self.deeds.job_mut(job);
            let checkpoint = if reverts { done.synced_checkpoint } else { done.checkpoint };
            let lost = checkpoint < done.checkpoint;
            (done.checkpoint, done.synced_checkpoint) = (checkpoint, checkpoint);
            if lost {
                self.seen.count("a power cut took a checkpoint");
            }
        }
        Ok(())
    }

    /// Leaves of a journal what is on disk: all up to byte `synced`, and some of what follows.
    fn cut(&mut self, attempt: AttemptKey, synced: usize) {
        let AttemptKey { job, number } = attempt;
        let path = self.folder(job).journal(number);
        let Ok(mut text) = fs::read(&path) else { return };
        if text.len() <= synced {
            return;
        }
        let (whole, length) = (text.len(), self.between(synced as u32, text.len() as u32));
        text.truncate(length as usize);
        let lines = text
            .split_inclusive(|byte| *byte == b'\n')
            .filter(|line| line.ends_with(b"\n"))
            .count() as u64;
        // The length of a file may be on disk before its bytes are.
        if self.strikes(0.3, "a power cut left zeros") {
            text.resize(whole, 0);
        }
        let forgotten = length == 0 && self.draws.chance(0.5);
        let cut = if forgotten { fs::remove_file(&path) } else { fs::write(&path, text) };
        cut.expect("the simulator's folder can be written");
        self.note(|| format!("of the journal of {attempt} {lines} lines are left"));

        // An end that nobody can read any more was never told.
        let row = self.witness.rows.get(&job);
        let known = row.and_then(|row| row.ingested(number)).unwrap_or(0);
        let done = self.deeds.job_mut(job);
        let written = done.written(number);
        if lines.max(known) < written {
            done.late.remove(&number);
            if done.succeeded.remove(&number) {
                self.seen.count("a power cut took a result");
            }
        }
        if lines < written {
            self.seen.count("a power cut took entries");
        }
        if lines < known {
            self.seen.count("the database kept what a power cut took");
        }
    }
}
