//! A sweep's grid as heat maps: what a cell says, what its colour is, and the tables themselves.
//!
//! A cell gathers all jobs of its row and column: runs that differ in their seed alone count with their
//! mean, and of settings that the grid does not show the best is shown. Unlike the report, which waits
//! for a cell to be whole, this one shows what there is so far and says how much is missing.

use std::collections::BTreeMap;

use augreg_report::scale_end;
use augreg_store::{CellGroup, StageAxes};
use maud::{Markup, html};

use crate::assets;
use crate::frame::scroll;
use crate::key::{Key, condition};
use crate::layout::Layout;
use crate::parameters::Parameters;
use crate::words::{count, number, printable};

/// Heat maps on one page.
const PANELS: usize = 24;

/// A grid as it was when it was counted.
#[derive(Debug)]
pub(crate) struct Grid {
    pub(crate) stages: Vec<StageAxes>,
    /// The stage that is shown; none: the sweep asks for no job.
    pub(crate) stage: Option<StageAxes>,
    pub(crate) layout: Layout,
    pub(crate) groups: Vec<CellGroup>,
}

/// What is in a cell.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Cell {
    jobs: u64,
    done: u64,
    running: u64,
    failed: u64,
    best: Option<f64>,
}

/// A heat map: keys of rows and columns, and the cells that there are.
struct Panel {
    rows: Vec<Vec<Key>>,
    columns: Vec<Vec<Key>>,
    cells: BTreeMap<(Vec<Key>, Vec<Key>), Cell>,
}

impl Grid {
    fn panels(&self) -> BTreeMap<Vec<Key>, Panel> {
        let axes = self.layout.axes();
        let split = self.layout.panels.len();
        let mut panels: BTreeMap<Vec<Key>, Panel> = BTreeMap::new();
        for group in &self.groups {
            let key: Vec<_> = axes
                .iter()
                .zip(&group.key)
                .map(|(axis, value)| Key::of(axis, value, group.parameters))
                .collect();
            let (panel, rest) = key.split_at(split);
            let (row, column) = rest.split_at(1);
            let new = || Panel { rows: vec![], columns: vec![], cells: BTreeMap::new() };
            let panel = panels.entry(panel.to_vec()).or_insert_with(new);
            let cell = panel.cells.entry((row.to_vec(), column.to_vec())).or_default();
            cell.jobs += group.jobs;
            cell.done += group.succeeded;
            cell.running += group.running;
            cell.failed += group.failed + group.cancelled;
            let better =
                |mean: &f64| cell.best.is_none_or(|best| self.layout.is_better(*mean, best));
            if let Some(mean) = group.mean.filter(better) {
                cell.best = Some(mean);
            }
        }
        for panel in panels.values_mut() {
            let distinct = |keys: Vec<Vec<Key>>| {
                let mut keys = keys;
                keys.sort();
                keys.dedup();
                keys
            };
            panel.rows = distinct(panel.cells.keys().map(|key| key.0.clone()).collect());
            panel.columns = distinct(panel.cells.keys().map(|key| key.1.clone()).collect());
        }
        panels
    }

    /// The heat maps of a sweep.
    pub(crate) fn render(&self, sweep: &str) -> Markup {
        let panels = self.panels();
        html! {
            @for (at, (key, panel)) in panels.iter().take(PANELS).enumerate() {
                (self.panel(sweep, at, key, panel))
            }
            @if panels.len() > PANELS {
                p.muted { "The first " (PANELS) " of " (panels.len()) " heat maps: choose other rows or columns to see the rest." }
            }
        }
    }

    fn panel(&self, sweep: &str, at: usize, key: &[Key], panel: &Panel) -> Markup {
        let names = self.layout.panels.iter().zip(key);
        let title: Vec<_> =
            names.map(|(axis, key)| format!("{axis} {}", printable(&key.text))).collect();
        let title = if title.is_empty() { self.layout.measure.clone() } else { title.join(", ") };
        let reference = Reference::of(&self.layout, panel);
        let filter = self.filter(sweep, &self.layout.panels, key);
        let table = html! {
            table.grid {
                caption { (title) ": " (self.layout.measure) @if self.layout.is_accuracy() { ", %" } ", colour " (reference.text()) }
                thead { (self.heads(panel)) }
                tbody {
                    @for row in &panel.rows {
                        tr {
                            th scope="row" { (printable(&row[0].text)) }
                            @for column in &panel.columns {
                                @match panel.cells.get(&(row.clone(), column.clone())) {
                                    None => td.none { },
                                    Some(cell) => {
                                        @let near = self.filter_more(&filter, row, column);
                                        (self.cell(cell, row, column, &reference, &near))
                                    },
                                }
                            }
                        }
                    }
                }
            }
        };
        scroll(&format!("panel-{at}"), &title, &table)
    }

