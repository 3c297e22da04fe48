//! Finds the `augreg-worker` binary. It is not started here.

use std::env;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Name of the worker's binary.
const NAME: &str = "augreg-worker";

/// There is no worker binary.
#[derive(Debug, Error)]
pub enum ProgramError {
    /// The environment names a file that is not there.
    #[error(
        "AUGREG_WORKER names `{path}`, which is no file; build the worker with `scripts/build`, or unset it",
        path = path.display()
    )]
    Named {
        /// The value of `AUGREG_WORKER`.
        path: PathBuf,
    },
    /// It is in none of the usual places.
    #[error(
        "there is no `augreg-worker` beside `augreg` ({beside}) nor on PATH; build it with `scripts/build`, or name it in AUGREG_WORKER"
    )]
    NotFound {
        /// The folder of the running program.
        beside: String,
    },
}

/// The worker binary: the file named by `AUGREG_WORKER`, else the one beside the running program,
/// else the first on `PATH`. Absolute.
///
/// # Errors
///
/// [`ProgramError`], saying where it was looked for and how to build it.
pub fn program() -> Result<PathBuf, ProgramError> {
    let named = env::var_os("AUGREG_WORKER").filter(|path| !path.is_empty()).map(PathBuf::from);
    let beside = env::current_exe().ok().and_then(|path| path.parent().map(Path::to_owned));
    let search = env::var_os("PATH").unwrap_or_default();
    find(named, beside, env::split_paths(&search))
}

fn find(
    named: Option<PathBuf>,
    beside: Option<PathBuf>,
    search: impl Iterator<Item = PathBuf>,
) -> Result<PathBuf, ProgramError> {
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    if let Some(path) = named {
        return if path.is_file() { Ok(absolute(path)) } else { Err(ProgramError::Named { path }) };
    }
    let mut folders = beside.iter().cloned().chain(search);
    let found = folders.find_map(|folder| Some(folder.join(NAME)).filter(|path| path.is_file()));
    found.map(absolute).ok_or_else(|| ProgramError::NotFound {
        beside: beside.map_or_else(|| "unknown".to_owned(), |path| path.display().to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_wins_then_the_neighbour_then_the_path() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(&path).expect("creates");
            path
        };
        let (beside, on_path) = (place("beside"), place("path"));
        let look = |named: Option<&Path>| {
            find(
                named.map(Path::to_owned),
                Some(beside.clone()),
                [place("empty"), on_path.clone()].into_iter(),
            )
        };

        let missing = look(None).expect_err("there is none yet").to_string();
        assert!(missing.contains("scripts/build") && missing.contains("beside"), "{missing}");

        std::fs::write(on_path.join(NAME), "").expect("writes");
        assert_eq!(look(None).expect("on the path"), on_path.join(NAME));
        std::fs::write(beside.join(NAME), "").expect("writes");
        assert_eq!(look(None).expect("beside"), beside.join(NAME));

        let named = folder.path().join("mine");
        assert!(matches!(look(Some(&named)), Err(ProgramError::Named { .. })));
        std::fs::write(&named, "").expect("writes");
        assert_eq!(look(Some(&named)).expect("named"), named);
    }
}
