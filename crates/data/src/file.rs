//! The bytes of a file, decompressed where need be. Knows no format.
//!
//! Files are read, not mapped: a map of a file that somebody cuts short ends the process.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::Deref;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::DataError;

/// The content of a file.
#[derive(Debug)]
pub(crate) struct SourceFile {
    pub(crate) path: PathBuf,
    content: Vec<u8>,
}

impl Deref for SourceFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.content
    }
}

impl SourceFile {
    /// Opens the first file of `folder` that is there, under one of `names` or a name with `.gz`
    /// appended; None if there is none.
    pub(crate) fn open_first(folder: &Path, names: &[&str]) -> Result<Option<Self>, DataError> {
        let plain = names.iter().map(|name| (folder.join(name), false));
        let zipped = names.iter().map(|name| (folder.join(format!("{name}.gz")), true));
        for (path, zipped) in plain.chain(zipped) {
            let file = match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => return Err(DataError::Read { path, source }),
            };
            let content = if zipped { decompress(&path, file)? } else { read(&path, file)? };
            return Ok(Some(Self { path, content }));
        }
        Ok(None)
    }

    /// Whether `folder` has a file of that name, plain or with `.gz` appended.
    pub(crate) fn is_there(folder: &Path, name: &str) -> bool {
        folder.join(name).exists() || folder.join(format!("{name}.gz")).exists()
    }

    /// The big-endian number at `offset`; None past the end.
    pub(crate) fn number_at(&self, offset: usize) -> Option<u32> {
        let bytes = self.get(offset..offset + 4)?;
        bytes.try_into().ok().map(u32::from_be_bytes)
    }
}

fn read(path: &Path, mut file: File) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    match file.read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(source) => Err(DataError::Read { path: path.to_owned(), source }),
    }
}

fn decompress(path: &Path, file: File) -> Result<Vec<u8>, DataError> {
    let mut bytes = Vec::new();
    match MultiGzDecoder::new(BufReader::new(file)).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(source) => {
            let (path, decompressed) = (path.to_owned(), bytes.len() as u64);
            Err(DataError::Gzip { path, decompressed, source })
        }
    }
}
