//! The ResNet of a hybrid: weight-standardised convolutions, GroupNorm, post-activation bottlenecks.
//!
//! Nothing is dropped at random here, and nothing depends on the batch: there is no BatchNorm, whatever
//! the paper's text says.

use augreg_spec::{Resnet, Unit};
use augreg_weights::{root_name, unit_name};
use tch::{Kind, Tensor};

use crate::parameters::Parameters;

/// Groups of every GroupNorm, and its epsilon (`vit_jax/models_resnet.py`; libtorch's is 1e-5).
const GROUPS: i64 = 32;
const GROUP_NORM_EPS: f64 = 1e-6;

/// Added to a kernel's standard deviation (not to its variance, as timm does).
const STANDARDISE_EPS: f64 = 1e-5;

/// A convolution without bias whose kernel is standardised, and the norm behind it.
#[derive(Debug)]
struct NormedConv {
    kernel: Tensor,
    scale: Tensor,
    bias: Tensor,
    stride: i64,
    /// Kind of the convolution's factors; all else is in 32-bit floats.
    products: Kind,
}

impl NormedConv {
    fn of(parameters: &Parameters, conv: &str, norm: &str, stride: i64) -> Self {
        Self {
            kernel: parameters.get(&format!("{conv}.weight")),
            scale: parameters.get(&format!("{norm}.weight")),
            bias: parameters.get(&format!("{norm}.bias")),
            stride,
            products: parameters.products(),
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let x = x.to_kind(self.products);
        let padded = same(&x, self.kernel.size()[2], self.stride, 0.0);
        let kernel = standardise(&self.kernel).to_kind(self.products);
        let strides = [self.stride, self.stride];
        let y = padded.conv2d(&kernel, None::<Tensor>, strides, [0, 0], [1, 1], 1);
        let (scale, bias) = (Some(&self.scale), Some(&self.bias));
        y.to_kind(Kind::Float).group_norm(GROUPS, scale, bias, GROUP_NORM_EPS, true)
    }
}

/// A kernel of mean 0 and deviation 1 for each output channel: `(w − mean) / (std + ε)`, where the
/// deviation divides by the number of values.
///
/// # Shapes
///
/// `[out, in, side, side]`, as is what is returned.
fn standardise(kernel: &Tensor) -> Tensor {
    let over = [1, 2, 3].as_slice();
    let centred = kernel - kernel.mean_dim(over, true, Kind::Float);
    let deviation = centred.square().mean_dim(over, true, Kind::Float).sqrt();
    centred / (deviation + STANDARDISE_EPS)
}

/// Pads `[B, C, H, W]` with `value` as TensorFlow's SAME does: so that a window of `kernel` pixels moved
/// by `stride` gives `ceil(size / stride)` values. Where the padding is odd, the far side has more.
fn same(x: &Tensor, kernel: i64, stride: i64, value: f64) -> Tensor {
    let padding = |size: i64| {
        let windows = (size + stride - 1) / stride;
        let total = ((windows - 1) * stride + kernel - size).max(0);
        [total / 2, total - total / 2]
    };
    let shape = x.size();
    let [top, bottom] = padding(shape[2]);
    let [left, right] = padding(shape[3]);
    if [top, bottom, left, right] == [0; 4] {
        return x.shallow_clone();
    }
    x.pad([left, right, top, bottom], "constant", value)
}

/// Bottleneck unit: `relu(norm3(conv3(…)) + x)`, x projected where its shape changes.
#[derive(Debug)]
struct Bottleneck {
    convs: [NormedConv; 3],
    projection: Option<NormedConv>,
}

impl Bottleneck {
    fn of(parameters: &Parameters, unit: Unit) -> Self {
        let base = unit_name(unit);
        let stride = i64::from(unit.stride);
        let part = |conv: &str, norm: &str, stride| {
            let (conv, norm) = (format!("{base}.{conv}"), format!("{base}.{norm}"));
            NormedConv::of(parameters, &conv, &norm, stride)
        };
        Self {
            convs: [
                part("conv1", "norm1", 1),
                part("conv2", "norm2", stride),
                part("conv3", "norm3", 1),
            ],
            projection: unit.projects().then(|| part("downsample.conv", "downsample.norm", stride)),
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let [conv1, conv2, conv3] = &self.convs;
        let y = conv1.forward(x).relu();
        let y = conv2.forward(&y).relu();
        let y = conv3.forward(&y);
        let residual = self.projection.as_ref().map(|projection| projection.forward(x));
        (residual.as_ref().unwrap_or(x) + y).relu()
    }
}

/// Root and stages.
///
/// # Source
///
/// `vit_jax/models_resnet.py` and the root in `vit_jax/models_vit.py`.
#[derive(Debug)]
pub(crate) struct Stem {
    root: NormedConv,
    units: Vec<Bottleneck>,
}

impl Stem {
    pub(crate) fn of(parameters: &Parameters, resnet: Resnet) -> Self {
        let root = root_name(resnet);
        Self {
            root: NormedConv::of(parameters, &format!("{root}.conv"), &format!("{root}.norm"), 2),
            units: resnet.units().map(|unit| Bottleneck::of(parameters, unit)).collect(),
        }
    }

    /// The map that is cut into patches.
    ///
    /// # Shapes
    ///
    /// - `images`: `[B, C, H, W]`.
    /// - returns: `[B, channels, side, side]` of [`Resnet::channels`] and [`Resnet::side`].
    pub(crate) fn forward(&self, images: &Tensor) -> Tensor {
        let x = self.root.forward(images).relu();
        let x = same(&x, 3, 2, f64::NEG_INFINITY);
        let x = x.max_pool2d([3, 3], [2, 2], [0, 0], [1, 1], false);
        self.units.iter().fold(x, |x, unit| unit.forward(&x))
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    /// TensorFlow's SAME: 7 × 7 with stride 2 on 224 pads 2 before and 3 after, 3 × 3 on an even size
    /// only after.
    #[test]
    fn padding_is_uneven_where_tensorflows_is() {
        let ones = Tensor::ones([1, 1, 224, 224], (Kind::Float, Device::Cpu));
        let padded = same(&ones, 7, 2, 0.0);
        assert_eq!(padded.size(), [1, 1, 229, 229]);
        let row = Vec::<f32>::try_from(padded.select(2, 100).view(-1)).expect("floats");
        assert_eq!(row.iter().position(|x| *x > 0.0), Some(2));
        let small = same(&ones.narrow(2, 0, 4).narrow(3, 0, 4), 3, 2, f64::NEG_INFINITY);
        let row = Vec::<f32>::try_from(small.select(2, 0).view(-1)).expect("floats");
        assert_eq!(row, [1.0, 1.0, 1.0, 1.0, f32::NEG_INFINITY]);
        assert_eq!(same(&ones, 1, 1, 0.0).size(), ones.size());
        assert_eq!(same(&ones, 3, 1, 0.0).size(), [1, 1, 226, 226]);
    }

    #[test]
    fn kernels_are_standardised_by_the_deviation_of_all_their_values() {
        let kernel = Tensor::from_slice(&[1.0f32, 3.0, 5.0, 11.0]).view([2, 1, 1, 2]);
        let ours = Vec::<f32>::try_from(standardise(&kernel).view(-1)).expect("floats");
        let expected = [-1.0 / 1.000_01, 1.0 / 1.000_01, -3.0 / 3.000_01, 3.0 / 3.000_01];
        for (ours, expected) in ours.iter().zip(expected) {
            assert!((ours - expected).abs() < 1e-7, "{ours}, not {expected}");
        }
    }
}
