//! A chart as SVG: plotters lays out the axes and draws mesh and lines, points and labels are
//! elements with a tooltip, a link to their job and no colour of their own.

use std::collections::BTreeSet;

use maud::{Markup, PreEscaped, html};
use plotters::prelude::{ChartBuilder, IntoDrawingArea, LineSeries};

use crate::canvas::{Canvas, Ink, text_width};
use crate::exhibit::{AxisKind, Chart, Exhibit, Panel, Point, Series, Style};
use crate::label::{self, count, printable, shorten};
use crate::places::{Frame, place};
use crate::scale::Scale;

/// The style sheet of every chart and grid; once in a page, once in each SVG file.
pub(crate) const STYLE: &str = include_str!("assets/chart.css");

/// Colours of the style sheet.
const COLOURS: usize = 8;
/// Series of more points are drawn as one path of dots, without tooltips: a page must stay light.
const TOLD: usize = 400;
/// Between panels, and around all.
const GAP: u32 = 16;
const TITLE: u32 = 26;
const LEGEND_ROW: u32 = 20;

/// Where things are, in pixels.
struct Layout {
    columns: u32,
    panel: (u32, u32),
    width: u32,
    /// Top of the legend.
    legend: u32,
    /// Rows of the legend: numbers of the entries with their left edge.
    rows: Vec<Vec<(usize, u32)>>,
}

impl Layout {
    fn of(chart: &Chart, entries: &[(String, Style)]) -> Self {
        let panels = chart.panels.len().max(1) as u32;
        let columns = panels.min(3);
        let width = [820, 600, 440][columns as usize - 1];
        let tall = matches!(chart.x.kind, AxisKind::Places(_));
        let height = [460, 400, 360][columns as usize - 1];
        let panel = (width, if tall { height + 30 } else { height });
        let width = columns * (panel.0 + GAP) + GAP;
        let legend = GAP + panels.div_ceil(columns) * (panel.1 + TITLE + GAP);
        let mut rows: Vec<Vec<(usize, u32)>> = Vec::new();
        let mut next = u32::MAX;
        for (number, (name, _)) in entries.iter().enumerate() {
            let wide = 34 + text_width(name) as u32;
            if next.saturating_add(wide) > width {
                rows.push(Vec::new());
                next = GAP;
            }
            if let Some(row) = rows.last_mut() {
                row.push((number, next));
            }
            next += wide + 12;
        }
        Self { columns, panel, width, legend, rows }
    }

    fn height(&self) -> u32 {
        self.legend + LEGEND_ROW * self.rows.len() as u32 + GAP
    }
}

/// Draws a chart; `linked` are the jobs that the page can be sent to, `styled` says whether the style
/// sheet goes with it.
pub(crate) fn chart(
    exhibit: &Exhibit,
    chart: &Chart,
    linked: &BTreeSet<&str>,
    styled: bool,
) -> Markup {
    let mut entries: Vec<(String, Style)> = Vec::new();
    for series in chart.panels.iter().flat_map(|panel| &panel.series) {
        if !entries.iter().any(|entry| entry.0 == series.name) {
            entries.push((series.name.clone(), series.style));
        }
    }
    let at = Layout::of(chart, &entries);
    let (title, description) =
        (format!("{}-title", exhibit.name), format!("{}-desc", exhibit.name));
    let x = Scale::of(&chart.x.kind, values(chart, |point| vec![point.x]), 7);
    html! {
        svg xmlns="http://www.w3.org/2000/svg" class="ch" role="img"
            viewBox={ "0 0 " (at.width) " " (at.height()) } width=(at.width) height=(at.height())
            aria-labelledby={ (title) " " (description) } {
            title id=(title) { (exhibit.title) }
            desc id=(description) { (exhibit.about) }
            @if styled { style { (PreEscaped(STYLE)) } }
            rect class="bg" width=(at.width) height=(at.height()) fill="#fff" {}
            @for (number, one) in chart.panels.iter().enumerate() {
                @let column = number as u32 % at.columns;
                @let row = number as u32 / at.columns;
                @let left = GAP + column * (at.panel.0 + GAP);
                @let top = GAP + row * (at.panel.1 + TITLE + GAP);
                text class="t" x=(left + 8) y=(top + 14) {
                    title { (one.title) }
                    (shorten(&one.title, at.panel.0 as usize / 8))
                }
                g transform={ "translate(" (left) " " (top + TITLE) ")" } {
                    (panel(chart, one, &x, at.panel, linked))
                }
            }
            @for (row, entries_here) in at.rows.iter().enumerate() {
                @for (number, left) in entries_here {
                    @let (name, style) = &entries[*number];
                    @let y = at.legend + LEGEND_ROW * row as u32 + 8;
                    g class=(class(*style)) {
                        @if style.line { path class={ "line c" (style.colour % COLOURS) }
                            d={ "M" (left) " " (y) "h22" } {} }
                        @if style.dots { path d=(marker(*style, f64::from(left + 11), f64::from(y))) {} }
                    }
                    text class="n" x=(left + 28) y=(y + 4) { (name) }
                }
            }
        }
    }
}

