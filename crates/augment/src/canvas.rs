//! The image an op works on, with a second buffer for ops that cannot work in place.
//!
//! Planar, one channel after the other, as batches are: an op treats sixteen or more neighbours of
//! a channel at once, and a finished image is copied as it is.

use crate::image::write_planes;

/// An owned planar image whose buffers are reused from one image to the next.
#[derive(Debug, Default)]
pub(crate) struct Canvas {
    pixels: Vec<u8>,
    spare: Vec<u8>,
    width: usize,
    height: usize,
    channels: usize,
}

impl Canvas {
    /// Makes this an image of the given shape and hands out its pixels, `[channels, height, width]`,
    /// to be filled: their old content is unspecified.
    pub(crate) fn reshape(&mut self, width: usize, height: usize, channels: usize) -> &mut [u8] {
        (self.width, self.height, self.channels) = (width, height, channels);
        self.pixels.resize(width * height * channels, 0);
        self.spare.resize(width * height * channels, 0);
        &mut self.pixels
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn height(&self) -> usize {
        self.height
    }

    pub(crate) fn channels(&self) -> usize {
        self.channels
    }

    /// Its pixels, `[channels, height, width]`.
    pub(crate) fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// Its channels, each `[height, width]`.
    pub(crate) fn planes_mut(&mut self) -> impl Iterator<Item = &mut [u8]> {
        self.pixels.chunks_exact_mut(self.width * self.height)
    }

    /// Replaces each channel by what `paint` makes of it; `paint` fills every byte of the new one.
    pub(crate) fn repaint(&mut self, mut paint: impl FnMut(&[u8], &mut [u8])) {
        let plane = self.width * self.height;
        let planes = self.pixels.chunks_exact(plane).zip(self.spare.chunks_exact_mut(plane));
        for (old, new) in planes {
            paint(old, new);
        }
        std::mem::swap(&mut self.pixels, &mut self.spare);
    }

    /// Replaces the image by what `paint` makes of all its channels together.
    pub(crate) fn repaint_together(&mut self, paint: impl FnOnce(&[u8], &mut [u8])) {
        paint(&self.pixels, &mut self.spare);
        std::mem::swap(&mut self.pixels, &mut self.spare);
    }

    /// Copies the image into `out`, `[channels, height, width]`, which may have 1 or 3 channels
    /// whatever the image has.
    pub(crate) fn write(&self, out: &mut [u8]) {
        write_planes(&self.pixels, self.channels, out);
    }

    #[cfg(test)]
    pub(crate) fn pixels(&self) -> &[u8] {
        &self.pixels
    }
}
