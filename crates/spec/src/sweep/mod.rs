//! The sweep file: what a person writes, and the checks that make it a [`Sweep`].
//!
//! Reading goes through TOML's spanned values rather than straight into structs, because a person
//! deserves all mistakes of a file at once, each at its bytes. A [`Sweep`] holds no invalid value;
//! the only way to one is [`Sweep::parse`], the only way on is [`Sweep::expand`].

mod axis;
mod budget;
mod candidates;
mod datasets;
mod error;
mod executor;
mod expand;
mod explain;
mod fits;
mod grid;
mod include;
mod jobs;
mod reader;
pub mod schema;
mod sections;
mod selection;
mod settings;
#[cfg(test)]
mod tests;
mod upstream;
mod values;

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use miette::NamedSource;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::augmentation::Augmentation;
use crate::dataset::DatasetDefinition;
use crate::executor::Executor;
use crate::job::Stage;
use crate::keep::Kept;
use crate::model::ModelSpec;
use datasets::DatasetPlaces;
use include::Included;
use reader::{Mistakes, Section};
use upstream::Origin;

pub use axis::{Axis, AxisValue};
pub use budget::{Budget, Limit, OverBudget, Resource};
pub use error::{Mistake, SweepErrors};
pub use expand::Expansion;
pub use explain::{ExplainError, Explained, Explanation};
pub use grid::Grid;
pub use jobs::{CheckpointIdentity, Found};
pub use selection::{Known, Pending, Selection};

/// What a sweep file may refer to outside itself.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The folder relative paths start from: the sweep file's own.
    pub base: &'a Path,
    /// Looks up an environment variable for `${NAME}` in paths.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// Reads another sweep file that this one includes.
    pub read: &'a dyn Fn(&Path) -> io::Result<String>,
    /// How many files include each other on the way here: 0.
    pub nested: usize,
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
    pub executor: Executor,
    /// What stays of its finished jobs, if it says so.
    pub keep: Option<Kept>,
    /// What it may take at the most.
    pub budget: Budget,
    models: BTreeMap<String, ModelSpec>,
    augmentations: BTreeMap<String, Augmentation>,
    /// Where a data set is defined: in which file, and at which bytes.
    dataset_places: BTreeMap<String, (usize, DatasetPlaces)>,
    /// The folder its relative paths start from.
    base: PathBuf,
    /// The texts of the files it includes, by their paths.
    included: BTreeMap<PathBuf, String>,
    /// The file itself first, then those it includes.
    sources: Vec<NamedSource<String>>,
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
        let include = section.get("include");
        let Included { mut sweeps, texts } = include::read(include, around, &mut mistakes)?;
        let [dataset, model, augmentation] =
            ["dataset", "model", "augmentation"].map(|key| section.get(key));
        let mut defined = Defined {
            models: sections::models(model, &mut mistakes),
            augmentations: sections::augmentations(augmentation, &mut mistakes),
            datasets: BTreeMap::new(),
            places: BTreeMap::new(),
            grids: Vec::new(),
            sources: vec![source],
        };
        for (name, read) in datasets::datasets(dataset, around, &mut mistakes) {
            defined.places.insert(name.clone(), (0, read.places));
            defined.datasets.insert(name, read.definition);
        }
        // Also those with mistakes of their own, because one slip should be reported once.
        let mut names = grid::Names {
            datasets: sections::defined(dataset),
            models: sections::defined(model),
            augmentations: sections::defined(augmentation),
        };
        for sweep in &mut sweeps {
            defined.take_in(sweep, include, &mut mistakes);
        }
        names.take_in(&sweeps);
        let tables = Stage::ALL.map(|stage| (stage, section.get(stage.name())));
        for (stage, value) in tables {
            for table in stage_tables(value) {
                let grid = Grid::read(stage, table, around.base, &names, &mut mistakes);
                defined.grids.extend(grid);
            }
        }
        defined.grids.sort_by_key(Grid::stage);
        let executor_section = section.get("executor");
        let is_model =
            |name: &str| ModelSpec::named(name).is_some() || names.models.contains(&name);
        let (executor, keep) = executor::read(executor_section, &is_model, &mut mistakes);
        let budget_section = section.get("budget");
        let budget = Budget::read(budget_section, &mut mistakes);
        if budget_section.is_none() {
            include::check_budgets(&sweeps, include, &mut mistakes);
        }
        section.finish(&mut mistakes);
        let at = executor_section.map(Spanned::span).unwrap_or_default();
        check_kept(&defined.grids, keep, at, &mut mistakes);
        if defined.grids.is_empty() && mistakes.is_empty() {
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
                let Defined { models, augmentations, mut datasets, mut places, grids, sources } =
                    defined;
                let used: Vec<&str> = grids.iter().flat_map(Grid::datasets).collect();
                datasets.retain(|name, _| used.contains(&name.as_str()));
                places.retain(|name, _| used.contains(&name.as_str()));
                Ok(Self {
                    name,
                    description,
                    datasets,
                    grids,
                    executor,
                    keep,
                    budget,
                    models,
                    augmentations,
                    dataset_places: places,
                    base: around.base.to_owned(),
                    included: texts,
                    sources,
                })
            }
            _ => Err(mistakes.into_errors(defined.sources.swap_remove(0))),
        }
    }

    /// The text of the file.
    #[must_use]
    pub fn text(&self) -> &str {
        self.sources[0].inner()
    }

    /// The folder its relative paths start from.
    #[must_use]
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// The texts of the files it includes, by their paths.
    #[must_use]
    pub fn included(&self) -> &BTreeMap<PathBuf, String> {
        &self.included
    }

    /// The files of parameters that its stages start from.
    pub fn checkpoints(&self) -> impl Iterator<Item = &Path> {
        let files = self.grids.iter().filter_map(|grid| match &grid.origin {
            Some(Origin::Files(files)) => Some(files),
            _ => None,
        });
        files.flatten().map(|file| file.path.as_path())
    }

    /// Whether any of its stages starts from jobs of another stage.
    #[must_use]
    pub fn has_upstream_jobs(&self) -> bool {
        self.grids.iter().any(|grid| matches!(grid.origin, Some(Origin::Jobs(_))))
    }

    /// The augmentation of this name: the sweep's own, or a preset.
    #[must_use]
    pub fn augmentation(&self, name: &str) -> Option<Augmentation> {
        self.augmentations.get(name).copied().or_else(|| Augmentation::preset(name))
    }

    /// Reports that data sets cannot be used, each at its place in the file. Those of one file at a
    /// time.
    #[must_use]
    pub fn unreadable(&self, faults: Vec<DatasetFault>) -> SweepErrors {
        let mut by_file: BTreeMap<usize, Mistakes> = BTreeMap::new();
        for DatasetFault { name, what, is_declaration } in faults {
            let Some((file, places)) = self.dataset_places.get(&name) else { continue };
            let declared = places.examples.clone().filter(|_| is_declaration);
            let label = if declared.is_some() { "declared here" } else { "named here" };
            let at = declared.unwrap_or_else(|| places.path.clone());
            let cannot = if is_declaration { "is not as declared" } else { "cannot be read" };
            let message = format!("data set `{name}` {cannot}: {what}");
            by_file.entry(*file).or_default().add(at, message, label, None);
        }
        self.first_of(by_file)
    }

    /// Reports that files of parameters cannot be used: (path, what is wrong).
    #[must_use]
    pub fn unusable(&self, faults: Vec<(PathBuf, String)>) -> SweepErrors {
        let mut by_file: BTreeMap<usize, Mistakes> = BTreeMap::new();
        for (path, what) in faults {
            let (file, at) = self.place_of(&path);
            let message = format!("`{}` cannot be started from: {what}", path.display());
            by_file.entry(file).or_default().add(at, message, "named here", None);
        }
        self.first_of(by_file)
    }

    fn place_of(&self, path: &Path) -> (usize, Range<usize>) {
        let place = self.grids.iter().find_map(|grid| {
            let Some(Origin::Files(files)) = &grid.origin else { return None };
            let file = files.iter().find(|file| file.path == path)?;
            Some((grid.file, file.span.clone()))
        });
        place.unwrap_or_default()
    }

    /// The mistakes of the first file that has any.
    fn first_of(&self, by_file: BTreeMap<usize, Mistakes>) -> SweepErrors {
        let (file, mistakes) = by_file.into_iter().next().unwrap_or_default();
        let source = self.sources.get(file).unwrap_or(&self.sources[0]);
        mistakes.into_errors(source.clone())
    }
}

