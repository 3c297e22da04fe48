//! Parameters that are there before a job begins: those of another job, or of an imported file.

use std::path::{Path, PathBuf};

use augreg_protocol::{FailureKind, RunFolder, imported, with_causes};
use augreg_spec::Upstream;
use augreg_vit::Architecture;
use augreg_vit::foreign::{Head, Weights};

use crate::failure::Failure;

/// The values of an architecture's parameters, taken from upstream: position embeddings for another
/// resolution are resized, and the head stays or begins at zero.
///
/// # Source
///
/// `load_pretrained` in `vit_jax` `checkpoint.py`; paper §3.5.
pub(crate) fn parameters(
    upstream: &Upstream,
    root: &Path,
    architecture: &Architecture,
    head: Head,
) -> Result<Vec<f32>, Failure> {
    let path = path(upstream, root);
    if !path.exists() {
        return Err(missing(upstream, &path));
    }
    let weights = Weights::read(&path);
    let values = weights.and_then(|weights| weights.parameters(architecture, head));
    values.map_err(|error| Failure::new(FailureKind::Data, with_causes(&error)))
}

fn path(upstream: &Upstream, root: &Path) -> PathBuf {
    match upstream {
        Upstream::Job(job) => RunFolder::new(root, *job).last(),
        Upstream::File(hash) => imported(root, hash),
    }
}

fn missing(upstream: &Upstream, path: &Path) -> Failure {
    let what = match upstream {
        Upstream::Job(job) => format!(
            "the final parameters of job {}, which this one starts from, are not there: `{}`; its sweep \
             did not keep them (`keep`), or they were removed. Copy them back, or `augreg retry` that \
             job's sweep in a new study",
            job.short(),
            path.display()
        ),
        Upstream::File(_) => format!(
            "the imported file that this job starts from is not there: `{}`; `augreg launch` of its sweep \
             file brings it back",
            path.display()
        ),
    };
    Failure::new(FailureKind::Data, what)
}
