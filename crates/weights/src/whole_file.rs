//! Files that are whole or not there: written beside their name, synced, renamed, the folder synced.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Why a file was not written: what was tried, and what the system said.
pub(crate) type Unwritten = (&'static str, io::Error);

/// Writes a file through `fill`, replacing what was there only once all is on disk.
pub(crate) fn write(
    path: &Path,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), Unwritten> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let failed = |action| move |error| (action, error);
    fs::create_dir_all(folder).map_err(failed("create the folder of"))?;
    let beside = unfinished(path);
    let written = File::create(&beside).and_then(|mut file| {
        fill(&mut file)?;
        file.sync_all()
    });
    if let Err(error) = written {
        // On a full disk the half file must not hold on to the space; if this fails too, the
        // next writing overwrites it.
        let _ = fs::remove_file(&beside);
        return Err(("write", error));
    }
    fs::rename(&beside, path).map_err(failed("rename"))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("sync the folder of"))
}

/// Where the file at `path` is written before it takes its name.
pub(crate) fn unfinished(path: &Path) -> PathBuf {
    path.with_extension("new")
}
