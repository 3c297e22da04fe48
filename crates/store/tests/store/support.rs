//! Studies in temporary folders, jobs to fill them with, and journals to feed them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use augreg_protocol::{
    AttemptKey, Device, Entry, FailureKind, JOURNAL_VERSION, JobState, JournalEvent, Outcome,
};
use augreg_spec::{
    AdamW, Augmentation, DataSource, DatasetIdentity, Format, Gelu, Job, JobId, JobSpec, Labels,
    Loss, ModelSpec, Precision, PretrainSpec, RECIPE_VERSION, Regularization, SourceRange,
    SplitIdentity, SplitName,
};
use augreg_store::{Change, Difference, NewDataset, NewSweep, Rows, Store, Value};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use tempfile::TempDir;

pub(crate) struct Study {
    folder: TempDir,
    pub(crate) store: Store,
}

impl Study {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::create_or_open(folder.path()).await.expect("creates");
        Self { folder, store }
    }

    /// A study with one sweep, `mini`, of these jobs.
    pub(crate) async fn with(jobs: &[Job]) -> Self {
        let study = Self::new().await;
        study.register("mini", jobs).await;
        study
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.root().join("augreg.db")
    }

    pub(crate) async fn register(&self, name: &str, jobs: &[Job]) -> Difference {
        let datasets = datasets("/data");
        let jobs = &mut jobs.iter().cloned();
        let sweep = NewSweep {
            name,
            text: "name = …",
            jobs,
            datasets: &datasets,
            priority: 0,
            rules: None,
        };
        self.store.register_sweep(sweep).await.expect("registers")
    }

    pub(crate) async fn difference(&self, name: &str, jobs: &[Job]) -> Difference {
        let ids = &mut jobs.iter().map(|job| job.id);
        self.store.difference(name, ids, |_| ()).await.expect("compares")
    }

    pub(crate) async fn sql(&self, sql: &str) -> Vec<Vec<Value>> {
        let Rows { rows, .. } = self.store.sql(sql).await.expect("answers");
        rows
    }

    pub(crate) async fn count(&self, from: &str) -> i64 {
        match self.sql(&format!("SELECT count(*) FROM {from}")).await[0][0] {
            Value::Integer(count) => count,
            ref other => panic!("a count is {other:?}"),
        }
    }

    pub(crate) async fn start(&self, attempt: AttemptKey) {
        self.store.apply(&[started(attempt)]).await.expect("starts");
    }

    /// The database itself, for what the store would not write.
    pub(crate) async fn raw(&self) -> SqliteConnection {
        let options = SqliteConnectOptions::new().filename(self.database());
        options.connect().await.expect("opens")
    }

    /// Runs a job to its end.
    pub(crate) async fn finish(&self, job: JobId, final_val: f64) {
        let attempt = AttemptKey { job, number: 1 };
        self.start(attempt).await;
        let done = JournalEvent::Succeeded(outcome(final_val));
        let state = Change::JobState { job, state: JobState::Succeeded };
        let entries = journal(attempt, [start_of(0), done]);
        self.store.ingest(attempt, &entries, 200, &[state]).await.expect("ingests");
    }

    /// Lets a job fail.
    pub(crate) async fn fail(&self, job: JobId, kind: FailureKind, message: &str) {
        let attempt = AttemptKey { job, number: 1 };
        self.start(attempt).await;
        let failed = JournalEvent::Failed { kind, message: message.to_owned(), step: 3 };
        let state = Change::JobState { job, state: JobState::Failed };
        let entries = journal(attempt, [start_of(0), failed]);
        self.store.ingest(attempt, &entries, 200, &[state]).await.expect("ingests");
    }
}

pub(crate) fn started(attempt: AttemptKey) -> Change {
    Change::AttemptStarted {
        attempt,
        executor: "local".to_owned(),
        slot: "cpu-0".to_owned(),
        device: Device::Cpu,
        at: 1_700_000_000_000,
    }
}

pub(crate) fn start_of(step: u64) -> JournalEvent {
    JournalEvent::Started {
        version: "0.1.0".to_owned(),
        host: "gpu7".to_owned(),
        pid: 4242,
        device: Device::Cuda(1),
        threads: 2,
        step,
    }
}

pub(crate) fn metric(step: u64, loss: f64) -> JournalEvent {
    JournalEvent::Metrics { step, values: BTreeMap::from([("train_loss".to_owned(), loss)]) }
}

pub(crate) fn outcome(final_val: f64) -> Outcome {
    Outcome {
        best_val: Some(final_val),
        final_val: Some(final_val),
        final_test: Some(final_val - 0.01),
        train_loss: Some(0.5),
        parameters_sha256: "ab".repeat(32),
        steps: 100,
        seconds: 12.5,
        images_per_second: 1000.0,
        peak_memory: 1 << 30,
        proof: None,
    }
}

/// A journal of these events, from its beginning.
pub(crate) fn journal(
    attempt: AttemptKey,
    events: impl IntoIterator<Item = JournalEvent>,
) -> Vec<Entry> {
    (0..)
        .zip(events)
        .map(|(seq, event)| Entry {
            v: JOURNAL_VERSION,
            attempt,
            seq,
            at: 1_700_000_001_000 + 1000 * seq,
            event,
        })
        .collect()
}

pub(crate) fn identity() -> DatasetIdentity {
    let split = |source: &str, from: u64, to: u64| SplitIdentity {
        examples: to - from,
        ranges: vec![SourceRange { source: source.to_owned(), from, to }],
        subset: None,
    };
    DatasetIdentity {
        format: Format::Idx,
        content: BTreeMap::from([("train".to_owned(), "c0ffee".repeat(10))]),
        classes: 10,
        channels: 1,
        splits: BTreeMap::from([
            (SplitName::Train, split("train", 0, 1000)),
            (SplitName::Val, split("train", 1000, 1100)),
            (SplitName::Test, split("test", 0, 100)),
        ]),
    }
}

pub(crate) fn datasets(path: &str) -> [NewDataset; 1] {
    let source = DataSource::new(Format::Idx, path);
    [NewDataset { name: "fashion".to_owned(), identity: identity(), source }]
}

/// A job of the study's recipe with this preset and seed.
pub(crate) fn job(augmentation: &str, seed: u64) -> Job {
    let spec = JobSpec::Pretrain(PretrainSpec {
        recipe: RECIPE_VERSION,
        dataset: identity().into(),
        model: ModelSpec { width: 64, depth: 2, mlp: 128, heads: 2, patch: 7, resnet: None },
        resolution: 28,
        augmentation: Augmentation::preset(augmentation).expect("a preset"),
        regularization: Regularization { dropout: 0.1, rescale: false, stochastic_depth: 0.0 },
        optimizer: AdamW {
            learning_rate: 0.001,
            weight_decay: 0.03,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            clip_norm: 1.0,
            mu_dtype: augreg_spec::Precision::Fp32,
            warmup_steps: 10,
        },
        epochs: 30.0,
        batch_size: 250,
        loss: Loss::Sigmoid,
        gelu: Gelu::default(),
        head_bias: -10.0,
        precision: Precision::Fp32,
        evaluations: 3,
        seed,
    });
    let labels = Labels {
        dataset: "fashion".to_owned(),
        model: "R+Mu/7".to_owned(),
        augmentation: augmentation.to_owned(),
    };
    Job::new(spec, labels)
}

/// So many jobs that differ by their seed.
pub(crate) fn jobs(count: u64) -> Vec<Job> {
    (0..count).map(|seed| job("light1", seed)).collect()
}

pub(crate) fn text(value: &str) -> Value {
    Value::Text(value.to_owned())
}
