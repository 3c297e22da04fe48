//! The study to simulate: made once, copied for every few schedules.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::Path;

use augreg_spec::{
    AdamW, Augmentation, Crop, DataSource, DatasetIdentity, Format, Gelu, Job, JobId, JobSpec,
    Labels, Loss, ModelSpec, Precision, PretrainSpec, RECIPE_VERSION, Regularization, SourceRange,
    SplitIdentity, SplitName,
};
use augreg_store::{NewDataset, NewSweep, Store};

use super::person::half_of;

/// Sweeps of these sizes lie in one study: opening a database takes as long as a small schedule, so
/// many share one. Most are small, so that there is time for many.
const SIZES: [u64; 64] = [
    1, 2, 3, 1, 4, 2, 1, 3, 1, 2, 7, 1, 3, 1, 2, 4, 1, 2, 1, 3, 5, 1, 1, 2, 4, 1, 3, 1, 2, 24, 1,
    2, 1, 2, 3, 1, 4, 2, 1, 3, 1, 2, 6, 1, 3, 1, 2, 4, 1, 2, 1, 3, 5, 1, 1, 2, 4, 1, 3, 1, 2, 3, 1,
    2,
];

/// How many schedules share a study.
pub(super) const SCHEDULES: u64 = SIZES.len() as u64;

/// A study in which nothing has run yet.
#[derive(Debug)]
pub(super) struct Template {
    sweeps: Vec<Vec<JobId>>,
    database: Vec<u8>,
}

/// A copy of the template.
#[derive(Debug)]
pub(super) struct Study {
    pub(super) store: Store,
    /// The last line of the audit that is of no schedule to come.
    pub(super) audited: i64,
    _folder: tempfile::TempDir,
}

/// A folder of the fastest kind there is: one in memory where the system has one.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.expect("a temporary folder")
}

impl Template {
    pub(super) async fn new() -> Self {
        let folder = scratch();
        let store = Store::create_or_open(folder.path()).await.expect("creates");
        let mut sweeps = Vec::new();
        let mut jobs_before = 0;
        for (at, size) in SIZES.into_iter().enumerate() {
            let (name, jobs) = (name(at as u64), jobs_before..jobs_before + size);
            jobs_before += size;
            register(&store, &half_of(&name), jobs.start..jobs.start + size / 2).await;
            sweeps.push(register(&store, &name, jobs).await);
        }
        store.close().await;
        let database = fs::read(folder.path().join("augreg.db")).expect("reads");
        Self { sweeps, database }
    }

    /// The name and the jobs of the sweep that a schedule plays with.
    pub(super) fn sweep(&self, seed: u64) -> (String, &[JobId]) {
        let at = seed % SCHEDULES;
        (name(at), &self.sweeps[at as usize])
    }

    /// Makes a study of it.
    pub(super) async fn copy(&self) -> Study {
        let folder = scratch();
        fs::write(folder.path().join("augreg.db"), &self.database).expect("writes");
        let store = Store::open(folder.path()).await.expect("the template is a study");
        Study { store, audited: 0, _folder: folder }
    }
}

fn name(sweep: u64) -> String {
    format!("sweep-{sweep}")
}

async fn register(store: &Store, name: &str, seeds: Range<u64>) -> Vec<JobId> {
    let jobs: Vec<_> = seeds.map(job).collect();
    let source = DataSource::new(Format::Idx, "/nowhere");
    let dataset = jobs.first().and_then(|job| job.spec.dataset());
    let datasets = dataset.map(|identity| NewDataset {
        name: "d".to_owned(),
        identity: identity.clone(),
        source,
    });
    let datasets = Vec::from_iter(datasets);
    let all = &mut jobs.iter().cloned();
    let sweep =
        NewSweep { name, text: "", jobs: all, datasets: &datasets, priority: 0, rules: None };
    store.register_sweep(sweep).await.expect("registers");
    jobs.iter().map(|job| job.id).collect()
}

fn job(seed: u64) -> Job {
    let range = |from, to| vec![SourceRange { source: "train".to_owned(), from, to }];
    let split =
        |from, to| SplitIdentity { examples: to - from, ranges: range(from, to), subset: None };
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
        dataset: dataset.into(),
        model: ModelSpec { width: 8, depth: 1, mlp: 16, heads: 2, patch: 7, resnet: None },
        resolution: 28,
        augmentation: Augmentation { randaugment: None, mixup: 0.0, crop: Crop::None, flip: false },
        regularization: Regularization::default(),
        optimizer: AdamW {
            learning_rate: 1e-3,
            weight_decay: 0.0,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            clip_norm: 1.0,
            mu_dtype: augreg_spec::Precision::Fp32,
            warmup_steps: 1,
        },
        epochs: 1.0 + (seed % 3) as f64,
        batch_size: 10,
        loss: Loss::Softmax,
        gelu: Gelu::default(),
        head_bias: 0.0,
        precision: Precision::Fp32,
        evaluations: 1,
        seed,
    });
    let name = |text: &str| text.to_owned();
    let labels = Labels { dataset: name("d"), model: name("m"), augmentation: name("none") };
    Job::new(spec, labels)
}
