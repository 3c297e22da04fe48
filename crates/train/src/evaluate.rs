//! Accuracy and loss over a whole split.

use augreg_data::{Batch, DataError, Label};
use augreg_spec::Loss;
use augreg_vit::Architecture;
use tch::{Device, Kind, Tensor};

use crate::batch::{pixels, send};
use crate::failure::Failure;
use crate::loss::{mean_loss, multi_hot};

/// What an evaluation found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Evaluation {
    /// Share of examples whose largest logit is of a class that they have, in [0, 1].
    pub(crate) accuracy: f64,
    /// Share of examples that have one of the classes of their five largest logits, in [0, 1].
    pub(crate) top5: f64,
    /// The training objective, mean over examples, without mixup or dropout.
    pub(crate) loss: f64,
}

/// What came of an attempt to evaluate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Verdict {
    /// The split was evaluated.
    Found(Evaluation),
    /// The data set has no such split.
    NoSplit,
    /// The attempt was told to stop before the end.
    Interrupted,
}

impl Verdict {
    /// The accuracy, if there is one.
    pub(crate) fn accuracy(self) -> Option<f64> {
        if let Self::Found(found) = self { Some(found.accuracy) } else { None }
    }
}

/// Evaluates what gives `logits`, `[B, classes]` for images `[B, C, H, W]`, on all `batches`, unless `interrupted` becomes true between two of them. An
/// example that has no class does not count.
///
/// # Source
///
/// `classification.py` among big_vision's evaluators: a prediction is right if the label of its class
/// is 1, and examples of which all labels are 0 are left out.
pub(crate) fn evaluate(
    logits: impl Fn(&Tensor) -> Tensor,
    architecture: &Architecture,
    loss: Loss,
    device: Device,
    batches: impl Iterator<Item = Result<Batch, DataError>>,
    mut interrupted: impl FnMut() -> bool,
) -> Result<Verdict, Failure> {
    let _guard = tch::no_grad_guard();
    let (mut examples, mut in_flight) = (0u64, None);
    let mut totals = Tensor::zeros([3], (Kind::Double, device)); // correct, among five, loss
    let classes = architecture.classes() as u32;
    for batch in batches {
        if interrupted() {
            return Ok(Verdict::Interrupted);
        }
        let batch = batch?;
        let targets = multi_hot(&batch.labels, batch.examples.len(), classes, device);
        let labelled = labelled(&batch.labels);
        let (images, sent) = pixels(batch, architecture, device);
        drop(in_flight.replace(sent)); // The last one has arrived long ago.
        let logits = logits(&images);
        totals += batch_totals(loss, &logits, &targets, &labelled);
        examples += labelled.len() as u64;
    }
    let [accuracy, top5, loss] =
        [0, 1, 2].map(|i| totals.double_value(&[i]) / examples.max(1) as f64);
    Ok(Verdict::Found(Evaluation { accuracy, top5, loss }))
}

/// The images that have a class, in order.
fn labelled(labels: &[Label]) -> Vec<i64> {
    let mut rows: Vec<_> = labels.iter().map(|label| i64::from(label.row)).collect();
    rows.dedup();
    rows
}

/// Correct predictions, those among the first five, and summed loss of the images `labelled` of a
/// batch, `[3]` in 64-bit floats on the device.
fn batch_totals(loss: Loss, logits: &Tensor, targets: &Tensor, labelled: &[i64]) -> Tensor {
    let images = labelled.len();
    if images == 0 {
        return Tensor::zeros([3], (Kind::Double, logits.device()));
    }
    let (logits, targets) = if images as i64 == logits.size()[0] {
        (logits.shallow_clone(), targets.shallow_clone())
    } else {
        let rows = send(&Tensor::from_slice(labelled), logits.device());
        (logits.index_select(0, &rows), targets.index_select(0, &rows))
    };
    let best = logits.topk(logits.size()[1].min(5), 1, true, true).1;
    let right = targets.gather(1, &best, false); // [images, 5], 1 where the class is the image's
    let correct = right.select(1, 0).sum(Kind::Double);
    let among_five = right.amax([1], false).sum(Kind::Double);
    let loss = mean_loss(loss, &logits, &targets) * images as f64;
    Tensor::stack(&[correct, among_five, loss.to_kind(Kind::Double)], 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_counts_its_hits_and_sums_its_loss() {
        let logits = Tensor::from_slice(&[3.0f32, 0.0, 0.0, 1.0, 2.0, 0.0]).view([2, 3]);
        let labels = [(0, 0), (1, 2)].map(|(row, class)| Label { row, class });
        let targets = multi_hot(&labels, 2, 3, Device::Cpu);
        let totals = batch_totals(Loss::Softmax, &logits, &targets, &labelled(&labels));
        let softmax =
            |own: f64, others: [f64; 2]| (own.exp() + others[0].exp() + others[1].exp()).ln() - own;
        let expected = softmax(3.0, [0.0, 0.0]) + softmax(0.0, [1.0, 2.0]);
        assert!((totals.double_value(&[0]) - 1.0).abs() < 1e-12);
        assert!((totals.double_value(&[2]) - expected).abs() < 1e-5);
    }

    #[test]
    fn any_class_of_an_image_is_a_hit_and_an_image_without_one_does_not_count() {
        let logits =
            Tensor::from_slice(&[3.0f32, 0.0, 1.0, 9.0, 9.0, 9.0, 0.0, 1.0, 2.0, 0.0, 5.0, 0.0]);
        let logits = logits.view([4, 3]);
        let labels = [(0, 0), (0, 2), (2, 1), (2, 2), (3, 0), (3, 2)];
        let labels = labels.map(|(row, class)| Label { row, class });
        let targets = multi_hot(&labels, 4, 3, Device::Cpu);
        let rows = labelled(&labels);
        assert_eq!(rows, [0, 2, 3]);
        let totals = batch_totals(Loss::Sigmoid, &logits, &targets, &rows);
        assert!((totals.double_value(&[0]) - 2.0).abs() < 1e-12);
        let xent = |x: f64, target: f64| (1.0 + x.exp()).ln() - target * x;
        let each = [(3.0, 1.0), (0.0, 0.0), (1.0, 1.0), (0.0, 0.0), (1.0, 1.0), (2.0, 1.0)];
        let last = [(0.0, 1.0), (5.0, 0.0), (0.0, 1.0)];
        let expected: f64 = each.iter().chain(&last).map(|&(x, target)| xent(x, target)).sum();
        assert!((totals.double_value(&[2]) - expected).abs() < 1e-5);
        let nothing = batch_totals(Loss::Sigmoid, &logits, &targets.zeros_like(), &[]);
        assert_eq!(nothing.double_value(&[0]).to_bits(), 0);
    }
}
