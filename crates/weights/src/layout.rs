//! Every trainable tensor of a network: its name, shape, role and how it begins.
//!
//! Names are timm's, shapes libtorch's (`[out, in]`), initial values flax's. Nothing is allocated
//! here.

use augreg_spec::random::{Purpose, named_stream};
use rand_distr::{Distribution, StandardNormal};

use crate::architecture::Architecture;
use crate::resnet::{Convolution, convolutions};

/// What a tensor is to the optimizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A kernel: weight decay applies (`.*/kernel$` in big_vision `optax.py`).
    Kernel,
    /// A bias, a norm's scale, the class token or the position embeddings: never decayed.
    Other,
}

/// How a tensor begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// The same value everywhere.
    Constant(f64),
    /// Uniform in ±bound.
    Uniform {
        /// The bound.
        bound: f64,
    },
    /// Normal around 0.
    Normal {
        /// The standard deviation.
        deviation: f64,
    },
    /// Normal around 0, drawn again beyond two standard deviations.
    TruncatedNormal {
        /// The standard deviation before truncation.
        deviation: f64,
    },
}

/// One trainable tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorSpec {
    /// timm's name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<i64>,
    /// What it is to the optimizer.
    pub role: Role,
    /// How it begins.
    pub init: Init,
}

impl TensorSpec {
    /// How many numbers it holds.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.shape.iter().product::<i64>() as usize
    }

    /// Its initial values under a job's seed: a function of seed, name, shape and law only, so
    /// adding a tensor to a network changes no other.
    #[must_use]
    pub fn initial_values(&self, seed: u64) -> Vec<f32> {
        let mut draws = named_stream(seed, Purpose::Init, &self.name);
        let mut normal = move || -> f64 { StandardNormal.sample(draws.generator()) };
        let mut uniform = named_stream(seed, Purpose::Init, &self.name);
        (0..self.elements())
            .map(|_| match self.init {
                Init::Constant(value) => value,
                Init::Uniform { bound } => uniform.uniform(-bound, bound),
                Init::Normal { deviation } => deviation * normal(),
                Init::TruncatedNormal { deviation } => loop {
                    let value = normal();
                    if value.abs() <= 2.0 {
                        break deviation * value;
                    }
                },
            } as f32)
            .collect()
    }
}

/// Standard deviation of a unit normal cut at ±2, which flax's `lecun_normal` divides out.
const TRUNCATED_DEVIATION: f64 = 0.879_625_661_034_239_8;

/// Standard deviation of the position embeddings (`vit_jax/models_vit.py`).
const POSITION_DEVIATION: f64 = 0.02;

/// Standard deviation of the MLP biases (`vit_jax/models_vit.py`).
const MLP_BIAS_DEVIATION: f64 = 1e-6;

/// All tensors of a network, kernels first, each group in the order of the forward pass.
///
/// # Source
///
/// Initial values as in `vit_jax/models_vit.py` with flax's defaults. The Glorot bound of `qkv` is
/// that of each projection by itself, √(6 / 2D), as flax computes it; the fused `[3D, D]` kernel
/// would give √(6 / 4D).
pub(crate) fn layout(architecture: &Architecture, head_bias: f64) -> Vec<TensorSpec> {
    let (d, m) = (architecture.width(), architecture.mlp());
    let (p, channels, classes) =
        (architecture.patch(), architecture.map_channels(), architecture.classes());
    let image_channels = architecture.channels() as u32;
    let stem: Vec<Convolution> =
        architecture.resnet().map_or_else(Vec::new, |resnet| convolutions(resnet, image_channels));
    let glorot = |a: i64, b: i64| Init::Uniform { bound: (6.0 / (a + b) as f64).sqrt() };
    let lecun = |fan_in: i64| Init::TruncatedNormal {
        deviation: (1.0 / fan_in as f64).sqrt() / TRUNCATED_DEVIATION,
    };

    let mut tensors = Vec::new();
    let mut add = |name: String, shape: &[i64], role, init| {
        tensors.push(TensorSpec { name, shape: shape.to_vec(), role, init });
    };
    let named = str::to_owned;

    for Convolution { kernel, shape, .. } in &stem {
        add(kernel.clone(), shape, Role::Kernel, lecun(shape[1..].iter().product()));
    }
    add(
        named("patch_embed.proj.weight"),
        &[d, channels, p, p],
        Role::Kernel,
        lecun(channels * p * p),
    );
    for i in 0..architecture.depth() {
        let block = |part: &str| format!("blocks.{i}.{part}");
        add(block("attn.qkv.weight"), &[3 * d, d], Role::Kernel, glorot(d, d));
        add(block("attn.proj.weight"), &[d, d], Role::Kernel, glorot(d, d));
        add(block("mlp.fc1.weight"), &[m, d], Role::Kernel, glorot(d, m));
        add(block("mlp.fc2.weight"), &[d, m], Role::Kernel, glorot(m, d));
    }
    add(named("head.weight"), &[classes, d], Role::Kernel, Init::Constant(0.0));

    let (zeros, ones) = (Init::Constant(0.0), Init::Constant(1.0));
    let mlp_bias = Init::Normal { deviation: MLP_BIAS_DEVIATION };
    for Convolution { norm, shape, scale, .. } in &stem {
        add(format!("{norm}.weight"), &shape[..1], Role::Other, Init::Constant(*scale));
        add(format!("{norm}.bias"), &shape[..1], Role::Other, zeros);
    }
    let tokens = architecture.grid() * architecture.grid() + 1;
    add(named("patch_embed.proj.bias"), &[d], Role::Other, zeros);
    add(named("cls_token"), &[1, 1, d], Role::Other, zeros);
    let position = Init::Normal { deviation: POSITION_DEVIATION };
    add(named("pos_embed"), &[1, tokens, d], Role::Other, position);
    for i in 0..architecture.depth() {
        let block = |part: &str| format!("blocks.{i}.{part}");
        add(block("norm1.weight"), &[d], Role::Other, ones);
        add(block("norm1.bias"), &[d], Role::Other, zeros);
        add(block("attn.qkv.bias"), &[3 * d], Role::Other, zeros);
        add(block("attn.proj.bias"), &[d], Role::Other, zeros);
        add(block("norm2.weight"), &[d], Role::Other, ones);
        add(block("norm2.bias"), &[d], Role::Other, zeros);
        add(block("mlp.fc1.bias"), &[m], Role::Other, mlp_bias);
        add(block("mlp.fc2.bias"), &[d], Role::Other, mlp_bias);
    }
    add(named("norm.weight"), &[d], Role::Other, ones);
    add(named("norm.bias"), &[d], Role::Other, zeros);
    add(named("head.bias"), &[classes], Role::Other, Init::Constant(head_bias));
    tensors
}

