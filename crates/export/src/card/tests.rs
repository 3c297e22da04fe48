//! What model cards say.

use augreg_protocol::{JobState, Outcome};
use augreg_spec::{JobSpec, Labels};

use super::*;

/// A job of the smallest model, as the database has it.
fn job(spec: &str) -> JobDetails {
    let spec: JobSpec = serde_json::from_str(spec).expect("a spec");
    let label = |text: &str| text.to_owned();
    JobDetails {
        job: spec.id(),
        spec,
        labels: Labels {
            dataset: label("fashion"),
            model: label("Na/7"),
            augmentation: label("medium1"),
        },
        state: JobState::Succeeded,
        priority: 0,
        flops: 1.234e12,
        parameters: 11_818,
        created: 1_795_722_000_000,
        sweeps: vec![label("mini")],
        attempts: Vec::new(),
        boundaries: Vec::new(),
        events: Vec::new(),
        result: Some(Outcome {
            best_val: Some(0.875),
            final_val: Some(0.871),
            final_test: Some(0.8642),
            train_loss: Some(0.4),
            parameters_sha256: "ab".repeat(32),
            steps: 1290,
            seconds: 34.6,
            images_per_second: 4812.3,
            peak_memory: 230_000_000,
            proof: None,
        }),
        checkpoints: Vec::new(),
        metrics: Vec::new(),
    }
}

const DATASET: &str = r#"{"channels":1,"classes":10,"content":{"train":"aa"},"format":"idx","splits":{
    "test":{"examples":10000,"ranges":[]},"train":{"examples":55000,"ranges":[]},
    "val":{"examples":5000,"ranges":[]}}}"#;

const MODEL: &str = r#"{"depth":2,"heads":2,"mlp":48,"patch":7,"width":24}"#;

fn pretrained() -> JobDetails {
    job(&format!(
        r#"{{"stage":"pretrain","augmentation":{{"crop":"none","flip":true,"mixup":0.2,
            "randaugment":{{"layers":2,"magnitude":15}}}},"batch_size":128,"dataset":{DATASET},"epochs":3.0,
            "evaluations":3,"head_bias":-10.0,"loss":"sigmoid","model":{MODEL},"optimizer":{{"beta1":0.9,
            "beta2":0.999,"clip_norm":1.0,"eps":1e-8,"learning_rate":0.001,"warmup_steps":100,
            "weight_decay":0.03}},"precision":"fp32","recipe":1,"regularization":{{"dropout":0.1,
            "stochastic_depth":0.1}},"resolution":28,"seed":0}}"#
    ))
}

fn adapted(upstream: &JobDetails) -> JobDetails {
    job(&format!(
        r#"{{"stage":"transfer","augmentation":{{"crop":"none","flip":true,"mixup":0.0,"randaugment":null}},
            "batch_size":128,"dataset":{DATASET},"evaluations":1,"loss":"softmax","model":{MODEL},
            "optimizer":{{"clip_norm":1.0,"learning_rate":0.01,"momentum":0.9,"warmup_steps":20}},
            "precision":"fp32","recipe":1,"resolution":28,"seed":0,"steps":100,
            "upstream":{{"job":"{}"}}}}"#,
        upstream.job
    ))
}

fn card(job: &JobDetails, upstream: Option<&JobDetails>, origin: Origin, folder: bool) -> String {
    let training = job.spec.training().expect("it trains");
    let network = Architecture::of(&training).expect("a network");
    let timm = crate::architecture(&network);
    let weights = if folder { "na7/model.safetensors" } else { "x.safetensors" };
    let folder = folder.then_some("na7");
    Card {
        job,
        upstream,
        training: &training,
        network: &network,
        timm: timm.as_ref(),
        origin,
        weights,
        folder,
    }
    .to_string()
}

#[test]
fn a_card_says_what_was_trained_how_and_with_what_result() {
    insta::assert_snapshot!(card(&pretrained(), None, Origin::Final, true));
}

#[test]
fn a_card_of_an_adaptation_names_what_it_started_from() {
    let upstream = pretrained();
    insta::assert_snapshot!(card(&adapted(&upstream), Some(&upstream), Origin::Final, false));
}

#[test]
fn the_best_parameters_do_not_boast_with_the_last_ones_test() {
    let text = card(&pretrained(), None, Origin::Best, false);
    assert!(text.contains("| validation | 87.50 % |\n| test | not measured |"), "{text}");
    assert!(!text.contains("SHA-256"), "{text}");
}
