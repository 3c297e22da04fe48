//! The two kinds of checkpoint: all that a job needs to go on, and parameters alone.

use std::collections::HashMap;
use std::path::Path;

use augreg_spec::{JobId, Optimizer};

use super::error::CheckpointError;
use super::file::{Named, Owner, read, write};
use crate::layout::{TensorSpec, split};

/// What an optimizer keeps of every parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moments {
    /// Adam's two moments of the gradient.
    Adam,
    /// SGD's accumulator of gradients.
    Sgd,
}

impl Moments {
    /// Those of this optimizer.
    #[must_use]
    pub fn of(optimizer: &Optimizer) -> Self {
        match optimizer {
            Optimizer::AdamW(_) => Self::Adam,
            Optimizer::Sgd(_) => Self::Sgd,
        }
    }

    /// Prefixes of their tensors' names.
    fn prefixes(self) -> &'static [&'static str] {
        match self {
            Self::Adam => &["adam.first_moment.", "adam.second_moment."],
            Self::Sgd => &["sgd.accumulator."],
        }
    }
}

/// Whether a tensor of a checkpoint is the optimizer's and none of the network's.
pub(crate) fn is_of_optimizer(name: &str) -> bool {
    let all = [Moments::Adam, Moments::Sgd];
    all.iter().flat_map(|moments| moments.prefixes()).any(|prefix| name.starts_with(prefix))
}

/// Everything a training job needs to go on bit-exactly. No random state: every draw is a
/// function of seed and step.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingState {
    /// Steps done.
    pub step: u64,
    /// Parameters, in the order of their specs.
    pub parameters: Vec<f32>,
    /// What the optimizer keeps, as [`Moments`] has it, each in the same order.
    pub moments: Vec<Vec<f32>>,
    /// Training losses of the last steps, oldest first.
    pub recent_losses: Vec<f32>,
    /// The step of the last evaluation; 0 before the first.
    pub evaluated: u64,
    /// Best validation accuracy so far.
    pub best_val: Option<f64>,
    /// Seconds spent so far, all attempts together.
    pub seconds: f64,
    /// Images that go through the network at once: sums of gradients depend on it in their last bits.
    /// 0 if the checkpoint does not say, as those of whole batches do not.
    pub micro_batch: u32,
    /// What the examples drawn so far come to: in all, then epoch by epoch. None if a part of them
    /// was drawn by an augreg that did not keep count.
    pub orders: Option<Vec<u128>>,
}

impl TrainingState {
    /// Writes the state of a job to `path`, atomically and durably.
    ///
    /// # Errors
    ///
    /// [`CheckpointError::Io`], for instance on a full disk; the file that was there stays.
    pub fn save(
        &self,
        path: &Path,
        owner: Owner<'_>,
        specs: &[TensorSpec],
        kept: Moments,
    ) -> Result<(), CheckpointError> {
        // The shortest text of a float reads back as the same float.
        let losses: Vec<_> = self.recent_losses.iter().map(f32::to_string).collect();
        let mut metadata = HashMap::from([
            ("step".to_owned(), self.step.to_string()),
            ("evaluated".to_owned(), self.evaluated.to_string()),
            ("seconds".to_owned(), self.seconds.to_string()),
            ("micro_batch".to_owned(), self.micro_batch.to_string()),
            ("recent_losses".to_owned(), losses.join(" ")),
        ]);
        if let Some(best) = self.best_val {
            metadata.insert("best_val".to_owned(), best.to_string());
        }
        if let Some(orders) = &self.orders {
            let orders: Vec<_> = orders.iter().map(|order| format!("{order:x}")).collect();
            metadata.insert("orders".to_owned(), orders.join(" "));
        }
        let mut tensors = named(specs, "", &self.parameters);
        for (prefix, moment) in kept.prefixes().iter().zip(&self.moments) {
            tensors.extend(named(specs, prefix, moment));
        }
        write(path, owner, metadata, &tensors)
    }

