//! The whole way of an evaluation image: resize of the shorter side, central crop, planar bytes.

use augreg_decode::{DecodeError, Window};

use crate::Picture;
use crate::image::separate;
use crate::pipeline::Scratch;

/// A length that the shorter side of pictures is brought to, the longer one in proportion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShorterSide(usize);

impl ShorterSide {
    /// So many pixels, at least one.
    #[must_use]
    pub fn new(pixels: u32) -> Self {
        Self(pixels.max(1) as usize)
    }

    /// How many pixels that are.
    #[must_use]
    pub fn pixels(self) -> usize {
        self.0
    }

    /// Width and height that a picture of `width` × `height` pixels gets: the shorter side this, the
    /// other one rounded, halves to even.
    #[must_use]
    pub fn full(self, width: usize, height: usize) -> (usize, usize) {
        let factor = self.0 as f32 / width.min(height) as f32;
        let scaled = |length: usize| (length as f32 * factor).round_ties_even() as usize;
        (scaled(width), scaled(height))
    }
}

/// What is done to every evaluation image of a job. Draws nothing.
///
/// The study resizes the shorter side to 256 before it cuts out 224, and to 448 before 384
/// (big_vision `configs/vit_i1k.py`, `configs/transfer.py`). Other resolutions keep the first
/// pair's proportion, 8 : 7. An image that already has the resolution is left as it is.
#[derive(Debug, Clone)]
pub struct Evaluation {
    resolution: usize,
    shorter_side: ShorterSide,
}

impl Evaluation {
    /// The evaluation pipeline for square images of `resolution` pixels a side.
    #[must_use]
    pub fn new(resolution: u32) -> Self {
        let resolution = resolution as usize;
        let shorter_side = match resolution {
            384 => 448,
            other => (other * 8 + 3) / 7, // Rounds to the nearest integer.
        };
        Self { resolution, shorter_side: ShorterSide(shorter_side) }
    }

    /// How many bytes an evaluation image of `channels` channels has.
    #[must_use]
    pub fn output_len(&self, channels: usize) -> usize {
        channels * self.resolution * self.resolution
    }

    /// Width and height of a resized picture: its shorter side the study's.
    pub(crate) fn full(&self, width: usize, height: usize) -> (usize, usize) {
        self.shorter_side.full(width, height)
    }

    /// Makes an evaluation image of `picture`, written plane by plane into `out`,
    /// `[channels, resolution, resolution]`; its length says whether 1 or 3 channels are wanted.
    ///
    /// # Errors
    ///
    /// If the picture is a file and cannot be decoded.
    ///
    /// # Panics
    ///
    /// If `out` is not [`Self::output_len`] of 1 or 3 channels long.
    ///
    /// # Source
    ///
    /// `resize_small` (method area) and `central_crop` in big_vision `pp/ops_image.py`.
    pub fn evaluate(
        &self,
        picture: Picture<'_>,
        scratch: &mut Scratch,
        out: &mut [u8],
    ) -> Result<(), DecodeError> {
        let side = self.resolution;
        let wanted = out.len() / (side * side);
        assert_eq!(out.len(), self.output_len(wanted), "the output holds whole channels");
        let Scratch { canvas, resizer, decoder, .. } = scratch;
        let whole = |width, height| Window { left: 0, top: 0, width, height };
        let (source, _) = picture.look(wanted, decoder, whole)?;
        let pixels = canvas.reshape(side, side, source.channels());
        if (source.width(), source.height()) == (side, side) {
            separate(source.pixels(), source.channels(), pixels);
            canvas.write(out);
            return Ok(());
        }
        let full = self.full(source.width(), source.height());
        let window = Window {
            left: (full.0 - side) / 2,
            top: (full.1 - side) / 2,
            width: side,
            height: side,
        };
        resizer.area(source, full, window, pixels);
        canvas.write(out);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImageView;

    #[test]
    fn the_shorter_side_is_the_studys_and_keeps_its_proportion() {
        let side = |resolution| Evaluation::new(resolution).shorter_side.pixels();
        assert_eq!([side(224), side(384), side(28), side(56), side(32)], [256, 448, 32, 64, 37]);
    }

    #[test]
    fn an_image_of_the_resolution_is_copied() {
        let pixels: Vec<u8> = (0..=255).collect();
        let mut out = vec![0; 256];
        let source = ImageView::new(&pixels, 16, 16, 1);
        Evaluation::new(16).evaluate(source.into(), &mut Scratch::default(), &mut out).unwrap();
        assert_eq!(out, pixels);
    }

    #[test]
    fn any_size_is_evaluated_at_any_resolution() {
        let mut scratch = Scratch::default();
        for (width, height) in [(1, 1), (1, 300), (300, 1), (2, 3), (57, 41), (500, 375)] {
            for resolution in [1, 2, 28, 33, 64] {
                let evaluation = Evaluation::new(resolution);
                let mut out = vec![1; evaluation.output_len(3)];
                let pixels = vec![200; width * height * 3];
                let source = ImageView::new(&pixels, width, height, 3);
                evaluation.evaluate(source.into(), &mut scratch, &mut out).unwrap();
                assert!(out.iter().all(|value| (199..=200).contains(value)), "{width} {height}");
            }
        }
    }
}
