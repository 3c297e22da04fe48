//! A study in a temporary folder, and a fake worker with orders.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use augreg_protocol::{AttemptKey, JobState, RunFolder};
use augreg_scheduler::core::Policy;
use augreg_scheduler::runtime::{
    Progress, RunError, RunOptions, StopListener, Stopper, StudyLock, Summary, run,
};
use augreg_spec::{
    AdamW, Augmentation, Crop, DataSource, DatasetIdentity, Format, Gelu, Job, JobId, JobSpec,
    Labels, Loss, ModelSpec, Precision, PretrainSpec, RECIPE_VERSION, Regularization, SourceRange,
    SplitIdentity, SplitName,
};
use augreg_store::{JobDetails, NewDataset, NewSweep, Store};
use serde_json::{Value, json};

pub(crate) struct Study {
    _folder: tempfile::TempDir,
    pub(crate) root: PathBuf,
    pub(crate) store: Store,
    pub(crate) jobs: Vec<JobId>,
    pub(crate) options: RunOptions,
    orders: Value,
}

impl Study {
    /// A study with one sweep, `s`, of so many jobs, and impatient options.
    pub(crate) async fn new(jobs: u64) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().canonicalize().expect("it is there");
        let store = Store::create_or_open(&root).await.expect("creates");
        let mut study = Self {
            _folder: folder,
            root,
            store,
            jobs: Vec::new(),
            options: RunOptions {
                workers: NonZeroU32::new(2),
                program: Some(env!("CARGO_BIN_EXE_fake-worker").into()),
                policy: Policy {
                    backoff: Duration::from_millis(20),
                    stop_grace: Duration::from_secs(2),
                    ..Policy::default()
                },
                journal_interval: Duration::from_millis(50),
                ..RunOptions::default()
            },
            orders: json!({}),
        };
        study.jobs = study.register("s", 0..jobs).await;
        study
    }

    pub(crate) async fn register(&self, name: &str, seeds: std::ops::Range<u64>) -> Vec<JobId> {
        let jobs: Vec<_> = seeds.map(job).collect();
        let source = DataSource::new(Format::Idx, "/nowhere");
        let dataset = jobs.first().and_then(|job| job.spec.dataset());
        let datasets = dataset.map(|identity| NewDataset {
            name: "d".to_owned(),
            identity: identity.clone(),
            source,
        });
        let datasets = Vec::from_iter(datasets);
        let (text, priority) = ("", 0);
        let all = &mut jobs.iter().cloned();
        let sweep = NewSweep { name, text, jobs: all, datasets: &datasets, priority, rules: None };
        self.store.register_sweep(sweep).await.expect("registers");
        jobs.iter().map(|job| job.id).collect()
    }

    /// What the fake worker does in a job's first, second, … attempt.
    pub(crate) fn order(&mut self, job: usize, acts: &[&str]) {
        self.orders["jobs"][self.jobs[job].to_string()] = json!(acts);
    }

    pub(crate) fn order_workers(&mut self, key: &str, value: &str) {
        self.orders[key] = json!(value);
    }

    pub(crate) async fn run(&self) -> Result<Summary, RunError> {
        let (_stopper, stop) = Stopper::new();
        self.run_until(stop, |_| {}).await
    }

    pub(crate) async fn run_until(
        &self,
        stop: StopListener,
        observe: impl FnMut(Progress) + Send,
    ) -> Result<Summary, RunError> {
        let orders = self.root.join("fake-worker.json");
        fs::write(orders, self.orders.to_string()).expect("writes");
        let lock = StudyLock::take(&self.root).expect("nobody else runs it");
        let run = run(self.store.clone(), &lock, Some("s"), self.options.clone(), stop, observe);
        tokio::time::timeout(Duration::from_mins(1), run).await.expect("a run ends")
    }

    /// Runs, and calls for a stop once so many attempts have begun and each has beaten.
    pub(crate) async fn run_and_stop_after(&self, attempts: usize, stops: u32) -> Summary {
        let (stopper, listener) = Stopper::new();
        let seen = Arc::new(Mutex::new(std::collections::BTreeSet::new()));
        let observe = move |progress| {
            if let Progress::Beat(beat) = progress {
                let mut seen = seen.lock().expect("not poisoned");
                if seen.insert(beat.attempt) && seen.len() == attempts {
                    (0..stops).for_each(|_| stopper.stop());
                }
            }
        };
        self.run_until(listener, observe).await.expect("runs")
    }

    pub(crate) async fn details(&self, job: usize) -> JobDetails {
        self.store.job(self.jobs[job]).await.expect("known")
    }

    pub(crate) async fn state(&self, job: usize) -> JobState {
        self.details(job).await.state
    }

    pub(crate) fn folder(&self, job: usize) -> RunFolder {
        RunFolder::new(&self.root, self.jobs[job])
    }

    pub(crate) fn key(&self, job: usize, number: u32) -> AttemptKey {
        AttemptKey { job: self.jobs[job], number }
    }

    /// The attempts that workers began, by their own account.
    pub(crate) fn ran(&self) -> Vec<String> {
        let text = fs::read_to_string(self.root.join("ran.log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Nothing is left running, in the database or as a process.
    pub(crate) async fn assert_quiet(&self) {
        assert_eq!(self.store.running(None).await.expect("reads"), []);
        assert_eq!(self.store.counts(None).await.expect("reads").of(JobState::Running), 0);
        for process in fs::read_dir("/proc").expect("there is /proc").flatten() {
            let home = fs::read_link(process.path().join("cwd"));
            assert!(!home.is_ok_and(|home| home == self.root), "{process:?} is left");
        }
    }
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
        epochs: 1.0,
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
