//! Heat maps for a terminal: the same cells as aligned text, with or without colour.

use std::fmt::Write as _;

use crate::colour;
use crate::label::{self, percent, points, shorten};
use crate::{Cell, HeatMap, HeatMapRow, Report};

/// Columns of the side column with the space before it.
const SIDE: usize = 9;
/// Names of models take at most so many columns.
const NAME: usize = 18;

/// The report's heat maps as text of at most `width` columns (at least 50), each cell accuracy in
/// per cent and delta in points; where the columns do not fit, a heat map goes on below. With
/// `colour` the backgrounds show the delta in the terminal's 256 colours.
#[must_use]
pub fn heat_map_text(report: &Report, colour: bool, width: usize) -> String {
    if !report.has_results() {
        let text = if report.jobs().is_empty() {
            "There are no jobs to report on.\n"
        } else {
            "No job has finished yet: there is nothing to draw.\n"
        };
        return text.to_owned();
    }
    let delta = delta_width(report);
    let cell = 1 + accuracy_width(report) + delta;
    let pen = Pen { colour, width: width.max(50), scale: report.scale(), cell, delta };
    let mut out = String::new();
    for map in report.heat_maps() {
        pen.map(map, &mut out);
        out.push('\n');
    }
    let legend = [
        "Validation accuracy in %, difference in points to `none` without regularization.",
        "Last column: best with regularization minus best without. (2/4): so many jobs finished.",
    ];
    for line in legend {
        pen.wrap(line, &mut out);
    }
    out
}

struct Pen {
    colour: bool,
    width: usize,
    scale: f64,
    /// Columns of one cell: a space, accuracy, delta.
    cell: usize,
    /// Columns of a delta with a space before it.
    delta: usize,
}

/// Columns of the widest accuracy.
fn accuracy_width(report: &Report) -> usize {
    let best = report.heat_maps().iter().flat_map(|map| &map.rows).filter_map(HeatMapRow::best);
    percent(best.fold(10.0, f64::max)).len()
}

/// Columns of the widest delta with a space before it.
fn delta_width(report: &Report) -> usize {
    let deltas = report.heat_maps().iter().flat_map(HeatMap::deltas);
    1 + deltas.map(|delta| label::width(&ascii(delta))).fold(4, usize::max)
}

/// A run of columns of one augmentation.
struct Group<'a> {
    name: &'a str,
    columns: std::ops::Range<usize>,
}

impl Pen {
    fn map(&self, map: &HeatMap, out: &mut String) {
        let longest = map.rows.iter().map(|row| label::width(&label::printable(&row.model))).max();
        let name = longest.unwrap_or(0).clamp(4, NAME);
        let room = self.width.saturating_sub(name);
        let both =
            [true, false].map(|on| map.columns.iter().any(|column| column.regularized == on));
        let blocks = blocks(map, self.cell, room, both == [true, true]);
        let last = blocks.len().saturating_sub(1);
        for (at, (groups, side)) in blocks.iter().enumerate() {
            let goes_on = if at == 0 { "" } else { " (continued)" };
            let title = shorten(&map.title(), self.width.saturating_sub(12));
            line(out, &format!("{title}{goes_on}"));
            line(out, &head(name, self.cell, groups, *side));
            line(out, &subhead(map, name, self.cell, groups, *side));
            for row in &map.rows {
                line(out, &self.row(row, name, groups, *side));
            }
            if at < last {
                out.push('\n');
            }
        }
    }

