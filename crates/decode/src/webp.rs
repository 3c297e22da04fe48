//! WebP by the `image-webp` crate.

use std::io::{Cursor, ErrorKind};

use image_webp::{DecodingError, WebPDecoder};

use crate::decoder::{Window, convert};
use crate::{Codec, DecodeError, MAX_PIXELS};

/// Width and height; None if the bytes end before them.
pub(crate) fn size(bytes: &[u8]) -> Result<Option<(u32, u32)>, DecodeError> {
    match WebPDecoder::new(Cursor::new(bytes)) {
        Ok(decoder) => Ok(Some(decoder.dimensions())),
        Err(error) => Err(described(&error, bytes.len())),
    }
}

/// Decodes a whole picture; `raw` is memory to work with.
pub(crate) fn decode(
    bytes: &[u8],
    channels: usize,
    raw: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<Window, DecodeError> {
    let said = |error| described(&error, bytes.len());
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(said)?;
    decoder.set_memory_limit(8 * MAX_PIXELS as usize);
    let (width, height) = decoder.dimensions();
    let size = decoder.output_buffer_size().filter(|&size| size as u64 <= 4 * MAX_PIXELS);
    raw.resize(size.ok_or(DecodeError::TooLarge { width, height })?, 0);
    decoder.read_image(raw).map_err(said)?;
    convert(raw, if decoder.has_alpha() { 4 } else { 3 }, channels, out);
    Ok(Window { left: 0, top: 0, width: width as usize, height: height as usize })
}

fn described(error: &DecodingError, len: usize) -> DecodeError {
    match error {
        DecodingError::IoError(source) if source.kind() == ErrorKind::UnexpectedEof => {
            DecodeError::Truncated { codec: Codec::WebP, at: len }
        }
        other => DecodeError::Damaged { codec: Codec::WebP, what: other.to_string() },
    }
}
