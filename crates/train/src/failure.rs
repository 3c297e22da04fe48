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

    /// What a caught panic says: libtorch's errors arrive as panics, and some mean no memory.
    pub(crate) fn of_panic(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
        let text = text.unwrap_or("a panic without a message");
        let memory = ["out of memory", "can't allocate memory", "not enough memory"];
        if memory.iter().any(|sign| text.contains(sign)) {
            Self::new(FailureKind::OutOfMemory, first_lines(text))
        } else {
            Self::new(FailureKind::Bug, first_lines(text))
        }
    }
}

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