    /// Reads the state of `job` from `path`; none if there is no such file.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`]; all tensors that do not fit are listed at once.
    pub fn load(
        path: &Path,
        job: JobId,
        specs: &[TensorSpec],
        kept: Moments,
    ) -> Result<Option<Self>, CheckpointError> {
        if !path.exists() {
            return Ok(None);
        }
        let mut expected = shapes(specs, "");
        for prefix in kept.prefixes() {
            expected.extend(shapes(specs, prefix));
        }
        let contents = read(path, job, &expected)?;
        let losses: String = contents.parse(path, "recent_losses")?;
        let mut flat = contents.values.chunks(specs.len()).map(<[Vec<f32>]>::concat);
        let mut next = || flat.next().unwrap_or_default();
        Ok(Some(Self {
            parameters: next(),
            moments: kept.prefixes().iter().map(|_| next()).collect(),
            recent_losses: losses.split_whitespace().filter_map(|loss| loss.parse().ok()).collect(),
            step: contents.parse(path, "step")?,
            evaluated: contents.parse(path, "evaluated")?,
            best_val: contents.parse(path, "best_val").ok(),
            seconds: contents.parse(path, "seconds")?,
            micro_batch: contents.parse(path, "micro_batch").unwrap_or(0),
            orders: contents.parse::<String>(path, "orders").ok().and_then(|orders| {
                let order = |text| u128::from_str_radix(text, 16).ok();
                orders.split_whitespace().map(order).collect()
            }),
        }))
    }
}

/// Writes parameters alone, measured at `step` of a job, atomically and durably.
///
/// # Errors
///
/// [`CheckpointError::Io`], for instance on a full disk; the file that was there stays.
pub fn save_parameters(
    path: &Path,
    owner: Owner<'_>,
    specs: &[TensorSpec],
    step: u64,
    parameters: &[f32],
) -> Result<(), CheckpointError> {
    let metadata = HashMap::from([("step".to_owned(), step.to_string())]);
    write(path, owner, metadata, &named(specs, "", parameters))
}

/// Reads parameters alone, in the order of `specs`, as [`save_parameters`] wrote them.
///
/// # Errors
///
/// [`CheckpointError`]; all tensors that do not fit are listed at once.
pub fn load_parameters(
    path: &Path,
    job: JobId,
    specs: &[TensorSpec],
) -> Result<Vec<f32>, CheckpointError> {
    Ok(read(path, job, &shapes(specs, ""))?.values.concat())
}

fn named<'a>(specs: &'a [TensorSpec], prefix: &str, values: &'a [f32]) -> Vec<Named<'a>> {
    shapes(specs, prefix)
        .into_iter()
        .zip(split(specs, values))
        .map(|((name, shape), (_, values))| Named { name, shape, values })
        .collect()
}

