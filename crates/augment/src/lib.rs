//! Image in, image out, every draw from a keyed stream: what happens to a training image between
//! its decoded source and its batch, and to an evaluation image likewise.
//!
//! Plain 8-bit images with 1 or 3 interleaved channels, or pictures that are decoded as far as they are
//! needed; nothing here opens a file, mixes two images or knows a tensor. The numbers are TensorFlow's, bit for bit: `golden/` holds a NumPy
//! reference, the script that holds it against TensorFlow's kernels, and the results that the
//! tests here compare with.
//!
//! - [`ImageView`]: a borrowed image; [`Picture`]: one, or the bytes of a file that become one.
//! - [`Pipeline`]: the whole way of a training image: crop, resize, flip, RandAugment.
//! - [`Evaluation`]: the whole way of an evaluation image: resize and central crop.
//! - [`shrink`]: a picture made smaller once, for a pack.
//! - [`op`]: the 16 ops of RandAugment and their arguments.

#![expect(
    clippy::inline_always,
    reason = "loops over pixels are compiled for several kinds of CPU, and what is not part of them for none"
)]

mod canvas;
mod color;
mod crop;
mod evaluation;
mod geometry;
mod image;
mod number;
pub mod op;
mod picture;
mod pillow;
mod pipeline;
mod random_resized_crop;
mod resize;
mod sharpness;
mod shrink;
mod tone;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod photographs;

pub use augreg_decode::Window;
pub use evaluation::{Evaluation, ShorterSide};
pub use image::ImageView;
pub use picture::Picture;
pub use pipeline::{Drawn, Pipeline, Scratch};
pub use shrink::{Shrunk, shrink};
