//! Writes data sets as packs: one file a source split, any example one read away.

use std::fs;
use std::path::{Path, PathBuf};

use augreg_augment::Picture;
use augreg_decode::Decoder;
use augreg_spec::{DataSource, DatasetIdentity};

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
/// Pictures stay the files they are, or become pixels if `pixels` says so, for which all must be of
/// one size: what a small picture takes to decode is more than its pixels take to read. Either way
/// training sees the very same images, so a pack is the same data set to a job as what it was made
/// of, and repeats nothing.
///
/// # Errors
///
/// Any [`DataError`] about the files; [`DataError::Column`] if pixels are wanted of pictures that
/// differ in size; [`DataError::BadExample`] if one cannot be decoded.
pub fn pack(
    source: &DataSource,
    identity: &DatasetIdentity,
    folder: &Path,
    pixels: bool,
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
            match copy(&examples, identity.channels as usize, pixels, &path, &mut writer) {
                Ok(kind) => {
                    let origin = Some(Origin { content: content.clone(), format: identity.format });
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
    pixels: bool,
    path: &Path,
    writer: &mut Writer<'_>,
) -> Result<Kind, DataError> {
    let ready = |chunk: usize| {
        let (mut decoder, mut buffer) = (Decoder::default(), Vec::new());
        let part = chunk * CHUNK..examples.len().min((chunk + 1) * CHUNK);
        part.map(|i| prepare(examples, i, channels, pixels, &mut decoder, &mut buffer))
            .collect::<Result<Vec<_>, DataError>>()
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
            writer.add(&example.bytes, examples.label(i)).map_err(|source| DataError::Write {
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

fn prepare(
    examples: &Examples,
    i: usize,
    channels: usize,
    pixels: bool,
    decoder: &mut Decoder,
    buffer: &mut Vec<u8>,
) -> Result<Ready, DataError> {
    let kind = |width: usize, height: usize, channels: usize| Kind::Pixels {
        width: width as u32,
        height: height as u32,
        channels: channels as u32,
    };
    Ok(match examples.picture(i, buffer)? {
        Picture::Pixels(image) => Ready {
            bytes: image.pixels().to_vec(),
            kind: kind(image.width(), image.height(), image.channels()),
        },
        Picture::Encoded(bytes) if !pixels => Ready { bytes: bytes.to_vec(), kind: Kind::Encoded },
        Picture::Encoded(bytes) => match decoder.decode(bytes, channels) {
            Ok(picture) => Ready {
                bytes: picture.pixels.to_vec(),
                kind: kind(picture.width, picture.height, picture.channels),
            },
            Err(error) => {
                let (place, reason) = (examples.place(i), error.to_string());
                return Err(DataError::BadExample { place, reason, count: 1, allowed: 0 });
            }
        },
    })
}
