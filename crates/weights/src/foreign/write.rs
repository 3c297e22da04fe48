//! Weights for other people's programs.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};

use super::array::Array;
use super::error::WeightsError;
use super::tensors::{NOTE, Note};
use super::{flax, npz};
use crate::architecture::Architecture;
use crate::layout::{TensorSpec, split};
use crate::whole_file;

/// Writes parameters, in the order of [`Architecture::tensors`], as a safetensors file that timm loads
/// with `strict=True`. Its metadata name the model and `job`, which timm passes over.
///
/// # Errors
///
/// [`WeightsError::Io`]; the file that was there stays.
///
/// # Panics
///
/// If there are fewer values than the network has parameters.
pub fn write_timm(
    path: &Path,
    architecture: &Architecture,
    parameters: &[f32],
    job: Option<String>,
) -> Result<(), WeightsError> {
    let fail = |action, source| WeightsError::Io { action, path: path.into(), source };
    let note = Note { model: architecture.model(), gelu: architecture.gelu(), job };
    let note = serde_json::to_string(&note).map_err(|e| fail("encode", io::Error::other(e)))?;
    // What PyTorch's programs look for before they load.
    let format = ("format".to_owned(), "pt".to_owned());
    let metadata = HashMap::from([format, (NOTE.to_owned(), note)]);
    let specs = architecture.tensors(0.0);
    let views: Result<Vec<_>, _> = split(&specs, parameters)
        .map(|(spec, values)| {
            let view = TensorView::new(Dtype::F32, shape(spec), bytemuck::cast_slice(values));
            view.map(|view| (spec.name.as_str(), view))
        })
        .collect();
    let bytes = views
        .and_then(|views| safetensors::serialize(views, Some(metadata)))
        .map_err(|error| fail("encode", io::Error::other(error)))?;
    whole_file::write(path, |file| file.write_all(&bytes))
        .map_err(|(action, source)| fail(action, source))
}

/// Writes parameters, in the order of [`Architecture::tensors`], as an npz file with the names and
/// layouts of AugReg's released ones.
///
/// # Errors
///
/// [`WeightsError::Io`]; the file that was there stays.
///
/// # Panics
///
/// If there are fewer values than the network has parameters.
pub fn write_npz(
    path: &Path,
    architecture: &Architecture,
    parameters: &[f32],
) -> Result<(), WeightsError> {
    let specs = architecture.tensors(0.0);
    let heads = architecture.heads() as usize;
    let arrays = split(&specs, parameters).flat_map(|(spec, values)| {
        flax::from_timm(&spec.name, &Array::new(shape(spec), values.to_vec()), heads)
    });
    whole_file::write(path, |file| npz::write(file, arrays))
        .map_err(|(action, source)| WeightsError::Io { action, path: path.into(), source })
}

fn shape(spec: &TensorSpec) -> Vec<usize> {
    spec.shape.iter().map(|&size| size as usize).collect()
}
