//! A worker process as a scheduler sees it, and a study with one real job for it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use augreg_data::identify;
use augreg_protocol::{
    Assignment, AttemptKey, Device, Entry, FromWorker, JournalEvent, JournalReader, Outcome,
    RunFolder, ToWorker, WhenAbandoned,
};
use augreg_spec::{
    AdamW, Augmentation, DataSource, DatasetDefinition, Format, Gelu, JobSpec, Keep, Loss,
    ModelSpec, Precision, PretrainSpec, RECIPE_VERSION, Regularization, SplitName,
};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// A worker.
pub(crate) struct Worker {
    pub(crate) process: Child,
    stdin: Option<ChildStdin>,
    stdout: Option<BufReader<ChildStdout>>,
}

impl Worker {
    /// Starts a worker and reads its first line.
    pub(crate) fn start() -> Self {
        Self::of(&mut Command::new(env!("CARGO_BIN_EXE_augreg-worker")))
    }

    /// Starts a worker whose files cannot grow beyond `kilobytes`: to it, the disk is full.
    pub(crate) fn start_with_files_of(kilobytes: u32) -> Self {
        let worker = env!("CARGO_BIN_EXE_augreg-worker");
        let script = format!("trap '' XFSZ; ulimit -f {kilobytes}; exec '{worker}'");
        Self::of(Command::new("bash").args(["-c", &script]))
    }

