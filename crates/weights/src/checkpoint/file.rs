//! Atomic writing and strict reading of safetensors files, whatever they hold.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use augreg_spec::{JobId, JobSpec};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::error::CheckpointError;
use crate::whole_file::{self, unfinished};

/// What a file of this layout says under `format`.
pub(crate) const FORMAT: &str = "augreg-checkpoint-1";

/// Metadata key of the BLAKE3 over everything else.
const CONTENT: &str = "content";

/// Metadata key of the job's spec, as canonical JSON. Files of earlier versions have none.
pub(crate) const SPEC: &str = "spec";

/// A named tensor of 32-bit floats.
pub(super) struct Named<'a> {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) values: &'a [f32],
}

/// A file as read: its metadata, and its tensors in the order they were asked for.
pub(super) struct Contents {
    metadata: HashMap<String, String>,
    pub(super) values: Vec<Vec<f32>>,
}

/// The job that a checkpoint belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// Its id.
    pub job: JobId,
    /// What it does: whoever finds the file alone knows from it what network it holds.
    pub spec: &'a JobSpec,
}

/// Writes tensors and metadata to `path`, replacing what was there only once all is on disk.
pub(super) fn write(
    path: &Path,
    owner: Owner<'_>,
    mut metadata: HashMap<String, String>,
    tensors: &[Named<'_>],
) -> Result<(), CheckpointError> {
    let fail = |action, source| CheckpointError::Io { action, path: path.to_owned(), source };
    metadata.insert("format".to_owned(), FORMAT.to_owned());
    metadata.insert("job".to_owned(), owner.job.to_string());
    metadata.insert(SPEC.to_owned(), owner.spec.canonical());
    let views: Result<Vec<_>, _> = tensors
        .iter()
        .map(|tensor| {
            let bytes = bytemuck::cast_slice(tensor.values);
            TensorView::new(Dtype::F32, tensor.shape.clone(), bytes)
                .map(|view| (tensor.name.as_str(), view))
        })
        .collect();
    let views = views.map_err(|error| fail("encode", io::Error::other(error)))?;
    metadata.insert(CONTENT.to_owned(), content(&metadata, &views));
    let bytes = safetensors::serialize(views, Some(metadata))
        .map_err(|error| fail("encode", io::Error::other(error)))?;
    whole_file::write(path, |file| file.write_all(&bytes))
        .map_err(|(action, source)| fail(action, source))
}

/// Removes what somebody who died while writing the file at `path` left half done. Nobody else may be
/// writing it.
///
/// # Errors
///
/// [`CheckpointError::Io`] if it cannot be removed.
pub fn clear_unfinished(path: &Path) -> Result<(), CheckpointError> {
    let path = unfinished(path);
    match fs::remove_file(&path) {
        Ok(()) => Ok(()),
        // Not even a folder for it is no half file either; writing will say what is wrong.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(())
        }
        Err(source) => {
            Err(CheckpointError::Io { action: "remove a half-written part of", path, source })
        }
    }
}

/// Reads the tensors `expected` (name and shape) from `path`; nothing else may be there.
///
/// The job is compared before the tensors, so that a foreign file is called that.
pub(super) fn read(
    path: &Path,
    job: JobId,
    expected: &[(String, Vec<usize>)],
) -> Result<Contents, CheckpointError> {
    let damaged = |reason: String| CheckpointError::Damaged { path: path.to_owned(), reason };
    let bytes = fs::read(path).map_err(|source| CheckpointError::Io {
        action: "read",
        path: path.to_owned(),
        source,
    })?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| damaged(e.to_string()))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| damaged(e.to_string()))?;
    let metadata = header.metadata().clone().unwrap_or_default();
    match metadata.get("format").map(String::as_str) {
        Some(FORMAT) => {}
        Some(other) => return Err(damaged(format!("its format is `{other}`, not `{FORMAT}`"))),
        None => return Err(damaged("it was not written by augreg".to_owned())),
    }
    let mut tensors = file.tensors();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let named: Vec<_> = tensors.iter().map(|(name, view)| (name.as_str(), view.clone())).collect();
    if !is_intact(&metadata, &named) {
        return Err(damaged("its checksum does not hold".to_owned()));
    }
    if metadata.get("job") != Some(&job.to_string()) {
        let found = metadata.get("job").cloned().unwrap_or_default();
        return Err(CheckpointError::OtherJob { path: path.to_owned(), found, expected: job });
    }

    let problems = misfits(expected, &tensors);
    if !problems.is_empty() {
        return Err(CheckpointError::Misfit { path: path.to_owned(), problems });
    }
    let values = expected
        .iter()
        .filter_map(|(name, _)| tensors.iter().find(|tensor| tensor.0 == *name))
        .map(|(_, view)| bytemuck::pod_collect_to_vec(view.data()))
        .collect();
    Ok(Contents { metadata, values })
}

