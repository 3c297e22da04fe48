//! Accuracy and loss over a whole split.

use augreg_data::{Batch, DataError};
use augreg_spec::{Loss, PretrainSpec};
use augreg_vit::Vit;
use tch::{Device, Kind, Tensor};

use crate::batch::{labels, pixels};
use crate::failure::Failure;
use crate::loss::{mean_loss, one_hot};

/// What an evaluation found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Evaluation {
    /// Share of examples whose largest logit is their label's, in [0, 1].
    pub(crate) accuracy: f64,
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

/// Evaluates the network on all `batches`, unless `interrupted` becomes true between two of them.
pub(crate) fn evaluate(
    vit: &Vit,
    spec: &PretrainSpec,
    device: Device,
    batches: impl Iterator<Item = Result<Batch, DataError>>,
    mut interrupted: impl FnMut() -> bool,
) -> Result<Verdict, Failure> {
    let _guard = tch::no_grad_guard();
    let mut examples = 0u64;
    let mut totals = Tensor::zeros([2], (Kind::Double, device)); // correct, loss
    for batch in batches {
        if interrupted() {
            return Ok(Verdict::Interrupted);
        }
        let batch = batch?;
        let labels = labels(&batch, device);
        let logits = vit.forward(&pixels(&batch, spec, device), None);
        totals += batch_totals(spec.loss, &logits, &labels);
        examples += batch.labels.len() as u64;
    }
    let [correct, loss] = [0, 1].map(|i| totals.double_value(&[i]) / examples.max(1) as f64);
    Ok(Verdict::Found(Evaluation { accuracy: correct, loss }))
}

/// Correct predictions and summed loss of a batch, `[2]` in 64-bit floats on the device.
fn batch_totals(loss: Loss, logits: &Tensor, labels: &Tensor) -> Tensor {
    let size = logits.size();
    let correct = logits.argmax(1, false).eq_tensor(labels).sum(Kind::Double);
    let loss = mean_loss(loss, logits, &one_hot(labels, size[1])) * size[0] as f64;
    Tensor::stack(&[correct, loss.to_kind(Kind::Double)], 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_counts_its_hits_and_sums_its_loss() {
        let logits = Tensor::from_slice(&[3.0f32, 0.0, 0.0, 1.0, 2.0, 0.0]).view([2, 3]);
        let labels = Tensor::from_slice(&[0i64, 2]);
        let totals = batch_totals(Loss::Softmax, &logits, &labels);
        let softmax =
            |own: f64, others: [f64; 2]| (own.exp() + others[0].exp() + others[1].exp()).ln() - own;
        let expected = softmax(3.0, [0.0, 0.0]) + softmax(0.0, [1.0, 2.0]);
        assert!((totals.double_value(&[0]) - 1.0).abs() < 1e-12);
        assert!((totals.double_value(&[1]) - expected).abs() < 1e-5);
    }
}
