//! Shards: which files of a folder make up which source split, by their names.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use augreg_spec::DataSource;

use crate::DataError;
use crate::cache::Fingerprint;

/// The files with extension `extension` of each source split, sorted by their names.
///
/// `train-00000-of-00064-1a2b3c….parquet` and `train_0003.tar` belong to `train`: what numbers a
/// shard is left out of the name. Files that are nothing but numbered are `train`. Those in a
/// sub-folder belong to the split of the sub-folder's name. The path may be a file itself.
pub(crate) fn splits(
    path: &Path,
    extension: &str,
) -> Result<BTreeMap<String, Vec<PathBuf>>, DataError> {
    let mut splits: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    if path.is_file() {
        return Ok([(split_of(path), vec![path.to_owned()])].into());
    }
    for entry in entries(path)? {
        if entry.is_dir() {
            let shards: Vec<_> =
                entries(&entry)?.into_iter().filter(|file| is(file, extension)).collect();
            if !shards.is_empty() {
                splits.entry(name(&entry)).or_default().extend(shards);
            }
        } else if is(&entry, extension) {
            splits.entry(split_of(&entry)).or_default().push(entry);
        }
    }
    if splits.is_empty() {
        return Err(DataError::Layout {
            folder: path.to_owned(),
            found: format!("no file `*.{extension}`, nor has a folder in it"),
            wanted: "that is what its `format` wants: correct `path` or `format`".to_owned(),
        });
    }
    Ok(splits)
}

/// What names the source split `name`, made of `files`, until one of them changes.
pub(crate) fn fingerprint(
    source: &DataSource,
    name: &str,
    files: &[PathBuf],
) -> Result<String, DataError> {
    let mut fingerprint = Fingerprint::new(source, name);
    files.iter().try_for_each(|file| fingerprint.file(file))?;
    Ok(fingerprint.name())
}

/// What lies in a folder, hidden entries left out, sorted by name.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    if !folder.exists() {
        return Err(DataError::MissingFolder { path: folder.to_owned() });
    }
    let unreadable = |source| DataError::Read { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if !entry.file_name().as_bytes().starts_with(b".") {
            found.push(entry.path());
        }
    }
    found.sort_unstable_by(|a, b| a.file_name().cmp(&b.file_name()));
    Ok(found)
}

fn is(file: &Path, extension: &str) -> bool {
    file.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

/// A file's or folder's name; what a split cannot be called by becomes `_`.
pub(crate) fn name(path: &Path) -> String {
    let name = path.file_stem().filter(|_| path.is_file()).or(path.file_name());
    let valid = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    name.unwrap_or_default().to_string_lossy().chars().map(valid).collect()
}

/// The source split that a shard belongs to.
fn split_of(shard: &Path) -> String {
    split_name(&name(shard))
}

fn split_name(stem: &str) -> String {
    let is_mark = |c: char| c == '-' || c == '_';
    let digits =
        |text: &str| text.len() - text.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let mut rest = stem;
    // The hash that older versions of `datasets` append: 16 hexadecimal digits.
    if let Some((before, hash)) = rest.rsplit_once(is_mark)
        && hash.len() == 16
        && hash.chars().all(|c| c.is_ascii_hexdigit())
        && digits(before) > 0
    {
        rest = before;
    }
    if digits(rest) > 0 {
        rest = &rest[..rest.len() - digits(rest)];
        if let Some(before) = rest.strip_suffix("-of-").or(rest.strip_suffix("_of_"))
            && digits(before) > 0
        {
            rest = &before[..before.len() - digits(before)];
        }
    }
    let rest = rest.trim_end_matches(is_mark);
    if rest.is_empty() { "train".to_owned() } else { rest.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_numbers_a_shard_is_not_part_of_its_splits_name() {
        for (stem, split) in [
            ("train", "train"),
            ("train-000017", "train"),
            ("train_3", "train"),
            ("train-00000-of-00064", "train"),
            ("test-00000-of-00001-b42a0c9c4f1d3a2e", "test"),
            ("imagenet1k-validation-00", "imagenet1k-validation"),
            ("imagenet-1k-train-0000", "imagenet-1k-train"),
            ("0000", "train"),
            ("shard0012", "shard"),
            ("fine-tune", "fine-tune"),
        ] {
            assert_eq!(split_name(stem), split, "{stem}");
        }
    }
}