fn shapes(specs: &[TensorSpec], prefix: &str) -> Vec<(String, Vec<usize>)> {
    specs
        .iter()
        .map(|spec| {
            let shape = spec.shape.iter().map(|&size| size as usize).collect();
            (format!("{prefix}{}", spec.name), shape)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::{CheckpointError, set_aside};
    use crate::layout::{Init, Role};
    use augreg_spec::{JobSpec, NoopSpec};
    use std::fs;

    fn specs(shapes: &[(&str, &[i64])]) -> Vec<TensorSpec> {
        let spec = |&(name, shape): &(&str, &[i64])| TensorSpec {
            name: name.to_owned(),
            shape: shape.to_vec(),
            role: Role::Kernel,
            init: Init::Constant(0.0),
        };
        shapes.iter().map(spec).collect()
    }

    const SPEC: JobSpec = JobSpec::Noop(NoopSpec { index: 0, seed: 0 });

    fn owner(job: JobId) -> Owner<'static> {
        Owner { job, spec: &SPEC }
    }

    fn state() -> (Vec<TensorSpec>, TrainingState) {
        let specs = specs(&[("z.weight", &[2, 3]), ("a.bias", &[2])]);
        let values = |from: f32| (0..8).map(|i| from + i as f32 / 3.0).collect::<Vec<f32>>();
        let state = TrainingState {
            step: 7,
            parameters: values(0.1),
            moments: vec![values(-5.0), values(1e-30)],
            recent_losses: vec![0.1, 2.0 / 3.0, 1e-8],
            evaluated: 5,
            best_val: Some(1.0 / 3.0),
            seconds: 0.1 + 0.2,
            micro_batch: 64,
            orders: Some(vec![u128::MAX, 0, 7]),
        };
        (specs, state)
    }

    #[test]
    fn a_state_reads_back_exactly_and_replaces_the_old_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("checkpoint/latest.safetensors");
        let job = JobId::of("a");
        let (specs, mut state) = state();
        assert_eq!(
            TrainingState::load(&path, job, &specs, Moments::Adam).expect("no file is fine"),
            None
        );
        state.save(&path, owner(job), &specs, Moments::Adam).expect("saves");
        state.step = 8;
        state.best_val = None;
        state.orders = None;
        state.save(&path, owner(job), &specs, Moments::Adam).expect("saves");
        assert_eq!(
            TrainingState::load(&path, job, &specs, Moments::Adam).expect("loads"),
            Some(state)
        );
        assert_eq!(fs::read_dir(path.parent().expect("a folder")).expect("lists").count(), 1);
    }

    #[test]
    fn any_flipped_bit_or_cut_is_damage_and_names_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("latest.safetensors");
        let job = JobId::of("a");
        let (specs, state) = state();
        state.save(&path, owner(job), &specs, Moments::Adam).expect("saves");
        let whole = fs::read(&path).expect("reads");
        let header = 8 + u64::from_le_bytes(whole[..8].try_into().expect("eight bytes")) as usize;
        let damage = |bytes: &[u8]| {
            fs::write(&path, bytes).expect("writes");
            match TrainingState::load(&path, job, &specs, Moments::Adam) {
                Err(error @ CheckpointError::Damaged { .. }) => {
                    assert!(error.to_string().contains("latest.safetensors"));
                }
                other => panic!("expected damage, got {other:?}"),
            }
        };
        for at in (header..whole.len()).step_by(17) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            damage(&bytes);
        }
        for cut in [0, 7, 100, header, whole.len() - 1] {
            damage(&whole[..cut]);
        }
        let text =
            String::from_utf8_lossy(&whole[..header]).replace("\"step\":\"7\"", "\"step\":\"9\"");
        damage(&[text.as_bytes(), &whole[header..]].concat());

        let aside = set_aside(&path).expect("renames");
        assert_eq!(aside.file_name().and_then(|name| name.to_str()), Some("latest.corrupt-1"));
        assert!(!path.exists() && aside.exists());
    }

    #[test]
    fn everything_that_does_not_fit_is_listed_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("final.safetensors");
        let job = JobId::of("a");
        let written = specs(&[("a", &[2, 3]), ("b", &[2]), ("c", &[1])]);
        save_parameters(&path, owner(job), &written, 3, &[0.5; 9]).expect("saves");
        assert_eq!(load_parameters(&path, job, &written).expect("loads"), [0.5; 9]);

        let asked = specs(&[("a", &[3, 2]), ("b", &[2]), ("d", &[1])]);
        let error = load_parameters(&path, job, &asked).expect_err("does not fit");
        let CheckpointError::Misfit { problems, .. } = error else { panic!("{error}") };
        assert_eq!(problems, ["`a` is [2, 3], not [3, 2]", "`d` is missing", "`c` is unexpected"]);
        let error = load_parameters(&path, JobId::of("b"), &written).expect_err("another job's");
        assert!(matches!(error, CheckpointError::OtherJob { .. }), "{error}");
    }

    #[test]
    fn a_checkpoint_that_cannot_be_written_says_so_and_leaves_the_old_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("latest.safetensors");
        let job = JobId::of("a");
        let (specs, state) = state();
        state.save(&path, owner(job), &specs, Moments::Adam).expect("saves");
        fs::create_dir(folder.path().join("latest.new")).expect("stands in the way");
        let error =
            state.save(&path, owner(job), &specs, Moments::Adam).expect_err("cannot be written");
        assert!(matches!(error, CheckpointError::Io { action: "write", .. }), "{error}");
        assert_eq!(
            TrainingState::load(&path, job, &specs, Moments::Adam).expect("loads"),
            Some(state)
        );
    }
}
