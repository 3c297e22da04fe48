//! What a picture is: its format and its size, read from the first bytes, no pixel decoded.

use std::fmt;

use crate::DecodeError;

/// The largest picture that is decoded, in pixels: Pillow's limit against decompression bombs. As
/// RGB it takes 512 MiB.
pub const MAX_PIXELS: u64 = 178_956_970;

/// A format of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// ITU T.81, baseline or progressive.
    Jpeg,
    /// Portable Network Graphics.
    Png,
    /// Google's format, lossy or lossless.
    WebP,
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
        })
    }
}

/// Format and size of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The format.
    pub codec: Codec,
    /// Columns, as stored.
    pub width: u32,
    /// Rows, as stored.
    pub height: u32,
}

/// Reads format and size of a picture.
///
/// # Errors
///
/// If the bytes are no picture, or end before its size, or its size is nothing or too much. A
/// header without an error says nothing about the pixels.
pub fn header(bytes: &[u8]) -> Result<Header, DecodeError> {
    let codec = codec(bytes)?;
    let size = match codec {
        Codec::Jpeg => jpeg_size(bytes)?,
        Codec::Png => png_size(bytes),
        Codec::WebP => crate::webp::size(bytes)?,
    };
    let (width, height) = size.ok_or(DecodeError::Truncated { codec, at: bytes.len() })?;
    let pixels = u64::from(width) * u64::from(height);
    match pixels {
        0 => Err(DecodeError::NoPixels { width, height }),
        _ if pixels > MAX_PIXELS => Err(DecodeError::TooLarge { width, height }),
        _ => Ok(Header { codec, width, height }),
    }
}

/// The format by its first bytes.
fn codec(bytes: &[u8]) -> Result<Codec, DecodeError> {
    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
    let begins = |magic: &[u8]| bytes.starts_with(magic);
    // What a file that is cut within its first bytes might have become.
    let cut = |magic: &[u8]| magic.starts_with(bytes);
    let truncated = |codec| DecodeError::Truncated { codec, at: bytes.len() };
    if bytes.is_empty() {
        Err(DecodeError::Empty)
    } else if begins(b"\xff\xd8\xff") {
        Ok(Codec::Jpeg)
    } else if begins(PNG) {
        Ok(Codec::Png)
    } else if begins(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Ok(Codec::WebP)
    } else if cut(b"\xff\xd8\xff") {
        Err(truncated(Codec::Jpeg))
    } else if cut(PNG) {
        Err(truncated(Codec::Png))
    } else if (begins(b"RIFF") || cut(b"RIFF")) && bytes.len() < 12 {
        Err(truncated(Codec::WebP))
    } else {
        Err(DecodeError::NotAnImage { found: look(bytes) })
    }
}

/// What the bytes look like, for a message.
fn look(bytes: &[u8]) -> String {
    let text = bytes.trim_ascii_start();
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let known: [(&[u8], &str); 6] = [
        (b"GIF8", "a GIF picture"),
        (b"BM", "a BMP picture"),
        (b"II*\0", "a TIFF picture"),
        (b"MM\0*", "a TIFF picture"),
        (b"%PDF", "a PDF document"),
        (b"<", "HTML or XML"),
    ];
    for (magic, name) in known {
        if text.starts_with(magic) {
            return name.to_owned();
        }
    }
    if bytes.iter().all(|&byte| byte == 0) {
        return "nothing but zero bytes".to_owned();
    }
    let start: Vec<String> = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("something that begins with {}", start.join(" "))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 2).map(|b| u32::from(b[0]) << 8 | u32::from(b[1]))
}

/// `IHDR` is always the first chunk.
fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let number = |at| Some(u16_at(bytes, at)? << 16 | u16_at(bytes, at + 2)?);
    Some((number(16)?, number(20)?))
}

/// A segment of a JPEG: its marker, and where its content begins and ends.
#[derive(Debug, Clone, Copy)]
struct Segment {
    marker: u8,
    start: usize,
    end: usize,
}

/// The segments from `at` on, as far as the bytes go: up to the first scan.
fn segments(bytes: &[u8], mut at: usize) -> impl Iterator<Item = Segment> {
    std::iter::from_fn(move || {
        loop {
            // Other bytes before a marker are skipped and fill bytes may precede it, as in libjpeg.
            while *bytes.get(at)? != 0xff {
                at += 1;
            }
            while *bytes.get(at)? == 0xff {
                at += 1;
            }
            let marker = bytes[at];
            at += 1;
            if matches!(marker, 0 | 1 | 0xd0..=0xd8) {
                continue; // No segment: stuffing, TEM, restarts, another start.
            }
            let end = at + (u16_at(bytes, at)? as usize).max(2);
            let segment = Segment { marker, start: at + 2, end };
            at = end;
            return Some(segment);
        }
    })
}

/// Width and height of the frame; None if the bytes end before.
fn jpeg_size(bytes: &[u8]) -> Result<Option<(u32, u32)>, DecodeError> {
    for segment in segments(bytes, 2) {
        let what = match segment.marker {
            0xc0..=0xc2 => {
                let at = segment.start;
                let size = u16_at(bytes, at + 3).zip(u16_at(bytes, at + 1));
                return match bytes.get(at) {
                    Some(8) | None => Ok(size),
                    Some(bits) => Err(DecodeError::Unsupported {
                        codec: Codec::Jpeg,
                        what: format!("with {bits} bits a value"),
                    }),
                };
            }
            0xc3 | 0xc7 | 0xcb | 0xcf => "without loss (T.81 annex H)",
            0xc5 | 0xc6 | 0xcd | 0xce => "in hierarchical mode",
            0xc9 | 0xca => "with arithmetic coding",
            0xd9 | 0xda => {
                let what = "it has no frame header".to_owned();
                return Err(DecodeError::Damaged { codec: Codec::Jpeg, what });
            }
            _ => continue,
        };
        return Err(DecodeError::Unsupported { codec: Codec::Jpeg, what: what.to_owned() });
    }
    Ok(None)
}

/// Whether a JPEG goes on to its end-of-image marker. What follows that is nobody's business.
pub(crate) fn jpeg_is_whole(bytes: &[u8]) -> bool {
    // Before the first scan the marker may be that of a thumbnail.
    let scan = segments(bytes, 2).find(|segment| segment.marker == 0xda);
    let Some(scan) = scan.and_then(|scan| bytes.get(scan.end..)) else { return false };
    scan.windows(2).rev().any(|pair| pair == [0xff, 0xd9])
}

/// Whether Adobe wrote a JPEG, and so inverted the values of its inks: there is an `APP14` segment.
pub(crate) fn jpeg_is_adobes(bytes: &[u8]) -> bool {
    let mut before = segments(bytes, 2).take_while(|segment| segment.marker != 0xda);
    before.any(|segment| {
        let content = bytes.get(segment.start..segment.end).unwrap_or_default();
        segment.marker == 0xee && content.starts_with(b"Adobe") && content.len() >= 12
    })
}
