//! Figure 4 of the study as data: augmentation × regularization against model, one per upstream.
//!
//! A cell is the validation accuracy at the end: the mean over seeds of the best setting of the
//! axes that the figure does not show (weight decay and the like). Its delta is taken to the cell
//! of the same model without augmentation and without regularization; the side column is the best
//! regularized cell of a row minus its best unregularized one (paper, Figure 4 and 7). What is not
//! complete is said to be so and never stands in for a value. Drawing lives elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use augreg_spec::Augmentation;
use augreg_store::Run;

use crate::JobRow;
use crate::label;
use crate::order::Order;
use crate::training::Training;

/// One heat map: the jobs of one data set and one budget.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatMap {
    /// What the imported table is called that it is drawn from; none for the study's own jobs.
    pub source: Option<String>,
    /// Name of the data set.
    pub dataset: String,
    /// The budget: passes over the training split.
    pub epochs: f64,
    /// Augmentations in the order of the presets, then the sweep's own by name; without
    /// regularization before with.
    pub columns: Vec<Column>,
    /// Models from few to many parameters.
    pub rows: Vec<HeatMapRow>,
}

/// A column: what a model was trained with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Column {
    /// Name of the augmentation.
    pub augmentation: String,
    /// Whether dropout or stochastic depth was on.
    pub regularized: bool,
}

/// A row: a model under every column.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatMapRow {
    /// Name of the model.
    pub model: String,
    /// Its parameters, where the store knows them.
    pub parameters: Option<u64>,
    /// One cell a column.
    pub cells: Vec<Cell>,
    /// Best regularized minus best unregularized cell, in points. Only where the row is complete
    /// and both sides hold the same augmentations.
    pub side: Option<f64>,
}

/// A cell of a heat map.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// No job was asked for.
    Empty,
    /// Some of its jobs have no result.
    Unfinished {
        /// Jobs with a result.
        done: usize,
        /// Jobs asked for.
        jobs: usize,
    },
    /// All of its jobs have a result.
    Done(Score),
}

/// The value of a complete cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// Validation accuracy in per cent.
    pub accuracy: f64,
    /// Difference to the cell `none`, not regularized, of the row, in points.
    pub delta: Option<f64>,
    /// Seeds that `accuracy` is the mean of.
    pub seeds: usize,
    /// Settings of which `accuracy` is the best.
    pub settings: usize,
    /// Jobs behind the cell: all settings and seeds.
    pub jobs: usize,
    /// The best setting, for a person.
    pub setting: String,
    /// The jobs that `accuracy` is the mean of; none where imported.
    pub from: Vec<String>,
}

/// The name of the augmentation that deltas are taken to.
pub(crate) const REFERENCE: &str = "none";

impl HeatMap {
    /// The heat maps of the pre-trainings among `jobs`, by name of the data set and then by budget.
    #[must_use]
    pub fn all(jobs: &[JobRow]) -> Vec<Self> {
        let own = jobs.iter().filter(|job| job.is_pretraining());
        by_upstream(&own.map(Training::of_job).collect::<Vec<_>>())
    }

    /// The heat maps of the imported rows among `runs`, by source, data set and budget.
    #[must_use]
    pub fn imported(runs: &[Run]) -> Vec<Self> {
        let mut seen = BTreeSet::new();
        let all: Vec<_> = runs
            .iter()
            .filter_map(Training::of_import)
            // A checkpoint has a row for each of its adaptations.
            .filter(|training| seen.insert(training.identity()))
            .collect();
        by_upstream(&all)
    }

    /// Whether a job is behind one of its cells.
    pub(crate) fn is_of(&self, job: &JobRow) -> bool {
        self.source.is_none()
            && job.is_pretraining()
            && job.dataset == self.dataset
            && job.epochs.total_cmp(&self.epochs).is_eq()
    }

    /// What the figure is about: `fashion, 3 epochs`.
    #[must_use]
    pub fn title(&self) -> String {
        let budget = format!("{}, {}", label::printable(&self.dataset), label::epochs(self.epochs));
        match &self.source {
            Some(source) => format!("{budget} ({})", label::printable(source)),
            None => budget,
        }
    }

    /// Names of the augmentations in column order.
    pub fn augmentations(&self) -> impl Iterator<Item = &str> {
        let names = self.columns.iter().map(|column| column.augmentation.as_str());
        names.clone().enumerate().filter_map(move |(at, name)| {
            let first = names.clone().position(|other| other == name) == Some(at);
            first.then_some(name)
        })
    }

    /// The cell of an augmentation; [`Cell::Empty`] when there is no such column.
    #[must_use]
    pub fn cell<'a>(&self, row: &'a HeatMapRow, augmentation: &str, regularized: bool) -> &'a Cell {
        let is_it = |column: &Column| {
            column.augmentation == augmentation && column.regularized == regularized
        };
        self.columns.iter().position(is_it).and_then(|at| row.cells.get(at)).unwrap_or(&Cell::Empty)
    }

    /// Regularized minus unregularized accuracy under one augmentation, in points: a cell of the
    /// paper's Figure 7.
    #[must_use]
    pub fn regularization_effect(&self, row: &HeatMapRow, augmentation: &str) -> Option<f64> {
        let with = self.cell(row, augmentation, true).score()?;
        let without = self.cell(row, augmentation, false).score()?;
        Some(with.accuracy - without.accuracy)
    }

    /// Every difference that is drawn in colour, in points.
    pub(crate) fn deltas(&self) -> impl Iterator<Item = f64> {
        self.rows
            .iter()
            .flat_map(|row| row.cells.iter().filter_map(|cell| cell.score()?.delta).chain(row.side))
    }
}

