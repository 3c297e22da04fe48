//! A pack in memory, mapped: however many workers of a machine have it open, its pages are there once,
//! and an example is had without a system call or a copy.
//!
//! Only packs are mapped, augreg's own files: they are written beside their place and renamed, never
//! changed where they lie. Whoever cuts one short all the same is found out before the map is touched,
//! as a rule; a process that touches what is gone is ended by the system (SIGBUS), and its job goes on
//! elsewhere. Files of others are read, which says so instead.

#![expect(unsafe_code, reason = "the system cannot promise that nobody changes a mapped file")]

use std::fs::File;
use std::io;

use memmap2::Mmap;

/// A mapped file.
#[derive(Debug)]
pub(crate) struct Map {
    file: File,
    bytes: Mmap,
}

impl Map {
    pub(crate) fn new(file: File) -> io::Result<Self> {
        // SAFETY: a pack is never written to once it has its name, and `get` looks at its length.
        let bytes = unsafe { Mmap::map(&file)? };
        Ok(Self { file, bytes })
    }

    /// `len` bytes from `start` on.
    ///
    /// # Errors
    ///
    /// If the file has become shorter, or never was so long.
    pub(crate) fn get(&self, start: u64, len: u64) -> io::Result<&[u8]> {
        let is_whole = self.file.metadata()?.len() >= self.bytes.len() as u64;
        let end = start.checked_add(len).filter(|_| is_whole);
        let part = end.and_then(|end| self.bytes.get(start as usize..end as usize));
        part.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}
