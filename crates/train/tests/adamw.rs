//! The optimizer against a NumPy trajectory.

use augreg_spec::{AdamW, ModelSpec};
use augreg_train::{FlatAdamW, factor};
use augreg_vit::{Architecture, Parameters};
use serde_json::Value;
use tch::{Device, Tensor};

const SETTINGS: AdamW = AdamW {
    learning_rate: 1e-2,
    weight_decay: 0.1,
    beta1: 0.9,
    beta2: 0.999,
    eps: 1e-8,
    clip_norm: 1.0,
    mu_dtype: augreg_spec::Precision::Fp32,
    warmup_steps: 5,
};

fn parameters() -> Parameters {
    let model = ModelSpec { width: 8, depth: 1, mlp: 12, heads: 2, patch: 4, resnet: None };
    let architecture = Architecture::new(model, 3, 5, 8).expect("a model");
    let mut parameters = Parameters::initialised(&architecture, 0.0, 0, Device::Cpu);
    let values: Vec<_> =
        (0..parameters.flat().numel()).map(|i| (0.5 * (0.7 * i as f64).sin()) as f32).collect();
    parameters.copy_from_host(&values);
    parameters
}

fn gradient(parameters: &Parameters, step: u64) -> Tensor {
    let scale = if step.is_multiple_of(3) { 1.0 } else { 0.01 };
    let values: Vec<_> = (0..parameters.flat().numel())
        .map(|i| (scale * (0.3 * i as f64 + step as f64).sin()) as f32)
        .collect();
    Tensor::from_slice(&values)
}

#[test]
fn twenty_updates_follow_numpy() {
    let golden: Value = serde_json::from_str(include_str!("golden/adamw.json")).expect("JSON");
    let parameters = parameters();
    assert_eq!((parameters.flat().numel(), parameters.kernel_elements()), (1033, 872));
    let mut optimizer = FlatAdamW::new(SETTINGS, &parameters);
    for step in 0..20 {
        let gradient = gradient(&parameters, step);
        let norm = optimizer.update(&parameters, gradient, step, factor(step, 5, 20));
        let expected = golden["norms"][step as usize].as_f64().expect("a number");
        assert!((norm.double_value(&[]) / expected - 1.0).abs() < 1e-5, "norm of step {step}");
    }
    for (i, expected) in golden["every_40th"].as_array().expect("numbers").iter().enumerate() {
        let ours = parameters.flat().double_value(&[40 * i as i64]);
        let expected = expected.as_f64().expect("a number");
        assert!((ours - expected).abs() < 2e-6, "parameter {}: {ours}, NumPy {expected}", 40 * i);
    }
}

#[test]
fn the_first_update_of_a_warm_up_moves_nothing_but_the_moments() {
    let parameters = parameters();
    let before = parameters.sha256();
    let mut optimizer = FlatAdamW::new(SETTINGS, &parameters);
    let _ = optimizer.update(&parameters, gradient(&parameters, 0), 0, factor(0, 5, 20));
    assert_eq!(parameters.sha256(), before);
    assert!(optimizer.moments_to_host()[0].iter().any(|&moment| moment != 0.0));
}

#[test]
fn an_optimizer_goes_on_from_its_moments_bit_by_bit() {
    let straight = parameters();
    let mut optimizer = FlatAdamW::new(SETTINGS, &straight);
    for step in 0..6 {
        let _ = optimizer.update(&straight, gradient(&straight, step), step, 1.0);
    }
    let mut resumed = parameters();
    let mut first = FlatAdamW::new(SETTINGS, &resumed);
    for step in 0..3 {
        let _ = first.update(&resumed, gradient(&resumed, step), step, 1.0);
    }
    let (values, moments) = (resumed.to_host(), first.moments_to_host());
    resumed.copy_from_host(&values);
    let mut second = FlatAdamW::new(SETTINGS, &resumed);
    second.copy_moments_from_host([&moments[0], &moments[1]]);
    for step in 3..6 {
        let _ = second.update(&resumed, gradient(&resumed, step), step, 1.0);
    }
    assert_eq!(resumed.sha256(), straight.sha256());
}
