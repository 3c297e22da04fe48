//! Times one training step of a small network on random data: images a second, and each part's share.
//!
//! `cargo run -p augreg-train --example train_step -- \
//!      [dropout] [batch] [threads] [width] [depth] [head] [patch] [resolution] [precision] [steps]`
//!
//! The MLP is four times as wide as the tokens; `head` is the width of a head, `precision` 16 or 32.

#![expect(clippy::print_stdout, reason = "a benchmark's numbers are its output")]

use std::time::Instant;

use augreg_spec::{AdamW, Loss, ModelSpec, Precision, Regularization};
use augreg_train::{FlatAdamW, configure_threads, mean_loss};
use augreg_vit::{Architecture, Noise, Parameters, Vit};
use tch::{Device, Kind, Tensor};

const SETTINGS: AdamW = AdamW {
    learning_rate: 1e-3,
    weight_decay: 0.1,
    beta1: 0.9,
    beta2: 0.999,
    eps: 1e-8,
    clip_norm: 1.0,
    mu_dtype: augreg_spec::Precision::Fp32,
    warmup_steps: 10,
};

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<f64>().unwrap_or(0.0));
    let mut next = |default: f64| arguments.next().unwrap_or(default);
    let (dropout, batch) = (next(0.0), next(256.0) as i64);
    configure_threads(next(1.0) as u32);
    let [width, depth, head, patch, resolution] =
        [64.0, 4.0, 16.0, 7.0, 28.0].map(|default| next(default) as u32);
    let precision = if next(32.0) < 32.0 { Precision::Bf16 } else { Precision::Fp32 };
    let steps = next(60.0) as u64;

    let model =
        ModelSpec { width, depth, mlp: 4 * width, heads: width / head, patch, resnet: None };
    let architecture = Architecture::new(model, 1, 10, resolution).expect("sizes that divide");
    let parameters =
        Parameters::initialised(&architecture, -2.2, 0, Device::Cpu).computing_in(precision);
    let regularization = Regularization { dropout, rescale: false, stochastic_depth: dropout };
    let vit = Vit::new(architecture, &parameters, regularization);
    let mut optimizer = FlatAdamW::new(SETTINGS, &parameters);
    let images = Tensor::randn(
        [batch, 1, i64::from(resolution), i64::from(resolution)],
        (Kind::Float, Device::Cpu),
    );
    let labels = Tensor::randint(10, [batch], (Kind::Int64, Device::Cpu));
    let targets = labels.one_hot(10).to_kind(Kind::Float);

    let mut fastest = [f64::MAX; 3];
    let mut whole = Vec::new();
    for step in 0..steps {
        let began = Instant::now();
        let loss = mean_loss(
            Loss::Sigmoid,
            &vit.forward(&images, Some(Noise { seed: step, first: 0 })),
            &targets,
        );
        let forward = began.elapsed().as_secs_f64();
        let gradient = parameters.gradient(&loss);
        let backward = began.elapsed().as_secs_f64();
        let _ = optimizer.update(&parameters, gradient, step, 0.5);
        let update = began.elapsed().as_secs_f64();
        whole.push(update);
        let parts = [forward, backward - forward, update - backward];
        fastest = [0, 1, 2].map(|i: usize| fastest[i].min(parts[i]));
    }
    whole.sort_by(f64::total_cmp);
    let rate = |seconds: f64| batch as f64 / seconds;
    println!(
        "dropout {dropout}: {:.0} images/s median, {:.0} best; best ms: forward {:.1}, backward {:.1}, update {:.2}",
        rate(whole[whole.len() / 2]),
        rate(whole[0]),
        fastest[0] * 1e3,
        fastest[1] * 1e3,
        fastest[2] * 1e3
    );
}
