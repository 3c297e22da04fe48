//! A heat map as SVG, drawn element by element.
//!
//! No chart crate gives this picture: what is needed is a grid of labelled rectangles, so it is
//! written as such: colours for light and dark side by side (`fill` holds the light one, `--f` and
//! `--k` the dark ones that the style sheet switches to), a `<title>` for each cell, and a layout that
//! measures its labels. What has axes is drawn by plotters (`chart_svg`).

use std::collections::BTreeSet;

use maud::{Markup, PreEscaped, html};

use crate::colour::{Rgb, Theme, diverging};
use crate::label::{self, percent, points, printable, shorten};
use crate::{Cell, Column, HeatMap, HeatMapRow, Score};

/// The style sheet of every heat map; once in a page, once in each SVG file.
pub(crate) const STYLE: &str = include_str!("assets/figure.css");

const ROW: usize = 30;
/// Between cells, in both directions.
const GAP: usize = 2;
/// Between augmentations, beside [`GAP`].
const GROUP_GAP: usize = 5;
const SIDE: usize = 88;
const TOP: usize = 78;
const LEGEND: usize = 104;
/// Terminal columns of the longest label that is shown whole.
const LONGEST_NAME: usize = 24;
/// Room for one terminal column of a label, in pixels.
const LETTER: usize = 8;

/// Where things are, in pixels.
struct Layout {
    /// Right edge of the models' names.
    names: usize,
    /// Left edge of each column.
    columns: Vec<usize>,
    /// Width of a cell.
    cell: usize,
    /// Left edge of the side column.
    side: usize,
    has_side: bool,
    width: usize,
    height: usize,
}

impl Layout {
    fn of(map: &HeatMap) -> Self {
        let longest = |names: &mut dyn Iterator<Item = &str>| {
            names.map(|name| label::width(&shorten(name, LONGEST_NAME))).max().unwrap_or(0)
        };
        let names = 18 + LETTER * longest(&mut map.rows.iter().map(|row| row.model.as_str()));
        let has = |on| map.columns.iter().any(|column| column.regularized == on);
        let has_side = has(true) && has(false);
        let cell = map
            .augmentations()
            .map(|name| {
                (LETTER * longest(&mut std::iter::once(name)) + 8).div_ceil(span(map, name).len())
            })
            .fold(52, usize::max);

        let mut columns = Vec::new();
        let mut next = names + 10;
        for name in map.augmentations() {
            for _ in span(map, name) {
                columns.push(next);
                next += cell + GAP;
            }
            next += GROUP_GAP;
        }
        let side = next + 8;
        let right = if has_side { side + SIDE } else { next };
        let height = TOP + ROW * map.rows.len() + LEGEND;
        Self { names, columns, cell, side, has_side, width: (right + 16).max(470), height }
    }
}

fn y(row: usize) -> usize {
    TOP + ROW * row
}

/// The width that the figure is drawn for, in pixels.
pub(crate) fn natural_width(map: &HeatMap) -> usize {
    Layout::of(map).width
}

/// The heat map as an SVG file of its own.
pub(crate) fn standalone(map: &HeatMap, scale: f64) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}\n",
        figure(map, scale, "f4", true, &BTreeSet::new()).0
    )
}