/// What a file and those it includes define.
struct Defined {
    models: BTreeMap<String, ModelSpec>,
    augmentations: BTreeMap<String, Augmentation>,
    datasets: BTreeMap<String, DatasetDefinition>,
    places: BTreeMap<String, (usize, DatasetPlaces)>,
    grids: Vec<Grid>,
    sources: Vec<NamedSource<String>>,
}

impl Defined {
    /// Takes in what an included file defines and asks for.
    fn take_in(
        &mut self,
        sweep: &mut Sweep,
        at: Option<&Spanned<DeValue<'_>>>,
        mistakes: &mut Mistakes,
    ) {
        let first = self.sources.len();
        self.sources.append(&mut sweep.sources);
        include::merge(&mut self.models, sweep.models.clone(), "model", at, mistakes);
        let theirs = sweep.augmentations.clone();
        include::merge(&mut self.augmentations, theirs, "augmentation", at, mistakes);
        include::merge(&mut self.datasets, sweep.datasets.clone(), "data set", at, mistakes);
        for (name, (file, places)) in std::mem::take(&mut sweep.dataset_places) {
            self.places.entry(name).or_insert((first + file, places));
        }
        let grids = std::mem::take(&mut sweep.grids).into_iter();
        self.grids.extend(grids.map(|mut grid| {
            grid.file += first;
            grid
        }));
    }
}

/// Refuses a sweep that would not keep the parameters that its own jobs start from.
fn check_kept(grids: &[Grid], keep: Option<Kept>, at: Range<usize>, mistakes: &mut Mistakes) {
    let removed = grids.iter().find_map(|grid| {
        let Some(Origin::Jobs(rule)) = &grid.origin else { return None };
        keep.map(|keep| keep.of(rule.stage)).filter(|keep| !keep.last())
    });
    if let Some(keep) = removed {
        let message = format!("to keep `{keep}` removes what other jobs start from");
        let help = "they start from final parameters: `final` or `best-and-final`".to_owned();
        mistakes.add(at, message, "keeps no final parameters", Some(help));
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
