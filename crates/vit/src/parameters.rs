//! The parameters of a network: one flat buffer, and a view of it for every named tensor.
//!
//! Kernels come first, so weight decay is one operation on the head of the buffer and every other
//! part of an optimizer's step is one operation on all of it, however deep the network.

use augreg_weights::{Architecture, Role, TensorSpec, sha256};
use tch::{Device, Kind, Tensor};

/// All trainable tensors of a network. Cloning is not possible: there is one set of values.
#[derive(Debug)]
pub struct Parameters {
    specs: Vec<TensorSpec>,
    flat: Tensor,
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
        let mut offset = 0;
        let views = specs
            .iter()
            .map(|spec| {
                let elements = spec.elements() as i64;
                let view = flat.narrow(0, offset, elements).view(spec.shape.as_slice()).detach();
                offset += elements;
                view.set_requires_grad(true)
            })
            .collect();
        let kernels = specs.iter().filter(|spec| spec.role == Role::Kernel);
        let kernel_elements = kernels.map(TensorSpec::elements).sum::<usize>() as i64;
        Self { specs, flat, views, kernel_elements }
    }

    /// The tensors' specs, in the order of the flat buffer.
    #[must_use]
    pub fn specs(&self) -> &[TensorSpec] {
        &self.specs
    }

    /// The tensor of this name, sharing memory with the flat buffer.
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
        let gradients: Vec<_> = gradients.iter().map(|gradient| gradient.reshape(-1)).collect();
        Tensor::cat(&gradients, 0)
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
    }

    /// [`sha256`] of the parameters.
    #[must_use]
    pub fn sha256(&self) -> String {
        sha256(&self.specs, &[&self.to_host()])
    }
}

/// Copies a flat tensor of 32-bit floats to the host.
pub(crate) fn to_host(flat: &Tensor) -> Vec<f32> {
    let mut values = vec![0f32; flat.numel()];
    flat.to_device(Device::Cpu).to_kind(Kind::Float).copy_data(&mut values, flat.numel());
    values
}
