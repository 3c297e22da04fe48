//! The image an op works on, with a second buffer for ops that cannot work in place.

use crate::ImageView;

/// An owned image whose buffers are reused from one image to the next.
#[derive(Debug, Default)]
pub(crate) struct Canvas {
    pixels: Vec<u8>,
    spare: Vec<u8>,
    width: usize,
    height: usize,
    channels: usize,
}

impl Canvas {
    /// Makes this an image of the given shape and hands out its pixels to be filled: their old
    /// content is unspecified.
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

    /// The image as it is.
    pub(crate) fn view(&self) -> ImageView<'_> {
        ImageView::new(&self.pixels, self.width, self.height, self.channels)
    }

    /// Its pixels, `[height, width, channels]`.
    pub(crate) fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// Replaces the image by what `paint` makes of it; `paint` fills every byte of the new one.
    pub(crate) fn repaint(&mut self, paint: impl FnOnce(ImageView<'_>, &mut [u8])) {
        let old = ImageView::new(&self.pixels, self.width, self.height, self.channels);
        paint(old, &mut self.spare);
        std::mem::swap(&mut self.pixels, &mut self.spare);
    }

    /// Mirrors the image left to right.
    pub(crate) fn mirror(&mut self) {
        let (stride, channels) = (self.width * self.channels, self.channels);
        for row in self.pixels.chunks_exact_mut(stride) {
            row.reverse();
            if channels > 1 {
                row.chunks_exact_mut(channels).for_each(<[u8]>::reverse);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_swaps_columns_and_keeps_channels_in_order() {
        let mut canvas = Canvas::default();
        canvas.reshape(2, 2, 3).copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        canvas.mirror();
        assert_eq!(canvas.view().pixels(), [4, 5, 6, 1, 2, 3, 10, 11, 12, 7, 8, 9]);
    }
}
