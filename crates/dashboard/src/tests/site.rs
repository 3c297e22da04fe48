//! A study with a few jobs, served on a port of this machine, and requests as bytes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use augreg_protocol::{
    AttemptKey, Device, Entry, FailureKind, JOURNAL_VERSION, JobState, JournalEvent, Outcome,
    RunFolder,
};
use augreg_spec::{
    AdamW, Augmentation, DataSource, DatasetIdentity, Format, Gelu, Job, JobId, JobSpec, Labels,
    Loss, ModelSpec, Precision, PretrainSpec, RECIPE_VERSION, Regularization, SourceRange,
    SplitIdentity, SplitName,
};
use augreg_store::{Change, NewDataset, NewSweep, Store};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{Carried, Dashboard, Hands, Limits, Options, Order};

/// What a job or a class may be called.
pub(super) const EVIL: &str = "<script>alert('x')</script>";

pub(super) struct Site {
    folder: TempDir,
    pub(super) store: Store,
    pub(super) jobs: Vec<JobId>,
    pub(super) address: SocketAddr,
    pub(super) token: String,
    pub(super) orders: Arc<Mutex<Vec<Order>>>,
    _stop: DropGuard,
}

/// Writes orders down and does nothing.
struct Clerk(Arc<Mutex<Vec<Order>>>);

impl Hands for Clerk {
    fn carry_out(&self, order: Order) -> Carried<'_> {
        self.0.lock().expect("nobody panics").push(order);
        Box::pin(async { Ok("written down".to_owned()) })
    }
}