    /// A row of headings an axis; neighbours of one value share a heading.
    fn heads(&self, panel: &Panel) -> Markup {
        let last = self.layout.columns.len() - 1;
        html! {
            @for (level, axis) in self.layout.columns.iter().enumerate() {
                tr {
                    th.corner scope="col" { @if level == last { (self.layout.rows) " \\ " } (axis) }
                    @for (key, width) in spans(&panel.columns, level) {
                        th scope=(if width > 1 { "colgroup" } else { "col" }) colspan=(width) { (printable(&key.text)) }
                    }
                }
            }
        }
    }

    fn cell(
        &self,
        cell: &Cell,
        row: &[Key],
        column: &[Key],
        reference: &Reference,
        near: &Parameters,
    ) -> Markup {
        let names: Vec<_> = row.iter().chain(column).map(|key| printable(&key.text)).collect();
        let best = cell.best.map(|best| self.layout.text(best));
        let told = format!(
            "{}: {}, {} of {} jobs done{}{}",
            names.join(", "),
            best.as_deref().unwrap_or("nothing yet"),
            count(cell.done),
            count(cell.jobs),
            if cell.running > 0 { format!(", {} running", cell.running) } else { String::new() },
            if cell.failed > 0 {
                format!(", {} failed or cancelled", cell.failed)
            } else {
                String::new()
            },
        );
        let place = cell.best.and_then(|best| Some((best - reference.at(row)?) / reference.scale));
        let place =
            place.map(|place| if self.layout.measure == "train_loss" { -place } else { place });
        let colour = match (cell.best, place) {
            (Some(_), place) => assets::colour(place.unwrap_or(0.0)),
            (None, _) => "todo".to_owned(),
        };
        let partial = if cell.done < cell.jobs { " part" } else { "" };
        let runs = if cell.running > 0 { " runs" } else { "" };
        html! {
            td class={ "cell " (colour) (partial) (runs) } {
                a href={ "/jobs" (near) } title=(told) aria-label=(told) {
                    @if let Some(best) = &best { (best) }
                    @if cell.done < cell.jobs { small { (count(cell.done)) "/" (count(cell.jobs)) } }
                    @if cell.failed > 0 { small.lost { "✕" (count(cell.failed)) } }
                }
            }
        }
    }

    /// What the jobs of a panel have in common, as filters of the table of jobs.
    fn filter(&self, sweep: &str, axes: &[String], keys: &[Key]) -> Parameters {
        let stage = self.stage.as_ref().map_or("", |stage| stage.stage.as_str());
        let begin =
            Parameters::default().and("sweep", sweep).and("where", condition("stage", stage));
        axes.iter().zip(keys).fold(begin, |all, (axis, key)| all.and("where", key.condition(axis)))
    }

    fn filter_more(&self, filter: &Parameters, row: &[Key], column: &[Key]) -> Parameters {
        let axes = std::iter::once(&self.layout.rows).chain(&self.layout.columns);
        let keys = row.iter().chain(column);
        axes.zip(keys)
            .fold(filter.clone(), |all, (axis, key)| all.and("where", key.condition(axis)))
    }
}

/// Neighbouring columns that agree down to a level, and how many they are.
fn spans(columns: &[Vec<Key>], level: usize) -> Vec<(&Key, usize)> {
    let mut spans: Vec<(&Key, usize)> = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        let joins = at > 0 && columns[at - 1][..=level] == column[..=level];
        match spans.last_mut() {
            Some(last) if joins => last.1 += 1,
            _ => spans.push((&column[level], 1)),
        }
    }
    spans
}

/// What colours are measured from.
struct Reference {
    /// By row, where there is one a row.
    rows: BTreeMap<Vec<Key>, f64>,
    /// The middle of all cells, where there is none.
    middle: Option<f64>,
    /// The difference that has the full colour.
    scale: f64,
    is_accuracy: bool,
}

