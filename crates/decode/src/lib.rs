//! Photographs to pixels: JPEG, PNG and WebP, whole or only the part that a crop needs.
//!
//! Whatever the bytes are, the answer is pixels or a [`DecodeError`] that says what is wrong: never
//! a panic, and never more memory than a picture of [`MAX_PIXELS`] takes. Nothing here opens a file,
//! and nothing turns a picture: a camera's orientation (EXIF) is ignored, as by TensorFlow's
//! `decode_jpeg` and so by the study. Width and height are always those that are stored.
//!
//! - [`header`]: what a picture is, without decoding it.
//! - [`Decoder`]: its pixels, 8 bits, 1 or 3 interleaved channels; working memory of one thread.
//! - [`Window`]: the part of a picture that is wanted.
//!
//! # What becomes of what is not 8-bit RGB
//!
//! | file | here | as |
//! |---|---|---|
//! | grey, 3 channels wanted | the grey three times | everybody |
//! | colour, 1 channel wanted | JPEG: its luma; others 0.299 R + 0.587 G + 0.114 B, rounded | libjpeg; Pillow's `L` |
//! | transparency | dropped | TensorFlow's `decode_image(channels=3)` |
//! | 16-bit PNG | the high byte | libpng's `strip_16`, which TensorFlow uses |
//! | palettes, 1 to 4 bits | expanded | everybody |
//! | CMYK or YCCK JPEG | R = C · K / 255 …, inverted first if Adobe did not invert it | TensorFlow's `decode_jpeg` |
//! | colour profiles | ignored | TensorFlow |
//! | animations | the first frame | |

mod decoder;
mod error;
mod header;
mod jpeg;
mod png;
mod webp;

pub use decoder::{Decoded, Decoder, Window, luma};
pub use error::DecodeError;
pub use header::{Codec, Header, MAX_PIXELS, header};
