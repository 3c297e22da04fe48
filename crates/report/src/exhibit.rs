//! What figures and tables are before they are drawn: numbers, the runs behind them, what is missing.

use crate::Missing;

/// A figure or table of the report.
#[derive(Debug, Clone, PartialEq)]
pub struct Exhibit {
    /// Stem of its files and its anchor on the page: `figure6`.
    pub name: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What is shown and how it was chosen.
    pub about: String,
    /// The numbers.
    pub body: Body,
    /// What cannot be shown for want of runs.
    pub missing: Vec<Missing>,
}

/// The kinds of exhibits.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Points and lines between axes.
    Chart(Chart),
    /// Coloured cells, one grid below the other.
    Grids(Vec<Grid>),
    /// Numbers and words.
    Table(Table),
}

/// Points and lines, in one or more panels side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// Left to right.
    pub x: Axis,
    /// Bottom to top.
    pub y: Axis,
    /// The panels, all with the same axes and kinds of series.
    pub panels: Vec<Panel>,
}

/// What is along an edge of a chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// What it says.
    pub label: String,
    /// Name of its column in the data.
    pub column: &'static str,
    /// How its numbers are placed and written.
    pub kind: AxisKind,
}

/// How the numbers of an axis are placed and written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AxisKind {
    /// Evenly.
    Linear,
    /// By their logarithm.
    Log,
    /// Seconds by their logarithm, written as seconds, minutes, hours and days.
    LogSeconds,
    /// Places counted from 0, each with its own name of one or more lines.
    Places(Vec<String>),
}

/// One coordinate system.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Above it.
    pub title: String,
    /// What is in it.
    pub series: Vec<Series>,
    /// Whether the line of equal x and y is drawn.
    pub diagonal: bool,
}

/// Points that are alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What they have in common.
    pub name: String,
    /// How they are drawn.
    pub style: Style,
    /// From left to right where a line joins them.
    pub points: Vec<Point>,
}

/// How a series is drawn. Series of one name look the same in all panels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Number of its colour.
    pub colour: usize,
    /// Number of the shape of its points.
    pub marker: usize,
    /// Whether points are only an outline.
    pub hollow: bool,
    /// Whether a line joins the points.
    pub line: bool,
    /// Whether points are drawn at all.
    pub dots: bool,
}

/// One point, or one place of a band.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Point {
    /// Written beside it; may be empty.
    pub label: String,
    /// In the units of the axis.
    pub x: f64,
    /// In the units of the axis.
    pub y: f64,
    /// Lower and upper end of the band about it.
    pub band: Option<(f64, f64)>,
    /// Whether it is framed.
    pub framed: bool,
    /// The jobs that it is the result of, the most telling first.
    pub jobs: Vec<String>,
    /// How many runs it was chosen among or computed from.
    pub runs: usize,
    /// What else there is to say of it.
    pub note: String,
}

/// Coloured cells: rows against columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// Above it.
    pub title: String,
    /// What a row is: `model`.
    pub row_kind: &'static str,
    /// What a column is: `augmentation`.
    pub column_kind: &'static str,
    /// Names of the rows.
    pub rows: Vec<String>,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Row by row; none where there is no number.
    pub cells: Vec<Vec<Option<Number>>>,
}

/// A number and the runs behind it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Number {
    /// Per cent or points.
    pub value: f64,
    /// The jobs that it is the result of.
    pub jobs: Vec<String>,
    /// How many runs it was chosen among or computed from.
    pub runs: usize,
    /// What else there is to say of it.
    pub note: String,
}

/// Rows of numbers and words.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Names of the columns, and whether they hold numbers.
    pub columns: Vec<(String, bool)>,
    /// The rows.
    pub rows: Vec<Vec<TableCell>>,
}

/// What is in a table.
#[derive(Debug, Clone, PartialEq)]
pub enum TableCell {
    /// Words.
    Text(String),
    /// A number with so many decimals.
    Number(Number, usize),
    /// A job's id.
    Job(String),
    /// Nothing.
    Empty,
}

impl Axis {
    /// An axis with even steps.
    pub(crate) fn linear(label: impl Into<String>, column: &'static str) -> Self {
        Self { label: label.into(), column, kind: AxisKind::Linear }
    }

    /// A logarithmic axis.
    pub(crate) fn log(label: impl Into<String>, column: &'static str) -> Self {
        Self { label: label.into(), column, kind: AxisKind::Log }
    }
}

impl Style {
    /// Full points in the look of this number.
    pub(crate) fn points(number: usize) -> Self {
        Self { colour: number, marker: number, hollow: false, line: false, dots: true }
    }
}

impl Chart {
    /// Whether there is any point.
    pub(crate) fn has_points(&self) -> bool {
        self.panels.iter().flat_map(|panel| &panel.series).any(|series| !series.points.is_empty())
    }
}

impl Body {
    /// Whether there is any number.
    #[must_use]
    pub fn has_numbers(&self) -> bool {
        match self {
            Self::Chart(chart) => chart.has_points(),
            Self::Grids(grids) => {
                grids.iter().flat_map(|grid| &grid.cells).flatten().any(Option::is_some)
            }
            Self::Table(table) => !table.rows.is_empty(),
        }
    }
}
