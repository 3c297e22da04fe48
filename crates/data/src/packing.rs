//! Writes data sets as packs: one file a source split, any example one read away.

use std::fs;
use std::path::{Path, PathBuf};

use augreg_augment::{Picture, Scratch, ShorterSide, Shrunk, shrink};
use augreg_decode::{Codec, DecodeError, Decoder};
use augreg_spec::{DataSource, DatasetIdentity};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use crate::DataError;
use crate::cache::write_whole;
use crate::content::in_order;
use crate::formats::pack::Writer;
use crate::index::{Kind, Origin};
use crate::source::{Examples, Sources};

/// Examples prepared by a thread in one go.
const CHUNK: usize = 64;

/// What to do when a pack cannot be written.
const ADVICE: &str = ": name another folder, or make room";

/// Quality of pictures that are written anew, of 100.
const QUALITY: u8 = 95;

/// What becomes of pictures in a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackAs {
    /// They stay the files they are.
    Files,
    /// They become pixels, for which all must be of one size: what a small picture takes to decode is
    /// more than its pixels take to read.
    Pixels,
    /// Larger ones are resized to this shorter side, by area, and become JPEG files of quality 95
    /// without subsampled colour; the others stay.
    Shrunk(ShorterSide),
}

impl PackAs {
    /// Whether training sees the very images that it would see without the pack.
    fn keeps_images(self) -> bool {
        !matches!(self, Self::Shrunk(_))
    }
}

/// A pack that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The file.
    pub path: PathBuf,
    /// How many examples it holds.
    pub examples: u64,
    /// How long it is.
    pub bytes: u64,
}

/// Writes every source split that a data set uses as `FOLDER/SPLIT.pack`.
///
/// Of pictures as files or as pixels training sees the very same images, so a pack is the same data
/// set to a job as what it was made of, and repeats nothing. Pictures that were shrunk are other data.
///
/// # Errors
///
/// Any [`DataError`] about the files; [`DataError::Column`] if pixels are wanted of pictures that
/// differ in size; [`DataError::BadExample`] if one cannot be decoded.
pub fn pack(
    source: &DataSource,
    identity: &DatasetIdentity,
    folder: &Path,
    form: PackAs,
) -> Result<Vec<Packed>, DataError> {
    let sources = Sources::find(source)?;
    let mut written = Vec::new();
    for (name, content) in &identity.content {
        let Some(opened) = sources.open(name)? else { continue };
        let names = opened.class_names().to_vec();
        let examples = opened.load(identity.classes)?;
        let path = folder.join(format!("{name}.pack"));
        let mut failure = None;
        let result = write_whole(&path, |file| {
            let mut writer = Writer::new(file);
            match copy(&examples, identity.channels as usize, form, &path, &mut writer) {
                Ok(kind) => {
                    let origin = Origin { content: content.clone(), format: identity.format };
                    let origin = Some(origin).filter(|_| form.keeps_images());
                    writer.finish(kind, Some(identity.classes), names, Vec::new(), origin)
                }
                Err(error) => {
                    failure = Some(error);
                    Err(std::io::Error::other("the data cannot be copied"))
                }
            }
        });
        let unwritten = |source| DataError::Write { path: path.clone(), source, advice: ADVICE };
        failure.map_or(Ok(()), Err)?;
        result.map_err(unwritten)?;
        let bytes = fs::metadata(&path).map_err(unwritten)?.len();
        written.push(Packed { path, examples: examples.len() as u64, bytes });
    }
    Ok(written)
}

/// One example, ready to be written.
struct Ready {
    bytes: Vec<u8>,
    kind: Kind,
}

/// Copies all examples; what their bytes are.
fn copy(
    examples: &Examples,
    channels: usize,
    form: PackAs,
    path: &Path,
    writer: &mut Writer<'_>,
) -> Result<Kind, DataError> {
    let ready = |chunk: usize| {
        let (mut hand, mut buffer) = (Hand::default(), Vec::new());
        let part = chunk * CHUNK..examples.len().min((chunk + 1) * CHUNK);
        let prepare = |i| {
            let picture = examples.picture(i, &mut buffer)?;
            hand.prepare(picture, channels, form).map_err(|error| {
                let (place, reason) = (examples.place(i), error.to_string());
                DataError::BadExample { place, reason, count: 1, allowed: 0 }
            })
        };
        part.map(prepare).collect::<Result<Vec<_>, DataError>>()
    };
    let (mut i, mut kind) = (0, None);
    in_order(examples.len().div_ceil(CHUNK), ready, |chunk| {
        for example in chunk {
            if *kind.get_or_insert(example.kind) != example.kind {
                let what = format!(
                    "{} is of another size than the others, and pixels can be packed of one size only: \
                     pack the files as they are",
                    examples.place(i)
                );
                return Err(DataError::Column { path: path.to_owned(), what });
            }
            writer.add(&example.bytes, examples.classes(i)).map_err(|source| DataError::Write {
                path: path.to_owned(),
                source,
                advice: ADVICE,
            })?;
            i += 1;
        }
        Ok(())
    })?;
    Ok(kind.unwrap_or_default())
}

/// Working memory of a thread.
#[derive(Default)]
struct Hand {
    decoder: Decoder,
    scratch: Scratch,
}

impl Hand {
    fn prepare(
        &mut self,
        picture: Picture<'_>,
        channels: usize,
        form: PackAs,
    ) -> Result<Ready, DecodeError> {
        let pixels = |bytes: &[u8], width: usize, height: usize, channels: usize| Ready {
            bytes: bytes.to_vec(),
            kind: Kind::Pixels {
                width: width as u32,
                height: height as u32,
                channels: channels as u32,
            },
        };
        let encoded = |bytes| Ready { bytes, kind: Kind::Encoded };
        Ok(match (picture, form) {
            (Picture::Pixels(image), _) => {
                pixels(image.pixels(), image.width(), image.height(), image.channels())
            }
            (Picture::Encoded(bytes), PackAs::Files) => encoded(bytes.to_vec()),
            (Picture::Encoded(bytes), PackAs::Pixels) => {
                let made = self.decoder.decode(bytes, channels)?;
                pixels(made.pixels, made.width, made.height, made.channels)
            }
            (Picture::Encoded(bytes), PackAs::Shrunk(side)) => {
                let small = shrink(picture, side, channels, &mut self.scratch)?;
                encoded(small.map_or_else(|| Ok(bytes.to_vec()), |small| jpeg(&small))?)
            }
        })
    }
}

/// A picture as a JPEG file.
fn jpeg(picture: &Shrunk) -> Result<Vec<u8>, DecodeError> {
    let Shrunk { pixels, width, height } = picture;
    let colour = if pixels.len() == width * height { ColorType::Luma } else { ColorType::Rgb };
    let side = |length: usize| u16::try_from(length).unwrap_or(0); // Which the encoder refuses.
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, QUALITY);
    encoder.set_sampling_factor(SamplingFactor::F_1_1);
    encoder.encode(pixels, side(*width), side(*height), colour).map_err(|_| {
        let what = format!("of {width} × {height} pixels after shrinking");
        DecodeError::Unsupported { codec: Codec::Jpeg, what }
    })?;
    Ok(bytes)
}
