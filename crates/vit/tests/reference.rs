//! The network against an independent NumPy implementation, and what must hold of any network.

use augreg_spec::{ModelSpec, Precision, Regularization};
use augreg_vit::{Architecture, Noise, Parameters, Vit};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

const NOISE: Noise = Noise { seed: 0, first: 0 };

const OFF: Regularization = Regularization { dropout: 0.0, rescale: false, stochastic_depth: 0.0 };

/// `scale · sin(0.7 i + phase)`, as `golden/forward.py` fills its arrays.
fn fill(shape: &[i64], phase: f64, scale: f64) -> Tensor {
    let count: i64 = shape.iter().product();
    let angles = Tensor::arange(count, (Kind::Double, Device::Cpu)) * 0.7 + phase;
    (angles.sin() * scale).to_kind(Kind::Float).view(shape)
}

fn architecture(model: ModelSpec, channels: u32, classes: u32, resolution: u32) -> Architecture {
    Architecture::new(model, channels, classes, resolution).expect("patches divide")
}

fn tiny() -> Architecture {
    tch::set_num_threads(1); // Two threads on a busy machine wait for each other.
    architecture(
        ModelSpec { width: 8, depth: 3, mlp: 12, heads: 2, patch: 4, resnet: None },
        3,
        5,
        12,
    )
}

#[test]
fn logits_and_gradients_equal_numpy() {
    let golden: Value = serde_json::from_str(include_str!("golden/forward.json")).expect("JSON");
    let architecture = tiny();
    let parameters = Parameters::initialised(&architecture, 0.0, 0, Device::Cpu);
    let _guard = tch::no_grad_guard();
    for spec in parameters.specs() {
        let is_scale = spec.name.contains("norm") && spec.name.ends_with("weight");
        let values = fill(&spec.shape, spec.name.len() as f64, 0.4) + f64::from(u8::from(is_scale));
        parameters.get(&spec.name).copy_(&values);
    }
    let images = fill(&[2, 3, 12, 12], 0.5, 1.0);
    let vit = Vit::new(architecture, &parameters, OFF);
    let (logits, gradient) = tch::with_grad(|| {
        let logits = vit.forward(&images, Some(NOISE));
        let loss = logits.square().mean(Kind::Float) * 0.5;
        (logits.detach(), parameters.gradient(&loss))
    });

    let expected = golden["logits"].as_array().expect("numbers");
    assert_eq!(logits.numel(), expected.len());
    for (i, expected) in expected.iter().enumerate() {
        let ours = logits.view(-1).double_value(&[i as i64]);
        let expected = expected.as_f64().expect("a number");
        assert!((ours - expected).abs() < 1e-5, "logit {i}: {ours}, NumPy has {expected}");
    }
    let mut offset = 0;
    for spec in parameters.specs() {
        let elements = spec.elements() as i64;
        let part = gradient.narrow(0, offset, elements);
        offset += elements;
        let direction = fill(&spec.shape, 2.0, 1.0).view(-1);
        let ours = part.dot(&direction).double_value(&[]);
        let expected = golden["derivatives"][&spec.name].as_f64().expect("a number");
        let close = (ours - expected).abs() < 2e-5 * (1.0 + expected.abs());
        assert!(close, "{}: {ours}, NumPy has {expected}", spec.name);
    }
}

#[test]
fn the_head_starts_at_its_bias_whatever_the_image() {
    let parameters = Parameters::initialised(&tiny(), -6.9, 3, Device::Cpu);
    let logits = Vit::new(tiny(), &parameters, OFF).forward(&fill(&[2, 3, 12, 12], 0.0, 1.0), None);
    assert_eq!(Vec::<f32>::try_from(logits.view(-1)).expect("floats"), vec![-6.9f32; 10]);
}

#[test]
fn kernels_lie_first_in_the_flat_buffer_and_views_share_its_memory() {
    let parameters = Parameters::initialised(&tiny(), 0.0, 3, Device::Cpu);
    let is_kernel = |name: &str| name.ends_with(".weight") && !name.contains("norm");
    let kernels = parameters.specs().iter().filter(|spec| is_kernel(&spec.name));
    let elements: usize = kernels.map(augreg_vit::TensorSpec::elements).sum();
    assert_eq!(parameters.kernel_elements(), elements as i64);

    let before = parameters.sha256();
    tch::no_grad(|| {
        let _ = parameters.flat().narrow(0, parameters.kernel_elements(), 1).fill_(9.0);
    });
    let first_other = parameters.get("patch_embed.proj.bias");
    assert!((first_other.double_value(&[0]) - 9.0).abs() < 1e-9);
    assert_ne!(parameters.sha256(), before);
}

