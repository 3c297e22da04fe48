//! The sweep file: what a person writes, and the checks that make it a [`Sweep`].
//!
//! Reading goes through TOML's spanned values rather than straight into structs, because a person
//! deserves all mistakes of a file at once, each at its bytes. A [`Sweep`] holds no invalid value;
//! the only way to one is [`Sweep::parse`], the only way on is [`Sweep::expand`].

mod axis;
mod datasets;
mod error;
mod expand;
mod grid;
mod reader;
mod sections;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use miette::NamedSource;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::augmentation::Augmentation;
use crate::dataset::DatasetDefinition;
use crate::job::Stage;
use crate::keep::Keep;
use crate::model::ModelSpec;
use datasets::DatasetPlaces;
use reader::{Mistakes, Section};

pub use axis::{Axis, AxisValue};
pub use error::{Mistake, SweepErrors};
pub use expand::Expansion;
pub use grid::Grid;

/// What a sweep file may refer to outside itself.
pub struct Surroundings<'a> {
    /// The folder relative paths start from: the sweep file's own.
    pub base: &'a Path,
    /// Looks up an environment variable for `${NAME}` in paths.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

/// Where jobs run. Never part of a job's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutorKind {
    /// Worker processes on this machine.
    Local,
}

/// What is wrong with a data set, found by whoever looked at it.
#[derive(Debug, Clone)]
pub struct DatasetFault {
    /// Its name in the sweep file.
    pub name: String,
    /// What is wrong.
    pub what: String,
    /// Whether it is how many examples the file says it holds.
    pub is_declaration: bool,
}

/// A valid sweep file.
#[derive(Debug)]
pub struct Sweep {
    /// The sweep's name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The data sets its stages use, by name.
    pub datasets: BTreeMap<String, DatasetDefinition>,
    /// The grids, in file order.
    pub grids: Vec<Grid>,
    /// Where its jobs run.
    pub executor: ExecutorKind,
    /// What stays of its finished jobs, if it says so.
    pub keep: Option<Keep>,
    models: BTreeMap<String, ModelSpec>,
    augmentations: BTreeMap<String, Augmentation>,
    dataset_places: BTreeMap<String, DatasetPlaces>,
    source: NamedSource<String>,
}

impl Sweep {
    /// Reads and checks a sweep file; `file` names it in error messages.
    ///
    /// # Errors
    ///
    /// Every mistake in the file, in file order.
    pub fn parse(file: &str, text: &str, around: &Surroundings<'_>) -> Result<Self, SweepErrors> {
        let source = NamedSource::new(file, text.to_owned());
        let mut mistakes = Mistakes::default();
        let (root, syntax) = DeTable::parse_recoverable(text);
        for error in syntax {
            mistakes.syntax(&error);
        }
        if !mistakes.is_empty() {
            return Err(mistakes.into_errors(source));
        }
        let mut section = Section::root(&root);
        let name = section.required("name", &mut mistakes).and_then(|value| {
            let name = reader::text(value, "name", &mut mistakes)?;
            sections::check_name(name, value.span(), &mut mistakes)
        });
        let description = section
            .get("description")
            .and_then(|value| reader::text(value, "description", &mut mistakes))
            .map(str::to_owned);
        let [dataset, model, augmentation] =
            ["dataset", "model", "augmentation"].map(|key| section.get(key));
        let models = sections::models(model, &mut mistakes);
        let augmentations = sections::augmentations(augmentation, &mut mistakes);
        let definitions = datasets::datasets(dataset, around, &mut mistakes);
        let names = grid::Names {
            datasets: sections::defined(dataset),
            models: sections::defined(model),
            augmentations: sections::defined(augmentation),
        };
        let pretrain = section.get("pretrain");
        let noop = section.get("noop");
        let tables = [(Stage::Pretrain, pretrain), (Stage::Noop, noop)];
        let grids: Vec<Grid> = tables
            .into_iter()
            .flat_map(|(stage, value)| stage_tables(value).map(move |table| (stage, table)))
            .filter_map(|(stage, table)| Grid::read(stage, table, &names, &mut mistakes))
            .collect();
        let (executor, keep) = sections::executor(section.get("executor"), &mut mistakes);
        section.finish(&mut mistakes);
        if pretrain.is_none() && noop.is_none() && mistakes.is_empty() {
            let end = text.len().saturating_sub(1);
            mistakes.add(
                end..end,
                "the sweep has no stage",
                "nothing to run",
                Some("add a [pretrain] table".into()),
            );
        }
        match (name, mistakes.is_empty()) {
            (Some(name), true) => {
                let used: Vec<&str> = grids.iter().flat_map(Grid::datasets).collect();
                let (datasets, dataset_places) = definitions
                    .into_iter()
                    .filter(|(name, _)| used.contains(&name.as_str()))
                    .map(|(name, read)| ((name.clone(), read.definition), (name, read.places)))
                    .unzip();
                Ok(Self {
                    name,
                    description,
                    datasets,
                    grids,
                    executor,
                    keep,
                    models,
                    augmentations,
                    dataset_places,
                    source,
                })
            }
            _ => Err(mistakes.into_errors(source)),
        }
    }

    /// The text of the file.
    #[must_use]
    pub fn text(&self) -> &str {
        self.source.inner()
    }

    /// The augmentation of this name: the sweep's own, or a preset.
    #[must_use]
    pub fn augmentation(&self, name: &str) -> Option<Augmentation> {
        self.augmentations.get(name).copied().or_else(|| Augmentation::preset(name))
    }

    /// Reports that data sets cannot be used, each at its place in the file.
    #[must_use]
    pub fn unreadable(&self, faults: Vec<DatasetFault>) -> SweepErrors {
        let mut mistakes = Mistakes::default();
        for DatasetFault { name, what, is_declaration } in faults {
            let places = self.dataset_places.get(&name);
            let declared = places.and_then(|places| places.examples.clone());
            let (at, label) = match declared.filter(|_| is_declaration) {
                Some(at) => (at, "declared here"),
                None => {
                    (places.map(|places| places.path.clone()).unwrap_or_default(), "named here")
                }
            };
            let cannot = if is_declaration { "is not as declared" } else { "cannot be read" };
            mistakes.add(at, format!("data set `{name}` {cannot}: {what}"), label, None);
        }
        mistakes.into_errors(self.source.clone())
    }
}

/// A stage is a table, or an array of tables.
fn stage_tables<'a>(
    value: Option<&'a Spanned<DeValue<'a>>>,
) -> impl Iterator<Item = &'a Spanned<DeValue<'a>>> {
    let (one, many) = match value {
        Some(value) => match value.get_ref() {
            DeValue::Array(tables) => (None, Some(tables.iter())),
            _ => (Some(value), None),
        },
        None => (None, None),
    };
    one.into_iter().chain(many.into_iter().flatten())
}
