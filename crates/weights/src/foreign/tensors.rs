//! safetensors files: timm's, our exports, our checkpoints.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use augreg_spec::{Gelu, JobSpec, ModelSpec};
use safetensors::tensor::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use super::array::Array;
use super::error::WeightsError;
use crate::checkpoint;

/// What a file is called that cannot be read.
const KIND: &str = "safetensors";

/// Metadata key under which our exports say what they hold.
pub(super) const NOTE: &str = "augreg";

/// What the tensors alone do not tell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) model: ModelSpec,
    pub(super) gelu: Gelu,
    /// The job that trained it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) job: Option<String>,
}

/// What a file holds.
pub(super) struct Contents {
    pub(super) tensors: BTreeMap<String, Array>,
    pub(super) note: Option<Note>,
    /// Whether it is a checkpoint of ours.
    pub(super) checkpoint: bool,
}

/// Reads a file, a checkpoint without what is its optimizer's.
pub(super) fn read(path: &Path) -> Result<Contents, WeightsError> {
    let damaged = |reason: String| WeightsError::Damaged { path: path.into(), kind: KIND, reason };
    let bytes = fs::read(path).map_err(|source| WeightsError::Io {
        action: "read",
        path: path.into(),
        source,
    })?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| damaged(e.to_string()))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| damaged(e.to_string()))?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let checkpoint = metadata.get("format").is_some_and(|format| format == checkpoint::FORMAT);
    let tensors = file.tensors();
    if checkpoint {
        let named: Vec<_> =
            tensors.iter().map(|(name, view)| (name.as_str(), view.clone())).collect();
        if !checkpoint::is_intact(&metadata, &named) {
            return Err(damaged("its checksum does not hold".to_owned()));
        }
    }
    let (mut arrays, mut problems) = (BTreeMap::new(), Vec::new());
    for (name, view) in tensors {
        if checkpoint && checkpoint::is_of_optimizer(&name) {
            continue;
        }
        if view.dtype() == Dtype::F32 {
            let values = bytemuck::pod_collect_to_vec(view.data());
            arrays.insert(name, Array::new(view.shape().to_vec(), values));
        } else {
            problems.push(format!("`{name}` is {:?}, not F32", view.dtype()));
        }
    }
    if !problems.is_empty() {
        problems.sort();
        return Err(WeightsError::NoTransformer { path: path.into(), problems });
    }
    Ok(Contents { tensors: arrays, note: note(&metadata), checkpoint })
}

/// What our own files say of themselves. Anything else under our keys says nothing.
fn note(metadata: &HashMap<String, String>) -> Option<Note> {
    if let Some(note) = metadata.get(NOTE) {
        return serde_json::from_str(note).ok();
    }
    let job = metadata.get("job").cloned();
    let spec: JobSpec = serde_json::from_str(metadata.get(checkpoint::SPEC)?).ok()?;
    let training = spec.training()?;
    Some(Note { model: training.model, gelu: training.gelu, job })
}
