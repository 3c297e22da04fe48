//! Everything a data set holds, read and decoded once: what a person wants to know before trusting
//! it with weeks of training.

use std::collections::BTreeMap;

use augreg_augment::Picture;
use augreg_decode::{Codec, Decoder};
use augreg_spec::SplitName;

use crate::content::in_order;
use crate::place::Place;
use crate::{DataError, Dataset, Split};

/// Examples looked at by a thread in one go.
const CHUNK: usize = 256;

/// What a data set holds.
#[derive(Debug, Default)]
pub struct Check {
    /// Split by split.
    pub splits: BTreeMap<SplitName, SplitCheck>,
    /// Pictures, byte for byte the same, in more than one place.
    pub duplicates: Vec<Duplicate>,
}

/// What a split holds.
#[derive(Debug, Default)]
pub struct SplitCheck {
    /// How many examples it holds.
    pub examples: u64,
    /// How many examples each class has; together more than there are where one has several.
    pub classes: Vec<u64>,
    /// How many examples have no class.
    pub without_class: u64,
    /// How many pictures are of each format, and how many examples are plain pixels.
    pub codecs: BTreeMap<String, u64>,
    /// The smallest width and height of any, and the largest.
    pub sides: Option<[(usize, usize); 2]>,
    /// Those that cannot be decoded, and why.
    pub bad: Vec<(Place, String)>,
}

/// A picture that is there more than once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicate {
    /// Where it is, each with its split and classes, in the order of splits.
    pub copies: Vec<(SplitName, Place, Vec<u32>)>,
}

impl Duplicate {
    /// Whether its copies are in more than one split: what is measured on was learnt.
    #[must_use]
    pub fn is_across(&self) -> bool {
        self.copies.iter().any(|copy| copy.0 != self.copies[0].0)
    }
}

/// What one example turned out to be.
struct Look {
    digest: [u8; 16],
    codec: Option<Codec>,
    found: Result<(usize, usize), String>,
}

impl Check {
    /// Reads and decodes every example of every split, on all cores. Of an example it keeps 24
    /// bytes, and more only of what is bad or there twice.
    ///
    /// # Errors
    ///
    /// [`DataError::ReadExample`] if a file cannot be read. What cannot be decoded is reported.
    pub fn of(dataset: &Dataset, classes: u32) -> Result<Self, DataError> {
        let mut check = Self::default();
        let mut digests = Vec::new();
        let splits: BTreeMap<_, _> = SplitName::ALL
            .into_iter()
            .filter_map(|(_, name)| Some((name, dataset.split(name).ok()?)))
            .collect();
        for (name, split) in &splits {
            let mut found =
                SplitCheck { classes: vec![0; classes as usize], ..SplitCheck::default() };
            let mut i = 0;
            in_order(
                split.len().div_ceil(CHUNK),
                |chunk| look(split, chunk),
                |looks| {
                    for look in looks {
                        digests.push((look.digest, *name, i as u32));
                        found.take(split, i, look);
                        i += 1;
                    }
                    Ok(())
                },
            )?;
            check.splits.insert(*name, found);
        }
        digests.sort_unstable();
        let same = digests.chunk_by(|a, b| a.0 == b.0).filter(|copies| copies.len() > 1);
        check.duplicates = same
            .map(|copies| {
                let copies = copies.iter().map(|(_, name, i)| {
                    let (split, i) = (&splits[name], *i as usize);
                    (*name, split.place(i), split.classes(i).to_vec())
                });
                Duplicate { copies: copies.collect() }
            })
            .collect();
        check.duplicates.sort_unstable_by(|a, b| a.copies[0].1.cmp(&b.copies[0].1));
        Ok(check)
    }

    /// How many examples cannot be decoded.
    #[must_use]
    pub fn bad(&self) -> usize {
        self.splits.values().map(|split| split.bad.len()).sum()
    }
}

impl SplitCheck {
    fn take(&mut self, split: &Split, i: usize, look: Look) {
        let classes = split.classes(i);
        self.examples += 1;
        self.without_class += u64::from(classes.is_empty());
        for class in classes {
            self.classes[*class as usize] += 1;
        }
        match look.found {
            Ok((width, height)) => {
                let codec = look.codec.map_or("pixels".to_owned(), |codec| codec.to_string());
                *self.codecs.entry(codec).or_default() += 1;
                let [low, high] = self.sides.unwrap_or([(width, height); 2]);
                self.sides = Some([
                    (low.0.min(width), low.1.min(height)),
                    (high.0.max(width), high.1.max(height)),
                ]);
            }
            Err(reason) => self.bad.push((split.place(i), reason)),
        }
    }
}

/// Of how many examples a split is tried.
const TRIED: usize = 16;

impl Split {
    /// Decodes a few examples, evenly spaced from the first to the last: the first that cannot be decoded, and why.
    /// What is broken as a whole is found by that at once; single bad pictures take a [`Check`].
    ///
    /// # Errors
    ///
    /// [`DataError::ReadExample`] if a file cannot be read.
    pub fn undecodable(&self) -> Result<Option<(Place, String)>, DataError> {
        let (mut decoder, mut buffer) = (Decoder::default(), Vec::new());
        let tried = TRIED.min(self.len());
        for n in 0..tried {
            let i = n * (self.len() - 1) / (tried - 1).max(1);
            if let Picture::Encoded(bytes) = self.picture(i, &mut buffer)?
                && let Err(error) = decoder.decode(bytes, self.channels())
            {
                return Ok(Some((self.place(i), error.to_string())));
            }
        }
        Ok(None)
    }
}

/// Looks at a chunk of a split's examples.
fn look(split: &Split, chunk: usize) -> Result<Vec<Look>, DataError> {
    let (mut decoder, mut buffer) = (Decoder::default(), Vec::new());
    let examples = chunk * CHUNK..split.len().min((chunk + 1) * CHUNK);
    let looks = examples.map(|i| {
        let (bytes, codec, found) = match split.picture(i, &mut buffer)? {
            Picture::Pixels(image) => (image.pixels(), None, Ok((image.width(), image.height()))),
            Picture::Encoded(bytes) => {
                let codec = augreg_decode::header(bytes).ok().map(|header| header.codec);
                let made = decoder.decode(bytes, split.channels());
                let sides = made.map(|picture| (picture.width, picture.height));
                (bytes, codec, sides.map_err(|error| error.to_string()))
            }
        };
        let mut digest = [0; 16];
        digest.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
        Ok(Look { digest, codec, found })
    });
    looks.collect()
}
