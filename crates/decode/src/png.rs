//! PNG by the `png` crate.

use std::io::{Cursor, ErrorKind};

use png::{ColorType, Decoder, DecodingError, Limits, Transformations};

use crate::decoder::{Window, convert};
use crate::{Codec, DecodeError, MAX_PIXELS};

/// Decodes a whole picture; `raw` is memory to work with.
pub(crate) fn decode(
    bytes: &[u8],
    channels: usize,
    raw: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> Result<Window, DecodeError> {
    let said = |error| described(&error, bytes.len());
    // What a picture may need besides its pixels: rows of it, and chunks of text and profiles.
    let limits = Limits { bytes: 8 * MAX_PIXELS as usize };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(Transformations::normalize_to_color8());
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let mut reader = decoder.read_info().map_err(said)?;
    let size = reader.output_buffer_size().filter(|&size| size as u64 <= 4 * MAX_PIXELS);
    let (width, height) = reader.info().size();
    raw.resize(size.ok_or(DecodeError::TooLarge { width, height })?, 0);
    let info = reader.next_frame(raw).map_err(said)?;
    let from = match info.color_type {
        ColorType::Grayscale => 1,
        ColorType::GrayscaleAlpha => 2,
        ColorType::Rgba => 4,
        _ => 3,
    };
    convert(&raw[..info.buffer_size()], from, channels, out);
    Ok(Window { left: 0, top: 0, width: width as usize, height: height as usize })
}

fn described(error: &DecodingError, len: usize) -> DecodeError {
    match error {
        DecodingError::IoError(source) if source.kind() == ErrorKind::UnexpectedEof => {
            DecodeError::Truncated { codec: Codec::Png, at: len }
        }
        other => DecodeError::Damaged { codec: Codec::Png, what: other.to_string() },
    }
}