/// The heat map as an element; `id` starts the ids in it. `scale` is the delta in points of the
/// full colours.
/// `linked` are the jobs that the page can be sent to.
pub(crate) fn figure(
    map: &HeatMap,
    scale: f64,
    id: &str,
    styled: bool,
    linked: &BTreeSet<&str>,
) -> Markup {
    let at = Layout::of(map);
    let (title, description, hatch) =
        (format!("{id}-title"), format!("{id}-desc"), format!("{id}-hatch"));
    html! {
        svg xmlns="http://www.w3.org/2000/svg" class="f4" role="img"
            viewBox={ "0 0 " (at.width) " " (at.height) } width=(at.width) height=(at.height)
            aria-labelledby={ (title) " " (description) } {
            title id=(title) {
                "Validation accuracy by model, augmentation and regularization: " (map.title())
            }
            desc id=(description) { (describe(map)) }
            @if styled { style { (PreEscaped(STYLE)) } }
            defs {
                pattern id=(hatch) width="6" height="6" patternUnits="userSpaceOnUse"
                    patternTransform="rotate(45)" {
                    rect class="u" width="6" height="6" {}
                    line class="h" x1="0" y1="0" x2="0" y2="6" stroke="#9aa2ac" {}
                }
            }
            rect class="bg" width=(at.width) height=(at.height) fill="#ffffff" {}
            text class="t" x="14" y="24" { (shorten(&map.title(), at.width / 9)) }
            (headings(map, &at))
            @for (index, row) in map.rows.iter().enumerate() {
                (self::row(map, row, index, &at, scale, (&hatch, linked)))
            }
            (legend(map, scale, &hatch))
        }
    }
}

fn headings(map: &HeatMap, at: &Layout) -> Markup {
    html! {
        @for name in map.augmentations() {
            @let span = span(map, name);
            @let (from, to) = (at.columns[span.start], at.columns[span.end - 1] + at.cell);
            g {
                title { (printable(name)) }
                text class="n c" x=(usize::midpoint(from, to)) y="48" { (shorten(name, LONGEST_NAME)) }
                line class="l" x1=(from) x2=(to) y1="55.5" y2="55.5" {}
            }
        }
        @for (index, column) in map.columns.iter().enumerate() {
            text class="s m c" x=(at.columns[index] + at.cell / 2) y="70" {
                (label::regularized(column.regularized))
            }
        }
        @if at.has_side {
            text class="s m c" x=(at.side + SIDE / 2) y="52" { "best reg" }
            text class="s m c" x=(at.side + SIDE / 2) y="68" { "− best no reg" }
        }
    }
}

/// The columns of an augmentation.
fn span(map: &HeatMap, augmentation: &str) -> std::ops::Range<usize> {
    let is_it = |column: &Column| column.augmentation == augmentation;
    let start = map.columns.iter().position(is_it).unwrap_or(0);
    let end = map.columns.iter().rposition(is_it).map_or(start, |last| last + 1);
    start..end
}

fn row(
    map: &HeatMap,
    row: &HeatMapRow,
    index: usize,
    at: &Layout,
    scale: f64,
    (hatch, linked): (&str, &BTreeSet<&str>),
) -> Markup {
    let top = y(index);
    let best = row.best().map(percent);
    html! {
        g {
            title { (model(row)) }
            text class="n e" x=(at.names) y=(top + 20) { (shorten(&row.model, LONGEST_NAME)) }
        }
        @for (index, cell) in row.cells.iter().enumerate() {
            @let column = &map.columns[index];
            @let place = Place { x: at.columns[index], y: top, width: at.cell };
            @let tooltip = tooltip(row, column, cell);
            @match cell {
                Cell::Empty => g { title { (tooltip) } (place.rect("bg", "#ffffff")) },
                Cell::Unfinished { done, jobs } => (unfinished(&place, *done, *jobs, hatch, &tooltip)),
                Cell::Done(score) => {
                    @let is_best = best.as_ref() == Some(&percent(score.accuracy));
                    @let drawn = value(&place, score.delta, scale, &percent(score.accuracy), is_best, &tooltip);
                    (of_jobs(&drawn, &score.from, linked))
                    @if is_reference(column) { (outline(&place)) }
                },
            }
        }
        @if at.has_side {
            @let place = Place { x: at.side, y: top, width: SIDE };
            @match row.side {
                Some(side) => (value(&place, Some(side), scale, &points(side), false, &side_tooltip(row))),
                None => g {
                    title { (side_tooltip(row)) }
                    text class="n m c" x=(at.side + SIDE / 2) y=(top + 19) { "–" }
                },
            }
        }
    }
}