fn values<'a>(
    chart: &'a Chart,
    of: impl Fn(&Point) -> Vec<f64> + 'a,
) -> impl Iterator<Item = f64> + 'a {
    let series = chart.panels.iter().flat_map(|panel| &panel.series);
    series.flat_map(|series| &series.points).flat_map(of)
}

fn heights(point: &Point) -> Vec<f64> {
    let band = point.band.map_or([point.y; 2], |(low, high)| [low, high]);
    vec![point.y, band[0], band[1]]
}

/// A series with the pixels of its points, and of the ends of its band.
struct Placed<'a> {
    series: &'a Series,
    points: Vec<(f64, f64)>,
    band: Vec<((f64, f64), (f64, f64))>,
}

fn panel(
    chart: &Chart,
    panel: &Panel,
    x: &Scale,
    size: (u32, u32),
    linked: &BTreeSet<&str>,
) -> Markup {
    let here = panel.series.iter().flat_map(|series| &series.points).flat_map(heights);
    let y = Scale::of(&chart.y.kind, here, 8);
    // Where both axes are of one kind, each panel is about a range of its own.
    let along = panel.series.iter().flat_map(|series| &series.points).map(|point| point.x);
    let own = panel.diagonal.then(|| Scale::of(&chart.x.kind, along, 7));
    let x = own.as_ref().unwrap_or(x);
    let mut axes = String::new();
    let (placed, room) = axes_and_lines(&mut axes, chart, panel, (x, &y), size).unwrap_or_default();
    let labels: Vec<_> = placed
        .iter()
        .flat_map(|placed| {
            let points = placed.series.points.iter().zip(&placed.points);
            points.map(|(point, (x, y))| (*x, *y, point.label.as_str()))
        })
        .collect();
    html! {
        @for placed in &placed { (band(placed)) }
        (PreEscaped(axes))
        @for placed in &placed { (points(placed, linked, chart)) }
        @for label in place(&labels, room) {
            text class="s c" x={ (format!("{:.1}", label.x)) } y={ (format!("{:.1}", label.y)) } {
                (label.text)
            }
        }
    }
}

type Axes<'a> = (Vec<Placed<'a>>, Frame);

impl Default for Frame {
    fn default() -> Self {
        Self(0.0, 0.0, 0.0, 0.0)
    }
}

/// What plotters draws. It can fail only if its canvas does, and ours cannot.
fn axes_and_lines<'a>(
    svg: &mut String,
    chart: &Chart,
    panel: &'a Panel,
    (x, y): (&Scale, &Scale),
    size: (u32, u32),
) -> Option<Axes<'a>> {
    let area = Canvas { size, svg }.into_drawing_area();
    let below = if matches!(chart.x.kind, AxisKind::Places(_)) { 72 } else { 44 };
    let mut context = ChartBuilder::on(&area)
        .margin_right(14)
        .margin_top(6)
        .x_label_area_size(below)
        .y_label_area_size(56)
        .build_cartesian_2d(x.clone(), y.clone())
        .ok()?;
    context
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(Ink::Mesh.shape(1))
        .light_line_style(Ink::Mesh.shape(1))
        .max_light_lines(0)
        .axis_style(Ink::Axis.shape(1))
        .label_style(Ink::Label.text(11))
        .axis_desc_style(Ink::Label.text(12))
        .x_desc(chart.x.label.clone())
        .y_desc(chart.y.label.clone())
        .draw()
        .ok()?;
    if panel.diagonal {
        use plotters::coord::ranged1d::Ranged as _;
        let (from, to) = (x.range().start.max(y.range().start), x.range().end.min(y.range().end));
        if from < to {
            let line = LineSeries::new([(from, from), (to, to)], Ink::Axis.shape(1));
            context.draw_series(line).ok()?;
        }
    }
    for series in panel.series.iter().filter(|series| series.style.line) {
        let points = series.points.iter().map(|point| (point.x, point.y));
        let ink = Ink::Series((series.style.colour % COLOURS) as u8);
        context.draw_series(LineSeries::new(points, ink.shape(2))).ok()?;
    }
    let pixel = |x: f64, y: f64| {
        let (x, y) = context.backend_coord(&(x, y));
        (f64::from(x), f64::from(y))
    };
    let placed = panel
        .series
        .iter()
        .map(|series| Placed {
            series,
            points: series.points.iter().map(|point| pixel(point.x, point.y)).collect(),
            band: series
                .points
                .iter()
                .filter_map(|point| {
                    let (low, high) = point.band?;
                    Some((pixel(point.x, low), pixel(point.x, high)))
                })
                .collect(),
        })
        .collect();
    let (across, down) = context.plotting_area().get_pixel_range();
    let room = Frame(
        f64::from(across.start),
        f64::from(down.start),
        f64::from(across.end),
        f64::from(down.end),
    );
    Some((placed, room))
}

