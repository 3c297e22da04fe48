//! What a network answers to images, and the gradient of a loss, for whoever wants to compare.
//!
//! `cargo run -p augreg-vit --example gradients -- WEIGHTS IMAGES OUT [tanh|erf]`
//!
//! WEIGHTS is any file that `augreg import` reads. IMAGES is a safetensors file with `images`,
//! `[B, C, H, W]`. OUT becomes a safetensors file with `logits`, and under each parameter's name the
//! gradient of half the mean square of the logits. Activations are tanh unless said otherwise.

use std::error::Error;
use std::path::Path;

use augreg_spec::{Gelu, Regularization};
use augreg_vit::foreign::{Head, Weights};
use augreg_vit::{Noise, Parameters, Vit};
use tch::{Device, Kind, Tensor};

/// As in training, but nothing is dropped here.
const NOISE: Noise = Noise { seed: 0, first: 0 };

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let (files, gelu) = match arguments.as_slice() {
        [files @ .., gelu] if gelu == "erf" => (files, Gelu::Erf),
        [files @ .., gelu] if gelu == "tanh" => (files, Gelu::Tanh),
        files => (files, Gelu::Tanh),
    };
    let [weights, images, out] = files else { return Err("WEIGHTS IMAGES OUT [tanh|erf]".into()) };
    let weights = Weights::read(Path::new(weights))?;
    let architecture = weights.architecture(None, None, None)?.with_gelu(gelu);
    let mut parameters = Parameters::initialised(&architecture, 0.0, 0, Device::Cpu);
    parameters.copy_from_host(&weights.parameters(&architecture, Head::Kept)?);
    drop(weights);

    let images = Tensor::read_safetensors(images)?.remove(0).1;
    let vit = Vit::new(architecture, &parameters, Regularization::default());
    let logits = vit.forward(&images, Some(NOISE));
    let loss = logits.square().mean(Kind::Float) * 0.5;
    let gradient = parameters.gradient(&loss);
    let mut named = vec![("logits".to_owned(), logits.detach())];
    let mut offset = 0;
    for spec in parameters.specs() {
        let elements = spec.elements() as i64;
        named.push((
            spec.name.clone(),
            gradient.narrow(0, offset, elements).view(spec.shape.as_slice()),
        ));
        offset += elements;
    }
    Tensor::write_safetensors(&named, out)?;
    Ok(())
}