/// A drawing that says which jobs it is of, and leads to the first that has a row on the page.
fn of_jobs(drawn: &Markup, jobs: &[String], linked: &BTreeSet<&str>) -> Markup {
    let names: Vec<_> = jobs.iter().map(|job| printable(job)).collect();
    html! {
        @match jobs.iter().find(|job| linked.contains(job.as_str())) {
            Some(job) => a href={ "#job-" (printable(job)) } data-jobs=(names.join(" ")) { (drawn) },
            None if jobs.is_empty() => (drawn),
            None => g data-jobs=(names.join(" ")) { (drawn) },
        }
    }
}

/// A rectangle of one row's height.
struct Place {
    x: usize,
    y: usize,
    width: usize,
}

impl Place {
    fn rect(&self, class: &str, fill: &str) -> Markup {
        html! {
            rect class=(class) x=(self.x) y=(self.y) width=(self.width) height=(ROW - GAP) fill=(fill) {}
        }
    }
}

/// A hatched rectangle that says how many of its jobs are done.
fn unfinished(at: &Place, done: usize, jobs: usize, hatch: &str, tooltip: &str) -> Markup {
    let text = shorten(&format!("{done}/{jobs}"), 7);
    let width = 8 + LETTER * label::width(&text);
    let middle = at.x + at.width / 2;
    html! {
        g {
            title { (tooltip) }
            (at.rect("x", &format!("url(#{hatch})")))
            rect class="u" x=(middle - width / 2) y=(at.y + 6) width=(width) height=(ROW - GAP - 12)
                rx="3" fill="#ffffff" {}
            text class="s m c" x=(middle) y=(at.y + 18) { (text) }
        }
    }
}

/// The frame of the cell that deltas are taken to.
fn outline(at: &Place) -> Markup {
    html! {
        rect class="r" x={ (at.x) ".75" } y={ (at.y) ".75" } width={ (at.width - 2) ".5" }
            height={ (ROW - GAP - 2) ".5" } fill="none" stroke="#1b1f24" {}
    }
}

/// A coloured rectangle with a number on it.
fn value(
    at: &Place,
    delta: Option<f64>,
    scale: f64,
    text: &str,
    bold: bool,
    tooltip: &str,
) -> Markup {
    let [light, dark] = [Theme::Light, Theme::Dark]
        .map(|theme| diverging(delta.map_or(0.0, |delta| delta / scale), theme));
    let ink = if light.ink() == Rgb(0, 0, 0) { "k" } else { "w" };
    html! {
        g class="v" style={ "--f:" (dark.hex()) ";--k:" (dark.ink().hex()) } {
            title { (tooltip) }
            (at.rect("f", &light.hex()))
            text class={ "n c " (ink) @if bold { " b" } } x=(at.x + at.width / 2) y=(at.y + 19)
                fill=(light.ink().hex()) { (text) }
        }
    }
}

