//! Curves over steps as SVG: axes, lines, a legend, and the numbers as a table for whoever cannot see them.
//!
//! Colours are classes of the style sheet, which knows light and dark.

use maud::{Markup, html};

use crate::axis::Axis;
use crate::words::{count, number, printable};

/// Colours of the style sheet.
pub(crate) const COLOURS: usize = 8;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 56.0;
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

/// A chart of one metric; `id` names it within its page.
pub(crate) fn chart(id: &str, metric: &str, steps: u64, series: &[Series]) -> Markup {
    let values =
        || series.iter().flat_map(|one| &one.points).map(|p| p.1).filter(|v| v.is_finite());
    let (low, high) = values().fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(v), b.max(v)));
    let last = series.iter().filter_map(|one| one.points.last()).map(|point| point.0).max();
    let Some(last) = last.filter(|_| low <= high) else {
        return html! { figure id=(id) { figcaption { (metric) } p.muted { "Nothing measured yet." } } };
    };
    let x = Axis::between(0.0, steps.max(last).max(1) as f64, 6);
    let y = Axis::between(low, high, 5);
    html! {
        figure.chart id=(id) {
            figcaption { (printable(metric)) }
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(summary(metric, series)) {
                (mesh(&x, &y))
                @for (at, one) in series.iter().enumerate() { (line(one, at, &x, &y)) }
            }
            @if series.len() > 1 { (legend(series)) }
            details id={ (id) "-numbers" } {
                summary { "Numbers" }
                (crate::frame::scroll(&format!("{id}-table"), metric, &table(series)))
            }
        }
    }
}

fn across(x: &Axis, step: f64) -> f64 {
    LEFT + x.place(step) * (WIDTH - LEFT - RIGHT)
}

fn down(y: &Axis, value: f64) -> f64 {
    HEIGHT - BOTTOM - y.place(value) * (HEIGHT - TOP - BOTTOM)
}

fn mesh(x: &Axis, y: &Axis) -> Markup {
    let short = |value: f64| format!("{value:.1}");
    html! {
        g.mesh {
            @for mark in &y.marks {
                line x1=(LEFT) x2=(WIDTH - RIGHT) y1=(short(down(y, *mark))) y2=(short(down(y, *mark))) {}
            }
            line.axis x1=(LEFT) x2=(WIDTH - RIGHT) y1=(HEIGHT - BOTTOM) y2=(HEIGHT - BOTTOM) {}
        }
        g.marks {
            @for mark in &y.marks {
                text.e x=(LEFT - 7.0) y=(short(down(y, *mark) + 4.0)) { (y.label(*mark)) }
            }
            @for mark in &x.marks {
                text.c x=(short(across(x, *mark))) y=(HEIGHT - BOTTOM + 16.0) { (x.label(*mark)) }
            }
            text.e x=(WIDTH - RIGHT) y=(HEIGHT - 3.0) { "step" }
        }
    }
}

/// A line, broken where something that is no number was measured; a single point is a dot.
fn line(series: &Series, at: usize, x: &Axis, y: &Axis) -> Markup {
    let class = format!("line c{}", at % COLOURS);
    let place = |(step, value): &(u64, f64)| (across(x, *step as f64), down(y, *value));
    let mut path = String::new();
    let mut pen_is_down = false;
    for point in &series.points {
        if point.1.is_finite() {
            let (px, py) = place(point);
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
                @let (px, py) = place(point);
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
