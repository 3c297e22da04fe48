//! Studies to simulate: made once for each size, copied for every schedule.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use augreg_spec::{
    AdamW, Augmentation, Crop, DataSource, DatasetIdentity, Format, Job, JobId, JobSpec, Labels,
    Loss, ModelSpec, Precision, PretrainSpec, RECIPE_VERSION, Regularization, SourceRange,
    SplitIdentity, SplitName,
};
use augreg_store::{NewSweep, Store};

/// Sizes of sweeps: most are small, so that many schedules fit into a second.
const SIZES: [u64; 6] = [1, 2, 3, 4, 7, 20];

/// The database of a study in which nothing has run yet, and its jobs.
#[derive(Debug)]
pub(super) struct Template {
    pub(super) jobs: Vec<JobId>,
    database: Vec<u8>,
}

/// A folder of the fastest kind there is: one in memory where the system has one.
pub(super) fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.expect("a temporary folder")
}

impl Template {
    /// One for each size, the smallest first.
    pub(super) async fn all() -> Vec<Self> {
        let mut templates = Vec::new();
        for size in SIZES {
            templates.push(Self::new(size).await);
        }
        templates
    }

    async fn new(size: u64) -> Self {
        let folder = scratch();
        let store = Store::create_or_open(folder.path()).await.expect("creates");
        let jobs: Vec<_> = (0..size).map(job).collect();
        let source = DataSource { format: Format::Idx, path: "/nowhere".into() };
        let named =
            |job: &Job| (job.spec.dataset().fingerprint(), ("d".to_owned(), source.clone()));
        let datasets: BTreeMap<_, _> = jobs.iter().map(named).collect();
        let (name, text, priority) = ("s", "", 0);
        let sweep = NewSweep { name, text, jobs: &jobs, datasets: &datasets, priority };
        store.register_sweep(sweep).await.expect("registers");
        store.close().await;
        let database = fs::read(folder.path().join("augreg.db")).expect("reads");
        Self { jobs: jobs.iter().map(|job| job.id).collect(), database }
    }

    /// Makes a study of it in an empty folder.
    pub(super) fn lay_out(&self, root: &Path) -> PathBuf {
        fs::write(root.join("augreg.db"), &self.database).expect("writes");
        root.to_owned()
    }
}

fn job(seed: u64) -> Job {
    let range = |from, to| vec![SourceRange { source: "train".to_owned(), from, to }];
    let split = |from, to| SplitIdentity { examples: to - from, ranges: range(from, to) };
    let dataset = DatasetIdentity {
        format: Format::Idx,
        content: BTreeMap::from([("train".to_owned(), "00".to_owned())]),
        classes: 10,
        channels: 1,
        splits: BTreeMap::from([
            (SplitName::Train, split(0, 100)),
            (SplitName::Val, split(100, 120)),
        ]),
    };
    let spec = JobSpec::Pretrain(PretrainSpec {
        recipe: RECIPE_VERSION,
        dataset,
        model: ModelSpec { width: 8, depth: 1, mlp: 16, heads: 2, patch: 7 },
        resolution: 28,
        augmentation: Augmentation { randaugment: None, mixup: 0.0, crop: Crop::None, flip: false },
        regularization: Regularization { dropout: 0.0, stochastic_depth: 0.0 },
        optimizer: AdamW {
            learning_rate: 1e-3,
            weight_decay: 0.0,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            clip_norm: 1.0,
            warmup_steps: 1,
        },
        epochs: 1.0 + (seed % 3) as f64,
        batch_size: 10,
        loss: Loss::Softmax,
        head_bias: 0.0,
        precision: Precision::Fp32,
        evaluations: 1,
        seed,
    });
    let name = |text: &str| text.to_owned();
    let labels = Labels { dataset: name("d"), model: name("m"), augmentation: name("none") };
    Job { id: spec.id(), spec, labels }
}
