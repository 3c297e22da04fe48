//! Accelerators that a plan can be priced on without having one.
//!
//! A price is operations divided by the speed of the data sheet times a share of it that training
//! sustains. The share is an assumption, the same for all, and is always said.

use crate::job::Precision;

/// The share of a data sheet's peak that is assumed to be sustained. Large Transformers have been
/// reported at 21 to 46 % (`PaLM`, arXiv 2204.02311, table 3).
pub const UTILISATION: f64 = 0.4;

/// A device by its data sheet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Accelerator {
    /// What people call it.
    pub name: &'static str,
    /// Peak in operations a second where products are of 16-bit numbers and sums of 32-bit ones,
    /// dense.
    pub half: f64,
    /// Peak in operations a second with 32-bit floats; matrix units that round them are not used.
    pub single: f64,
    /// The document that says so.
    pub source: &'static str,
}

/// All that are known, by name.
pub const ACCELERATORS: [Accelerator; 8] = [
    Accelerator {
        name: "A100",
        half: 312e12,
        single: 19.5e12,
        source: "NVIDIA A100 data sheet: BF16 Tensor Core 312, FP32 19.5 TFLOPS",
    },
    Accelerator {
        name: "H100",
        half: 989.4e12,
        single: 66.9e12,
        source: "NVIDIA H100 architecture white paper, SXM5: BF16 Tensor Core 989.4, FP32 66.9 TFLOPS",
    },
    Accelerator {
        name: "RTX 3090",
        half: 71e12,
        single: 35.6e12,
        source: "NVIDIA GA102 white paper: BF16 Tensor Core 71, FP32 35.6 TFLOPS",
    },
    Accelerator {
        name: "RTX 4090",
        half: 165.2e12,
        single: 82.6e12,
        source: "NVIDIA Ada white paper: BF16 Tensor Core 165.2, FP32 82.6 TFLOPS",
    },
    Accelerator {
        name: "T4",
        half: 65e12,
        single: 8.1e12,
        source: "NVIDIA T4 data sheet: FP16/FP32 mixed 65, FP32 8.1 TFLOPS; it has no bfloat16",
    },
    // JAX multiplies 32-bit matrices on a TPU as bfloat16 unless it is told otherwise.
    Accelerator {
        name: "TPUv2 core",
        half: 22.5e12,
        single: 22.5e12,
        source: "Google Cloud TPU v2 documentation: 45 TFLOPS bfloat16 a chip of two cores",
    },
    Accelerator {
        name: "TPUv3 core",
        half: 61.5e12,
        single: 61.5e12,
        source: "Google Cloud TPU v3 documentation: 123 TFLOPS bfloat16 a chip of two cores",
    },
    Accelerator {
        name: "V100",
        half: 125e12,
        single: 15.7e12,
        source: "NVIDIA V100 data sheet, SXM2: Tensor 125, single 15.7 TFLOPS; it has no bfloat16",
    },
];

impl Accelerator {
    /// The device of that name; capitals, spaces and hyphens do not count.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ACCELERATORS.iter().find(|known| plain(known.name) == plain(name))
    }

    /// Every name.
    pub fn names() -> impl Iterator<Item = &'static str> {
        ACCELERATORS.iter().map(|known| known.name)
    }

    /// The peak of the data sheet for this precision, in operations a second.
    #[must_use]
    pub fn peak(&self, precision: Precision) -> f64 {
        match precision {
            Precision::Bf16 => self.half,
            Precision::Fp32 => self.single,
        }
    }

    /// Operations a second that it is assumed to sustain in this precision.
    #[must_use]
    pub fn speed(&self, precision: Precision) -> f64 {
        UTILISATION * self.peak(precision)
    }
}

fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_known_however_its_name_is_written() {
        for name in ["A100", "a100", "RTX-3090", "rtx3090", "tpuv3-core", "TPUv2 core"] {
            assert!(Accelerator::named(name).is_some(), "{name}");
        }
        assert!(Accelerator::named("A10").is_none());
    }
}
