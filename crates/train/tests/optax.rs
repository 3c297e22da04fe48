//! Whole trajectories against optax: a tiny network, 50 steps, with gradients of its own.

use augreg_spec::{AdamW, Loss, ModelSpec, Precision, Regularization, Sgd};
use augreg_train::{FlatAdamW, FlatSgd, factor, mean_loss};
use augreg_vit::{Architecture, Noise, Parameters, TensorSpec, Vit};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

const STEPS: u64 = 50;
const WARMUP: u64 = 5;
const EARLY: u64 = 4;
const NOISE: Noise = Noise { seed: 0, first: 0 };

/// `scale · sin(0.7 i + phase)`, as `golden/optax_vit.py` fills its arrays.
fn fill(shape: &[i64], phase: f64, scale: f64) -> Tensor {
    let count: i64 = shape.iter().product();
    let angles = Tensor::arange(count, (Kind::Double, Device::Cpu)) * 0.7 + phase;
    (angles.sin() * scale).to_kind(Kind::Float).view(shape)
}

/// Trains with an update of `(parameters, gradient, step)` and compares. Returns the largest
/// difference after [`EARLY`] steps and at the end, relative to the largest parameter.
fn train(name: &str, mut update: impl FnMut(&Parameters, Tensor, u64)) -> [f64; 2] {
    tch::set_num_threads(1);
    let golden: Value = serde_json::from_str(include_str!("golden/optax_vit.json")).expect("JSON");
    let golden = &golden[name];
    let parameters = parameters();
    let architecture = architecture();
    let vit = Vit::new(architecture, &parameters, Regularization::default());
    let mut early = 0.0;
    for step in 0..STEPS {
        let images = fill(&[4, 3, 12, 12], 0.5 + step as f64, 1.0);
        let labels: Vec<_> = (0..4).map(|b| (step as i64 + b) % 5).collect();
        let targets = Tensor::from_slice(&labels).one_hot(5).to_kind(Kind::Float);
        let loss = mean_loss(Loss::Sigmoid, &vit.forward(&images, Some(NOISE)), &targets);
        if step.is_multiple_of(10) {
            let expected = golden["losses"][step as usize / 10].as_f64().expect("a number");
            let ours = loss.double_value(&[]);
            assert!((ours / expected - 1.0).abs() < 1e-2, "{name}, {step}: {ours}, {expected}");
        }
        let gradient = parameters.gradient(&loss);
        update(&parameters, gradient, step);
        if step + 1 == EARLY {
            early = distance(&parameters, golden, "early");
        }
    }
    [early, distance(&parameters, golden, "every_7th")]
}

fn distance(parameters: &Parameters, golden: &Value, when: &str) -> f64 {
    let expected = golden[when].as_array().expect("numbers").iter();
    let expected: Vec<_> = expected.map(|x| x.as_f64().expect("a number")).collect();
    let ours = parameters.to_host();
    let ours: Vec<_> = ours.iter().step_by(7).map(|&x| f64::from(x)).collect();
    assert_eq!(ours.len(), expected.len());
    let determined = determined(parameters);
    let compared = ours.iter().zip(&expected).zip(determined.iter().step_by(7));
    let off = compared.filter(|(_, determined)| **determined).map(|((a, b), _)| (a - b).abs());
    off.fold(0.0, f64::max) / golden["largest"].as_f64().expect("a number")
}

/// Which parameters have a gradient at all. A bias of keys moves all scores of a query alike, which
/// softmax does not see: its gradient is what rounding leaves, and Adam makes steps of that.
fn determined(parameters: &Parameters) -> Vec<bool> {
    let of = |spec: &TensorSpec| {
        let (elements, keys) = (spec.elements(), spec.name.ends_with("attn.qkv.bias"));
        let third = elements / 3;
        (0..elements).map(move |i| !(keys && (third..2 * third).contains(&i))).collect::<Vec<_>>()
    };
    parameters.specs().iter().flat_map(of).collect()
}

fn architecture() -> Architecture {
    let model = ModelSpec { width: 8, depth: 3, mlp: 12, heads: 2, patch: 4, resnet: None };
    Architecture::new(model, 3, 5, 12).expect("a model")
}

fn parameters() -> Parameters {
    let parameters = Parameters::initialised(&architecture(), 0.0, 0, Device::Cpu);
    tch::no_grad(|| {
        for spec in parameters.specs() {
            let is_scale = spec.name.contains("norm") && spec.name.ends_with("weight");
            let values = fill(&spec.shape, spec.name.len() as f64, 0.4);
            parameters.get(&spec.name).copy_(&(values + f64::from(u8::from(is_scale))));
        }
    });
    parameters
}

fn adamw(name: &str, mu_dtype: Precision) -> [f64; 2] {
    let settings = AdamW {
        learning_rate: 1e-2,
        weight_decay: 0.1,
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
        clip_norm: 1.0,
        mu_dtype,
        warmup_steps: WARMUP,
    };
    let mut optimizer = FlatAdamW::new(settings, &parameters());
    train(name, |parameters, gradient, step| {
        let _ = optimizer.update(parameters, gradient, step, factor(step, WARMUP, STEPS));
    })
}

fn sgd(name: &str, accumulator_dtype: Precision) -> [f64; 2] {
    let settings = Sgd {
        accumulator_dtype,
        clip_norm: 1.0,
        learning_rate: 3e-2,
        momentum: 0.9,
        warmup_steps: WARMUP,
    };
    let mut optimizer = FlatSgd::new(settings, &parameters());
    train(name, |parameters, gradient, step| {
        let _ = optimizer.update(parameters, gradient, 3e-2 * factor(step, WARMUP, STEPS));
    })
}

#[test]
fn fifty_steps_end_where_optax_ends() {
    let adamw = adamw("adamw_fp32", Precision::Fp32);
    let sgd = sgd("sgd_fp32", Precision::Fp32);
    assert!(adamw[1] < 1e-5 && sgd[1] < 1e-5, "AdamW {adamw:?}, SGD {sgd:?}");
}

/// Compared early: where a sum differs in its last bit, a moment may be rounded the other way, and
/// from then on trajectories part.
#[test]
fn moments_in_bfloat16_are_rounded_when_optax_rounds_them() {
    for (name, off, without) in [
        ("adamw_bf16", adamw("adamw_bf16", Precision::Bf16), adamw("adamw_bf16", Precision::Fp32)),
        ("sgd_bf16", sgd("sgd_bf16", Precision::Bf16), sgd("sgd_bf16", Precision::Fp32)),
    ] {
        let (off, without) = (off[0], without[0]);
        assert!(off < without / 10.0, "{name}: {off:e}, without rounding {without:e}");
    }
}
