//! Grids of differences as SVG: a coloured cell for each number, centred at zero.

use std::collections::BTreeSet;

use maud::{Markup, PreEscaped, html};

use crate::chart_svg::STYLE;
use crate::colour::{self, Rgb, Theme, diverging};
use crate::exhibit::{Exhibit, Grid, Number};
use crate::label::{self, count, points, printable, shorten};

const ROW: usize = 28;
const GAP: usize = 2;
/// Room for one terminal column of a label, in pixels.
const LETTER: usize = 8;
/// Terminal columns of the longest label that is shown whole.
const LONGEST: usize = 22;
/// Above the cells of a grid.
const HEAD: usize = 62;
/// Below the last grid.
const LEGEND: usize = 54;

/// Draws grids one below the other, with one scale of colours.
pub(crate) fn grids(
    exhibit: &Exhibit,
    grids: &[Grid],
    linked: &BTreeSet<&str>,
    styled: bool,
) -> Markup {
    let numbers = grids.iter().flat_map(|grid| &grid.cells).flatten().flatten();
    let scale = colour::scale_end(numbers.map(|number| number.value));
    let width = grids.iter().map(|grid| names(grid) + cell(grid) * grid.columns.len()).max();
    let width = (width.unwrap_or(0) + 30).max(430);
    let tops: Vec<usize> = grids
        .iter()
        .scan(0, |next, grid| {
            let top = *next;
            *next += HEAD + ROW * grid.rows.len() + 16;
            Some(top)
        })
        .collect();
    let below = tops
        .last()
        .zip(grids.last())
        .map_or(0, |(top, grid)| top + HEAD + ROW * grid.rows.len() + 16);
    let height = below + LEGEND;
    let (title, description) =
        (format!("{}-title", exhibit.name), format!("{}-desc", exhibit.name));
    html! {
        svg xmlns="http://www.w3.org/2000/svg" class="ch" role="img"
            viewBox={ "0 0 " (width) " " (height) } width=(width) height=(height)
            aria-labelledby={ (title) " " (description) } {
            title id=(title) { (exhibit.title) }
            desc id=(description) { (exhibit.about) }
            @if styled { style { (PreEscaped(STYLE)) } }
            rect class="bg" width=(width) height=(height) fill="#fff" {}
            @for (grid, top) in grids.iter().zip(tops) { (self::grid(grid, top, scale, linked)) }
            (legend(below, scale))
        }
    }
}

fn names(grid: &Grid) -> usize {
    let longest = grid.rows.iter().map(|name| label::width(&shorten(name, LONGEST))).max();
    24 + LETTER * longest.unwrap_or(0)
}

fn cell(grid: &Grid) -> usize {
    let longest = grid.columns.iter().map(|name| label::width(&shorten(name, LONGEST))).max();
    (LETTER * longest.unwrap_or(0) + 8).max(60)
}

fn grid(grid: &Grid, top: usize, scale: f64, linked: &BTreeSet<&str>) -> Markup {
    let (left, wide) = (names(grid), cell(grid));
    html! {
        text class="t" x="14" y=(top + 26) { (grid.title) }
        @for (at, name) in grid.columns.iter().enumerate() {
            text class="m c" x=(left + wide * at + wide / 2) y=(top + 54) {
                title { (name) } (shorten(name, LONGEST))
            }
        }
        @for (row, name) in grid.rows.iter().enumerate() {
            @let y = top + HEAD + ROW * row;
            text class="e" x=(left - 8) y=(y + 18) { title { (name) } (shorten(name, LONGEST)) }
            @for (at, number) in grid.cells[row].iter().enumerate() {
                @let x = left + wide * at;
                @match number {
                    None => text class="m c" x=(x + wide / 2) y=(y + 18) { "–" },
                    Some(number) => {
                        @let place = format!("{name}, {}", grid.columns[at]);
                        @let job = number.jobs.iter().find(|job| linked.contains(job.as_str()));
                        @let drawn = coloured(number, &place, (x, y, wide), scale);
                        @match job {
                            Some(job) => a href={ "#job-" (printable(job)) } { (drawn) },
                            None => (drawn),
                        }
                    }
                }
            }
        }
    }
}

fn coloured(number: &Number, place: &str, at: (usize, usize, usize), scale: f64) -> Markup {
    let (x, y, wide) = at;
    let [light, dark] =
        [Theme::Light, Theme::Dark].map(|theme| diverging(number.value / scale, theme));
    let ink = if light.ink() == Rgb(0, 0, 0) { "k" } else { "w" };
    let jobs: Vec<_> = number.jobs.iter().map(|job| printable(job)).collect();
    html! {
        g class="v cell" style={ "--f:" (dark.hex()) ";--k:" (dark.ink().hex()) }
            data-jobs=(jobs.join(" ")) {
            title {
                (place) ": " (points(number.value)) " points; " (number.note)
                @if number.runs > 0 { "; n = " (count(number.runs, "run")) }
            }
            rect x=(x) y=(y) width=(wide - GAP) height=(ROW - GAP) fill=(light.hex()) {}
            text class={ "c " (ink) } x=(x + wide / 2) y=(y + 18) {
                (points(number.value))
            }
        }
    }
}

fn legend(top: usize, scale: f64) -> Markup {
    const STEPS: i32 = 40;
    const STEP: i32 = 5;
    let width = (STEPS + 1) * STEP;
    html! {
        @for step in 0..=STEPS {
            @let position = f64::from(step * 2 - STEPS) / f64::from(STEPS);
            @let [light, dark] = [Theme::Light, Theme::Dark].map(|theme| diverging(position, theme));
            g class="v cell" style={ "--f:" (dark.hex()) } {
                rect x=(14 + step * STEP) y=(top) width=(STEP + i32::from(step < STEPS)) height="12"
                    fill=(light.hex()) {}
            }
        }
        text class="m" x="14" y=(top + 28) { (points(-scale)) }
        text class="m c" x=(14 + width / 2) y=(top + 28) { "0" }
        text class="m e" x=(14 + width) y=(top + 28) { (points(scale)) }
        text x=(28 + width) y=(top + 10) { "points of accuracy" }
    }
}