impl Contents {
    /// The metadata value of `key`, parsed.
    pub(super) fn parse<T: std::str::FromStr>(
        &self,
        path: &Path,
        key: &str,
    ) -> Result<T, CheckpointError> {
        self.metadata.get(key).and_then(|text| text.parse().ok()).ok_or_else(|| {
            let reason = format!("its metadata hold no `{key}`");
            CheckpointError::Damaged { path: path.to_owned(), reason }
        })
    }
}

/// Everything that differs between what is expected and what is there.
fn misfits(expected: &[(String, Vec<usize>)], tensors: &[(String, TensorView<'_>)]) -> Vec<String> {
    let found: BTreeMap<_, _> = tensors.iter().map(|(name, view)| (name, view)).collect();
    let mut problems = Vec::new();
    for (name, shape) in expected {
        match found.get(name) {
            None => problems.push(format!("`{name}` is missing")),
            Some(view) if view.dtype() != Dtype::F32 => {
                problems.push(format!("`{name}` is {:?}, not F32", view.dtype()));
            }
            Some(view) if view.shape() != shape => {
                problems.push(format!("`{name}` is {:?}, not {shape:?}", view.shape()));
            }
            Some(_) => {}
        }
    }
    let asked = |name: &str| expected.iter().any(|(expected, _)| expected == name);
    let unexpected = found.keys().filter(|name| !asked(name));
    problems.extend(unexpected.map(|name| format!("`{name}` is unexpected")));
    problems
}

/// Whether metadata and tensors are what was written.
pub(crate) fn is_intact(
    metadata: &HashMap<String, String>,
    tensors: &[(&str, TensorView<'_>)],
) -> bool {
    metadata.get(CONTENT) == Some(&content(metadata, tensors))
}

/// BLAKE3 (hex) over metadata and tensors, each in the order of names.
fn content(metadata: &HashMap<String, String>, tensors: &[(&str, TensorView<'_>)]) -> String {
    let mut hash = blake3::Hasher::new();
    let ordered: BTreeMap<_, _> = metadata.iter().filter(|(key, _)| *key != CONTENT).collect();
    let mut text = |text: &str| {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    for (key, value) in ordered {
        text(key);
        text(value);
    }
    let mut tensors: Vec<_> = tensors.iter().collect();
    tensors.sort_by_key(|(name, _)| *name);
    for (name, view) in tensors {
        let header = format!("{name} {:?} {:?}", view.dtype(), view.shape());
        hash.update(header.as_bytes());
        hash.update(view.data());
    }
    hash.finalize().to_hex().to_string()
}

/// Renames a damaged file to `<name>.corrupt-<n>`, n the first free number from 1, so that it is
/// neither used nor lost. Returns the new name.
///
/// # Errors
///
/// [`CheckpointError::Io`] if the file cannot be renamed.
pub fn set_aside(path: &Path) -> Result<PathBuf, CheckpointError> {
    let mut n = 1;
    let mut free = path.with_extension("corrupt-1");
    while free.exists() {
        n += 1;
        free = path.with_extension(format!("corrupt-{n}"));
    }
    fs::rename(path, &free).map_err(|source| CheckpointError::Io {
        action: "set aside",
        path: path.to_owned(),
        source,
    })?;
    Ok(free)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_of_another_type_is_named_with_both_types() {
        let view = |dtype, bytes| TensorView::new(dtype, vec![2], bytes).expect("a tensor");
        let tensors = [
            ("a".to_owned(), view(Dtype::BF16, &[0; 4])),
            ("b".to_owned(), view(Dtype::F32, &[0; 8])),
        ];
        let expected = ["a", "b"].map(|name| (name.to_owned(), vec![2]));
        assert_eq!(misfits(&expected, &tensors), ["`a` is BF16, not F32"]);
    }
}
