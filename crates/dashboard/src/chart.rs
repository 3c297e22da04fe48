//! Curves over steps as SVG: axes, lines, a legend, and the numbers as a table for whoever cannot see them.
//!
//! Colours are classes of the style sheet, which knows light and dark.

use maud::{Markup, html};

use crate::axis::Axis;
use crate::words::{count, number, printable};

/// Colours of the style sheet.
pub(crate) const COLOURS: usize = 8;

const LEFT: f64 = 70.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 34.0;
/// Rows of the table of numbers.
const ROWS: usize = 40;

/// One curve.
pub(crate) struct Series {
    pub(crate) name: String,
    /// Where its name leads to, if anywhere.
    pub(crate) link: Option<String>,
    /// Step and value, by step.
    pub(crate) points: Vec<(u64, f64)>,
}

/// How large a chart is drawn; a page shows it as wide as it has room.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    width: f64,
    height: f64,
}

/// One of several on a page.
pub(crate) const SMALL: Size = Size { width: 640.0, height: 240.0 };
/// The only one.
pub(crate) const LARGE: Size = Size { width: 1040.0, height: 380.0 };

/// Where numbers are on a chart.
struct Plane {
    x: Axis,
    y: Axis,
    size: Size,
}

impl Plane {
    fn across(&self, step: f64) -> f64 {
        LEFT + self.x.place(step) * (self.size.width - LEFT - RIGHT)
    }

    fn down(&self, value: f64) -> f64 {
        self.size.height - BOTTOM - self.y.place(value) * (self.size.height - TOP - BOTTOM)
    }
}

/// A chart of one metric, as far as it was measured; `id` names it within its page.
pub(crate) fn chart(id: &str, metric: &str, size: Size, series: &[Series]) -> Markup {
    let values =
        || series.iter().flat_map(|one| &one.points).map(|p| p.1).filter(|v| v.is_finite());
    let (low, high) = values().fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(v), b.max(v)));
    let last = series.iter().filter_map(|one| one.points.last()).map(|point| point.0).max();
    let Some(last) = last.filter(|_| low <= high) else {
        return html! { figure id=(id) { figcaption { (metric) } p.muted { "Nothing measured yet." } } };
    };
    let x = Axis::between(0.0, last.max(1) as f64, 6);
    let plane = Plane { x, y: Axis::between(low, high, 5), size };
    html! {
        figure.chart id=(id) {
            figcaption { (printable(metric)) }
            svg viewBox={ "0 0 " (size.width) " " (size.height) } role="img" aria-label=(summary(metric, series)) {
                (mesh(&plane))
                @for (at, one) in series.iter().enumerate() { (line(one, at, &plane)) }
            }
            @if series.len() > 1 { (legend(series)) }
            details id={ (id) "-numbers" } {
                summary { "Numbers" }
                (crate::frame::scroll(&format!("{id}-table"), metric, &table(series)))
            }
        }
    }
}

fn mesh(plane: &Plane) -> Markup {
    let short = |value: f64| format!("{value:.1}");
    let (right, bottom) = (plane.size.width - RIGHT, plane.size.height - BOTTOM);
    html! {
        g.mesh {
            @for mark in &plane.y.marks {
                @let y = short(plane.down(*mark));
                line x1=(LEFT) x2=(right) y1=(y) y2=(y) {}
            }
            line.axis x1=(LEFT) x2=(right) y1=(bottom) y2=(bottom) {}
        }
        g.marks {
            @for mark in &plane.y.marks {
                text.e x=(LEFT - 7.0) y=(short(plane.down(*mark) + 4.0)) { (plane.y.label(*mark)) }
            }
            @for (at, mark) in plane.x.marks.iter().enumerate() {
                // The last stands where the axis ends and would reach beyond it.
                text class=(if at + 1 == plane.x.marks.len() { "e" } else { "c" })
                    x=(short(plane.across(*mark))) y=(bottom + 16.0) { (plane.x.label(*mark)) }
            }
            text.e x=(right) y=(plane.size.height - 3.0) { "step" }
        }
    }
}

/// A line, broken where something that is no number was measured; a single point is a dot.
fn line(series: &Series, at: usize, plane: &Plane) -> Markup {
    let class = format!("line c{}", at % COLOURS);
    let spot = |(step, value): &(u64, f64)| (plane.across(*step as f64), plane.down(*value));
    let mut path = String::new();
    let mut pen_is_down = false;
    for point in &series.points {
        if point.1.is_finite() {
            let (px, py) = spot(point);
            path += &format!("{}{px:.1} {py:.1}", if pen_is_down { "L" } else { "M" });
        }
        pen_is_down = point.1.is_finite();
    }
    let alone = (series.points.len() <= 12).then_some(&series.points);
    html! {
        g class=(class) {
            title { (printable(&series.name)) }
            path d=(path) {}
            @for point in alone.into_iter().flatten().filter(|point| point.1.is_finite()) {
                @let (px, py) = spot(point);
                circle cx=(format!("{px:.1}")) cy=(format!("{py:.1}")) r="3" {
                    title { "step " (count(point.0)) ": " (number(point.1)) }
                }
            }
        }
    }
}

fn legend(series: &[Series]) -> Markup {
    html! {
        ul.legend {
            @for (at, one) in series.iter().enumerate() {
                li {
                    svg.key viewBox="0 0 18 8" aria-hidden="true" {
                        g class={ "line c" (at % COLOURS) } { path d="M0 4L18 4" {} }
                    }
                    @match &one.link {
                        Some(link) => a href=(link) { (printable(&one.name)) },
                        None => (printable(&one.name)),
                    }
                }
            }
        }
    }
}

/// The picture in a sentence.
fn summary(metric: &str, series: &[Series]) -> String {
    let last = |one: &Series| {
        let (step, value) = one.points.last()?;
        Some(format!("{} {} at step {}", printable(&one.name), number(*value), count(*step)))
    };
    let named: Vec<_> = series.iter().filter_map(last).take(COLOURS).collect();
    format!("{metric} over steps; lastly {}", named.join(", "))
}

/// Some of the numbers, evenly spread over the steps.
fn table(series: &[Series]) -> Markup {
    html! {
        table {
            thead { tr { @if series.len() > 1 { th scope="col" { "job" } } th.num scope="col" { "step" } th.num scope="col" { "value" } } }
            tbody {
                @for one in series {
                    @let each = (one.points.len() * series.len()).div_ceil(ROWS).max(1);
                    @for (at, (step, value)) in one.points.iter().enumerate() {
                        @if at % each == 0 || at + 1 == one.points.len() {
                            tr {
                                @if series.len() > 1 { td { (printable(&one.name)) } }
                                td.num { (count(*step)) } td.num { (number(*value)) }
                            }
                        }
                    }
                }
            }
        }
    }
}