/// Cuts flat values into the tensors of `specs`.
///
/// # Panics
///
/// If there are fewer values than the tensors have.
pub fn split<'a, T>(
    specs: &'a [TensorSpec],
    mut values: &'a [T],
) -> impl Iterator<Item = (&'a TensorSpec, &'a [T])> {
    specs.iter().map(move |spec| {
        let (head, rest) = values.split_at(spec.elements());
        values = rest;
        (spec, head)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use augreg_spec::ModelSpec;

    #[test]
    fn the_zoo_has_as_many_parameters_as_its_spec_says() {
        for name in ModelSpec::names() {
            let model = ModelSpec::named(name).expect("in the zoo");
            for (resolution, classes) in [(224, 1000), (224, 21_843), (384, 1000), (384, 21_843)] {
                let architecture =
                    Architecture::new(model, 3, classes, resolution).expect("patches divide");
                let ours: usize = layout(&architecture, 0.0).iter().map(TensorSpec::elements).sum();
                let patches = model.patches(resolution).expect("divides");
                assert_eq!(ours as u64, model.parameters(patches, 3, classes), "{name}");
            }
        }
    }

    #[test]
    fn initial_values_follow_their_law_and_depend_on_seed_and_name() {
        let tensor = |name: &str, init| TensorSpec {
            name: name.to_owned(),
            shape: vec![300, 100],
            role: Role::Kernel,
            init,
        };
        let deviation = |values: &[f32]| {
            let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
            let square = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>();
            (square / values.len() as f64).sqrt()
        };
        let close = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 0.02, "{a} against {b}");

        let uniform = tensor("a", Init::Uniform { bound: 0.3 });
        close(deviation(&uniform.initial_values(1)), 0.3 / 3f64.sqrt());
        assert!(uniform.initial_values(1).iter().all(|v| v.abs() <= 0.3));
        close(deviation(&tensor("a", Init::Normal { deviation: 0.02 }).initial_values(1)), 0.02);
        let truncated = tensor("a", Init::TruncatedNormal { deviation: 0.1 }).initial_values(1);
        close(deviation(&truncated), 0.1 * TRUNCATED_DEVIATION);
        assert!(truncated.iter().all(|v| v.abs() <= 0.2));

        assert_eq!(uniform.initial_values(1), uniform.initial_values(1));
        assert_ne!(uniform.initial_values(1), uniform.initial_values(2));
        let other = tensor("b", uniform.init);
        assert_ne!(uniform.initial_values(1), other.initial_values(1));
    }

    /// `vit_jax/models_resnet.py`: lecun normal for all kernels, scale 0 behind a unit's last.
    #[test]
    fn a_hybrid_begins_its_units_as_the_identity() {
        let model = ModelSpec::named("R26+S/32").expect("in the zoo");
        let tensors = layout(&Architecture::new(model, 3, 10, 224).expect("a model"), 0.0);
        let init = |name: &str| {
            let name = format!("patch_embed.backbone.{name}.weight");
            tensors.iter().find(|tensor| tensor.name == name).expect("there").init
        };
        assert_eq!(init("stages.3.blocks.1.norm3"), Init::Constant(0.0));
        for norm in ["stem.norm", "stages.3.blocks.1.norm2", "stages.0.blocks.0.downsample.norm"] {
            assert_eq!(init(norm), Init::Constant(1.0), "{norm}");
        }
        let deviation = (1.0 / 147.0f64).sqrt() / TRUNCATED_DEVIATION;
        assert_eq!(init("stem.conv"), Init::TruncatedNormal { deviation });
        let kernels = tensors.iter().filter(|tensor| tensor.role == Role::Kernel);
        assert!(kernels.clone().all(|tensor| tensor.name.ends_with(".weight")));
        assert_eq!(kernels.count(), 1 + 8 * 3 + 4 + 1 + 12 * 4 + 1);
    }

    #[test]
    fn qkv_bounds_are_those_of_each_projection() {
        let model = ModelSpec { width: 64, depth: 1, mlp: 128, heads: 4, patch: 7, resnet: None };
        let architecture = Architecture::new(model, 1, 10, 28).expect("a model");
        let tensors = layout(&architecture, 0.0);
        let qkv = tensors.iter().find(|t| t.name == "blocks.0.attn.qkv.weight").expect("there");
        assert_eq!(qkv.init, Init::Uniform { bound: (6.0f64 / 128.0).sqrt() });
    }
}