impl Site {
    pub(super) async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    pub(super) async fn with(limits: Limits) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::create_or_open(folder.path()).await.expect("creates");
        let all: Vec<Job> = (0..4).map(job).collect();
        let source = DataSource::new(Format::Idx, "/data");
        let datasets = [NewDataset { name: "fashion".to_owned(), identity: identity(), source }];
        let jobs = &mut all.iter().cloned();
        let (name, text) = (EVIL, "name = \"</pre><script>\"");
        let sweep = NewSweep { name, text, jobs, datasets: &datasets, priority: 0, rules: None };
        store.register_sweep(sweep).await.expect("registers");
        let orders = Arc::default();
        let mut options = Options::new(folder.path().to_owned());
        options.listen.set_port(0);
        options.limits = limits;
        let clerk = Arc::new(Clerk(Arc::clone(&orders)));
        let dashboard = Dashboard::bind(options, clerk).await.expect("binds");
        let address = dashboard.address();
        let token = dashboard.url().split_once("token=").expect("a token").1.to_owned();
        let stop = CancellationToken::new();
        tokio::spawn(dashboard.run(stop.clone().cancelled_owned()));
        let jobs = all.iter().map(|job| job.id).collect();
        Self { folder, store, jobs, address, token, orders, _stop: stop.drop_guard() }
    }

    /// Lets a job begin, and with a result end.
    pub(super) async fn run(&self, at: usize, final_val: Option<f64>) {
        let attempt = AttemptKey { job: self.jobs[at], number: 1 };
        let begun = Change::AttemptStarted {
            attempt,
            executor: "local".to_owned(),
            slot: "cpu-0".to_owned(),
            device: Device::Cpu,
            at: 1_700_000_000_000,
        };
        let running = Change::JobState { job: attempt.job, state: JobState::Running };
        self.store.apply(&[begun, running]).await.expect("starts");
        let begun = JournalEvent::Started {
            version: "0.1.0".to_owned(),
            host: "here".to_owned(),
            pid: 1,
            device: Device::Cpu,
            threads: 1,
            step: 0,
        };
        let losses = (1..=20).map(|step| JournalEvent::Metrics {
            step,
            values: BTreeMap::from([
                ("train_loss".to_owned(), 2.0 / step as f64),
                ("images_per_second".to_owned(), 500.0),
            ]),
        });
        let ended = final_val.map(|value| JournalEvent::Succeeded(outcome(value)));
        let events: Vec<_> = [begun].into_iter().chain(losses).chain(ended).collect();
        let entry =
            |(seq, event)| Entry { v: JOURNAL_VERSION, attempt, seq, at: 1_700_000_001_000, event };
        let entries: Vec<_> = (0..).zip(events).map(entry).collect();
        let state = Change::JobState { job: attempt.job, state: JobState::Succeeded };
        let states: &[Change] = if final_val.is_some() { &[state] } else { &[] };
        self.store.ingest(attempt, &entries, 200, states).await.expect("ingests");
        let log = RunFolder::new(self.folder.path(), attempt.job).log(1);
        std::fs::create_dir_all(log.parent().expect("a folder")).expect("makes");
        std::fs::write(log, format!("training began {EVIL}\n")).expect("writes");
    }

    /// Lets a job fail, for this reason.
    pub(super) async fn fail(&self, at: usize, message: &str) {
        self.run(at, None).await;
        let attempt = AttemptKey { job: self.jobs[at], number: 1 };
        let (kind, message) = (FailureKind::Data, message.to_owned());
        let event = JournalEvent::Failed { kind, message, step: 20 };
        let entry = Entry { v: JOURNAL_VERSION, attempt, seq: 21, at: 1_700_000_002_000, event };
        let state = Change::JobState { job: attempt.job, state: JobState::Failed };
        self.store.ingest(attempt, &[entry], 300, &[state]).await.expect("ingests");
    }

    /// Another sweep, of so many other jobs: the ids of all jobs there are then.
    pub(super) async fn add(&self, jobs: u64) -> Vec<String> {
        let all: Vec<Job> = (100..100 + jobs).map(job).collect();
        let source = DataSource::new(Format::Idx, "/data");
        let datasets = [NewDataset { name: "fashion".to_owned(), identity: identity(), source }];
        let jobs = &mut all.iter().cloned();
        let (name, text) = ("more", "name = \"more\"");
        let sweep = NewSweep { name, text, jobs, datasets: &datasets, priority: 0, rules: None };
        self.store.register_sweep(sweep).await.expect("registers");
        self.jobs
            .iter()
            .copied()
            .chain(all.iter().map(|job| job.id))
            .map(|id| id.to_string())
            .collect()
    }

    /// Sends bytes and reads what comes back to its end.
    pub(super) async fn send(&self, bytes: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("connects");
        stream.write_all(bytes.as_bytes()).await.expect("sends");
        let mut answer = Vec::new();
        // A server that refuses a body may close before it has read it all.
        let _ =
            tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// A request of a browser that sits here, with further lines of its head.
    pub(super) async fn get(&self, path: &str, lines: &str) -> String {
        let host = self.address;
        self.send(&format!(
            "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{lines}\r\n"
        ))
        .await
    }

    /// A form, with the lines that its browser would send unless others are given.
    pub(super) async fn post(&self, path: &str, lines: &str, body: &str) -> String {
        let (host, length) = (self.address, body.len());
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n\
             content-type: application/x-www-form-urlencoded\r\n{lines}\r\n{body}"
        ))
        .await
    }

    /// The line with which a browser shows that it was let in.
    pub(super) fn cookie(&self) -> String {
        format!("cookie: other=1; augreg-{}={}\r\n", self.address.port(), self.token)
    }

    /// That, and where the form was.
    pub(super) fn own(&self) -> String {
        format!(
            "{}origin: http://{}\r\nsec-fetch-site: same-origin\r\n",
            self.cookie(),
            self.address
        )
    }

    /// What a form of ours carries.
    pub(super) async fn proof(&self) -> String {
        let page = self.get("/", &self.cookie()).await;
        let from = page.split_once("name=\"form\" value=\"").expect("a form").1;
        from.split_once('"').expect("ends").0.to_owned()
    }

    pub(super) fn ordered(&self) -> Vec<Order> {
        self.orders.lock().expect("nobody panics").clone()
    }
}

/// The number of an answer.
pub(super) fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn outcome(final_val: f64) -> Outcome {
    Outcome {
        best_val: Some(final_val),
        final_val: Some(final_val),
        final_test: Some(final_val),
        train_loss: Some(0.5),
        parameters_sha256: "ab".repeat(32),
        steps: 120,
        seconds: 12.5,
        images_per_second: 1000.0,
        peak_memory: 1 << 30,
        proof: None,
    }
}

fn identity() -> DatasetIdentity {
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

/// A job that differs from others in its seed and its augmentation.
fn job(seed: u64) -> Job {
    let augmentation = if seed.is_multiple_of(2) { "none" } else { "light1" };
    let spec = JobSpec::Pretrain(PretrainSpec {
        recipe: RECIPE_VERSION,
        dataset: identity().into(),
        model: ModelSpec { width: 64, depth: 2, mlp: 128, heads: 2, patch: 7, resnet: None },
        resolution: 28,
        augmentation: Augmentation::preset(augmentation).expect("a preset"),
        regularization: Regularization { dropout: 0.0, rescale: false, stochastic_depth: 0.0 },
        optimizer: AdamW {
            learning_rate: 0.001,
            weight_decay: 0.03,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            clip_norm: 1.0,
            mu_dtype: Precision::Fp32,
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
        model: EVIL.to_owned(),
        augmentation: augmentation.to_owned(),
    };
    Job::new(spec, labels)
}