impl Reference {
    fn of(layout: &Layout, panel: &Panel) -> Self {
        let plain = |column: &[Key]| {
            layout.columns.iter().zip(column).all(|(axis, key)| match axis.as_str() {
                "augmentation" => key.text == "none",
                "dropout" => key.size == 0.0,
                _ => false,
            })
        };
        let found = |((row, column), cell): (&(Vec<Key>, Vec<Key>), &Cell)| {
            plain(column).then_some((row.clone(), cell.best?))
        };
        let rows: BTreeMap<_, _> = panel.cells.iter().filter_map(found).collect();
        let mut all: Vec<f64> = panel.cells.values().filter_map(|cell| cell.best).collect();
        all.sort_by(f64::total_cmp);
        let has = panel.columns.iter().any(|column| plain(column));
        let middle = if has { None } else { all.get(all.len() / 2).copied() };
        let mut reference = Self { rows, middle, scale: 1.0, is_accuracy: layout.is_accuracy() };
        let far = |((row, _), cell): (&(Vec<Key>, Vec<Key>), &Cell)| {
            Some(cell.best? - reference.at(row)?)
        };
        let deltas: Vec<f64> = panel.cells.iter().filter_map(far).collect();
        reference.scale = if layout.is_accuracy() {
            scale_end(deltas.iter().map(|delta| delta * 100.0)) / 100.0
        } else {
            deltas.iter().map(|delta| delta.abs()).fold(f64::MIN_POSITIVE, f64::max)
        };
        reference
    }

    fn at(&self, row: &[Key]) -> Option<f64> {
        self.middle.or_else(|| self.rows.get(row).copied())
    }

    fn text(&self) -> String {
        let end = if self.is_accuracy {
            format!("±{} points", number(self.scale * 100.0))
        } else {
            format!("±{}", number(self.scale))
        };
        let from = if self.middle.is_some() {
            "the middle of all cells"
        } else {
            "none without dropout in the row"
        };
        format!("{end} from {from}")
    }
}

#[cfg(test)]
mod tests {
    use augreg_store::Value;

    use super::*;
    use crate::layout::Wanted;

    fn group(key: &[&str], mean: Option<f64>, jobs: u64, succeeded: u64) -> CellGroup {
        let key = key
            .iter()
            .map(|text| text.parse::<f64>().map_or_else(|_| Value::from(*text), Value::Real))
            .collect();
        let (running, failed, cancelled, parameters) = (1, 0, 0, 7);
        CellGroup { key, jobs, running, failed, cancelled, succeeded, parameters, mean }
    }

    fn grid(groups: Vec<CellGroup>) -> Grid {
        let varied = vec!["model", "augmentation", "dropout", "weight_decay"];
        let stage = StageAxes { stage: "pretrain".to_owned(), jobs: 9, varied };
        let layout = Layout::of(&stage, &Wanted::default());
        Grid { stages: vec![stage.clone()], stage: Some(stage), layout, groups }
    }

    #[test]
    fn a_cell_shows_the_best_setting_so_far_and_what_is_missing() {
        let grid = grid(vec![
            group(&["Ti", "none", "0"], Some(0.8), 2, 2),
            group(&["Ti", "light1", "0.1"], Some(0.7), 2, 2),
            group(&["Ti", "light1", "0.1"], Some(0.9), 2, 1),
            group(&["Ti", "medium1", "0.1"], None, 4, 0),
        ]);
        assert_eq!(grid.layout.columns, ["augmentation", "dropout"]);
        let html = grid.render("s").into_string();
        assert!(html.contains("Ti, light1, 0.1: 90.0, 3 of 4 jobs done, 2 running"), "{html}");
        assert!(html.contains("nothing yet, 0 of 4 jobs done"), "{html}");
        assert!(html.contains("cell gain20 part"), "{html}");
        assert!(html.contains("/jobs?sweep=s&amp;where=stage%3Dpretrain&amp;where=model%3DTi&amp;where=augmentation%3Dlight1&amp;where=dropout%3D0.1"), "{html}");
    }

    #[test]
    fn names_that_look_like_markup_stay_names() {
        let html =
            grid(vec![group(&["<script>alert(1)</script>", "\"><b>", "0"], Some(0.5), 1, 1)])
                .render("<s>");
        let html = html.into_string();
        assert!(
            !html.contains("<script>") && !html.contains("<b>") && !html.contains("<s>"),
            "{html}"
        );
    }
}
