//! The first loss of the study's runs, before anything is learnt.

use augreg_spec::{Loss, ModelSpec, Regularization};
use augreg_train::mean_loss;
use augreg_vit::{Architecture, Noise, Parameters, Vit};
use tch::{Device, Kind, Tensor};

const NOISE: Noise = Noise { seed: 0, first: 0 };

/// With a head of zeros the logits are the bias, whatever the image: the loss is
/// `C ln(1 + exp b) − b`, which is 7.9073 for ImageNet-1k's bias and 10.9916 for ImageNet-21k's. It would be 693.147 if the bias were 0.
#[test]
fn the_sigmoid_loss_begins_where_the_studys_does() {
    for (classes, bias, expected) in [(1000, -6.9, 7.907_278), (21_843, -10.0, 10.991_648)] {
        for name in ["Ti/16", "R+Ti/16"] {
            let model = ModelSpec::named(name).expect("in the zoo");
            let architecture = Architecture::new(model, 3, classes, 32).expect("patches divide");
            let parameters = Parameters::initialised(&architecture, bias, 5, Device::Cpu);
            let vit = Vit::new(architecture, &parameters, Regularization::default());
            let images = Tensor::rand([3, 3, 32, 32], (Kind::Float, Device::Cpu)) * 2.0 - 1.0;
            let labels = Tensor::from_slice(&[0i64, 7, 999]);
            let targets = labels.one_hot(i64::from(classes)).to_kind(Kind::Float);
            let loss = mean_loss(Loss::Sigmoid, &vit.forward(&images, Some(NOISE)), &targets);
            let loss = loss.double_value(&[]);
            assert!((loss - expected).abs() < 5e-5, "{name}, {classes} classes: {loss}");
        }
    }
}
