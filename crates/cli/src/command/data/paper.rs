//! A picture that images and lines of text are put on.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use crate::failure::Failure;

const WEIGHT: FontWeight = FontWeight::Regular;
const SIZE: RasterHeight = RasterHeight::Size16;

/// Pixels a character is wide.
pub(super) const CHARACTER: usize = get_raster_width(WEIGHT, SIZE);

/// Pixels from a line of text to the next.
pub(super) const LINE: usize = SIZE.val();

/// White, until something is put on it.
pub(super) struct Paper {
    width: usize,
    height: usize,
    channels: usize,
    /// `[height, width, channels]`.
    pixels: Vec<u8>,
}

impl Paper {
    pub(super) fn new(width: usize, height: usize, channels: usize) -> Self {
        Self { width, height, channels, pixels: vec![255; width * height * channels] }
    }

    /// Puts a square image there, `[channels, side, side]`.
    pub(super) fn image(&mut self, left: usize, top: usize, side: usize, image: &[u8]) {
        for (at, value) in image.iter().enumerate() {
            let (channel, y, x) = (at / (side * side), at / side % side, at % side);
            self.set(left + x, top + y, channel, *value);
        }
    }

    /// Writes a line in black.
    pub(super) fn text(&mut self, left: usize, top: usize, text: &str) {
        for (place, character) in text.chars().enumerate() {
            let known = get_raster(character, WEIGHT, SIZE);
            let Some(raster) = known.or_else(|| get_raster('?', WEIGHT, SIZE)) else { continue };
            for (y, row) in raster.rows().enumerate() {
                for (x, ink) in row.iter().enumerate() {
                    for channel in 0..self.channels {
                        self.set(left + place * CHARACTER + x, top + y, channel, 255 - ink);
                    }
                }
            }
        }
    }

    /// What lies beyond the edges is cut off.
    fn set(&mut self, x: usize, y: usize, channel: usize, value: u8) {
        if x < self.width && y < self.height {
            self.pixels[(y * self.width + x) * self.channels + channel] = value;
        }
    }

    /// As a PNG.
    pub(super) fn png(&self) -> Result<Vec<u8>, Failure> {
        let grey = self.channels == 1;
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width as u32, self.height as u32);
        encoder.set_color(if grey { png::ColorType::Grayscale } else { png::ColorType::Rgb });
        let written = encoder.write_header().and_then(|mut out| out.write_image_data(&self.pixels));
        written.map_err(Failure::internal)?;
        Ok(bytes)
    }
}
