//! How a sweep's grid is laid out: which of its axes are rows, columns and heat maps of their own.

use augreg_store::{AXES, MEASURES, StageAxes};
use maud::{Markup, html};

use crate::grid::Grid;
use crate::parameters::Parameters;
use crate::words::number;

/// How a person wants a grid laid out; what is not said is chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wanted {
    pub(crate) stage: Option<String>,
    pub(crate) rows: Option<String>,
    pub(crate) columns: Option<String>,
    pub(crate) measure: Option<String>,
}

impl Wanted {
    pub(crate) fn of(parameters: &Parameters) -> Self {
        let get = |name| parameters.get(name).map(str::to_owned);
        let [stage, rows, columns, measure] = ["stage", "rows", "columns", "measure"].map(get);
        Self { stage, rows, columns, measure }
    }
}

/// Which axes go where. Names are columns of `v_jobs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) panels: Vec<String>,
    pub(crate) rows: String,
    pub(crate) columns: Vec<String>,
    pub(crate) measure: String,
}

impl Layout {
    pub(crate) fn of(stage: &StageAxes, wanted: &Wanted) -> Self {
        let varies = |axis: &&str| stage.varied.contains(axis);
        let rows = wanted.rows.clone().unwrap_or_else(|| "model".to_owned());
        let columns = match &wanted.columns {
            Some(axis) => vec![axis.clone()],
            None => columns(stage, &rows),
        };
        let used = |axis: &&str| rows == **axis || columns.iter().any(|known| known == axis);
        let panels = ["dataset", "epochs", "resolution"].into_iter();
        let panels = panels.filter(varies).filter(|axis| !used(axis)).map(str::to_owned).collect();
        let usual = if stage.stage == "throughput" { "images_per_second" } else { MEASURES[0] };
        let measure = wanted.measure.clone().unwrap_or_else(|| usual.to_owned());
        Self { panels, rows, columns, measure }
    }

    /// Panels, rows and columns, in the order in which a group's key has them.
    pub(crate) fn axes(&self) -> Vec<&str> {
        let rows = std::iter::once(&self.rows);
        self.panels.iter().chain(rows).chain(&self.columns).map(String::as_str).collect()
    }

    /// Whether a cell shows one number rather than another.
    pub(crate) fn is_better(&self, one: f64, than: f64) -> bool {
        if self.measure == "train_loss" { one < than } else { one > than }
    }

    /// Whether what is shown lies in [0, 1] and is read in per cent.
    pub(crate) fn is_accuracy(&self) -> bool {
        self.measure.ends_with("val") || self.measure.ends_with("test")
    }

    /// A number as a cell shows it.
    pub(crate) fn text(&self, value: f64) -> String {
        if self.is_accuracy() { format!("{:.1}", 100.0 * value) } else { number(value) }
    }
}

/// The columns of the paper's figure where there are its axes, else the first axis that varies.
fn columns(stage: &StageAxes, rows: &str) -> Vec<String> {
    let free = |axis: &&&str| **axis != rows && stage.varied.contains(*axis);
    let usual: &[&str] = match stage.stage.as_str() {
        "transfer" => &["learning_rate", "steps"],
        _ => &["augmentation", "dropout"],
    };
    let mut columns: Vec<_> = usual.iter().filter(free).map(|axis| (*axis).to_owned()).collect();
    if columns.is_empty() {
        let others = stage.varied.iter().filter(|axis| !["dataset", "epochs"].contains(*axis));
        let first = others.copied().find(|axis| *axis != rows).unwrap_or("augmentation");
        columns.push(first.to_owned());
    }
    columns
}

/// The form that lays a grid out in another way.
pub(crate) fn choices(grid: &Grid, sweep: &str) -> Markup {
    let stage = grid.stage.as_ref().map_or("", |stage| stage.stage.as_str());
    let varied: Vec<&str> = AXES
        .into_iter()
        .filter(|axis| {
            let stage = grid.stage.as_ref();
            stage.is_some_and(|stage| stage.varied.contains(axis)) || *axis == "model"
        })
        .collect();
    let columns = grid.layout.columns.join(", ");
    let select = |name: &str, label: &str, chosen: &str, all: &[&str], usual: Option<&str>| {
        html! {
            label { (label) " "
                select name=(name) {
                    @if let Some(usual) = usual { option value="" { (usual) } }
                    @for one in all { option value=(one) selected[*one == chosen && usual.is_none_or(|usual| usual != chosen)] { (one) } }
                }
            }
        }
    };
    html! {
        form.line action="/sweep" method="get" {
            input type="hidden" name="name" value=(sweep);
            @let stages: Vec<_> = grid.stages.iter().map(|stage| stage.stage.as_str()).collect();
            @if stages.len() > 1 { (select("stage", "Stage", stage, &stages, None)) }
            (select("rows", "Rows", &grid.layout.rows, &varied, None))
            (select("columns", "Columns", &columns, &varied, (grid.layout.columns.len() > 1).then_some(&*columns)))
            (select("measure", "Shown", &grid.layout.measure, &MEASURES, None))
            button { "Lay out" }
        }
    }
}