#[test]
fn dropout_and_stochastic_depth_act_in_training_only_and_follow_the_seed() {
    let regularization = Regularization { dropout: 0.3, rescale: false, stochastic_depth: 0.5 };
    let parameters = Parameters::initialised(&tiny(), 0.0, 3, Device::Cpu);
    tch::no_grad(|| parameters.get("head.weight").copy_(&fill(&[5, 8], 1.0, 1.0)));
    let images = fill(&[2, 3, 12, 12], 0.0, 1.0);
    let run = |regularization, noise| {
        Vit::new(tiny(), &parameters, regularization).forward(&images, noise)
    };
    let noise = |seed| Some(Noise { seed, first: 0 });
    assert_eq!(run(regularization, None), run(OFF, noise(1)));
    assert_eq!(run(regularization, noise(1)), run(regularization, noise(1)));
    assert_ne!(run(regularization, noise(1)), run(regularization, noise(2)));
    assert_ne!(run(regularization, noise(1)), run(OFF, noise(1)));
}

/// The gradients of micro-batches add up to that of the batch, with all that is drawn at random.
#[test]
fn a_batch_in_pieces_has_the_gradient_of_the_whole() {
    let regularization = Regularization { dropout: 0.2, rescale: false, stochastic_depth: 0.5 };
    let parameters = Parameters::initialised(&tiny(), 0.0, 3, Device::Cpu);
    tch::no_grad(|| parameters.get("head.weight").copy_(&fill(&[5, 8], 1.0, 1.0)));
    let vit = Vit::new(tiny(), &parameters, regularization);
    let images = fill(&[10, 3, 12, 12], 0.0, 1.0);
    let gradient = |size: i64| {
        let mut sum = parameters.flat().zeros_like();
        for first in (0..10).step_by(size as usize) {
            let part = images.narrow(0, first, size.min(10 - first));
            let noise = Noise { seed: 4, first: first.unsigned_abs() };
            let logits = vit.forward(&part, Some(noise));
            sum += parameters.gradient(&logits.square().sum(Kind::Float));
        }
        sum
    };
    let whole = gradient(10);
    for size in [1, 3, 5] {
        let off = (gradient(size) - &whole).norm().double_value(&[]);
        let off = off / whole.norm().double_value(&[]);
        assert!(off < 1e-6, "{size}: {off:e}");
    }
}

/// Mixed precision is off by what 8 bits of mantissa are, and no more; so is its gradient.
#[test]
fn bf16_is_close_to_fp32_for_plain_and_hybrid_networks() {
    tch::set_num_threads(1);
    let resnet = augreg_spec::Resnet::new(&[1]).expect("stages");
    for resnet in [None, Some(resnet)] {
        let model = ModelSpec { width: 32, depth: 3, mlp: 64, heads: 2, patch: 4, resnet };
        let architecture = architecture(model, 3, 5, 16);
        let run = |precision| {
            let parameters = Parameters::initialised(&architecture, 0.0, 3, Device::Cpu);
            let mut values = parameters.to_host();
            for (i, value) in values.iter_mut().enumerate() {
                *value += 0.05 * (0.7 * i as f32).sin();
            }
            let mut parameters = parameters.computing_in(precision);
            parameters.copy_from_host(&values);
            let vit = Vit::new(architecture, &parameters, OFF);
            let logits = vit.forward(&fill(&[6, 3, 16, 16], 0.2, 1.0), Some(NOISE));
            let gradient = parameters.gradient(&logits.square().mean(Kind::Float));
            (logits.detach(), gradient)
        };
        let (exact, mixed) = (run(Precision::Fp32), run(Precision::Bf16));
        let off =
            |a: &Tensor, b: &Tensor| (a - b).norm().double_value(&[]) / b.norm().double_value(&[]);
        let (logits, gradient) = (off(&mixed.0, &exact.0), off(&mixed.1, &exact.1));
        assert!(logits > 0.0 && logits < 0.02 && gradient < 0.05, "{logits} {gradient}");
    }
}

