//! Stages that start from parameters that are there: transfers, evaluations, probes; and measured speed.

mod common;

use std::sync::Arc;

use augreg_protocol::{FailureKind, JournalEvent, RunFolder};
use augreg_spec::{
    Augmentation, EvaluateSpec, Gelu, JobSpec, Loss, Precision, PretrainSpec, Probe,
    RECIPE_VERSION, Sgd, ThroughputSpec, TransferSpec, Upstream,
};
use augreg_train::{End, LinearProbe};
use augreg_vit::Architecture;
use augreg_vit::foreign::{Head, Weights};
use common::{Recorder, Study, spec};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

/// A finished pre-training: half an epoch is enough to tell parameters from initial ones.
fn upstream() -> (Study, augreg_protocol::Outcome) {
    let mut study = Study::of(PretrainSpec { epochs: 0.5, ..spec() });
    let outcome = study.finish();
    (study, outcome)
}

/// A transfer of what `study` trained, in the same folder.
fn transfer(study: &Study, steps: u64) -> TransferSpec {
    let pretrain = spec();
    TransferSpec {
        augmentation: Augmentation::preset("none").expect("a preset"),
        batch_size: 32,
        dataset: Arc::clone(&pretrain.dataset),
        evaluations: 2,
        gelu: Gelu::Tanh,
        loss: Loss::Softmax,
        model: pretrain.model,
        optimizer: Sgd {
            accumulator_dtype: Precision::Bf16,
            clip_norm: 1.0,
            learning_rate: 0.03,
            momentum: 0.9,
            warmup_steps: steps.div_ceil(5),
        },
        precision: Precision::Fp32,
        recipe: RECIPE_VERSION,
        resolution: 28,
        seed: 3,
        steps,
        upstream: Upstream::Job(study.assignment.attempt.job),
    }
}

/// The next job of the study.
fn next(study: Study, spec: JobSpec) -> Study {
    let mut assignment = study.assignment.clone();
    assignment.attempt.job = spec.id();
    assignment.attempt.number = 1;
    assignment.spec = spec;
    Study { folder: study.folder, assignment }
}

fn failure(study: &mut Study) -> (FailureKind, String) {
    match study.attempt(u32::MAX).0 {
        End::Failed { failure, .. } => (failure.kind, failure.message),
        end => panic!("expected a failure, got {end:?}"),
    }
}

#[test]
fn a_transfer_begins_at_the_upstream_parameters_with_a_head_of_zeros_and_resized_positions() {
    let (study, _) = upstream();
    let from = study.run_folder().last();
    // The first update of a warm-up has learning rate 0: one step changes nothing.
    let transfer = TransferSpec { resolution: 42, ..transfer(&study, 1) };
    let architecture = Architecture::of(&transfer.training()).expect("a model");
    let mut study = next(study, JobSpec::Transfer(transfer));
    study.finish();
    let read = |path: &std::path::Path, head| {
        let weights = Weights::read(path).expect("reads");
        weights.parameters(&architecture, head).expect("fits")
    };
    let expected = read(&from, Head::Zeros);
    assert_eq!(read(&study.run_folder().last(), Head::Kept), expected);
    assert!(expected.iter().any(|value| *value != 0.0));
}

#[test]
fn an_interrupted_transfer_ends_with_the_bytes_of_one_that_was_not() {
    let (study, _) = upstream();
    let job = JobSpec::Transfer(transfer(&study, 40));
    let mut straight = next(study, job);
    let expected = straight.finish();
    std::fs::remove_dir_all(straight.run_folder().path()).expect("is there");
    for patience in [9, 14, 7] {
        assert!(matches!(straight.attempt(patience).0, End::Stopped { .. }));
    }
    let (resumed, host) = straight.finish_seen();
    assert!(host.started[0] > 10, "{:?}", host.started);
    assert_eq!(resumed.parameters_sha256, expected.parameters_sha256);
    assert_eq!(resumed.proof, expected.proof);
    assert_eq!(resumed.final_test, expected.final_test);
    assert!(expected.final_val > Some(0.2), "it learnt: {:?}", expected.final_val);
}

#[test]
fn what_a_transfer_starts_from_is_named_when_it_is_not_there_or_another_network() {
    let (study, _) = upstream();
    let (from, job) = (study.run_folder().last(), study.assignment.attempt.job);
    let good = transfer(&study, 2);
    let deeper = augreg_spec::ModelSpec { depth: good.model.depth + 1, ..good.model };
    let mut study = next(study, JobSpec::Transfer(TransferSpec { model: deeper, ..good.clone() }));
    let (kind, message) = failure(&mut study);
    assert_eq!(kind, FailureKind::Data);
    assert!(message.contains("final.safetensors") && message.contains("depth"), "{message}");

    std::fs::remove_file(from).expect("was there");
    let mut study = next(study, JobSpec::Transfer(good));
    let (kind, message) = failure(&mut study);
    assert_eq!(kind, FailureKind::Data);
    assert!(message.contains(&job.short()) && message.contains("keep"), "{message}");
}

