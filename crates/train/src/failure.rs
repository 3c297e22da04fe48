//! Why an attempt failed, as a kind for the scheduler and a sentence for a person.

use std::any::Any;

use augreg_data::DataError;
use augreg_protocol::{FailureKind, JournalError, with_causes};
use augreg_vit::CheckpointError;

/// The failure of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What the scheduler goes by.
    pub kind: FailureKind,
    /// What went wrong, where, and what to do.
    pub message: String,
}

impl Failure {
    /// A failure with its message.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// What a caught panic says: libtorch's errors arrive as panics.
    pub(crate) fn of_panic(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        let text = text.unwrap_or("a panic without a message");
        let says = |signs: &[&str]| signs.iter().any(|sign| text.contains(sign));
        let lines = first_lines(text);
        if says(&NO_MEMORY) {
            Self::new(FailureKind::OutOfMemory, lines)
        } else if says(&["CUDA", "CUBLAS", "CUDNN", "NVML"]) && says(&LOST_DEVICE) {
            let text = format!("the device is lost to this worker, which leaves: {lines}");
            Self::new(FailureKind::Lost, text)
        } else {
            Self::new(FailureKind::Bug, lines)
        }
    }
}

/// What libtorch says when host or device have no memory left.
const NO_MEMORY: [&str; 5] = [
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
];

/// What libtorch says of a device that is gone, or on which something went so wrong that the driver
/// fails every further call of the process: the texts of CUDA's errors that only a new process gets
/// over.
const LOST_DEVICE: [&str; 20] = [
    "an illegal memory access was encountered",
    "an illegal instruction was encountered",
    "unspecified launch failure",
    "device-side assert triggered",
    "the launch timed out and was terminated",
    "misaligned address",
    "invalid program counter",
    "hardware stack error",
    "operation not supported on global/shared address space",
    "uncorrectable ECC error encountered",
    "uncorrectable NVLink error detected during the execution",
    "all CUDA-capable devices are busy or unavailable",
    "no CUDA-capable device is detected",
    "context is destroyed",
    "driver shutting down",
    "CUDA error: unknown error", // What a GPU that has fallen off the bus gives.
    "fallen off the bus",
    "GPU is lost",
    "CUBLAS_STATUS_EXECUTION_FAILED",
    "CUDNN_STATUS_EXECUTION_FAILED",
];

/// libtorch appends its C++ stack to messages; a person reads the first lines.
fn first_lines(text: &str) -> String {
    let text = text.replace("\\n", "\n");
    let lines = text.lines().take_while(|line| !line.starts_with("Exception raised from"));
    lines.take(4).collect::<Vec<_>>().join("\n")
}

impl From<CheckpointError> for Failure {
    fn from(error: CheckpointError) -> Self {
        Self::new(or_full(error.is_disk_full()), with_causes(&error))
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        Self::new(or_full(error.is_disk_full()), with_causes(&error))
    }
}

/// A full disk is not the job's fault: it goes on elsewhere or later, and is not charged.
fn or_full(disk_full: bool) -> FailureKind {
    if disk_full { FailureKind::Preempted } else { FailureKind::Bug }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        Self::new(FailureKind::Data, with_causes(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panicked(f: impl FnOnce() + std::panic::UnwindSafe) -> Failure {
        let payload = std::panic::catch_unwind(f).expect_err("panics");
        Failure::of_panic(payload.as_ref())
    }

    /// As libtorch 2.x words them; tch hands them on with libtorch's C++ stack.
    #[test]
    fn what_libtorch_says_of_a_gpu_decides_what_becomes_of_job_and_worker() {
        const ASYNCHRONOUS: &str = "\\nCUDA kernel errors might be asynchronously reported at some \
             other API call, so the stacktrace below might be incorrect.\\nFor debugging consider \
             passing CUDA_LAUNCH_BLOCKING=1\\nCompile with `TORCH_USE_CUDA_DSA` to enable \
             device-side assertions.\\n\\nException raised from c10_cuda_check_implementation";
        let lost = [
            "CUDA error: an illegal memory access was encountered",
            "CUDA error: unspecified launch failure",
            "CUDA error: device-side assert triggered",
            "CUDA error: uncorrectable ECC error encountered",
            "CUDA error: the launch timed out and was terminated",
            "CUDA error: misaligned address",
            "CUDA error: all CUDA-capable devices are busy or unavailable",
            "CUDA error: unknown error",
            "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm( handle, opa, opb)`",
            "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED",
        ];
        let memory = [
            "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 23.69 GiB",
            "CUDA error: out of memory",
            "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
            "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate \
             memory: you tried to allocate 4503599627370496 bytes. Error code 12",
        ];
        // The device is as good as before.
        let bug = [
            "CUDA error: invalid argument",
            "CUDA error: no kernel image is available for execution on the device",
            "The size of tensor a (5) must match the size of tensor b (7)",
            "misaligned address of a letter",
        ];
        for (texts, kind) in [
            (&lost[..], FailureKind::Lost),
            (&memory, FailureKind::OutOfMemory),
            (&bug, FailureKind::Bug),
        ] {
            for text in texts {
                let more = if text.contains("CUDA error") { ASYNCHRONOUS } else { "" };
                let said =
                    format!("called `Result::unwrap()` on an `Err` value: Torch(\"{text}{more}");
                let failure = Failure::of_panic(&said);
                let message = &failure.message;
                assert_eq!(failure.kind, kind, "{text}");
                assert!(
                    message.contains(text) && !message.contains("Exception raised"),
                    "{message}"
                );
            }
        }
    }

    #[test]
    fn libtorch_without_memory_is_told_from_its_other_errors() {
        let failure = panicked(|| {
            let size = [1i64 << 50];
            let _ = tch::Tensor::zeros(size, (tch::Kind::Float, tch::Device::Cpu));
        });
        assert_eq!(failure.kind, FailureKind::OutOfMemory, "{}", failure.message);

        let failure = panicked(|| {
            let _ = tch::Tensor::from_slice(&[1f32, 2.0]).view([3, 5]);
        });
        assert_eq!(failure.kind, FailureKind::Bug);
        assert!(failure.message.contains("shape"), "{}", failure.message);
        assert!(failure.message.lines().count() <= 4, "{}", failure.message);
    }
}
