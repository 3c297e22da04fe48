//! Files of parameters that sweeps start from: what they hold, and their place in a study.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use augreg_protocol::{RunFolder, imported, with_causes};
use augreg_spec::{CheckpointIdentity, Found, Sweep, Upstream};
use augreg_weights::foreign::{Weights, WeightsError};

use crate::failure::Failure;

/// Looks at every file of parameters that a sweep starts from.
pub(crate) fn identify(sweep: &Sweep) -> Result<BTreeMap<PathBuf, CheckpointIdentity>, Failure> {
    let (mut found, mut faults) = (BTreeMap::new(), Vec::new());
    for path in sweep.checkpoints() {
        if found.contains_key(path) {
            continue;
        }
        match look(path) {
            Ok(identity) => {
                found.insert(path.to_owned(), identity);
            }
            Err(why) => faults.push((path.to_owned(), why)),
        }
    }
    if faults.is_empty() { Ok(found) } else { Err(sweep.unusable(faults).into()) }
}

fn look(path: &Path) -> Result<CheckpointIdentity, String> {
    let content = hash(path).map_err(|error| error.to_string())?;
    let weights = Weights::read(path).map_err(|error: WeightsError| with_causes(&error))?;
    let described = weights.described();
    let model = described.model().ok_or_else(|| {
        format!("its attention heads are not known: it holds {}", described.text())
    })?;
    let stem =
        path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    Ok(CheckpointIdentity {
        channels: described.channels,
        classes: described.classes,
        content,
        gelu: weights.gelu().unwrap_or_default(),
        model,
        name: model.name().map_or(stem, str::to_owned),
        resolution: described.resolution,
    })
}

fn hash(path: &Path) -> io::Result<String> {
    let mut hash = blake3::Hasher::new();
    hash.update_reader(File::open(path)?)?;
    Ok(hash.finalize().to_hex().to_string())
}

/// Puts the files into the study, where workers find them by their hashes.
pub(crate) fn take_in(root: &Path, found: &Found) -> Result<(), Failure> {
    for (path, identity) in &found.checkpoints {
        let place = imported(root, &identity.content);
        if !place.exists() {
            copy(path, &place).map_err(|error| {
                let message = format!(
                    "failed to copy `{}` to `{}`: {error}",
                    path.display(),
                    place.display()
                );
                Failure::request(message, "its jobs are registered; launch again when it is mended")
            })?;
        }
    }
    Ok(())
}

/// Lends what a job starts from to another study.
pub(crate) fn lend(upstream: &Upstream, from: &Path, to: &Path) -> Result<(), Failure> {
    let place = |root: &Path| match upstream {
        Upstream::Job(job) => RunFolder::new(root, *job).last(),
        Upstream::File(hash) => imported(root, hash),
    };
    copy(&place(from), &place(to)).map_err(|error| {
        let message =
            format!("what the job starts from is not there: `{}`: {error}", place(from).display());
        Failure::request(
            message,
            "its upstream's sweep did not keep it (`keep`), or it was removed",
        )
    })
}

/// Copies a file, which is there as a whole or not at all.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let folder = to.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let unfinished = to.with_extension("new");
    fs::copy(from, &unfinished)?;
    File::open(&unfinished)?.sync_all()?;
    fs::rename(&unfinished, to)?;
    File::open(folder)?.sync_all()
}
