//! The two objectives, on labels that may be mixed.

use augreg_data::Label;
use augreg_spec::Loss;
use tch::{Device, Kind, Tensor};

use crate::batch::send;

/// Labels as targets: a 1 for every class that an image has.
///
/// # Shapes
///
/// Returns `[images, classes]`, 32-bit floats.
///
/// # Panics
///
/// If a label names no image or class.
pub(crate) fn multi_hot(labels: &[Label], images: usize, classes: u32, device: Device) -> Tensor {
    let place = |label: &Label| i64::from(label.row) * i64::from(classes) + i64::from(label.class);
    let places: Vec<_> = labels.iter().map(place).collect();
    let places = send(&Tensor::from_slice(&places), device);
    let zeros = Tensor::zeros([images as i64, i64::from(classes)], (Kind::Float, device));
    let _ = zeros.view(-1).index_fill_(0, &places, 1.0);
    zeros
}

/// The loss of a batch, a scalar: mean over examples.
///
/// Sigmoid cross-entropy is summed over classes (`sigmoid_xent` in big_vision `utils.py`); it is
/// computed as `softplus(x) − target · x`, since libtorch's own subtracts numbers near x and is off
/// by 0.008 for the 21,843 classes of ImageNet-21k at their initial bias of −10. Softmax
/// cross-entropy is `−Σ target · log softmax(x)` (`softmax_xent`), of an image of several classes the sum
/// over these.
///
/// # Shapes
///
/// `logits` and `targets`: `[B, classes]`.
pub fn mean_loss(loss: Loss, logits: &Tensor, targets: &Tensor) -> Tensor {
    let examples = logits.size()[0] as f64;
    let sum = match loss {
        Loss::Sigmoid => (logits.softplus() - logits * targets).sum(Kind::Float),
        Loss::Softmax => -(logits.log_softmax(-1, Kind::Float) * targets).sum(Kind::Float),
    };
    sum / examples
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label((row, class): (u32, u32)) -> Label {
        Label { row, class }
    }

    #[test]
    fn every_class_of_an_image_is_marked_and_an_image_may_have_none() {
        let labels = [(0, 2), (2, 0), (2, 1)].map(label);
        let targets = multi_hot(&labels, 3, 3, Device::Cpu);
        let found = Vec::<f32>::try_from(targets.view(-1)).expect("floats");
        assert_eq!(found, [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
        let none = Vec::<f32>::try_from(multi_hot(&[], 1, 3, Device::Cpu).view(-1));
        assert_eq!(none.expect("floats"), [0.0, 0.0, 0.0]);
    }

    /// The values of recipe and closed form: 999 · softplus(b) + softplus(−b).
    #[test]
    fn the_initial_sigmoid_loss_is_that_of_the_study() {
        for (classes, bias, expected) in
            [(1000, -6.9, 7.9073), (21_843, -10.0, 10.9916), (1000, 0.0, 693.147)]
        {
            let logits = Tensor::full([4, classes], bias, (Kind::Float, Device::Cpu));
            let labels = [(0, 0), (1, 7), (2, 7), (3, 999)].map(label);
            let targets = multi_hot(&labels, 4, classes as u32, Device::Cpu);
            let loss = mean_loss(Loss::Sigmoid, &logits, &targets).double_value(&[]);
            assert!((loss - expected).abs() < 1e-3, "{loss} for {classes} classes");
        }
    }

    /// Several classes of an image count each by itself, as those of ImageNet-21k do.
    #[test]
    fn the_sigmoid_loss_of_several_labels_is_the_sum_of_each() {
        let logits = [0.3f64, -1.2, 2.0];
        let row: Vec<_> = logits.iter().map(|&x| x as f32).collect();
        let targets = multi_hot(&[(0, 0), (0, 2)].map(label), 1, 3, Device::Cpu);
        let loss = mean_loss(Loss::Sigmoid, &Tensor::from_slice(&row).view([1, 3]), &targets);
        let xent = |x: f64, target: f64| {
            let p = 1.0 / (1.0 + (-x).exp());
            -(target * p.ln() + (1.0 - target) * (1.0 - p).ln())
        };
        let expected: f64 = logits.iter().zip([1.0, 0.0, 1.0]).map(|(&x, t)| xent(x, t)).sum();
        assert!((loss.double_value(&[]) - expected).abs() < 1e-5);
    }

    #[test]
    fn softmax_loss_of_mixed_labels_is_the_mean_of_the_two() {
        let logits = Tensor::from_slice(&[2.0f32, -1.0, 0.5, 0.0, 3.0, -2.0]).view([2, 3]);
        let [first, second] = [[(0, 0), (1, 1)], [(0, 2), (1, 2)]]
            .map(|labels| multi_hot(&labels.map(label), 2, 3, Device::Cpu));
        let at = |targets: &Tensor| mean_loss(Loss::Softmax, &logits, targets).double_value(&[]);
        let mixed = at(&(&first * 0.7 + &second * 0.3));
        assert!((mixed - (0.7 * at(&first) + 0.3 * at(&second))).abs() < 1e-6);
        let uniform = mean_loss(Loss::Softmax, &logits.zeros_like(), &first).double_value(&[]);
        assert!((uniform - 3f64.ln()).abs() < 1e-6);
    }
}