fn evaluation(study: &Study, probe: Option<Probe>) -> EvaluateSpec {
    let pretrain = spec();
    EvaluateSpec {
        dataset: Arc::clone(&pretrain.dataset),
        gelu: pretrain.gelu,
        model: pretrain.model,
        precision: Precision::Fp32,
        probe,
        recipe: RECIPE_VERSION,
        resolution: pretrain.resolution,
        seed: 0,
        upstream: Upstream::Job(study.assignment.attempt.job),
    }
}

#[test]
fn an_evaluation_finds_what_the_training_itself_found_at_its_end() {
    let (study, trained) = upstream();
    let spec = evaluation(&study, None);
    let (judged, host) = next(study, JobSpec::Evaluate(spec)).finish_seen();
    assert_eq!(judged.final_val, trained.final_val);
    assert_eq!(judged.final_test, trained.final_test);
    assert_eq!(judged.parameters_sha256, trained.parameters_sha256);
    assert_eq!(judged.train_loss, None);
    let [one, five] = ["test_accuracy", "test_top5_accuracy"].map(|name| host.metric(name)[0].1);
    assert_eq!(Some(one), judged.final_test);
    assert!(five > one && five <= 1.0, "{five} of five, {one} of one");
}

#[test]
fn more_shots_tell_more_and_another_seed_draws_others() {
    let (mut study, _) = upstream();
    let mut probe = |shots, seed| {
        let folder = RunFolder::new(study.folder.path(), study.assignment.attempt.job);
        assert!(folder.last().exists());
        let upstream = study.assignment.attempt.job;
        let probe = Some(Probe { l2: 1024.0, shots });
        let spec = EvaluateSpec { seed, ..evaluation(&study, probe) };
        let own = study.assignment.clone();
        let folder = std::mem::replace(&mut study.folder, tempfile::tempdir().expect("a folder"));
        let job = JobSpec::Evaluate(spec);
        let mut judged = next(Study { folder, assignment: own.clone() }, job);
        let outcome = judged.finish();
        study.folder = judged.folder;
        study.assignment = own;
        assert_eq!(study.assignment.attempt.job, upstream);
        outcome.final_test.expect("there is a test split")
    };
    let (few, other, many) = (probe(1, 0), probe(1, 1), probe(20, 0));
    assert!((few - other).abs() > 0.0, "both draw {few}");
    assert!(many > few + 0.1, "{few} of one shot, {many} of twenty");
}

/// `golden/probe.py`: NumPy.
#[test]
fn a_probe_scores_as_big_visions_does() {
    let golden: Value = serde_json::from_str(include_str!("golden/probe.json")).expect("JSON");
    let fill = |rows: i64, columns: i64, phase: f64| {
        let angles = Tensor::arange(rows * columns, (Kind::Double, Device::Cpu)) * 0.7 + phase;
        let scale = Tensor::arange(columns, (Kind::Double, Device::Cpu)) + 1.0;
        (angles.sin().view([rows, columns]) * scale).to_kind(Kind::Double)
    };
    for case in golden.as_array().expect("cases") {
        let number = |name: &str| case[name].as_i64().expect("a number");
        let (images, features, classes) = (number("images"), number("features"), number("classes"));
        let labels: Vec<_> = (0..images).map(|image| image * 7 % classes).collect();
        let targets = Tensor::from_slice(&labels).one_hot(classes).to_kind(Kind::Float);
        let l2 = case["l2"].as_f64().expect("a number");
        let probe = LinearProbe::of(&fill(images, features, 0.3), &targets, l2);
        let scores = probe.scores(&fill(5, features, 1.1));
        for (row, expected) in case["scores"].as_array().expect("rows").iter().enumerate() {
            for (class, expected) in expected.as_array().expect("scores").iter().enumerate() {
                let ours = scores.double_value(&[row as i64, class as i64]);
                let expected = expected.as_f64().expect("a number");
                assert!((ours - expected).abs() < 1e-5, "{images} images: {ours}, {expected}");
            }
        }
    }
}

#[test]
fn speed_is_measured_for_each_batch_size_and_the_best_counts() {
    let job = JobSpec::Throughput(ThroughputSpec {
        batch_sizes: vec![1, 8],
        gelu: Gelu::Tanh,
        model: spec().model,
        precision: Precision::Fp32,
        recipe: RECIPE_VERSION,
        resolution: 28,
        seed: 0,
    });
    let mut study = next(Study::of(spec()), job);
    let (outcome, host): (_, Recorder) = study.finish_seen();
    let rates = host.metric("images_per_second");
    assert_eq!(rates.iter().map(|rate| rate.0).collect::<Vec<_>>(), [1, 8]);
    let best = rates.iter().map(|rate| rate.1).fold(0.0, f64::max);
    let name = JournalEvent::DeviceName { name: "a processor".to_owned() };
    assert!(host.events.contains(&name));
    assert!(outcome.images_per_second > 0.0);
    assert!((outcome.images_per_second - best).abs() < f64::EPSILON * best);
}
