use serde_json::Value;

use std::sync::Arc;

use super::*;
use crate::augmentation::{Augmentation, RandAugment};
use crate::dataset::{Format, SplitIdentity, SplitName};
use crate::split::SourceRange;
use crate::subset::SubsetIdentity;

/// Sorts keys itself: whether `serde_json`'s map does depends on the features other crates turn on.
fn sorted(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            let entries: Vec<_> = entries
                .into_iter()
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), sorted(value)))
                .collect();
            format!("{{{}}}", entries.join(","))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(sorted).collect::<Vec<_>>().join(","))
        }
        scalar => scalar.to_string(),
    }
}

fn pretrain() -> JobSpec {
    let range = |source: &str, from| SourceRange { source: source.to_owned(), from, to: 50_000 };
    let split = |source| SplitIdentity {
        examples: 9,
        ranges: vec![range(source, 0), range(source, 7)],
        subset: Some(SubsetIdentity { per_class: Some(3), seed: 1, stratified: true }),
    };
    let splits = SplitName::ALL.map(|(source, name)| (name, split(source)));
    let content = ["train", "test"].map(|name| (name.to_owned(), "\"quoted\"".to_owned()));
    JobSpec::Pretrain(PretrainSpec {
        augmentation: Augmentation {
            randaugment: Some(RandAugment { layers: 2, magnitude: 15 }),
            ..Augmentation::preset("none").expect("a preset")
        },
        batch_size: 256,
        dataset: Arc::new(DatasetIdentity {
            channels: 3,
            classes: 10,
            content: content.into(),
            format: Format::Cifar,
            splits: splits.into(),
        }),
        epochs: 300.0,
        evaluations: 10,
        gelu: Gelu::Erf,
        head_bias: -6.9,
        loss: Loss::Sigmoid,
        model: ModelSpec::named("R26+S/32").expect("of the zoo"),
        optimizer: AdamW {
            beta1: 0.9,
            beta2: 0.999,
            clip_norm: 1.0,
            eps: 1e-8,
            learning_rate: 0.1 + 0.2,
            mu_dtype: Precision::Fp32,
            warmup_steps: 10_000,
            weight_decay: 0.03,
        },
        precision: Precision::Fp32,
        recipe: RECIPE_VERSION,
        regularization: Regularization { dropout: 0.1, rescale: true, stochastic_depth: 1e21 },
        resolution: 224,
        seed: u64::MAX,
    })
}

/// The other stages, with the data set and model of [`pretrain`].
fn others() -> Vec<JobSpec> {
    let JobSpec::Pretrain(PretrainSpec { augmentation, dataset, model, .. }) = pretrain() else {
        panic!("is a pre-training")
    };
    let upstream = Upstream::Job(JobId::of("a"));
    let transfer = TransferSpec {
        augmentation,
        batch_size: 512,
        dataset: Arc::clone(&dataset),
        evaluations: 2,
        gelu: Gelu::Erf,
        loss: Loss::Softmax,
        model,
        optimizer: Sgd {
            accumulator_dtype: Precision::Bf16,
            clip_norm: 1.0,
            learning_rate: 0.03,
            momentum: 0.9,
            warmup_steps: 100,
        },
        precision: Precision::Fp32,
        recipe: RECIPE_VERSION,
        resolution: 384,
        seed: 1,
        steps: 500,
        upstream: upstream.clone(),
    };
    let evaluate = EvaluateSpec {
        dataset,
        gelu: Gelu::Erf,
        model,
        precision: Precision::Bf16,
        probe: Some(Probe { l2: 1024.0, shots: 5 }),
        recipe: RECIPE_VERSION,
        resolution: 224,
        seed: 2,
        upstream: Upstream::File("\"hash\"".to_owned()),
    };
    let throughput = ThroughputSpec {
        batch_sizes: vec![1, 64],
        gelu: Gelu::Erf,
        model,
        precision: Precision::Fp32,
        recipe: RECIPE_VERSION,
        resolution: 224,
        seed: 3,
    };
    vec![
        JobSpec::Transfer(TransferSpec { gelu: Gelu::Tanh, ..transfer.clone() }),
        JobSpec::Transfer(transfer),
        JobSpec::Evaluate(EvaluateSpec { probe: None, ..evaluate.clone() }),
        JobSpec::Evaluate(evaluate),
        JobSpec::Throughput(throughput),
        JobSpec::Noop(NoopSpec { index: 3, seed: 0 }),
    ]
}

#[test]
fn the_canonical_json_of_every_stage_has_its_keys_sorted_and_reads_back() {
    for spec in others().into_iter().chain([pretrain()]) {
        let value = serde_json::to_value(&spec).expect("is plain data");
        assert_eq!(spec.canonical(), sorted(&value));
        assert_eq!(serde_json::from_str::<JobSpec>(&spec.canonical()).expect("reads"), spec);
    }
}

#[test]
fn a_job_waits_for_the_job_it_starts_from_and_for_no_file() {
    let parents: Vec<_> = others().iter().map(JobSpec::parent).collect();
    let parent = Some(JobId::of("a"));
    assert_eq!(parents, [parent, parent, None, None, None, None]);
}
