//! What a sweep takes on disk, and whether there is so much.

use std::io;
use std::path::{Path, PathBuf};

use augreg_scheduler::runtime::{default_reserve, free_space};
use augreg_spec::{JobSpec, Kept, Stage, parameter_bytes, parameters, record_bytes, state_bytes};

use crate::failure::Failure;
use crate::words::quantity;

/// What jobs that are to be run take on disk, in bytes; more is never needed at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need {
    /// Parameters that stay.
    pub(crate) kept: u64,
    /// Checkpoints of the jobs that run, each while the next is written beside it.
    pub(crate) checkpoints: u64,
    /// Journals and database.
    pub(crate) records: u64,
    /// To be kept free.
    pub(crate) reserve: u64,
}

/// What counts of a job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Size {
    stage: Stage,
    parameters: u64,
    /// Bytes of its journal and of its rows.
    records: u64,
}

impl Size {
    pub(crate) fn of(spec: &JobSpec) -> Self {
        Self { stage: spec.stage(), parameters: parameters(spec), records: record_bytes(spec) }
    }
}

impl Need {
    pub(crate) fn of(
        jobs: impl Iterator<Item = Size>,
        slots: usize,
        keep: Kept,
        reserve: Option<u64>,
    ) -> Self {
        let (mut kept, mut records, mut largest, mut count) = (0, 0, 0, 0);
        for size in jobs {
            kept += keep.of(size.stage).files() * parameter_bytes(size.parameters);
            records += size.records;
            largest = largest.max(size.parameters);
            count += 1;
        }
        let running = 2 * state_bytes(largest) + 2 * parameter_bytes(largest);
        Self {
            kept,
            checkpoints: slots.min(count) as u64 * running,
            records,
            reserve: reserve.unwrap_or_else(|| default_reserve(largest, slots)),
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.kept + self.checkpoints + self.records + self.reserve
    }

    /// Refuses if the disk below `root` has less.
    pub(crate) fn check(&self, root: &Path) -> Result<(), Failure> {
        let Ok(free) = free_below(root) else { return Ok(()) }; // Whatever is wrong shows by itself.
        if free >= self.total() {
            return Ok(());
        }
        let bytes = |bytes: u64| quantity(bytes as f64, "B");
        let message = format!(
            "the disk of `{}` has {} free, the sweep needs about {}: {} of parameters to keep, {} of \
             checkpoints while it runs, {} of journals and database, {} to be kept free",
            root.display(),
            bytes(free),
            bytes(self.total()),
            bytes(self.kept),
            bytes(self.checkpoints),
            bytes(self.records),
            bytes(self.reserve)
        );
        let help = "nothing was changed: make room, keep less (`--keep final`, `--keep none`), put the \
                    study elsewhere (`--root DIR`), keep less free (`--reserve SIZE`), or launch it \
                    all the same with `--force`: it pauses when the disk is full";
        Err(Failure::request(message, help))
    }
}

/// The bytes that may still be written where `root` is or would be.
pub(crate) fn free_below(root: &Path) -> io::Result<u64> {
    let root = std::path::absolute(root)?;
    let there: Option<PathBuf> =
        root.ancestors().find(|folder| folder.exists()).map(Path::to_owned);
    free_space(&there.unwrap_or(root))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need() -> Need {
        Need { kept: 1 << 60, checkpoints: 1 << 20, records: 1 << 10, reserve: 0 }
    }

    #[test]
    fn what_does_not_fit_is_refused_with_both_amounts_and_a_way_out() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().join("not/there/yet");
        let Err(Failure::Request(report)) = need().check(&root) else { panic!("it fits?") };
        let text = format!("{report:?}");
        for said in ["1.15 EB", "free", "--keep", "--root", "--force", "--reserve"] {
            assert!(text.contains(said), "no `{said}` in\n{text}");
        }
        assert!(Need { kept: 0, ..need() }.check(&root).is_ok());
        assert_eq!(std::fs::read_dir(folder.path()).expect("reads").count(), 0);
    }
}
