//! What libtorch says about itself.

use std::ffi::c_char;

use crate::said;

/// The libtorch that this program runs with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Libtorch {
    /// Its version, such as `2.13.0`; empty if it does not say.
    pub version: String,
    /// The instructions its kernels use on this processor, such as `AVX512`; empty if it does not say.
    pub instructions: String,
    /// The version of CUDA it was built for; none if it knows no GPUs.
    pub cuda: Option<String>,
}

/// Asks libtorch. What it does not say is left out.
#[must_use]
pub fn libtorch() -> Libtorch {
    unsafe extern "C" {
        fn augreg_libtorch(text: *mut *mut c_char) -> *mut c_char;
    }
    let mut text = std::ptr::null_mut();
    // SAFETY: `text` outlives the call, which writes nothing else.
    let message = unsafe { augreg_libtorch(&raw mut text) };
    match said(message) {
        None => read(&said(text).unwrap_or_default()),
        Some(_) => Libtorch::default(),
    }
}

/// Reads what `torch.__config__.show()` prints.
fn read(text: &str) -> Libtorch {
    let after = |what: &str| {
        let rest = text.split_once(what)?.1;
        let word = rest.split(|c: char| c == ',' || c.is_whitespace()).next()?;
        Some(word.to_owned()).filter(|word| !word.is_empty())
    };
    Libtorch {
        version: after("TORCH_VERSION=").unwrap_or_default(),
        instructions: after("CPU capability usage: ").unwrap_or_default(),
        cuda: after("CUDA Runtime "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libtorch_says_its_version_and_instructions() {
        let libtorch = libtorch();
        assert!(libtorch.version.starts_with("2."), "{libtorch:?}");
        assert!(!libtorch.instructions.is_empty(), "{libtorch:?}");
    }

    #[test]
    fn a_libtorch_for_gpus_says_for_which_cuda() {
        // Shortened from what the CUDA build of PyTorch 2.5.1 prints.
        let text = "PyTorch built with:\n  - GCC 9.3\n  - CPU capability usage: AVX2\n  - CUDA Runtime 12.4\n  \
                    - Build settings: BLAS_INFO=mkl, CUDA_VERSION=12.4, TORCH_VERSION=2.5.1, USE_CUDA=ON, \n";
        let expected = Libtorch {
            version: "2.5.1".to_owned(),
            instructions: "AVX2".to_owned(),
            cuda: Some("12.4".to_owned()),
        };
        assert_eq!(read(text), expected);
        assert_eq!(read("nothing of the kind"), Libtorch::default());
    }
}
