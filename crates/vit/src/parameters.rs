//! The parameters of a network: one flat buffer, and a view of it for every named tensor.
//!
//! Kernels come first, so weight decay is one operation on the head of the buffer and every other
//! part of an optimizer's step is one operation on all of it, however deep the network.

use augreg_spec::Precision;
use augreg_weights::{Architecture, Role, TensorSpec, sha256};
use tch::{Device, Kind, Tensor};

/// All trainable tensors of a network. Cloning is not possible: there is one set of values.
#[derive(Debug)]
pub struct Parameters {
    specs: Vec<TensorSpec>,
    flat: Tensor,
    /// In mixed precision, what the products of kernels are computed with.
    narrow: Option<Tensor>,
    /// What the network computes with: of the flat buffer, or of the narrow one.
    views: Vec<Tensor>,
    kernel_elements: i64,
}

impl Parameters {
    /// Allocates and initialises the parameters of `architecture` on `device`.
    #[must_use]
    pub fn initialised(
        architecture: &Architecture,
        head_bias: f64,
        seed: u64,
        device: Device,
    ) -> Self {
        let specs = architecture.tensors(head_bias);
        let values: Vec<f32> = specs.iter().flat_map(|spec| spec.initial_values(seed)).collect();
        let flat = Tensor::from_slice(&values).to_device(device);
        let kernels = specs.iter().filter(|spec| spec.role == Role::Kernel);
        let kernel_elements = kernels.map(TensorSpec::elements).sum::<usize>() as i64;
        let views = views(&specs, |_| &flat);
        Self { specs, flat, narrow: None, views, kernel_elements }
    }

    /// The same values, with products computed in `precision`. Only networks made afterwards see it.
    ///
    /// In bf16, kernels have a copy in bfloat16 that the products use, and that follows the 32-bit
    /// values by [`Self::refresh`]; gradients with respect to it stand for those of the 32-bit values.
    /// Convolutions of a hybrid's stem standardise the 32-bit values first. So mixed precision needs
    /// nothing of libtorch's autocast, and casts every kernel once a step.
    #[must_use]
    pub fn computing_in(mut self, precision: Precision) -> Self {
        self.narrow = match precision {
            Precision::Fp32 => None,
            Precision::Bf16 => {
                Some(self.flat.narrow(0, 0, self.kernel_elements).to_kind(Kind::BFloat16).detach())
            }
        };
        let (flat, narrow) = (&self.flat, self.narrow.as_ref());
        self.views = views(&self.specs, |spec| narrow.filter(|_| is_dense(spec)).unwrap_or(flat));
        self
    }

    /// Kind of the factors of products: bfloat16 in mixed precision.
    #[must_use]
    pub fn products(&self) -> Kind {
        self.narrow.as_ref().map_or(Kind::Float, Tensor::kind)
    }

    /// Brings what products are computed with up to date with the values, after these have changed.
    pub fn refresh(&self) {
        if let Some(narrow) = &self.narrow {
            let wide = self.flat.narrow(0, 0, self.kernel_elements);
            tch::no_grad(|| narrow.shallow_clone().copy_(&wide));
        }
    }

    /// The tensors' specs, in the order of the flat buffer.
    #[must_use]
    pub fn specs(&self) -> &[TensorSpec] {
        &self.specs
    }

    /// The tensor of this name, sharing memory with the flat buffer, or with the narrow copy if it is
    /// a kernel of a dense layer and precision is mixed.
    ///
    /// # Panics
    ///
    /// If the network has no such tensor.
    pub fn get(&self, name: &str) -> Tensor {
        let index = self.specs.iter().position(|spec| spec.name == name);
        let index = index.unwrap_or_else(|| panic!("the network has no tensor `{name}`"));
        self.views[index].shallow_clone()
    }

    /// All values, `[elements]`, as a handle on the same memory. It carries no gradient.
    pub fn flat(&self) -> Tensor {
        self.flat.shallow_clone()
    }

    /// How many values at the head of the flat buffer belong to kernels.
    #[must_use]
    pub fn kernel_elements(&self) -> i64 {
        self.kernel_elements
    }

    /// Where the network computes.
    #[must_use]
    pub fn device(&self) -> Device {
        self.flat.device()
    }

    /// The gradient of a scalar with respect to all parameters, `[elements]`, laid out like
    /// [`Self::flat`]. Frees the graph below `loss`.
    pub fn gradient(&self, loss: &Tensor) -> Tensor {
        let gradients = Tensor::run_backward(&[loss], &self.views, false, false);
        let flat = |gradient: &Tensor| gradient.reshape(-1);
        let gradients: Vec<_> = gradients.iter().map(flat).collect();
        Tensor::cat(&gradients, 0).to_kind(Kind::Float)
    }

    /// Copies all values to the host, in the order of [`Self::specs`].
    #[must_use]
    pub fn to_host(&self) -> Vec<f32> {
        to_host(&self.flat)
    }

    /// Overwrites all values.
    ///
    /// # Panics
    ///
    /// If `values` are not as many as the parameters.
    pub fn copy_from_host(&mut self, values: &[f32]) {
        assert_eq!(values.len(), self.flat.numel(), "one value for each parameter");
        tch::no_grad(|| self.flat.copy_(&Tensor::from_slice(values)));
        self.refresh();
    }

    /// [`sha256`] of the parameters.
    #[must_use]
    pub fn sha256(&self) -> String {
        sha256(&self.specs, &[&self.to_host()])
    }
}

/// A view for each tensor, of the buffer that it lies in, which want gradients.
fn views<'a>(specs: &[TensorSpec], buffer: impl Fn(&TensorSpec) -> &'a Tensor) -> Vec<Tensor> {
    let mut offset = 0;
    let view = |spec: &TensorSpec| {
        let elements = spec.elements() as i64;
        let part = buffer(spec).narrow(0, offset, elements);
        offset += elements;
        part.view(spec.shape.as_slice()).detach().set_requires_grad(true)
    };
    specs.iter().map(view).collect()
}

/// Whether a tensor is the kernel of a dense layer, the patch embedding among them.
fn is_dense(spec: &TensorSpec) -> bool {
    spec.role == Role::Kernel && !spec.name.starts_with("patch_embed.backbone.")
}

/// Copies a flat tensor of 32-bit floats to the host.
pub(crate) fn to_host(flat: &Tensor) -> Vec<f32> {
    let mut values = vec![0f32; flat.numel()];
    flat.to_device(Device::Cpu).to_kind(Kind::Float).copy_data(&mut values, flat.numel());
    values
}