impl HeatMapRow {
    /// The accuracy of the row's best complete cell, in per cent.
    pub(crate) fn best(&self) -> Option<f64> {
        self.cells.iter().filter_map(|cell| Some(cell.score()?.accuracy)).reduce(f64::max)
    }
}

impl Cell {
    /// The value, if the cell is complete.
    #[must_use]
    pub fn score(&self) -> Option<&Score> {
        match self {
            Self::Done(score) => Some(score),
            Self::Empty | Self::Unfinished { .. } => None,
        }
    }

    /// Whether results are still to come.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        matches!(self, Self::Unfinished { .. })
    }
}

fn by_upstream(all: &[Training<'_>]) -> Vec<HeatMap> {
    let mut upstreams: BTreeMap<_, Vec<&Training<'_>>> = BTreeMap::new();
    for training in all {
        let key = (training.source, training.dataset, Order(training.epochs));
        upstreams.entry(key).or_default().push(training);
    }
    upstreams
        .into_iter()
        .map(|((source, dataset, epochs), all)| of(source, dataset, epochs.0, &all))
        .collect()
}

fn of(source: Option<&str>, dataset: &str, epochs: f64, all: &[&Training<'_>]) -> HeatMap {
    let columns = columns(all);
    let mut models: BTreeMap<&str, Vec<&Training<'_>>> = BTreeMap::new();
    for training in all {
        models.entry(training.model).or_default().push(training);
    }
    let mut rows: Vec<_> =
        models.into_iter().map(|(model, all)| row(model, &all, &columns)).collect();
    // Stable: models of one size stay in order of name, unknown sizes come last.
    rows.sort_by_key(|row| row.parameters.unwrap_or(u64::MAX));
    let (source, dataset) = (source.map(str::to_owned), dataset.to_owned());
    HeatMap { source, dataset, epochs, columns, rows }
}

fn columns(all: &[&Training<'_>]) -> Vec<Column> {
    let asked: BTreeSet<Column> = all.iter().map(|training| training.column()).collect();
    let mut columns: Vec<_> = asked.into_iter().collect();
    let rank = |name: &str| Augmentation::preset_names().position(|preset| preset == name);
    // Stable: columns of unknown augmentations stay in order of name.
    columns.sort_by_key(|column| rank(&column.augmentation).unwrap_or(usize::MAX));
    columns
}

fn row(model: &str, all: &[&Training<'_>], columns: &[Column]) -> HeatMapRow {
    let mut by_column: BTreeMap<Column, Vec<&Training<'_>>> = BTreeMap::new();
    for training in all {
        by_column.entry(training.column()).or_default().push(training);
    }
    let mut cells: Vec<_> = columns
        .iter()
        .map(|column| by_column.get(column).map_or(Cell::Empty, |all| cell(all)))
        .collect();

    let reference = columns
        .iter()
        .position(|column| column.augmentation == REFERENCE && !column.regularized)
        .and_then(|at| Some(cells[at].score()?.accuracy));
    for cell in &mut cells {
        if let Cell::Done(score) = cell {
            score.delta = reference.map(|reference| score.accuracy - reference);
        }
    }

    let parameters = all.iter().filter_map(|training| training.parameters).min();
    let side = side(columns, &cells);
    HeatMapRow { model: model.to_owned(), parameters, cells, side }
}

/// The seeds of one setting.
struct Seeds<'a> {
    setting: &'a Training<'a>,
    accuracies: Vec<f64>,
    jobs: Vec<&'a str>,
}

impl Seeds<'_> {
    fn mean(&self) -> f64 {
        self.accuracies.iter().sum::<f64>() / self.accuracies.len() as f64
    }
}

fn cell(all: &[&Training<'_>]) -> Cell {
    let done = all.iter().filter(|training| training.validation.is_some()).count();
    let mut settings: BTreeMap<[Order; 6], Seeds<'_>> = BTreeMap::new();
    for training in all {
        if let Some(accuracy) = training.validation {
            let new = || Seeds { setting: training, accuracies: Vec::new(), jobs: Vec::new() };
            let seeds = settings.entry(training.setting()).or_insert_with(new);
            seeds.accuracies.push(accuracy * 100.0);
            seeds.jobs.extend(training.id);
        }
    }
    let count = settings.len();
    let best = settings
        .into_values()
        .reduce(|best, next| if next.mean() > best.mean() { next } else { best });
    match best {
        Some(best) if done == all.len() => Cell::Done(Score {
            accuracy: best.mean(),
            delta: None,
            seeds: best.accuracies.len(),
            settings: count,
            jobs: done,
            setting: best.setting.describe(),
            from: best.jobs.into_iter().map(str::to_owned).collect(),
        }),
        _ => Cell::Unfinished { done, jobs: all.len() },
    }
}

fn side(columns: &[Column], cells: &[Cell]) -> Option<f64> {
    if cells.iter().any(Cell::is_unfinished) {
        return None;
    }
    let of = |regularized: bool| {
        columns
            .iter()
            .zip(cells)
            .filter(move |(column, _)| column.regularized == regularized)
            .filter_map(|(column, cell)| {
                Some((column.augmentation.as_str(), cell.score()?.accuracy))
            })
    };
    let names = |regularized| of(regularized).map(|(name, _)| name).collect::<Vec<_>>();
    if names(true) != names(false) {
        return None;
    }
    let best = |regularized| of(regularized).map(|(_, accuracy)| accuracy).reduce(f64::max);
    Some(best(true)? - best(false)?)
}
