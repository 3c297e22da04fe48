//! Weights as read from a file, and what they become.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use augreg_spec::{Gelu, ModelSpec};

use super::array::Array;
use super::described::Described;
use super::error::WeightsError;
use super::{flax, npz, positions, tensors};
use crate::architecture::Architecture;
use crate::layout::TensorSpec;

/// What kind of file weights came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// A checkpoint of ours.
    Checkpoint,
    /// safetensors with timm's names: timm's own, or an export of ours.
    Timm,
    /// AugReg's npz, or one of its siblings.
    Npz,
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Checkpoint => "augreg",
            Self::Timm => "timm",
            Self::Npz => "npz",
        })
    }
}

/// What becomes of the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// It stays as it is in the file.
    Kept,
    /// It is left behind; kernel and bias begin at 0, as every transfer of the study does.
    Zeros,
}

/// The weights of a Vision Transformer out of a file.
#[derive(Debug)]
pub struct Weights {
    path: PathBuf,
    format: FileFormat,
    gelu: Option<Gelu>,
    job: Option<String>,
    /// Whether the file has a hidden layer before the head, which was left out.
    hidden_layer: bool,
    described: Described,
    /// Under timm's names and in timm's layout.
    tensors: BTreeMap<String, Array>,
}

impl Weights {
    /// Reads a file of any format of [`FileFormat`], told apart by its first bytes.
    ///
    /// # Errors
    ///
    /// [`WeightsError`] if it cannot be read, or does not hold a Vision Transformer in 32-bit floats.
    pub fn read(path: &Path) -> Result<Self, WeightsError> {
        if is_archive(path)? { Self::read_npz(path) } else { Self::read_tensors(path) }
    }

    fn read_npz(path: &Path) -> Result<Self, WeightsError> {
        let none = |problems| WeightsError::NoTransformer { path: path.into(), problems };
        let flax::Converted { tensors, heads, hidden_layer } =
            flax::to_timm(npz::read(path, &flax::PREFIXES)?).map_err(none)?;
        let described = Described::of(&tensors, heads, None).map_err(none)?;
        let (format, path) = (FileFormat::Npz, path.into());
        Ok(Self { path, format, gelu: None, job: None, hidden_layer, described, tensors })
    }

    fn read_tensors(path: &Path) -> Result<Self, WeightsError> {
        let none = |problems| WeightsError::NoTransformer { path: path.into(), problems };
        let tensors::Contents { tensors, note, checkpoint } = tensors::read(path)?;
        let noted = note.as_ref().map(|note| note.model);
        let described = Described::of(&tensors, None, noted).map_err(none)?;
        Ok(Self {
            path: path.into(),
            format: if checkpoint { FileFormat::Checkpoint } else { FileFormat::Timm },
            gelu: note.as_ref().map(|note| note.gelu),
            job: note.and_then(|note| note.job),
            hidden_layer: false,
            described,
            tensors,
        })
    }

    /// The kind of file.
    #[must_use]
    pub fn format(&self) -> FileFormat {
        self.format
    }

    /// What network it holds.
    #[must_use]
    pub fn described(&self) -> &Described {
        &self.described
    }

    /// The activation function it was trained with, where the file says so.
    #[must_use]
    pub fn gelu(&self) -> Option<Gelu> {
        self.gelu
    }

    /// The job that trained it, where the file says so.
    #[must_use]
    pub fn job(&self) -> Option<&str> {
        self.job.as_deref()
    }

    /// Whether the file has a hidden layer before its head. It is left out.
    #[must_use]
    pub fn has_hidden_layer(&self) -> bool {
        self.hidden_layer
    }

