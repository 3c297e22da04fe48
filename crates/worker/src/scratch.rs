//! Copies of data sets on a node's own disk, where a batch script names a folder for them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use augreg_protocol::Assignment;
use tracing::{info, warn};

use crate::slurm;

/// The environment variable by which a batch script names the folder.
const SCRATCH: &str = "AUGREG_SCRATCH";

/// The folder, which goes with this, and what was copied to it. What cannot be copied is read where it lies.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    folder: Option<PathBuf>,
    /// Of each data set where it is now.
    copies: HashMap<PathBuf, PathBuf>,
}

impl Scratch {
    /// A folder of this process's own in the one that the environment names, if it names one.
    pub(crate) fn from_environment() -> Self {
        let place = env::var_os(SCRATCH).filter(|path| !path.is_empty()).map(PathBuf::from);
        let folder = place.and_then(|place| {
            let made = own_folder(&place, &slurm::job().unwrap_or_default());
            let failed = |error| warn!("no data set is copied to `{}`: {error}", place.display());
            made.map_err(failed).ok()
        });
        Self { folder, copies: HashMap::new() }
    }

    /// Lets a job read its data set from the node's own disk.
    pub(crate) fn place(&mut self, assignment: &mut Assignment) {
        let (Some(folder), Some(source)) = (&self.folder, &mut assignment.source) else { return };
        if let Some(copy) = self.copies.get(&source.path) {
            source.path.clone_from(copy);
            return;
        }
        let to = folder.join(self.copies.len().to_string());
        let copied = copy(&source.path, &to);
        let place = match copied {
            Ok(bytes) => {
                info!("copied {bytes} bytes of `{}` to `{}`", source.path.display(), to.display());
                to
            }
            Err(error) => {
                warn!(
                    "read where it lies: failed to copy `{}` to `{}`: {error}",
                    source.path.display(),
                    to.display()
                );
                let _ = fs::remove_dir_all(&to);
                source.path.clone()
            }
        };
        self.copies.insert(source.path.clone(), place.clone());
        source.path = place;
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder
            && let Err(error) = fs::remove_dir_all(folder)
        {
            warn!("failed to remove `{}`: {error}", folder.display());
        }
    }
}

/// Makes a folder that nobody has. Neither task nor process id tell processes apart: a task may have several, and
/// nodes may be containers that count for themselves.
fn own_folder(place: &Path, task: &str) -> io::Result<PathBuf> {
    fs::create_dir_all(place)?;
    let mut number = 0_u32;
    loop {
        let folder = place.join(format!("augreg-{task}-{}-{number}", std::process::id()));
        match fs::create_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            made => return made.map(|()| folder),
        }
    }
}

/// Copies a file, or a folder with all that is in it. Returns how many bytes those were.
fn copy(from: &Path, to: &Path) -> io::Result<u64> {
    if !fs::metadata(from)?.is_dir() {
        return fs::copy(from, to);
    }
    fs::create_dir_all(to)?;
    let mut bytes = 0;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        bytes += copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_processes_of_one_name_have_folders_of_their_own() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let place = root.path().join("scratch");
        let folders = [(); 2].map(|()| own_folder(&place, "7").expect("makes"));
        assert_ne!(folders[0], folders[1]);
        assert!(folders.iter().all(|folder| folder.is_dir()));
    }

    #[test]
    fn a_folder_is_copied_with_all_that_is_in_it() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let (from, to) = (root.path().join("from"), root.path().join("to"));
        fs::create_dir_all(from.join("a/b")).expect("creates");
        fs::write(from.join("a/b/c"), "four").expect("writes");
        fs::write(from.join("d"), "five!").expect("writes");
        assert_eq!(copy(&from, &to).expect("copies"), 9);
        assert_eq!(fs::read_to_string(to.join("a/b/c")).expect("reads"), "four");
        assert!(copy(&root.path().join("nowhere"), &to).is_err());
    }
}
