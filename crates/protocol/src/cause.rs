//! Errors as one line of text, the form in which they travel in messages, journals and logs.

use std::error::Error;

/// An error and all it rests on, in one line: `failed to read x: permission denied`.
///
/// A cause that an error's own text ends with already is not said again.
#[must_use]
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use thiserror::Error;

    #[derive(Debug, Error)]
    #[error("{0}")]
    struct Outer(&'static str, #[source] std::io::Error);

    #[test]
    fn every_cause_is_said_once() {
        let full = || std::io::Error::other("the disk is full");
        assert_eq!(
            with_causes(&Outer("failed to write", full())),
            "failed to write: the disk is full"
        );
        let said = Outer("failed to write: the disk is full", full());
        assert_eq!(with_causes(&said), "failed to write: the disk is full");
    }
}
