//! The decoder of one thread: pixels out of any of the formats, into memory that is reused.

use crate::header::{Codec, Header, header};
use crate::jpeg::Jpeg;
use crate::{DecodeError, png, webp};

/// A rectangle of a picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First column.
    pub left: usize,
    /// First row.
    pub top: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// Decoded pixels: a whole picture, or the part of it around a window.
#[derive(Debug, Clone, Copy)]
pub struct Decoded<'a> {
    /// The bytes, `[height, width, channels]`.
    pub pixels: &'a [u8],
    /// Columns of these pixels.
    pub width: usize,
    /// Rows of these pixels.
    pub height: usize,
    /// Values a pixel: 1 or 3.
    pub channels: usize,
    /// Where the window that was asked for lies in these pixels.
    pub window: Window,
}

/// Decodes pictures one after the other. Its memory grows to what the largest of them takes.
#[derive(Debug, Default)]
pub struct Decoder {
    pixels: Vec<u8>,
    /// Pixels as a file has them, before channels are dropped or made.
    raw: Vec<u8>,
    jpeg: Jpeg,
}

impl Decoder {
    /// Decodes a whole picture to 1 or 3 `channels`.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the bytes.
    ///
    /// # Panics
    ///
    /// If `channels` is neither 1 nor 3.
    pub fn decode(&mut self, bytes: &[u8], channels: usize) -> Result<Decoded<'_>, DecodeError> {
        let header = header(bytes)?;
        let (width, height) = (header.width as usize, header.height as usize);
        self.decode_window(bytes, &header, channels, Window { left: 0, top: 0, width, height })
    }

    /// Decodes at least the `window` of a picture to 1 or 3 `channels`, `header` being its header.
    /// The pixels are those of the whole picture. Of a JPEG only what lies in the window's rows and
    /// columns is computed, and what comes after it not read.
    ///
    /// # Errors
    ///
    /// Whatever is wrong with the bytes that were needed. A picture that is cut off is an error
    /// wherever the window lies.
    ///
    /// # Panics
    ///
    /// If `channels` is neither 1 nor 3, or the window does not lie within the picture.
    pub fn decode_window(
        &mut self,
        bytes: &[u8],
        header: &Header,
        channels: usize,
        window: Window,
    ) -> Result<Decoded<'_>, DecodeError> {
        assert!(channels == 1 || channels == 3, "1 or 3 channels, not {channels}");
        let (width, height) = (header.width as usize, header.height as usize);
        assert!(window.width > 0 && window.left + window.width <= width, "{window:?} in {width}");
        assert!(window.height > 0 && window.top + window.height <= height, "{window:?}: {height}");
        let Self { pixels, raw, jpeg } = self;
        let part = match header.codec {
            Codec::Jpeg => jpeg.decode(bytes, channels, window, raw, pixels)?,
            Codec::Png => png::decode(bytes, channels, raw, pixels)?,
            Codec::WebP => webp::decode(bytes, channels, raw, pixels)?,
        };
        let within = (part.left..).contains(&window.left) && (part.top..).contains(&window.top);
        assert!(within, "{part:?} has {window:?}");
        let window = Window { left: window.left - part.left, top: window.top - part.top, ..window };
        let (width, height) = (part.width, part.height);
        Ok(Decoded { pixels, width, height, channels, window })
    }
}

/// Makes 1 or 3 channels of `raw` pixels of `from` channels: 1 or 3, each with one more for
/// transparency, which is dropped.
pub(crate) fn convert(raw: &[u8], from: usize, channels: usize, out: &mut Vec<u8>) {
    out.clear();
    match (from, channels) {
        (2, 1) => out.extend(raw.as_chunks::<2>().0.iter().map(|&[grey, _]| grey)),
        (1, 3) => out.extend(raw.iter().flat_map(|&grey| [grey; 3])),
        (2, 3) => out.extend(raw.as_chunks::<2>().0.iter().flat_map(|&[grey, _]| [grey; 3])),
        (3, 1) => out.extend(raw.as_chunks::<3>().0.iter().map(|&rgb| luma(rgb))),
        (4, 1) => out.extend(raw.as_chunks::<4>().0.iter().map(|&[r, g, b, _]| luma([r, g, b]))),
        (4, 3) => out.extend(raw.as_chunks::<4>().0.iter().flat_map(|&[r, g, b, _]| [r, g, b])),
        _ => out.extend_from_slice(raw),
    }
}

/// Pillow's `L`: ITU-R 601 luma in 16 bits of fraction, rounded.
#[must_use]
pub fn luma([r, g, b]: [u8; 3]) -> u8 {
    let sum = u32::from(r) * 19_595 + u32::from(g) * 38_470 + u32::from(b) * 7_471;
    ((sum + 0x8000) >> 16) as u8
}