/// The area between the ends of a series' band.
fn band(placed: &Placed<'_>) -> Markup {
    let upper = placed.band.iter().map(|(_, high)| *high);
    let lower = placed.band.iter().rev().map(|(low, _)| *low);
    let corners: Vec<_> = upper.chain(lower).map(|(x, y)| format!("{x} {y}")).collect();
    html! {
        @if !corners.is_empty() {
            path class={ "band c" (placed.series.style.colour % COLOURS) }
                d={ "M" (corners.join("L")) "Z" } {}
        }
    }
}

fn points(placed: &Placed<'_>, linked: &BTreeSet<&str>, chart: &Chart) -> Markup {
    let style = placed.series.style;
    let is_cloud = placed.points.len() > TOLD;
    let all = placed.series.points.iter().zip(&placed.points);
    let told = all.filter(|(point, _)| style.dots && (!is_cloud || point.framed));
    html! {
        @if style.dots && is_cloud {
            @let dots: Vec<_> = placed.points.iter().map(|(x, y)| format!("M{x} {y}h0")).collect();
            path class={ "cloud c" (style.colour % COLOURS) } d=(dots.concat()) {
                title { (placed.series.name) ": " (count(placed.points.len(), "run")) }
            }
        }
        g class=(class(style)) {
            @for (point, place) in told {
                @let drawn = dot(&placed.series.name, point, style, *place, chart);
                @match point.jobs.iter().find(|job| linked.contains(job.as_str())) {
                    Some(job) => a href={ "#job-" (printable(job)) } { (drawn) },
                    None => (drawn),
                }
            }
        }
    }
}

fn dot(name: &str, point: &Point, style: Style, (x, y): (f64, f64), chart: &Chart) -> Markup {
    html! {
        g data-jobs=(point.jobs.iter().map(|job| printable(job)).collect::<Vec<_>>().join(" ")) {
            title { (tooltip(name, point, chart)) }
            @if point.framed {
                rect class="frame" x=(x - 7.0) y=(y - 7.0) width="14" height="14" {}
            }
            path d=(marker(style, x, y)) {}
        }
    }
}

/// All that there is to say of a point.
fn tooltip(name: &str, point: &Point, chart: &Chart) -> String {
    let mut parts = vec![name.to_owned()];
    if !point.label.is_empty() {
        parts.insert(0, point.label.clone());
    }
    let number = |value: f64| format!("{}", (value * 100.0).round() / 100.0);
    let mut text = parts.join(", ");
    if !matches!(chart.x.kind, AxisKind::Places(_)) {
        text += &format!("; {}: {}", chart.x.label, number(point.x));
    }
    text += &format!("; {}: {}", chart.y.label, number(point.y));
    for part in [point.note.as_str(), &format!("n = {}", count(point.runs, "run"))] {
        if !part.is_empty() {
            text += &format!("; {part}");
        }
    }
    text + &label::short_ids(&point.jobs)
}

fn class(style: Style) -> String {
    let hollow = if style.hollow { " hollow" } else { "" };
    format!("dot c{}{hollow}", style.colour % COLOURS)
}

/// The outline of a point: shapes differ, since not everybody tells the colours apart.
fn marker(style: Style, x: f64, y: f64) -> String {
    // With more series than colours, a colour comes back with another shape.
    match (style.marker + style.marker / COLOURS) % 6 {
        0 => format!("M{} {y}a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0Z", x - 4.5),
        1 => format!("M{} {}h8v8h-8Z", x - 4.0, y - 4.0),
        2 => format!("M{x} {}l5 9h-10Z", y - 5.5),
        3 => format!("M{x} {}l5.5 5.5l-5.5 5.5l-5.5 -5.5Z", y - 5.5),
        4 => format!("M{x} {}l5 -9h-10Z", y + 5.5),
        _ => format!("M{} {}h3v-3h3v3h3v3h-3v3h-3v-3h-3Z", x - 4.5, y - 1.5),
    }
}
