//! NumPy's npz: a zip archive of npy files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::array::Array;
use super::error::WeightsError;
use super::npy::{self, NpyError};

/// What a file is called that cannot be read.
const KIND: &str = "an npz";

/// The arrays of a file whose names begin with `prefixes`' first that any name begins with, the prefix
/// taken off; all if none does.
pub(super) fn read(
    path: &Path,
    prefixes: &[&str],
) -> Result<BTreeMap<String, Array>, WeightsError> {
    let damaged = |reason: String| WeightsError::Damaged { path: path.into(), kind: KIND, reason };
    let file = File::open(path).map_err(|source| WeightsError::Io {
        action: "read",
        path: path.into(),
        source,
    })?;
    let mut archive =
        ZipArchive::new(BufReader::new(file)).map_err(|error| damaged(error.to_string()))?;
    let entries: Result<Vec<_>, _> =
        archive.file_names().map(|name| name.map(std::borrow::Cow::into_owned)).collect();
    let entries = entries.map_err(|error| damaged(error.to_string()))?;
    if entries.iter().any(|entry| entry.ends_with("/data.pkl")) {
        return Err(damaged("it is what torch.save writes; save it as safetensors".to_owned()));
    }
    let begins = |prefix: &&&str| entries.iter().any(|entry| entry.starts_with(**prefix));
    let prefix = prefixes.iter().find(begins).copied().unwrap_or_default();
    let (mut arrays, mut problems) = (BTreeMap::new(), Vec::new());
    for entry in &entries {
        let Some(name) = entry.strip_prefix(prefix) else { continue };
        let Some(name) = name.strip_suffix(".npy") else {
            problems.push(format!("`{entry}` is no array"));
            continue;
        };
        let mut file = archive.by_name(entry).map_err(|e| damaged(format!("`{name}`: {e}")))?;
        match npy::read(&mut file) {
            Ok(array) => {
                arrays.insert(name.to_owned(), array);
            }
            Err(NpyError::OtherType(kind)) => {
                problems.push(format!("`{name}` is {kind} in NumPy's words, not <f4"));
            }
            Err(NpyError::Damaged(reason)) => return Err(damaged(format!("`{name}`: {reason}"))),
        }
    }
    if problems.is_empty() {
        return Ok(arrays);
    }
    Err(WeightsError::NoTransformer { path: path.into(), problems })
}

/// Writes arrays uncompressed, as `np.savez` does. The same arrays give the same bytes.
pub(super) fn write(
    file: &mut File,
    arrays: impl Iterator<Item = (String, Array)>,
) -> std::io::Result<()> {
    let mut archive = ZipWriter::new(BufWriter::new(file));
    // Large: an entry's size is not known to the archive before it is written.
    let options =
        SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
    for (name, array) in arrays {
        archive.start_file(format!("{name}.npy"), options)?;
        npy::write(&array, &mut archive)?;
    }
    archive.finish()?.flush()
}
