//! Millions of file names in little memory: in runs of sixteen, each name but the first of a run
//! says how much of its neighbour's beginning it shares.
//!
//! Names in a folder are sorted and alike (`n01440764_10026.JPEG`), so most cost about ten bytes.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Names between two that are written in full.
const RUN: usize = 16;

/// File names, in the order in which they were added. None is longer than 255 bytes, which no file
/// system allows.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    /// For each name how many bytes it shares with the one before it, how many follow, and these.
    text: Vec<u8>,
    /// Where runs begin in `text`.
    runs: Vec<u64>,
    count: usize,
    last: Vec<u8>,
}

impl Names {
    pub(crate) fn push(&mut self, name: &OsStr) {
        let name = &name.as_bytes()[..name.len().min(255)];
        let shared = if self.count.is_multiple_of(RUN) {
            self.runs.push(self.text.len() as u64);
            0
        } else {
            self.last.iter().zip(name).take_while(|(a, b)| a == b).count()
        };
        self.text.extend([shared as u8, (name.len() - shared) as u8]);
        self.text.extend(&name[shared..]);
        self.last.clear();
        self.last.extend(name);
        self.count += 1;
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Appends name `i`, one of those that were added, to `out`.
    pub(crate) fn append(&self, i: usize, out: &mut Vec<u8>) {
        let mut at = self.runs[i / RUN] as usize;
        let begin = out.len();
        for _ in 0..=i % RUN {
            let (shared, rest) = (usize::from(self.text[at]), usize::from(self.text[at + 1]));
            out.truncate(begin + shared);
            out.extend(&self.text[at + 2..at + 2 + rest]);
            at += 2 + rest;
        }
    }

    pub(crate) fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.runs.shrink_to_fit();
    }

    /// Bytes of memory.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.text.capacity() + 8 * self.runs.capacity()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_name_comes_back(names in prop::collection::vec(prop::collection::vec(1u8.., 1..255), 1..70)) {
            let mut packed = Names::default();
            for name in &names {
                packed.push(OsStr::from_bytes(name));
            }
            prop_assert_eq!(packed.len(), names.len());
            for (i, name) in names.iter().enumerate() {
                let mut found = b"folder/".to_vec();
                packed.append(i, &mut found);
                prop_assert_eq!(&found[..7], b"folder/");
                prop_assert_eq!(&found[7..], name);
            }
        }
    }
}
