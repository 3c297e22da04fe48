//! The convolutions of a hybrid's ResNet: timm's names for them, their shapes, how their norms begin.

use augreg_spec::{Resnet, Unit};

/// A convolution without bias, and the norm behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct Convolution {
    /// Name of the kernel.
    pub kernel: String,
    /// Shape of the kernel, `[out, in, side, side]`.
    pub shape: [i64; 4],
    /// What the names of the norm's scale and bias, `[out]` each, begin with.
    pub norm: String,
    /// Initial scale of the norm.
    pub scale: f64,
}

impl Convolution {
    fn new(conv: &str, norm: String, [out, from, side]: [u32; 3]) -> Self {
        let shape = [out, from, side, side].map(i64::from);
        Self { kernel: format!("{conv}.weight"), shape, norm, scale: 1.0 }
    }
}

/// Names of the root's tensors begin with this. timm keeps a root that stands alone one level higher.
#[must_use]
pub fn root_name(resnet: Resnet) -> &'static str {
    if resnet.stages().is_empty() { "patch_embed.backbone" } else { "patch_embed.backbone.stem" }
}

/// Names of a unit's tensors begin with this.
#[must_use]
pub fn unit_name(unit: Unit) -> String {
    format!("patch_embed.backbone.stages.{}.blocks.{}", unit.stage, unit.index)
}

/// All convolutions in the order of the forward pass, a unit's projection after its own three.
///
/// # Source
///
/// `vit_jax/models_resnet.py`: the norm behind a unit's last convolution begins at 0, so that a unit
/// begins as the identity.
#[must_use]
pub fn convolutions(resnet: Resnet, channels: u32) -> Vec<Convolution> {
    let root = root_name(resnet);
    let part = |base: &str, conv: &str, norm: &str, shape| {
        Convolution::new(&format!("{base}.{conv}"), format!("{base}.{norm}"), shape)
    };
    let mut all = vec![part(root, "conv", "norm", [resnet.root(), channels, 7])];
    for unit in resnet.units() {
        let base = &unit_name(unit);
        let Unit { input, middle, output, .. } = unit;
        all.push(part(base, "conv1", "norm1", [middle, input, 1]));
        all.push(part(base, "conv2", "norm2", [middle, middle, 3]));
        let last = part(base, "conv3", "norm3", [output, middle, 1]);
        all.push(Convolution { scale: 0.0, ..last });
        if unit.projects() {
            all.push(part(base, "downsample.conv", "downsample.norm", [output, input, 1]));
        }
    }
    all
}