    fn of(command: &mut Command) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the worker starts");
        let stdin = process.stdin.take();
        let stdout = process.stdout.take().map(BufReader::new);
        let mut worker = Self { process, stdin, stdout };
        let FromWorker::Hello { version, pid } = worker.receive() else { panic!("no hello") };
        assert_eq!((version.as_str(), pid), (env!("CARGO_PKG_VERSION"), worker.process.id()));
        worker
    }

    pub(crate) fn send(&mut self, message: &ToWorker) {
        self.send_line(&serde_json::to_string(message).expect("encodes"));
    }

    pub(crate) fn send_line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("open");
        writeln!(stdin, "{line}").expect("the worker listens");
    }

    pub(crate) fn receive(&mut self) -> FromWorker {
        let mut line = String::new();
        self.stdout.as_mut().expect("open").read_line(&mut line).expect("the worker talks");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line:?}"))
    }

    /// Waits until the attempt is over.
    pub(crate) fn ended(&mut self) {
        while !matches!(self.receive(), FromWorker::Ended { .. }) {}
    }

    /// As if the scheduler had died: nobody writes any more, and perhaps nobody reads.
    pub(crate) fn hang_up(&mut self, also_stdout: bool) {
        self.stdin = None;
        if also_stdout {
            self.stdout = None;
        }
    }

    pub(crate) fn stop_listening(&mut self) {
        self.stdout = None;
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, signal).expect("the worker is alive");
    }

    pub(crate) fn exit(&mut self) -> ExitStatus {
        self.process.wait().expect("the worker ends")
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A study with one job over real Fashion-MNIST.
pub(crate) struct Study {
    folder: tempfile::TempDir,
    assignment: Assignment,
}

impl Study {
    /// A job of `steps` steps with everything the recipe has.
    pub(crate) fn of(steps: u32) -> Self {
        let data = std::env::var_os("AUGREG_DATA").map_or_else(
            || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../data")),
            PathBuf::from,
        );
        let source = DataSource::new(Format::Idx, data.join("fashion-mnist"));
        let split = |text: &str| text.parse().expect("a split");
        let splits = BTreeMap::from([
            (SplitName::Train, split("train[:2000]")),
            (SplitName::Val, split("train[59800:]")),
            (SplitName::Test, split("test[:200]")),
        ]);
        let definition = DatasetDefinition {
            name: "fashion".to_owned(),
            source: source.clone(),
            splits,
            subset: None,
            declared: BTreeMap::new(),
        };
        let spec = JobSpec::Pretrain(PretrainSpec {
            recipe: RECIPE_VERSION,
            dataset: identify(&definition)
                .expect("Fashion-MNIST, which scripts/setup fetches")
                .into(),
            model: ModelSpec { width: 16, depth: 2, mlp: 32, heads: 2, patch: 7, resnet: None },
            resolution: 28,
            augmentation: Augmentation::preset("light2").expect("a preset"),
            regularization: Regularization { dropout: 0.1, rescale: false, stochastic_depth: 0.1 },
            optimizer: AdamW {
                learning_rate: 1e-3,
                weight_decay: 0.1,
                beta1: 0.9,
                beta2: 0.999,
                eps: 1e-8,
                clip_norm: 1.0,
                mu_dtype: augreg_spec::Precision::Fp32,
                warmup_steps: 10,
            },
            epochs: f64::from(steps) * 20.0 / 2000.0,
            batch_size: 20,
            loss: Loss::Sigmoid,
            gelu: Gelu::default(),
            head_bias: -2.2,
            precision: Precision::Fp32,
            evaluations: 2,
            seed: 1,
        });
        let folder = tempfile::tempdir().expect("a temporary folder");
        let assignment = Assignment {
            attempt: AttemptKey { job: spec.id(), number: 0 },
            spec,
            source: Some(source),
            root: folder.path().to_owned(),
            device: Device::Cpu,
            threads: 1,
            micro_batch: None,
            checkpoint_seconds: 3600.0,
            when_abandoned: WhenAbandoned::Checkpoint,
            keep: Keep::default(),
        };
        Self { folder, assignment }
    }

    pub(crate) fn run_folder(&self) -> RunFolder {
        RunFolder::new(self.folder.path(), self.assignment.attempt.job)
    }

    pub(crate) fn checkpoint_every(&mut self, seconds: f64) {
        self.assignment.checkpoint_seconds = seconds;
    }

    /// The assignment of the next attempt.
    pub(crate) fn next(&mut self) -> ToWorker {
        self.assignment.attempt.number += 1;
        self.again()
    }

    /// The same assignment once more.
    pub(crate) fn again(&self) -> ToWorker {
        ToWorker::Run(Box::new(self.assignment.clone()))
    }

    /// The journal of the last attempt.
    pub(crate) fn journal(&self) -> Vec<Entry> {
        let path = self.run_folder().journal(self.assignment.attempt.number);
        JournalReader::new(path, 0).read().expect("a sound journal")
    }

    pub(crate) fn last_event(&self) -> JournalEvent {
        self.journal().pop().expect("an event").event
    }

    /// The step the last attempt began at.
    pub(crate) fn began_at(&self) -> u64 {
        match self.journal().first().map(|entry| &entry.event) {
            Some(JournalEvent::Started { step, .. }) => *step,
            other => panic!("expected a start, got {other:?}"),
        }
    }

    /// Waits until the last attempt has journalled an event that `wanted` accepts.
    pub(crate) fn wait_for(&self, wanted: impl Fn(&JournalEvent) -> bool) {
        wait_until(|| self.journal().iter().any(|entry| wanted(&entry.event)));
    }

    /// Waits until the last attempt is at `step` or beyond.
    pub(crate) fn wait_for_step(&self, at_least: u64) {
        self.wait_for(
            |event| matches!(event, JournalEvent::Metrics { step, .. } if *step >= at_least),
        );
    }

    pub(crate) fn when_abandoned(&mut self, when: WhenAbandoned) {
        self.assignment.when_abandoned = when;
    }

    /// Runs the next attempt in a worker of its own, to success.
    pub(crate) fn finish(&mut self) -> Outcome {
        let mut worker = Worker::start();
        worker.send(&self.next());
        worker.ended();
        self.outcome()
    }

    pub(crate) fn outcome(&self) -> Outcome {
        match self.last_event() {
            JournalEvent::Succeeded(outcome) => outcome,
            other => panic!("expected success, got {other:?}"),
        }
    }
}

/// Polls until something is true.
pub(crate) fn wait_until(done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "waited too long");
        thread::sleep(Duration::from_millis(5));
    }
}

/// What the attempt's log says.
pub(crate) fn log(study: &Study, number: u32) -> String {
    let path: &Path = &study.run_folder().log(number);
    std::fs::read_to_string(path).expect("a log")
}
