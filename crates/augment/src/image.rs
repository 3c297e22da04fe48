//! Borrowed images and the planar layout of batches. Owns no pixels, decodes nothing.

use augreg_decode::luma;

/// An image of 8-bit pixels: `[height, width, channels]`, row by row, channels interleaved.
#[derive(Debug, Clone, Copy)]
pub struct ImageView<'a> {
    pixels: &'a [u8],
    width: usize,
    height: usize,
    channels: usize,
}

impl<'a> ImageView<'a> {
    /// Borrows `pixels` as an image.
    ///
    /// # Panics
    ///
    /// If a side is 0, there are neither 1 nor 3 channels, or `pixels` has another length than
    /// `height · width · channels`: whoever reads files checks their shape first.
    #[must_use]
    pub fn new(pixels: &'a [u8], width: usize, height: usize, channels: usize) -> Self {
        assert!(width > 0 && height > 0, "an image has at least one pixel");
        assert!(channels == 1 || channels == 3, "an image has 1 or 3 channels, not {channels}");
        assert_eq!(pixels.len(), height * width * channels, "pixels fill the image exactly");
        Self { pixels, width, height, channels }
    }

    /// The bytes, `[height, width, channels]`.
    #[must_use]
    pub fn pixels(self) -> &'a [u8] {
        self.pixels
    }

    /// Columns.
    #[must_use]
    pub fn width(self) -> usize {
        self.width
    }

    /// Rows.
    #[must_use]
    pub fn height(self) -> usize {
        self.height
    }

    /// Values a pixel: 1 or 3.
    #[must_use]
    pub fn channels(self) -> usize {
        self.channels
    }
}

/// Copies planar `pixels` `[channels, plane]` into `out`. Three planes of one channel are three times
/// that channel, one plane of three their luma.
pub(crate) fn write_planes(pixels: &[u8], channels: usize, out: &mut [u8]) {
    let plane = pixels.len() / channels;
    if pixels.len() == out.len() {
        out.copy_from_slice(pixels);
    } else if channels == 1 {
        out.chunks_exact_mut(plane).for_each(|plane| plane.copy_from_slice(pixels));
    } else {
        let ((red, green), blue) = (pixels[..2 * plane].split_at(plane), &pixels[2 * plane..]);
        for (((to, &r), &g), &b) in out.iter_mut().zip(red).zip(green).zip(blue) {
            *to = luma([r, g, b]);
        }
    }
}

/// Writes interleaved `pixels` `[pixels, channels]` plane by plane into `out`, `[channels, pixels]`.
pub(crate) fn separate(pixels: &[u8], channels: usize, out: &mut [u8]) {
    if channels == 1 {
        out.copy_from_slice(pixels);
        return;
    }
    for (c, plane) in out.chunks_exact_mut(pixels.len() / channels).enumerate() {
        for (to, pixel) in plane.iter_mut().zip(pixels.as_chunks::<3>().0) {
            *to = pixel[c];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_hold_one_channel_each() {
        let mut out = [0; 6];
        separate(&[1, 2, 3, 4, 5, 6], 3, &mut out);
        assert_eq!(out, [1, 4, 2, 5, 3, 6]);
        separate(&[1, 2, 3, 4, 5, 6], 1, &mut out);
        assert_eq!(out, [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn grey_becomes_three_channels_and_colour_its_luma() {
        let mut out = [0; 6];
        write_planes(&[7, 8], 1, &mut out);
        assert_eq!(out, [7, 8, 7, 8, 7, 8]);
        let mut out = [0; 2];
        write_planes(&[255, 0, 0, 255, 0, 255], 3, &mut out);
        assert_eq!(out, [76, 179], "0.299 · 255 and 0.701 · 255, rounded");
    }
}