/// With certain stochastic depth the last block's branches vanish for nearly every example, and
/// what is kept is not scaled up: logits are either those without the block or unscaled sums.
#[test]
fn stochastic_depth_drops_whole_examples_and_does_not_rescale() {
    tch::set_num_threads(1);
    let model = ModelSpec { width: 8, depth: 2, mlp: 12, heads: 2, patch: 4, resnet: None };
    let architecture = architecture(model, 1, 3, 4);
    let parameters = Parameters::initialised(&architecture, 0.0, 3, Device::Cpu);
    tch::no_grad(|| {
        parameters.get("head.weight").copy_(&fill(&[3, 8], 1.0, 1.0));
        parameters.get("blocks.1.mlp.fc2.weight").copy_(&fill(&[8, 12], 1.0, 1.0));
    });
    let image = fill(&[1, 1, 4, 4], 0.0, 1.0);
    let at = |p| {
        let regularization = Regularization { dropout: 0.0, rescale: false, stochastic_depth: p };
        Vit::new(architecture, &parameters, regularization)
    };
    let whole = at(0.0).forward(&image, None);
    let many = at(0.5).forward(&image.repeat([4000, 1, 1, 1]), Some(NOISE));
    // Each branch of block 1 is kept with probability 1/2 by its own draw, block 0 always.
    let kept = (&many - &whole).abs().amax([1], false).lt(1e-5);
    let share = kept.to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
    assert!((share - 0.25).abs() < 0.03, "both branches kept in {share} of the examples");
    let rounded = (many * 1e4).round();
    let (distinct, _, _) = rounded.unique_dim(0, true, false, false);
    assert_eq!(distinct.size()[0], 4, "both, either or neither branch");
}

/// With rescaling the expectation of a branch is what it is without stochastic depth, as in timm.
#[test]
fn rescaled_stochastic_depth_keeps_the_expectation() {
    tch::set_num_threads(1);
    let model = ModelSpec { width: 8, depth: 2, mlp: 12, heads: 2, patch: 4, resnet: None };
    let architecture = architecture(model, 1, 3, 4);
    let parameters = Parameters::initialised(&architecture, 0.0, 3, Device::Cpu);
    tch::no_grad(|| {
        parameters.get("head.weight").copy_(&fill(&[3, 8], 1.0, 1.0));
        // Zeros after the attention: the MLP's branch alone is random, and the sum is linear in it.
        let _ = parameters.get("blocks.1.attn.proj.weight").zero_();
        let _ = parameters.get("norm.weight").fill_(1.0);
    });
    let image = fill(&[1, 1, 4, 4], 0.0, 1.0).repeat([4000, 1, 1, 1]);
    let distinct = |rescale| {
        let regularization = Regularization { dropout: 0.0, rescale, stochastic_depth: 0.5 };
        let logits =
            Vit::new(architecture, &parameters, regularization).forward(&image, Some(NOISE));
        (logits * 1e4).round().unique_dim(0, true, false, false).0
    };
    assert_eq!(distinct(false).size()[0], 2, "with or without the branch");
    assert_eq!(distinct(true).size()[0], 2, "with twice the branch, or without");
    assert_ne!(distinct(false), distinct(true));
}

/// A unit begins as the identity, so only the projection of a stage's first unit counts.
#[test]
fn a_hybrid_computes_and_all_its_tensors_get_gradients_but_those_behind_a_zero() {
    tch::set_num_threads(1);
    let resnet = augreg_spec::Resnet::new(&[2, 1]).expect("stages");
    let model = ModelSpec { width: 8, depth: 1, mlp: 12, heads: 2, patch: 2, resnet: Some(resnet) };
    let architecture = architecture(model, 3, 5, 32);
    let parameters = Parameters::initialised(&architecture, 0.0, 3, Device::Cpu);
    tch::no_grad(|| parameters.get("head.weight").copy_(&fill(&[5, 8], 1.0, 1.0)));
    let images = fill(&[2, 3, 32, 32], 0.3, 1.0);
    let vit = Vit::new(architecture, &parameters, OFF);
    let logits = vit.forward(&images, Some(NOISE));
    assert_eq!(logits.size(), [2, 5]);
    let gradient = parameters.gradient(&logits.square().mean(Kind::Float));
    assert!(bool::try_from(gradient.isfinite().all()).expect("a flag"));
    let mut offset = 0;
    for spec in parameters.specs() {
        let elements = spec.elements() as i64;
        let largest = gradient.narrow(0, offset, elements).abs().max().double_value(&[]);
        offset += elements;
        let behind = ["conv1", "conv2", "conv3", "norm1", "norm2"]
            .iter()
            .any(|part| spec.name.contains("stages") && spec.name.contains(part));
        assert_eq!(largest == 0.0, behind, "{}: {largest}", spec.name);
    }
}
