//! What a data set is said to hold, for planning where its files are not.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::dataset::{DatasetDefinition, DatasetIdentity, Format, SplitIdentity, SplitName};
use crate::split::SplitError;
use crate::subset::{SubsetIdentity, SubsetSize};

/// What stands in an identity in the place of a hash of content that nobody has seen.
const DECLARED: &str = "declared";

/// Why counts that are declared do not make a data set.
#[derive(Debug, Error, Clone, PartialEq)]
pub enum DeclarationError {
    /// The number of classes or channels is not said, and the format does not tell.
    #[error("`{key}` must be declared as well, for the format `{format}` does not tell")]
    Missing {
        /// The key.
        key: &'static str,
        /// The format.
        format: &'static str,
    },
    /// A split is of a source split that nothing is declared of, or reaches beyond it.
    #[error("the split `{split}` does not fit the declared counts: {source}")]
    Split {
        /// Its name.
        split: &'static str,
        /// What is wrong with it.
        source: SplitError,
    },
    /// The part to learn from is empty or larger than what it is of.
    #[error("the subset should have {wanted} examples, of {available}")]
    Subset {
        /// How many were asked for.
        wanted: u64,
        /// How many there are.
        available: u64,
    },
}

impl DatasetDefinition {
    /// The data set as it would be if it held what is declared. Enough to count steps and price
    /// jobs, but no job is known by it: the content is not known.
    ///
    /// # Errors
    ///
    /// [`DeclarationError`] if too little is declared, or a split does not fit.
    pub fn declared_identity(&self) -> Result<DatasetIdentity, DeclarationError> {
        let (format, reading) = (self.source.format, &self.source.reading);
        let missing = |key| DeclarationError::Missing { key, format: format.name() };
        let classes = reading.classes.or(reading.label_map.map(crate::LabelMap::classes));
        let classes = classes.ok_or_else(|| missing("classes"))?;
        let usual = match format {
            Format::Idx => Some(1),
            Format::Cifar | Format::ImageFolder | Format::Webdataset | Format::Parquet => Some(3),
            Format::Npz | Format::Pack => None,
        };
        let channels = reading.channels.or(usual).ok_or_else(|| missing("channels"))?;
        let available: Vec<_> = self.declared.keys().map(|name| format!("`{name}`")).collect();
        let available = available.join(", ");
        let mut splits = BTreeMap::new();
        for (word, name) in SplitName::ALL {
            let Some(expression) = self.splits.get(&name) else { continue };
            let ranges = expression
                .resolve(|source| self.declared.get(source).copied(), &available)
                .map_err(|source| DeclarationError::Split { split: word, source })?;
            let examples = ranges.iter().map(|range| range.to - range.from).sum();
            splits.insert(name, SplitIdentity { examples, ranges, subset: None });
        }
        if let Some(split) = splits.get_mut(&SplitName::Train) {
            self.reduce(split, classes)?;
        }
        let used = |name: &&String| {
            let mut ranges = splits.values().flat_map(|split| &split.ranges);
            ranges.any(|range| range.source == **name)
        };
        let content = self.declared.keys().filter(used);
        let content = content.map(|name| (name.clone(), DECLARED.to_owned())).collect();
        Ok(DatasetIdentity { channels, classes, content, format, splits })
    }

    /// Takes the part of a split that is learnt from, with all classes as large as the part needs.
    fn reduce(&self, split: &mut SplitIdentity, classes: u32) -> Result<(), DeclarationError> {
        let Some(subset) = &self.subset else { return Ok(()) };
        let available = split.examples;
        let (per_class, wanted) = match subset.size {
            SubsetSize::PerClass(each) => {
                (Some(each), each.saturating_mul(classes.into()).min(available))
            }
            size => (None, size.of(available).unwrap_or(available)),
        };
        if wanted == 0 || wanted > available {
            return Err(DeclarationError::Subset { wanted, available });
        }
        split.examples = wanted;
        let (seed, stratified) = (subset.seed, subset.stratified);
        split.subset = Some(SubsetIdentity { per_class, seed, stratified });
        Ok(())
    }
}

impl DatasetIdentity {
    /// Whether nobody has seen the data: counts are as declared, and ids of jobs are none.
    #[must_use]
    pub fn is_declared(&self) -> bool {
        self.content.values().any(|content| content == DECLARED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{DataSource, Reading};
    use crate::subset::Subset;

    fn imagenet() -> DatasetDefinition {
        let reading = Reading { classes: Some(1000), ..Reading::default() };
        let splits = [
            (SplitName::Train, "train[:99%]"),
            (SplitName::Val, "train[99%:]"),
            (SplitName::Test, "validation"),
        ];
        DatasetDefinition {
            name: "i1k".to_owned(),
            source: DataSource { reading, ..DataSource::new(Format::ImageFolder, "/nowhere") },
            splits: splits.map(|(name, text)| (name, text.parse().expect("a split"))).into(),
            subset: None,
            declared: [("train".to_owned(), 1_281_167), ("validation".to_owned(), 50_000)].into(),
        }
    }

    #[test]
    fn imagenet_is_what_the_study_says_without_a_file_of_it() {
        let identity = imagenet().declared_identity().expect("declared");
        let counts = SplitName::ALL.map(|(_, split)| identity.examples(split));
        assert_eq!(counts, [1_268_355, 12_812, 50_000], "paper §3.1");
        assert_eq!((identity.classes, identity.channels), (1000, 3));
        assert!(identity.is_declared());
    }

    #[test]
    fn a_part_of_it_is_counted_as_of_the_data() {
        let of = |size| {
            let subset = Some(Subset { size, seed: 0, stratified: false });
            let identity = DatasetDefinition { subset, ..imagenet() }.declared_identity();
            identity.map(|identity| identity.examples(SplitName::Train))
        };
        assert_eq!(of(SubsetSize::Percent(10.0)), Ok(126_836), "126,835.5, and halves to even");
        assert_eq!(of(SubsetSize::PerClass(13)), Ok(13_000));
        let (wanted, available) = (2_000_000, 1_268_355);
        let beyond = Err(DeclarationError::Subset { wanted, available });
        assert_eq!(of(SubsetSize::Examples(wanted)), beyond);
    }

    #[test]
    fn too_little_is_said_to_be_too_little() {
        let mut unsaid = imagenet();
        unsaid.source.reading.classes = None;
        let text = unsaid.declared_identity().expect_err("no classes").to_string();
        assert!(text.contains("`classes` must be declared"), "{text}");
        let mut unsaid = imagenet();
        unsaid.declared.remove("validation");
        let text = unsaid.declared_identity().expect_err("no test split").to_string();
        assert!(text.contains("`test`") && text.contains("it has `train`"), "{text}");
    }
}
