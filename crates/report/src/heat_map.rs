//! Figure 4 of the study as data: augmentation × regularization against model, one per upstream.
//!
//! A cell is the validation accuracy at the end: the mean over seeds of the best setting of the
//! axes that the figure does not show (weight decay and the like). Its delta is taken to the cell
//! of the same model without augmentation and without regularization; the side column is the best
//! regularized cell of a row minus its best unregularized one (paper, Figure 4 and 7). What is not
//! complete is said to be so and never stands in for a value. Drawing lives elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use augreg_spec::Augmentation;

use crate::JobRow;
use crate::label;

/// One heat map: the jobs of one data set and one budget.
#[derive(Debug, Clone, PartialEq)]
pub struct HeatMap {
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
}

/// The name of the augmentation that deltas are taken to.
pub(crate) const REFERENCE: &str = "none";

impl HeatMap {
    /// The heat maps of `jobs`, by name of the data set and then by budget.
    #[must_use]
    pub fn all(jobs: &[JobRow]) -> Vec<Self> {
        let mut upstreams: BTreeMap<(&str, Order), Vec<&JobRow>> = BTreeMap::new();
        for job in jobs {
            upstreams.entry((&job.dataset, Order(job.epochs))).or_default().push(job);
        }
        upstreams
            .into_iter()
            .map(|((dataset, epochs), jobs)| of(dataset, epochs.0, &jobs))
            .collect()
    }

    /// What the figure is about: `fashion, 3 epochs`.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{}, {}", label::printable(&self.dataset), label::epochs(self.epochs))
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

/// A number as a key: ordered, and equal to itself.
#[derive(Debug, Clone, Copy)]
struct Order(f64);

impl Ord for Order {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Order {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Order {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Order {}

fn of(dataset: &str, epochs: f64, jobs: &[&JobRow]) -> HeatMap {
    let columns = columns(jobs);
    let mut models: BTreeMap<&str, Vec<&JobRow>> = BTreeMap::new();
    for job in jobs {
        models.entry(&job.model).or_default().push(job);
    }
    let mut rows: Vec<_> =
        models.into_iter().map(|(model, jobs)| row(model, &jobs, &columns)).collect();
    // Stable: models of one size stay in order of name, unknown sizes come last.
    rows.sort_by_key(|row| row.parameters.unwrap_or(u64::MAX));
    HeatMap { dataset: dataset.to_owned(), epochs, columns, rows }
}

fn columns(jobs: &[&JobRow]) -> Vec<Column> {
    let asked: BTreeSet<Column> = jobs.iter().map(|job| column_of(job)).collect();
    let mut columns: Vec<_> = asked.into_iter().collect();
    let rank = |name: &str| Augmentation::preset_names().position(|preset| preset == name);
    // Stable: columns of unknown augmentations stay in order of name.
    columns.sort_by_key(|column| rank(&column.augmentation).unwrap_or(usize::MAX));
    columns
}

fn column_of(job: &JobRow) -> Column {
    Column { augmentation: job.augmentation.clone(), regularized: job.is_regularized() }
}

fn row(model: &str, jobs: &[&JobRow], columns: &[Column]) -> HeatMapRow {
    let mut by_column: BTreeMap<Column, Vec<&JobRow>> = BTreeMap::new();
    for job in jobs {
        by_column.entry(column_of(job)).or_default().push(job);
    }
    let mut cells: Vec<_> = columns
        .iter()
        .map(|column| by_column.get(column).map_or(Cell::Empty, |jobs| cell(jobs)))
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

    let parameters = jobs.iter().filter_map(|job| job.parameters).min();
    let side = side(columns, &cells);
    HeatMapRow { model: model.to_owned(), parameters, cells, side }
}

fn cell(jobs: &[&JobRow]) -> Cell {
    let done = jobs.iter().filter(|job| job.validation().is_some()).count();
    let mut settings: BTreeMap<[Order; 6], (&JobRow, Vec<f64>)> = BTreeMap::new();
    for job in jobs {
        if let Some(accuracy) = job.validation() {
            settings.entry(setting(job)).or_insert((job, Vec::new())).1.push(accuracy * 100.0);
        }
    }
    let count = settings.len();
    let best = settings
        .into_values()
        .map(|(job, seeds)| (seeds.iter().sum::<f64>() / seeds.len() as f64, seeds.len(), job))
        .reduce(|best, next| if next.0 > best.0 { next } else { best });
    match best {
        Some((accuracy, seeds, job)) if done == jobs.len() => Cell::Done(Score {
            accuracy,
            delta: None,
            seeds,
            settings: count,
            jobs: done,
            setting: describe(job),
        }),
        _ => Cell::Unfinished { done, jobs: jobs.len() },
    }
}

/// What tells the settings within a cell apart, seeds aside.
fn setting(job: &JobRow) -> [Order; 6] {
    [
        job.dropout,
        job.stochastic_depth,
        job.weight_decay,
        job.learning_rate,
        job.batch_size as f64,
        job.resolution as f64,
    ]
    .map(Order)
}

fn describe(job: &JobRow) -> String {
    let rest = format!("weight decay {}, learning rate {}", job.weight_decay, job.learning_rate);
    if job.is_regularized() {
        format!("regularization {}, {rest}", label::regularization(job))
    } else {
        rest
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