    /// The network of these weights. What is not given is as in the file.
    ///
    /// # Errors
    ///
    /// [`WeightsError`] if the model is another one, its heads are not known, the file has no head and
    /// no classes are given, or the numbers make no network.
    pub fn architecture(
        &self,
        model: Option<ModelSpec>,
        resolution: Option<u32>,
        classes: Option<u32>,
    ) -> Result<Architecture, WeightsError> {
        let described = &self.described;
        if let Some(asked) = model {
            self.check_model(asked)?;
        }
        let model = model.or(described.model()).ok_or_else(|| WeightsError::UnknownHeads {
            path: self.path.clone(),
            width: described.with_heads(0).width,
        })?;
        let resolution = resolution.unwrap_or(described.resolution);
        let classes = classes.or(described.classes);
        let classes = classes.ok_or_else(|| WeightsError::NoHead { path: self.path.clone() })?;
        Architecture::new(model, described.channels, classes, resolution)
            .map(|architecture| architecture.with_gelu(self.gelu.unwrap_or_default()))
            .map_err(|source| WeightsError::Model { path: self.path.clone(), source })
    }

    /// The parameters of `architecture`, in the order of [`Architecture::tensors`]. Position embeddings
    /// for another resolution are resized, corners aligned.
    ///
    /// # Errors
    ///
    /// [`WeightsError`] if the model is another one; a hidden layer stood before a head that is to be
    /// kept; or any tensor is missing, unexpected or of another shape: all of them are listed.
    pub fn parameters(
        &self,
        architecture: &Architecture,
        head: Head,
    ) -> Result<Vec<f32>, WeightsError> {
        self.check_model(architecture.model())?;
        if self.hidden_layer && head == Head::Kept {
            return Err(WeightsError::HiddenLayer { path: self.path.clone() });
        }
        let specs = architecture.tensors(0.0);
        let is_left = |name: &str| head == Head::Zeros && name.starts_with("head.");
        let (mut values, mut problems) = (Vec::new(), Vec::new());
        for spec in &specs {
            if is_left(&spec.name) {
                values.resize(values.len() + spec.elements(), 0.0);
                continue;
            }
            match self.fitting(spec) {
                Ok(found) => values.extend(found),
                Err(problem) => problems.push(problem),
            }
        }
        let expected = |name: &str| specs.iter().any(|spec| spec.name == name);
        let others = self.tensors.keys().filter(|name| !expected(name) && !is_left(name));
        problems.extend(others.map(|name| format!("`{name}` is unexpected")));
        if problems.is_empty() {
            return Ok(values);
        }
        let asked = format!(
            "{} of {} channels, {} classes and resolution {}",
            architecture.model(),
            architecture.channels(),
            architecture.classes(),
            architecture.resolution()
        );
        Err(WeightsError::Misfit { path: self.path.clone(), asked, problems })
    }

    fn check_model(&self, asked: ModelSpec) -> Result<(), WeightsError> {
        if self.described.is(asked) {
            return Ok(());
        }
        let (found, asked) = (self.described.text(), asked.to_string());
        Err(WeightsError::OtherModel { path: self.path.clone(), found, asked })
    }

    /// The values for one tensor, or what is wrong.
    fn fitting(&self, spec: &TensorSpec) -> Result<Vec<f32>, String> {
        let name = &spec.name;
        let array = self.tensors.get(name).ok_or_else(|| format!("`{name}` is missing"))?;
        let shape: Vec<_> = spec.shape.iter().map(|&size| size as usize).collect();
        if array.shape == shape {
            return Ok(array.values.clone());
        }
        if let ("pos_embed", [1, tokens, width], &[1, wanted, wanted_width]) =
            (name.as_str(), array.shape.as_slice(), shape.as_slice())
            && *width == wanted_width
        {
            let [from, to] = [tokens - 1, wanted - 1].map(usize::isqrt);
            return Ok(positions::resize(array, from, to).values);
        }
        Err(format!("`{name}` is {:?}, not {shape:?}", array.shape))
    }
}

/// Whether a file begins as zip archives do, which npz files are.
fn is_archive(path: &Path) -> Result<bool, WeightsError> {
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(2).read_to_end(&mut start))
        .map_err(|source| WeightsError::Io { action: "read", path: path.into(), source })?;
    Ok(start == b"PK")
}
