//! A data set in memory, checked against its identity, and its splits.

use std::collections::BTreeMap;
use std::sync::Arc;

use augreg_augment::ImageView;
use augreg_spec::{DataSource, DatasetIdentity, SplitIdentity, SplitName};

use crate::DataError;
use crate::source::{Examples, Source};

/// The images and labels of every split of a data set.
#[derive(Debug)]
pub struct Dataset {
    splits: BTreeMap<SplitName, Split>,
}

/// One split of a data set. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Split {
    parts: Arc<[Part]>,
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
        let mut sources = BTreeMap::new();
        for (name, planned) in &identity.content {
            let opened = Source::open(source.format, &source.path, name)?;
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
        let splits = splits.map(|(&name, split)| Ok((name, Split::new(name, split, &sources)?)));
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
    ) -> Result<Self, DataError> {
        let mut parts: Vec<Part> = Vec::new();
        let mut len = 0;
        for range in &identity.ranges {
            let found = sources.get(&range.source).map(Arc::clone);
            let count = found.as_ref().map_or(0, |examples| examples.shape().count as u64);
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
        let first = parts.first().ok_or(DataError::NoSplit { split: name })?;
        let channels = first.examples.shape().channels;
        Ok(Self { parts: parts.into(), len, channels })
    }

    /// How many examples it holds, at least 1.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a split without examples cannot be made")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Values a pixel: 1 or 3.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The image of example `i`.
    ///
    /// # Panics
    ///
    /// If `i` is not below [`Self::len`].
    #[must_use]
    pub fn image(&self, i: usize) -> ImageView<'_> {
        let (examples, i) = self.place(i);
        examples.image(i)
    }

    /// The label of example `i`.
    ///
    /// # Panics
    ///
    /// If `i` is not below [`Self::len`].
    #[must_use]
    pub fn label(&self, i: usize) -> u32 {
        let (examples, i) = self.place(i);
        examples.label(i)
    }

    /// The source split that holds example `i`, and its index there.
    fn place(&self, i: usize) -> (&Examples, usize) {
        let part = &self.parts[self.parts.partition_point(|part| part.end <= i)];
        (&part.examples, i.wrapping_add_signed(part.shift))
    }
}
