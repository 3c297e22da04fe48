//! A data set, checked against its identity, and its splits.

use std::collections::BTreeMap;
use std::sync::Arc;

use augreg_augment::Picture;
use augreg_spec::{DataSource, DatasetIdentity, SplitIdentity, SplitName, SubsetIdentity};

use crate::DataError;
use crate::place::Place;
use crate::source::{Examples, Sources};
use crate::subset;

/// The images and labels of every split of a data set.
#[derive(Debug)]
pub struct Dataset {
    splits: BTreeMap<SplitName, Split>,
}

/// One split of a data set. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Split {
    parts: Arc<[Part]>,
    /// Which of the parts' examples it holds, if not all, in ascending order.
    chosen: Option<Arc<[u32]>>,
    len: usize,
    channels: usize,
}

/// A stretch of a split that lies in one source split.
#[derive(Debug)]
struct Part {
    examples: Arc<Examples>,
    /// The index, within the split, one past this part's last example.
    end: usize,
    /// The example of the source split that index 0 of the split would be.
    shift: isize,
}

impl Dataset {
    /// Opens a data set and makes sure that it is the one `identity` was taken of.
    ///
    /// # Errors
    ///
    /// Any [`DataError`] about the files, [`DataError::Changed`] if their content has another
    /// hash, [`DataError::Range`] if a split reaches beyond them.
    pub fn open(source: &DataSource, identity: &DatasetIdentity) -> Result<Self, DataError> {
        let found = Sources::find(source)?;
        let mut sources = BTreeMap::new();
        for (name, planned) in &identity.content {
            let opened = found.open(name)?.ok_or_else(|| DataError::MissingFile {
                folder: source.path.clone(),
                source_split: name.clone(),
                looked_for: found.names().join(", "),
            })?;
            let found = opened.content();
            if found != *planned {
                return Err(DataError::Changed {
                    folder: source.path.clone(),
                    source_split: name.clone(),
                    planned: planned.clone(),
                    found,
                });
            }
            sources.insert(name.clone(), Arc::new(opened.load(identity.classes)?));
        }
        let splits = identity.splits.iter();
        let splits = splits.map(|(&name, split)| {
            Ok((name, Split::new(name, split, &sources, identity.channels as usize)?))
        });
        Ok(Self { splits: splits.collect::<Result<_, DataError>>()? })
    }

    /// The split of this role.
    ///
    /// # Errors
    ///
    /// [`DataError::NoSplit`] if the data set has none.
    pub fn split(&self, name: SplitName) -> Result<Split, DataError> {
        self.splits.get(&name).cloned().ok_or(DataError::NoSplit { split: name })
    }
}

impl Split {
    fn new(
        name: SplitName,
        identity: &SplitIdentity,
        sources: &BTreeMap<String, Arc<Examples>>,
        channels: usize,
    ) -> Result<Self, DataError> {
        let mut parts: Vec<Part> = Vec::new();
        let mut len = 0;
        for range in &identity.ranges {
            let found = sources.get(&range.source).map(Arc::clone);
            let count = found.as_ref().map_or(0, |examples| examples.len() as u64);
            let fits = range.from < range.to && range.to <= count;
            let Some(examples) = found.filter(|_| fits) else {
                return Err(DataError::Range {
                    split: name,
                    source_split: range.source.clone(),
                    from: range.from,
                    to: range.to,
                    count,
                });
            };
            let shift = range.from as isize - len as isize;
            len += (range.to - range.from) as usize;
            parts.push(Part { examples, end: len, shift });
        }
        if parts.is_empty() {
            return Err(DataError::NoSplit { split: name });
        }
        let whole = Self { parts: parts.into(), chosen: None, len, channels };
        let Some(subset) = &identity.subset else { return Ok(whole) };
        let classes: Vec<u32> = (0..len).map(|i| subset::class_of(whole.classes(i))).collect();
        let chosen = subset::choose(&classes, identity.examples, subset);
        if chosen.is_empty() || chosen.len() as u64 != identity.examples {
            let (wanted, available) = (identity.examples, len as u64);
            return Err(DataError::Subset { split: name, wanted, available });
        }
        Ok(Self { len: chosen.len(), chosen: Some(chosen.into()), ..whole })
    }

    /// A part of it: so many examples of each class, or all of a class that has fewer. Drawn as a subset
    /// with `per_class` is.
    ///
    /// # Errors
    ///
    /// [`DataError::SubsetOfSets`] if an example has another number of classes than one.
    pub fn shots(&self, per_class: u32, seed: u64) -> Result<Self, DataError> {
        if (0..self.len).any(|i| self.classes(i).len() != 1) {
            return Err(DataError::SubsetOfSets { split: SplitName::Train });
        }
        let classes: Vec<u32> = (0..self.len).map(|i| subset::class_of(self.classes(i))).collect();
        let subset = SubsetIdentity { per_class: Some(per_class.into()), seed, stratified: true };
        let mut chosen = subset::choose(&classes, 0, &subset);
        if let Some(own) = &self.chosen {
            chosen = chosen.into_iter().map(|i| own[i as usize]).collect();
        }
        Ok(Self { len: chosen.len(), chosen: Some(chosen.into()), ..self.clone() })
    }

    /// How many examples it holds, at least 1.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a split without examples cannot be made")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Values a pixel of its training images: 1 or 3. What it holds may have others.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// What it holds of example `i`, in `buffer` if it has to be read.
    ///
    /// # Errors
    ///
    /// [`DataError::ReadExample`] if it cannot be read. Whether it can be decoded is not looked at.
    ///
    /// # Panics
    ///
    /// If `i` is not below [`Self::len`].
    pub fn picture<'a>(
        &'a self,
        i: usize,
        buffer: &'a mut Vec<u8>,
    ) -> Result<Picture<'a>, DataError> {
        let (examples, i) = self.find(i);
        examples.picture(i, buffer)
    }

    /// The classes of example `i`, in ascending order: one, unless the labels are sets of classes.
    ///
    /// # Panics
    ///
    /// If `i` is not below [`Self::len`].
    #[must_use]
    pub fn classes(&self, i: usize) -> &[u32] {
        let (examples, i) = self.find(i);
        examples.classes(i)
    }

    /// Where a person finds example `i`.
    ///
    /// # Panics
    ///
    /// If `i` is not below [`Self::len`].
    #[must_use]
    pub fn place(&self, i: usize) -> Place {
        let (examples, i) = self.find(i);
        examples.place(i)
    }

    /// The source split that holds example `i`, and its index there.
    fn find(&self, i: usize) -> (&Examples, usize) {
        let i = self.chosen.as_ref().map_or(i, |chosen| chosen[i] as usize);
        let part = &self.parts[self.parts.partition_point(|part| part.end <= i)];
        (&part.examples, i.wrapping_add_signed(part.shift))
    }
}
