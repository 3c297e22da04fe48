//! What was found out about files and need not be found out again, in a folder of its own:
//! `AUGREG_CACHE`, else `augreg` in the user's cache folder. Data folders are never written to.
//!
//! An entry is named by a fingerprint: format, how it is read, and every file's name, size and times of
//! its last changes, of which the system's own (ctime) nobody can set back. Deleting the folder costs
//! time, nothing else.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use augreg_spec::DataSource;

use crate::DataError;
use crate::index::{Index, stored};

/// Rises when entries change what they hold or how it is found.
const VERSION: u32 = 2;

/// What to do when there is no room for an entry that is needed.
pub(crate) const ADVICE: &str = ": set AUGREG_CACHE to a folder with room";

/// Where entries lie.
pub(crate) fn folder() -> PathBuf {
    let named = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    named("AUGREG_CACHE")
        .or_else(|| named("XDG_CACHE_HOME").map(|cache| cache.join("augreg")))
        .or_else(|| named("HOME").map(|home| home.join(".cache/augreg")))
        .unwrap_or_else(|| std::env::temp_dir().join("augreg-cache"))
}

/// The name of what is known of some files. Knows no content.
#[derive(Debug)]
pub(crate) struct Fingerprint(blake3::Hasher);

impl Fingerprint {
    /// Of a source split `name` that is read as `source` has it.
    pub(crate) fn new(source: &DataSource, name: &str) -> Self {
        let mut fingerprint = Self(blake3::Hasher::new());
        fingerprint.0.update(&VERSION.to_le_bytes());
        let reading = &source.reading;
        let [image, label] = [&reading.image, &reading.label]
            .map(|name| name.as_ref().map_or("\0".to_owned(), Clone::clone));
        for text in [source.format.name(), name, &image, &label] {
            fingerprint.text(text.as_bytes());
        }
        if let Some(map) = reading.label_map {
            fingerprint.text(map.name().as_bytes());
        }
        fingerprint
    }

    pub(crate) fn text(&mut self, text: &[u8]) {
        self.0.update(&(text.len() as u64).to_le_bytes()).update(text);
    }

    /// Takes in a file: its name within its folder, its size and when it was last changed.
    pub(crate) fn file(&mut self, path: &Path) -> Result<(), DataError> {
        let metadata = fs::metadata(path)
            .map_err(|source| DataError::Read { path: path.to_owned(), source })?;
        self.text(path.file_name().unwrap_or_default().as_bytes());
        self.stat(&metadata);
        Ok(())
    }

    /// Takes in a file's size and when it was last changed.
    pub(crate) fn stat(&mut self, metadata: &fs::Metadata) {
        let changed =
            [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()];
        for number in [metadata.len() as i64].into_iter().chain(changed) {
            self.0.update(&number.to_le_bytes());
        }
    }

    /// 32 hexadecimal digits.
    pub(crate) fn name(&self) -> String {
        self.0.finalize().to_hex()[..32].to_owned()
    }
}

/// Held while an entry is looked for and, if it is not there, found out: data sets that share files
/// are looked at one after the other, so that only the first reads them. Reading uses all cores.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The entry of this name, if there is one and it is whole.
pub(crate) fn load(name: &str) -> Option<Index> {
    let bytes = fs::read(folder().join(format!("{name}.index"))).ok()?;
    stored::decode(&bytes).ok()
}

/// Keeps an entry. That it cannot is a pity, not a failure: it is found out again.
pub(crate) fn store(name: &str, index: &Index) {
    let path = folder().join(format!("{name}.index"));
    let write = |mut file: &File| file.write_all(&stored::encode(index));
    if let Err(error) = write_whole(&path, write) {
        let path = path.display();
        tracing::warn!(
            "failed to write `{path}`, so the data will be read anew every time: {error}"
        );
    }
}

/// A new file beside `path`. Two processes may write one entry at once, also on two nodes of a cluster, where
/// neither tells them apart but the file system.
fn draft_of(path: &Path) -> io::Result<(PathBuf, File)> {
    let mut number = 0_u32;
    loop {
        let draft = path.with_added_extension(format!("{number}.part"));
        match File::create_new(&draft) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            made => return made.map(|file| (draft, file)),
        }
    }
}

/// Writes a file that is whole or not there: beside its place first, synced, then renamed.
pub(crate) fn write_whole(
    path: &Path,
    write: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent)?;
    let (draft, file) = draft_of(path)?;
    let finish = || {
        write(&file)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    let written = finish();
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}
