//! What can be wrong with a picture. Messages are fragments that read well after a file's name.

use thiserror::Error;

use crate::Codec;

/// Bytes that do not become a picture.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// There are no bytes at all.
    #[error("is empty")]
    Empty,
    /// The bytes are something else than a picture that augreg reads.
    #[error("is {found}, not a JPEG, PNG or WebP picture")]
    NotAnImage {
        /// What it looks like.
        found: String,
    },
    /// The bytes end before the picture does.
    #[error("ends too early: the {codec} picture is cut off at byte {at}")]
    Truncated {
        /// The format.
        codec: Codec,
        /// How many bytes there are.
        at: usize,
    },
    /// The picture is larger than [`crate::MAX_PIXELS`].
    #[error("has {width} × {height} pixels, more than the {} that are decoded", crate::MAX_PIXELS)]
    TooLarge {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The picture has no pixels.
    #[error("has {width} × {height} pixels")]
    NoPixels {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// A variant of the format that is not decoded.
    #[error("is a {codec} picture {what}, which is not supported")]
    Unsupported {
        /// The format.
        codec: Codec,
        /// What is special about it.
        what: String,
    },
    /// The bytes break the rules of their format.
    #[error("is a damaged {codec} picture: {what}")]
    Damaged {
        /// The format.
        codec: Codec,
        /// What the decoder said.
        what: String,
    },
}
