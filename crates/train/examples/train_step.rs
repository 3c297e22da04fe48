//! Times one training step of a small network on random data: images a second, and each part's share.
//!
//! `cargo run -p augreg-train --example train_step -- [dropout] [batch] [threads] [width] [depth]`
//!
//! The MLP is four times as wide as the tokens, heads are 16 wide, patches 7 pixels of 28.

#![expect(clippy::print_stdout, reason = "a benchmark's numbers are its output")]

use std::time::Instant;

use augreg_spec::{AdamW, Loss, ModelSpec, Regularization};
use augreg_train::{FlatAdamW, configure_threads, mean_loss, one_hot};
use augreg_vit::{Architecture, Parameters, Vit};
use tch::{Device, Kind, Tensor};

const SETTINGS: AdamW = AdamW {
    learning_rate: 1e-3,
    weight_decay: 0.1,
    beta1: 0.9,
    beta2: 0.999,
    eps: 1e-8,
    clip_norm: 1.0,
    warmup_steps: 10,
};

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<f64>().unwrap_or(0.0));
    let dropout = arguments.next().unwrap_or(0.0);
    let batch = arguments.next().unwrap_or(256.0) as i64;
    configure_threads(arguments.next().unwrap_or(1.0) as u32);

    let width = arguments.next().unwrap_or(64.0) as u32;
    let depth = arguments.next().unwrap_or(4.0) as u32;
    let model =
        ModelSpec { width, depth, mlp: 4 * width, heads: width / 16, patch: 7, resnet: None };
    let architecture = Architecture::new(model, 1, 10, 28).expect("a width that 16 divides");
    let parameters = Parameters::initialised(&architecture, -2.2, 0, Device::Cpu);
    let regularization = Regularization { dropout, rescale: false, stochastic_depth: dropout };
    let vit = Vit::new(architecture, &parameters, regularization);
    let mut optimizer = FlatAdamW::new(SETTINGS, &parameters);
    let images = Tensor::randn([batch, 1, 28, 28], (Kind::Float, Device::Cpu));
    let labels = Tensor::randint(10, [batch], (Kind::Int64, Device::Cpu));
    let targets = one_hot(&labels, 10);

    let mut fastest = [f64::MAX; 3];
    let mut whole = Vec::new();
    for step in 0..60 {
        let began = Instant::now();
        let loss = mean_loss(Loss::Sigmoid, &vit.forward(&images, true), &targets);
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
        rate(whole[30]),
        rate(whole[0]),
        fastest[0] * 1e3,
        fastest[1] * 1e3,
        fastest[2] * 1e3
    );
}
