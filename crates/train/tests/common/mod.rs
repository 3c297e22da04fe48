//! A study in a temporary folder, over real Fashion-MNIST.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use augreg_data::identify;
use augreg_protocol::{
    Assignment, AttemptKey, Beat, Device, JournalError, JournalEvent, RunFolder, WhenAbandoned,
};
use augreg_spec::{
    AdamW, Augmentation, DataSource, DatasetDefinition, DatasetIdentity, Format, Gelu, JobSpec,
    Keep, Loss, ModelSpec, Precision, PretrainSpec, RECIPE_VERSION, Regularization, SplitName,
};
use augreg_train::{DatasetCache, End, Host, execute};

/// Where Fashion-MNIST lies.
pub(crate) fn source() -> DataSource {
    let data = std::env::var_os("AUGREG_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../data")),
        PathBuf::from,
    );
    DataSource::new(Format::Idx, data.join("fashion-mnist"))
}

fn identity() -> DatasetIdentity {
    let split = |text: &str| text.parse().expect("a split");
    let splits = BTreeMap::from([
        (SplitName::Train, split("train[:2000]")),
        (SplitName::Val, split("train[58000:58600]")),
        (SplitName::Test, split("test[:600]")),
    ]);
    let definition = DatasetDefinition {
        name: "fashion".to_owned(),
        source: source(),
        splits,
        subset: None,
        declared: BTreeMap::new(),
    };
    identify(&definition).expect("Fashion-MNIST, which scripts/setup fetches")
}

/// 60 steps of everything the recipe has: RandAugment, mixup, dropout, stochastic depth, warm-up.
pub(crate) fn spec() -> PretrainSpec {
    PretrainSpec {
        recipe: RECIPE_VERSION,
        dataset: identity().into(),
        model: ModelSpec { width: 32, depth: 2, mlp: 64, heads: 2, patch: 7, resnet: None },
        resolution: 28,
        augmentation: Augmentation::preset("medium1").expect("a preset"),
        regularization: Regularization { dropout: 0.1, rescale: false, stochastic_depth: 0.1 },
        optimizer: AdamW {
            learning_rate: 3e-3,
            weight_decay: 0.1,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            clip_norm: 1.0,
            mu_dtype: augreg_spec::Precision::Fp32,
            warmup_steps: 6,
        },
        epochs: 1.5,
        batch_size: 50,
        loss: Loss::Sigmoid,
        gelu: Gelu::default(),
        head_bias: -2.2,
        precision: Precision::Fp32,
        evaluations: 3,
        seed: 7,
    }
}

/// A study's folder with one job.
pub(crate) struct Study {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) assignment: Assignment,
}

impl Study {
    pub(crate) fn of(spec: PretrainSpec) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let spec = JobSpec::Pretrain(spec);
        let assignment = Assignment {
            attempt: AttemptKey { job: spec.id(), number: 1 },
            spec,
            source: Some(source()),
            root: folder.path().to_owned(),
            device: Device::Cpu,
            threads: 1,
            micro_batch: None,
            checkpoint_seconds: 3600.0,
            when_abandoned: WhenAbandoned::default(),
            keep: Keep::default(),
        };
        Self { folder, assignment }
    }

    pub(crate) fn run_folder(&self) -> RunFolder {
        RunFolder::new(self.folder.path(), self.assignment.attempt.job)
    }

    /// Executes the next attempt, which is told to stop when asked `patience` times.
    pub(crate) fn attempt(&mut self, patience: u32) -> (End, Recorder) {
        let latest = Some(self.run_folder().latest());
        let mut host = Recorder { patience: Cell::new(patience), latest, ..Recorder::default() };
        let end = execute(&self.assignment, &mut host, &mut DatasetCache::default());
        self.assignment.attempt.number += 1;
        (end, host)
    }

    pub(crate) fn finish(&mut self) -> augreg_protocol::Outcome {
        self.finish_seen().0
    }

    /// Runs to success and tells what the host saw.
    pub(crate) fn finish_seen(&mut self) -> (augreg_protocol::Outcome, Recorder) {
        match self.attempt(u32::MAX) {
            (End::Succeeded(outcome), host) => (outcome, host),
            (end, _) => panic!("expected success, got {end:?}"),
        }
    }
}

/// A host that writes everything down.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) started: Vec<u64>,
    pub(crate) events: Vec<JournalEvent>,
    pub(crate) beats: Vec<Beat>,
    /// At each sync of the journal: the events before it, and the step of the checkpoint on disk.
    pub(crate) syncs: Vec<(usize, Option<u64>)>,
    latest: Option<PathBuf>,
    patience: Cell<u32>,
}

impl Host for Recorder {
    fn started(&mut self, step: u64) -> Result<(), JournalError> {
        self.started.push(step);
        Ok(())
    }

    fn journal(&mut self, event: JournalEvent) -> Result<(), JournalError> {
        self.events.push(event);
        Ok(())
    }

    fn device_name(&self) -> Option<String> {
        Some("a processor".to_owned())
    }

    fn sync(&mut self) -> Result<(), JournalError> {
        let holds = self.latest.as_deref().and_then(checkpointed);
        self.syncs.push((self.events.len(), holds));
        Ok(())
    }

    fn beat(&mut self, beat: Beat) {
        self.beats.push(beat);
    }

    fn stop_requested(&self) -> bool {
        self.patience.set(self.patience.get().saturating_sub(1));
        self.patience.get() == 0
    }

    fn wait_for_room(&mut self, _why: &str) -> bool {
        false
    }
}

impl Recorder {
    /// The values of a metric by step.
    pub(crate) fn metric(&self, name: &str) -> Vec<(u64, f64)> {
        let points = |event: &JournalEvent| match event {
            JournalEvent::Metrics { step, values } => {
                values.get(name).map(|value| (*step, *value)).into_iter().collect()
            }
            JournalEvent::Series { name: found, first, values } if found == name => {
                (*first..).zip(values.iter().map(|value| f64::from(*value))).collect()
            }
            _ => Vec::new(),
        };
        self.events.iter().flat_map(points).collect()
    }
}

/// The step in the metadata of a checkpoint.
fn checkpointed(path: &Path) -> Option<u64> {
    let bytes = std::fs::read(path).ok()?;
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).ok()?;
    header.metadata().as_ref()?.get("step")?.parse().ok()
}
