//! A linear probe: least squares with L2 regularization on a network's features.

use augreg_data::{Batch, DataError};
use augreg_vit::Vit;
use tch::{Device, Kind, Tensor};

use crate::batch::pixels;
use crate::failure::Failure;
use crate::loss::multi_hot;

/// The value of the feature that stands for a bias: so large that it is hardly regularized.
const BIAS: f64 = 100.0;

/// Added to the deviation of a feature, so that one that never varies is 0.
const EPSILON: f64 = 1e-5;

/// A fitted probe. Computes in 64-bit floats.
///
/// # Source
///
/// `_precompute_cache` and `_eig_fewshot_acc_fn` in `big_vision` `evaluators/fewshot_lsr.py`: features are
/// brought to mean 0 and deviation 1, those of training images deciding; a constant feature of 100 is added;
/// targets are ±1; `w = (XᵀX + l2 I)⁻¹ XᵀY`, or where there are fewer images than features the same through
/// `Xᵀ(XXᵀ + l2 I)⁻¹Y`.
#[derive(Debug)]
pub struct LinearProbe {
    mean: Tensor,
    deviation: Tensor,
    /// `[features + 1, classes]`
    weights: Tensor,
}

impl LinearProbe {
    /// Fits a probe to features `[images, features]` and targets `[images, classes]`, 1 where an image has
    /// the class and 0 elsewhere.
    #[must_use]
    pub fn of(features: &Tensor, targets: &Tensor, l2: f64) -> Self {
        let features = features.to_kind(Kind::Double);
        let mean = features.mean_dim([0i64].as_slice(), true, Kind::Double);
        let deviation = features.std_dim([0i64].as_slice(), false, true) + EPSILON;
        let x = with_bias(&((features - &mean) / &deviation));
        let y = targets.to_kind(Kind::Double) * 2.0 - 1.0;
        let (images, dimensions) = x.size2().unwrap_or((0, 0));
        let (transposed, few) = (x.tr(), images < dimensions);
        let regularized = |product: Tensor| {
            let size = product.size()[0];
            product + Tensor::eye(size, (Kind::Double, x.device())) * l2
        };
        let weights = if few {
            let dual = Tensor::linalg_solve(&regularized(x.matmul(&transposed)), &y, true);
            transposed.matmul(&dual)
        } else {
            Tensor::linalg_solve(&regularized(transposed.matmul(&x)), &transposed.matmul(&y), true)
        };
        Self { mean, deviation, weights }
    }

    /// Fits a probe to the features of all `batches`; none if `interrupted` becomes true before the end.
    pub(crate) fn fit(
        vit: &Vit,
        classes: u32,
        l2: f64,
        device: Device,
        batches: impl Iterator<Item = Result<Batch, DataError>>,
        mut interrupted: impl FnMut() -> bool,
    ) -> Result<Option<Self>, Failure> {
        let _guard = tch::no_grad_guard();
        let (mut features, mut targets) = (Vec::new(), Vec::new());
        for batch in batches {
            if interrupted() {
                return Ok(None);
            }
            let batch = batch?;
            targets.push(multi_hot(&batch.labels, batch.examples.len(), classes, device));
            let (images, _sent) = pixels(batch, vit.architecture(), device);
            features.push(vit.features(&images));
        }
        Ok(Some(Self::of(&Tensor::cat(&features, 0), &Tensor::cat(&targets, 0), l2)))
    }

    /// A score for each class.
    ///
    /// # Shapes
    ///
    /// `[images, features]` to `[images, classes]`, 32-bit floats.
    #[must_use]
    pub fn scores(&self, features: &Tensor) -> Tensor {
        let x = (features.to_kind(Kind::Double) - &self.mean) / &self.deviation;
        with_bias(&x).matmul(&self.weights).to_kind(Kind::Float)
    }
}

fn with_bias(x: &Tensor) -> Tensor {
    let bias = Tensor::full([x.size()[0], 1], BIAS, (Kind::Double, x.device()));
    Tensor::cat(&[x, &bias], 1)
}
