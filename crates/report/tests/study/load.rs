//! Jobs fetched from a real database become a report.

use std::collections::BTreeMap;

use augreg_protocol::{
    AttemptKey, Device, Entry, JOURNAL_VERSION, JobState, JournalEvent, Outcome,
};
use augreg_report::{LoadError, Report, heat_map_text, load};
use augreg_spec::{
    AdamW, Augmentation, DataSource, DatasetIdentity, Format, Gelu, Job, JobId, JobSpec, Labels,
    Loss, ModelSpec, Precision, PretrainSpec, RECIPE_VERSION, Regularization, SourceRange,
    SplitIdentity, SplitName,
};
use augreg_store::{Change, NewDataset, NewSweep, Store};

fn dataset() -> DatasetIdentity {
    let split = |source: &str, from: u64, to: u64| SplitIdentity {
        examples: to - from,
        ranges: vec![SourceRange { source: source.to_owned(), from, to }],
        subset: None,
    };
    DatasetIdentity {
        format: Format::Idx,
        content: BTreeMap::from([("train".to_owned(), "c0ffee".to_owned())]),
        classes: 10,
        channels: 1,
        splits: BTreeMap::from([
            (SplitName::Train, split("train", 0, 1000)),
            (SplitName::Val, split("train", 1000, 1100)),
            (SplitName::Test, split("test", 0, 100)),
        ]),
    }
}

fn job(augmentation: &str, drop: f64) -> Job {
    let spec = JobSpec::Pretrain(PretrainSpec {
        recipe: RECIPE_VERSION,
        dataset: dataset().into(),
        model: ModelSpec { width: 64, depth: 2, mlp: 128, heads: 2, patch: 7, resnet: None },
        resolution: 28,
        augmentation: Augmentation::preset(augmentation).expect("a preset"),
        regularization: Regularization { dropout: drop, rescale: false, stochastic_depth: drop },
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
        epochs: 3.0,
        batch_size: 250,
        loss: Loss::Sigmoid,
        gelu: Gelu::default(),
        head_bias: -10.0,
        precision: Precision::Fp32,
        evaluations: 3,
        seed: 0,
    });
    let [dataset, model, augmentation] = ["fashion", "Mu/7", augmentation].map(str::to_owned);
    Job::new(spec, Labels { dataset, model, augmentation })
}

async fn register(store: &Store, name: &str, jobs: &[Job]) {
    let source = DataSource::new(Format::Idx, "/data");
    let datasets = [NewDataset { name: "fashion".to_owned(), identity: dataset(), source }];
    let jobs = &mut jobs.iter().cloned();
    let sweep =
        NewSweep { name, text: "name = …", jobs, datasets: &datasets, priority: 0, rules: None };
    store.register_sweep(sweep).await.expect("registers");
}

async fn finish(store: &Store, job: JobId, final_val: f64) {
    let attempt = AttemptKey { job, number: 1 };
    let started = Change::AttemptStarted {
        attempt,
        executor: "local".to_owned(),
        slot: "cpu-0".to_owned(),
        device: Device::Cpu,
        at: 1_700_000_000_000,
    };
    store.apply(&[started]).await.expect("starts");
    let outcome = Outcome {
        best_val: Some(final_val),
        final_val: Some(final_val),
        final_test: Some(final_val - 0.01),
        train_loss: Some(0.5),
        parameters_sha256: "ab".repeat(32),
        steps: 12,
        seconds: 12.5,
        images_per_second: 1000.0,
        peak_memory: 1 << 30,
        proof: None,
    };
    let event = JournalEvent::Succeeded(outcome);
    let entry = Entry { v: JOURNAL_VERSION, attempt, seq: 0, at: 1_700_000_001_000, event };
    let state = Change::JobState { job, state: JobState::Succeeded };
    store.ingest(attempt, &[entry], 200, &[state]).await.expect("ingests");
}

#[tokio::test]
async fn a_report_holds_the_jobs_of_its_sweep_or_of_the_whole_study() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Store::create_or_open(folder.path()).await.expect("creates");
    let jobs = [job("none", 0.0), job("light1", 0.0), job("none", 0.1), job("light1", 0.1)];
    register(&store, "mini", &jobs[..3]).await;
    register(&store, "other", &jobs[3..]).await;
    for (job, accuracy) in jobs.iter().zip([0.75, 0.785, 0.74]) {
        finish(&store, job.id, accuracy).await;
    }

    let mini = load(&store, Some("mini")).await.expect("the sweep's jobs");
    assert_eq!(mini.len(), 3);
    assert_eq!(mini[1].id, jobs[1].id.to_string());
    assert_eq!(mini[1].final_test, Some(0.775));
    assert!(mini[1].parameters.is_some_and(|count| count > 60_000), "{:?}", mini[1].parameters);

    let all = load(&store, None).await.expect("the study's jobs");
    insta::assert_snapshot!(heat_map_text(&Report::from_jobs(None, &all), false, 80));

    let error = load(&store, Some("mimi")).await.expect_err("no such sweep");
    assert!(matches!(error, LoadError::Query(_)), "{error}");
    store.close().await;
}
