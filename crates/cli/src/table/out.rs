//! Where a program's rows go: standard output, or a file that is whole or not there.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use augreg_export::WholeFile;

use crate::failure::{Failure, advice};

/// Bytes that are collected before they are written. One that reads along sees the first rows early, one
/// that wants all of them soon.
const BUFFER: usize = 64 * 1024;

/// A place for rows.
#[derive(Debug)]
pub(crate) enum Out {
    Standard(BufWriter<io::Stdout>),
    File(BufWriter<WholeFile>),
}

impl Out {
    pub(super) fn new(file: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = file else {
            return Ok(Self::Standard(BufWriter::with_capacity(BUFFER, io::stdout())));
        };
        let file = WholeFile::create(path).map_err(|error| {
            let help = advice(error.kind()).replace("--root DIR", "--out FILE");
            Failure::request(format!("cannot write `{}`: {error}", path.display()), help)
        })?;
        Ok(Self::File(BufWriter::with_capacity(BUFFER, file)))
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        match self {
            Self::Standard(_) => Ok(()),
            Self::File(file) => file.into_inner().map_err(io::IntoInnerError::into_error)?.finish(),
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Standard(out) => out.write(bytes),
            Self::File(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Standard(out) => out.flush(),
            Self::File(out) => out.flush(),
        }
    }
}