fn legend(map: &HeatMap, scale: f64, hatch: &str) -> Markup {
    const STEPS: i32 = 40;
    const STEP: i32 = 5;
    let top = y(map.rows.len()) + 22;
    let width = (STEPS + 1) * STEP;
    let has = |wanted: fn(&Cell) -> bool| map.rows.iter().flat_map(|row| &row.cells).any(wanted);
    html! {
        @for step in 0..=STEPS {
            @let position = f64::from(step * 2 - STEPS) / f64::from(STEPS);
            @let [light, dark] = [Theme::Light, Theme::Dark].map(|theme| diverging(position, theme));
            g class="v" style={ "--f:" (dark.hex()) } {
                rect x=(14 + step * STEP) y=(top) width=(STEP + i32::from(step < STEPS)) height="12"
                    shape-rendering="crispEdges" fill=(light.hex()) {}
            }
        }
        text class="s m" x="14" y=(top + 26) { (points(-scale)) }
        text class="s m c" x=(14 + width / 2) y=(top + 26) { "0" }
        text class="s m e" x=(14 + width) y=(top + 26) { (points(scale)) }
        text class="s" x=(28 + width) y=(top + 5) { "points of validation accuracy against" }
        text class="s" x=(28 + width) y=(top + 20) { "“none, no reg” of the same model" }
        rect class="r" x="14.75" y=(top + 40) width="16" height="12" fill="none" {}
        text class="s m" x="38" y=(top + 50) { "reference" }
        text class="s m b" x="108" y=(top + 50) { "bold" }
        text class="s m" x="138" y=(top + 50) { "best of the row, in %" }
        @if has(Cell::is_unfinished) {
            rect x="272" y=(top + 40) width="18" height="12" fill={ "url(#" (hatch) ")" } {}
            text class="s m" x="296" y=(top + 50) { "not finished (jobs done/all)" }
        }
        @if has(|cell| *cell == Cell::Empty) {
            text class="s m" x="14" y=(top + 67) { "Blank cells are not in the grid." }
        }
    }
}

fn is_reference(column: &Column) -> bool {
    column.augmentation == crate::heat_map::REFERENCE && !column.regularized
}

/// A row's label in full.
pub(crate) fn model(row: &HeatMapRow) -> String {
    let name = printable(&row.model);
    row.parameters.map_or_else(|| name.to_string(), |count| format!("{name}: {count} parameters"))
}

/// Everything there is to say about a cell.
pub(crate) fn tooltip(row: &HeatMapRow, column: &Column, cell: &Cell) -> String {
    let place = format!(
        "{}, {}, {}",
        printable(&row.model),
        printable(&column.augmentation),
        label::regularized(column.regularized)
    );
    match cell {
        Cell::Empty => format!("{place}: no job asked for"),
        Cell::Unfinished { done, jobs } => format!("{place}: {done} of {jobs} jobs finished"),
        Cell::Done(score) => format!("{place}: {}", worth(score)),
    }
}

fn worth(score: &Score) -> String {
    let delta = score.delta.map_or_else(
        || "no reference to compare with".to_owned(),
        |delta| format!("{} points against none, no reg", points(delta)),
    );
    let seeds = label::count(score.seeds, "seed");
    let jobs = label::short_ids(&score.from);
    let chosen = if score.settings > 1 {
        format!("best of {} settings: {}", score.settings, score.setting)
    } else {
        score.setting.clone()
    };
    let chosen = if chosen.is_empty() { String::new() } else { format!("; {chosen}") };
    format!("{:.2} %, {delta}; n = {seeds}{chosen}{jobs}", score.accuracy)
}

fn side_tooltip(row: &HeatMapRow) -> String {
    let model = printable(&row.model);
    match row.side {
        Some(side) => {
            format!("{model}: best with regularization minus best without: {} points", points(side))
        }
        None if row.cells.iter().any(Cell::is_unfinished) => {
            format!("{model}: not all jobs of the row are finished")
        }
        None => format!("{model}: not the same augmentations with and without regularization"),
    }
}

/// The picture in words.
fn describe(map: &HeatMap) -> String {
    let models: Vec<_> = map.rows.iter().map(|row| printable(&row.model)).collect();
    let augmentations: Vec<_> = map.augmentations().map(printable).collect();
    let best: Vec<_> = map
        .rows
        .iter()
        .filter_map(|row| Some(format!("{} {} %", printable(&row.model), percent(row.best()?))))
        .collect();
    let best = if best.is_empty() { "none yet".to_owned() } else { best.join(", ") };
    format!(
        "Heat map of validation accuracy in per cent. Rows are the models {}. Columns are the \
         augmentations {}, without and with regularization. Colour is the difference to no \
         augmentation and no regularization. Best of each model: {best}.",
        models.join(", "),
        augmentations.join(", ")
    )
}