    fn row(&self, row: &HeatMapRow, name: usize, groups: &[Group<'_>], side: bool) -> String {
        let mut text = pad(&shorten(&row.model, name), name);
        for at in groups.iter().flat_map(|group| group.columns.clone()) {
            text.push(' ');
            text.push_str(&self.text(&row.cells[at]));
        }
        if side {
            let value = row.side.map_or_else(|| "-".to_owned(), ascii);
            text.push_str("  ");
            text.push_str(&self.paint(&format!("{value:>6} "), row.side));
        }
        text
    }

    fn text(&self, cell: &Cell) -> String {
        let room = self.cell - 1;
        match cell {
            Cell::Empty => " ".repeat(room),
            Cell::Unfinished { done, jobs } => {
                format!("{:>room$}", shorten(&format!("({done}/{jobs})"), room))
            }
            Cell::Done(score) => {
                let delta = score.delta.map(ascii).unwrap_or_default();
                let (left, right) = (room - self.delta, self.delta);
                let text = format!("{:>left$}{delta:>right$}", percent(score.accuracy));
                self.paint(&text, score.delta)
            }
        }
    }

    fn paint(&self, text: &str, delta: Option<f64>) -> String {
        match delta {
            Some(delta) if self.colour => {
                let background = colour::terminal(delta / self.scale);
                format!("\u{1b}[48;5;{background};38;5;16m{text}\u{1b}[0m")
            }
            _ => text.to_owned(),
        }
    }

    fn wrap(&self, text: &str, out: &mut String) {
        let mut used = 0;
        for word in text.split(' ') {
            if used > 0 && used + 1 + word.len() > self.width {
                out.push('\n');
                used = 0;
            } else if used > 0 {
                out.push(' ');
                used += 1;
            }
            out.push_str(word);
            used += word.len();
        }
        out.push('\n');
    }
}

/// Augmentations by blocks that fit into `room` columns with cells of `cell` columns, and whether the side column stands there.
fn blocks(map: &HeatMap, cell: usize, room: usize, side: bool) -> Vec<(Vec<Group<'_>>, bool)> {
    let mut blocks: Vec<(Vec<Group<'_>>, bool)> = Vec::new();
    let mut used = room + 1;
    for group in groups(map) {
        let wide = group.columns.len() * cell;
        match blocks.last_mut() {
            Some((groups, _)) if used + wide <= room => groups.push(group),
            _ => {
                blocks.push((vec![group], false));
                used = 0;
            }
        }
        used += wide;
    }
    if side {
        if used + SIDE > room {
            blocks.push((Vec::new(), false));
        }
        if let Some(block) = blocks.last_mut() {
            block.1 = true;
        }
    }
    blocks
}

fn groups(map: &HeatMap) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (at, column) in map.columns.iter().enumerate() {
        match groups.last_mut() {
            Some(group) if group.name == column.augmentation => group.columns.end = at + 1,
            _ => groups.push(Group { name: &column.augmentation, columns: at..at + 1 }),
        }
    }
    groups
}

fn head(name: usize, cell: usize, groups: &[Group<'_>], side: bool) -> String {
    let mut text = " ".repeat(name);
    for group in groups {
        let room = group.columns.len() * cell - 1;
        let title = shorten(group.name, room);
        let free = room - label::width(&title);
        let (left, right) = (free / 2, free - free / 2);
        let rule = |length: usize| match length {
            0 => String::new(),
            1 => " ".to_owned(),
            length => "─".repeat(length - 1),
        };
        let (left, right) = (rule(left), rule(right));
        let (after, before) = (
            if left.starts_with('─') { " " } else { "" },
            if right.starts_with('─') { " " } else { "" },
        );
        let _ = write!(text, " {left}{after}{title}{before}{right}");
    }
    if side {
        text.push_str(" best reg");
    }
    text
}

fn subhead(map: &HeatMap, name: usize, cell: usize, groups: &[Group<'_>], side: bool) -> String {
    let mut text = pad("", name);
    for at in groups.iter().flat_map(|group| group.columns.clone()) {
        let _ = write!(text, "{:>cell$}", label::regularized(map.columns[at].regularized));
    }
    if side {
        text.push_str(" - no reg");
    }
    text
}

fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(label::width(text))))
}

/// A difference with the minus sign of terminals.
fn ascii(delta: f64) -> String {
    points(delta).replace('−', "-")
}
