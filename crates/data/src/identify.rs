//! What a data set is to a job's identity, found by looking at its files.

use std::cell::RefCell;
use std::collections::BTreeMap;

use augreg_spec::{
    DatasetDefinition, DatasetIdentity, SourceRange, SplitIdentity, SplitName, Subset, SubsetSize,
};

use crate::DataError;
use crate::source::{Source, Sources};
use crate::subset;

/// Resolves the splits of a data set and hashes the source splits they use.
///
/// Reads every byte in use once: 55 MB of Fashion-MNIST take about 30 ms. What was found about
/// files that are read example by example is kept in the cache, and not read again until a file's
/// name, size or time of change is another.
///
/// # Errors
///
/// Any [`DataError`] about the files; [`DataError::Split`] if a split does not fit them;
/// [`DataError::Declared`] if a source split in use is not as large as declared, or one is not there.
pub fn identify(definition: &DatasetDefinition) -> Result<DatasetIdentity, DataError> {
    let source = &definition.source;
    let found = Sources::find(source)?;
    let available: Vec<_> = found.names().iter().map(|name| format!("`{name}`")).collect();
    let available = available.join(", ");
    for name in definition.declared.keys() {
        if !found.names().contains(&name.as_str()) {
            return Err(misdeclared(definition, name, "nothing".to_owned()));
        }
    }
    let (sources, failure) = (RefCell::default(), RefCell::default());
    let opened = Opened { definition, found, sources, failure };

    let mut splits = BTreeMap::new();
    for (&name, expression) in &definition.splits {
        let resolved = expression.resolve(|source| opened.count(source), &available);
        if let Some(failure) = opened.failure.take() {
            return Err(failure);
        }
        let ranges = resolved.map_err(|source| DataError::Split { split: name, source })?;
        let examples = ranges.iter().map(|range| range.to - range.from).sum();
        splits.insert(name, SplitIdentity { examples, ranges, subset: None });
    }
    let sources = opened.sources.into_inner();
    if let (Some(subset), Some(split)) = (&definition.subset, splits.get_mut(&SplitName::Train)) {
        take_part(split, subset, &sources)?;
    }

    let ranges = || splits.values().flat_map(|split| &split.ranges);
    let mut content = BTreeMap::new();
    let (mut classes, mut channels, mut format) = (0, 0, source.format);
    for (name, opened) in sources {
        if ranges().any(|range| range.source == name) {
            classes = classes.max(opened.classes(source.reading.classes)?);
            channels = source.reading.channels.unwrap_or(opened.channels());
            if !opened.has_channels(channels) {
                let what = format!(
                    "the pack `{name}` holds pixels that were decoded in another number of channels \
                     than {channels}: pack the pictures again, from a data set with \
                     `channels = {channels}`"
                );
                return Err(DataError::Column { path: source.path.clone(), what });
            }
            format = opened.origin().unwrap_or(format);
            content.insert(name, opened.content());
        }
    }
    Ok(DatasetIdentity { format, content, classes, channels, splits })
}

/// Reduces a split to a part of it.
fn take_part(
    split: &mut SplitIdentity,
    subset: &Subset,
    sources: &BTreeMap<String, Source>,
) -> Result<(), DataError> {
    let by_class = subset.stratified || matches!(subset.size, SubsetSize::PerClass(_));
    let used = |name: &str| split.ranges.iter().any(|range| range.source == name);
    let of_sets = |(name, source): &(&String, &Source)| used(name) && !source.has_single_labels();
    if by_class && sources.iter().any(|source| of_sets(&source)) {
        return Err(DataError::SubsetOfSets { split: SplitName::Train });
    }
    let classes: BTreeMap<_, _> =
        sources.iter().map(|(name, source)| (name.as_str(), source.subset_classes())).collect();
    let all = split.ranges.iter().flat_map(|SourceRange { from, source, to }| {
        classes[source.as_str()][*from as usize..*to as usize].iter().copied()
    });
    let all: Vec<u32> = all.collect();
    let (wanted, identity) = subset::identity(&all, subset);
    let available = all.len() as u64;
    if wanted == 0 || wanted > available || available > u32::MAX.into() {
        return Err(DataError::Subset { split: SplitName::Train, wanted, available });
    }
    split.examples = wanted;
    split.subset = Some(identity);
    Ok(())
}

fn misdeclared(definition: &DatasetDefinition, name: &str, found: String) -> DataError {
    DataError::Declared {
        folder: definition.source.path.clone(),
        source_split: name.to_owned(),
        declared: definition.declared.get(name).copied().unwrap_or_default(),
        found,
    }
}

/// The source splits asked for so far.
struct Opened<'a> {
    definition: &'a DatasetDefinition,
    found: Sources<'a>,
    sources: RefCell<BTreeMap<String, Source>>,
    /// What went wrong when one was opened.
    failure: RefCell<Option<DataError>>,
}

impl Opened<'_> {
    /// How many examples a source split holds; None if there is no such, or on failure.
    fn count(&self, name: &str) -> Option<u64> {
        let mut sources = self.sources.borrow_mut();
        if !sources.contains_key(name) {
            match self.open(name) {
                Ok(opened) => sources.insert(name.to_owned(), opened?),
                Err(error) => {
                    self.failure.replace(Some(error));
                    return None;
                }
            };
        }
        sources.get(name).map(Source::count)
    }

    /// Opens a source split, which must be as large as declared.
    fn open(&self, name: &str) -> Result<Option<Source>, DataError> {
        let opened = self.found.open(name)?;
        if let (Some(source), Some(declared)) = (&opened, self.definition.declared.get(name))
            && source.count() != *declared
        {
            let found = format!("{} examples", source.count());
            return Err(misdeclared(self.definition, name, found));
        }
        Ok(opened)
    }
}
