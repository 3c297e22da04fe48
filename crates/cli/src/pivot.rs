//! A table of two columns' values against each other, with a number in each cell: on a terminal a heat map.
//!
//! Colours say where a number lies between the lowest and the highest; each has its own background and black
//! letters on it, so it reads on a light terminal and on a dark one. The numbers say all that the colours do.

use std::collections::HashMap;

use augreg_store::{Rows, Value};
use unicode_width::UnicodeWidthStr;

use crate::table::{plain, shown};
use crate::words::{count, harmless, shorten};

/// From low to high: of the 256 colours that every terminal has those from light yellow to blue, each darker
/// than the one before, so that they keep their order without their hues. Black reads on all of them.
const COLOURS: [u8; 7] = [230, 193, 151, 115, 79, 74, 68];

/// More columns than this are not drawn.
const MOST: usize = 60;

/// A heading is cut to this many columns where the numbers need fewer.
const HEADING: usize = 14;

/// Numbers by two columns of `v_jobs`.
pub(crate) struct Pivot {
    /// What goes down, and its values.
    down: (String, Vec<Value>),
    /// What goes across, and its values.
    across: (String, Vec<Value>),
    /// What the numbers are.
    what: String,
    /// By row and column.
    cells: Vec<Vec<Value>>,
}

impl Pivot {
    /// Puts groups together, whose rows are: value down, value across, number. Numbers go up along both
    /// sides, texts stand as their first job was registered.
    pub(crate) fn new(groups: Rows) -> Self {
        let (rows, columns) = (axis(&groups, 0), axis(&groups, 1));
        let places = |axis: &[Value]| -> HashMap<String, usize> {
            axis.iter().enumerate().map(|(at, value)| (format!("{value:?}"), at)).collect()
        };
        let (of_rows, of_columns) = (places(&rows), places(&columns));
        let mut cells = vec![vec![Value::Null; columns.len()]; rows.len()];
        for group in groups.rows {
            let place = |axis: &HashMap<String, usize>, at: usize| {
                axis.get(&format!("{:?}", group[at])).copied()
            };
            if let (Some(row), Some(column)) = (place(&of_rows, 0), place(&of_columns, 1)) {
                cells[row][column] = group[2].clone();
            }
        }
        let mut names = groups.columns.into_iter();
        let mut name = || names.next().unwrap_or_default();
        Self { down: (name(), rows), across: (name(), columns), what: name(), cells }
    }

    /// As rows for a program: a column for each value across.
    pub(crate) fn rows(self) -> Rows {
        let named =
            |value: Value| if value == Value::Null { "null".to_owned() } else { plain(&value) };
        let across = self.across.1.into_iter().map(named);
        let columns = std::iter::once(self.down.0).chain(across).collect();
        let row = |(name, cells): (Value, Vec<Value>)| std::iter::once(name).chain(cells).collect();
        Rows { columns, rows: self.down.1.into_iter().zip(self.cells).map(row).collect() }
    }

    /// As a heat map of at most `width` columns: what does not fit side by side stands below.
    pub(crate) fn heat_map(&self, width: usize, coloured: bool) -> String {
        let mut text = String::new();
        let title =
            format!("{} by {} (down) and {} (across)", self.what, self.down.0, self.across.0);
        wrap(&title, width, &mut text);
        if self.cells.is_empty() {
            return text + "no job passes\n";
        }
        let drawn = Drawing::new(self, width, coloured);
        for block in drawn.blocks() {
            text += &drawn.block(block);
        }
        let left = self.across.1.len().saturating_sub(MOST);
        if left > 0 {
            let note = format!(
                "left out: {} more values of {}; filters narrow it, `--format csv` has all",
                count(left as u64),
                self.across.0
            );
            wrap(&note, width, &mut text);
        }
        text += &drawn.legend();
        text
    }
}

/// The values along a side.
fn axis(groups: &Rows, at: usize) -> Vec<Value> {
    let mut values: Vec<Value> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for row in &groups.rows {
        if seen.insert(format!("{:?}", row[at])) {
            values.push(row[at].clone());
        }
    }
    if values.iter().all(|value| !matches!(value, Value::Text(_))) {
        values.sort_by(|a, b| match (number(a), number(b)) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            (a, b) => b.is_some().cmp(&a.is_some()), // Nothing comes last.
        });
    }
    values
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(value) => Some(*value as f64),
        Value::Real(value) => Some(*value),
        Value::Null | Value::Text(_) => None,
    }
}

/// A heat map whose measures are taken.
struct Drawing<'a> {
    pivot: &'a Pivot,
    coloured: bool,
    names: Vec<String>,
    headings: Vec<String>,
    texts: Vec<Vec<String>>,
    low: f64,
    high: f64,
    /// Columns of a row's name, and of each cell with the space on both of its sides.
    name: usize,
    cells: Vec<usize>,
    width: usize,
}

impl<'a> Drawing<'a> {
    fn new(pivot: &'a Pivot, width: usize, coloured: bool) -> Self {
        let numbers = || pivot.cells.iter().flatten().filter_map(number);
        let (low, high) =
            numbers().fold((f64::MAX, f64::MIN), |(low, high), n| (low.min(n), high.max(n)));
        let decimals = decimals(numbers().fold(0.0, |most, n| most.max(n.abs())));
        let texts: Vec<Vec<String>> = pivot
            .cells
            .iter()
            .map(|row| row.iter().map(|cell| cell_text(cell, decimals)).collect())
            .collect();
        let names: Vec<String> = pivot.down.1.iter().map(shown).collect();
        let longest = names.iter().map(|name| name.width()).max().unwrap_or(0);
        let name = longest.max(1).min((width / 3).max(6));
        let drawn = pivot.across.1.len().min(MOST);
        let room = width.saturating_sub(name + 2).max(4);
        let numbers_of = |at: usize| texts.iter().map(|row| row[at].width()).max().unwrap_or(1);
        let full: Vec<String> = pivot.across.1[..drawn].iter().map(shown).collect();
        let headings = headings(&full, &numbers_of, room);
        let cells = (0..drawn).map(|at| numbers_of(at).max(headings[at].width()) + 2).collect();
        Self { pivot, coloured, names, headings, texts, low, high, name, cells, width }
    }

    /// Columns that stand side by side.
    fn blocks(&self) -> Vec<std::ops::Range<usize>> {
        let mut blocks: Vec<std::ops::Range<usize>> = Vec::new();
        let mut used = 0;
        for (at, cell) in self.cells.iter().enumerate() {
            match blocks.last_mut() {
                Some(block) if used + cell <= self.width.saturating_sub(self.name) => {
                    block.end = at + 1;
                }
                _ => {
                    blocks.push(at..at + 1);
                    used = 0;
                }
            }
            used += cell;
        }
        blocks
    }

    fn block(&self, columns: std::ops::Range<usize>) -> String {
        let mut text = " ".repeat(self.name);
        for at in columns.clone() {
            text += &right(&self.headings[at], self.cells[at]);
        }
        let mut text = text.trim_end().to_owned() + "\n";
        for (row, name) in self.names.iter().enumerate() {
            let name = shorten(name, self.name);
            let mut line = format!("{name}{}", " ".repeat(self.name - name.width()));
            for at in columns.clone() {
                line += &self.cell(row, at);
            }
            text += line.trim_end();
            text.push('\n');
        }
        text
    }

    fn cell(&self, row: usize, at: usize) -> String {
        let text = right(&self.texts[row][at], self.cells[at]);
        match number(&self.pivot.cells[row][at]) {
            Some(number) if self.coloured => self.paint(number, &text),
            _ => text,
        }
    }

    fn paint(&self, number: f64, text: &str) -> String {
        let span = self.high - self.low;
        let place = if span > 0.0 { (number - self.low) / span } else { 0.5 };
        let colour = COLOURS[(place * (COLOURS.len() - 1) as f64).round() as usize];
        format!("\u{1b}[48;5;{colour}m\u{1b}[38;5;16m{text}\u{1b}[0m")
    }

    /// Which colours are low and high.
    fn legend(&self) -> String {
        if self.low > self.high {
            return String::new(); // Nothing was measured.
        }
        let decimals = decimals(self.low.abs().max(self.high.abs()));
        let text = |n: f64| cell_text(&Value::Real(n), decimals);
        if !self.coloured {
            return format!("lowest {}, highest {}\n", text(self.low), text(self.high));
        }
        let scale: String = (0..COLOURS.len())
            .map(|at| {
                let share = at as f64 / (COLOURS.len() - 1) as f64;
                self.paint(self.low + share * (self.high - self.low), " ")
            })
            .collect();
        format!("{} {scale} {}\n", text(self.low), text(self.high))
    }
}

/// Headings, cut as long as they can still be told apart.
fn headings(full: &[String], numbers: &impl Fn(usize) -> usize, room: usize) -> Vec<String> {
    let cut = |most: usize| -> Vec<String> {
        let cut = |(at, text): (usize, &String)| shorten(text, numbers(at).max(most).min(room));
        full.iter().enumerate().map(cut).collect()
    };
    let short = cut(HEADING);
    let distinct: std::collections::HashSet<&String> = short.iter().collect();
    if distinct.len() == full.len() { short } else { cut(room) }
}

/// Decimals that show numbers up to `most` to four digits or so.
fn decimals(most: f64) -> Option<usize> {
    match most {
        most if most < 1.0 + 1e-9 => Some(4),
        most if most < 100.0 => Some(2),
        most if most < 1e4 => Some(1),
        most if most < 1e7 => Some(0),
        _ => None,
    }
}

fn cell_text(value: &Value, decimals: Option<usize>) -> String {
    match (value, decimals) {
        (Value::Null, _) => "–".to_owned(),
        (Value::Real(value), Some(decimals)) => format!("{value:.decimals$}"),
        (Value::Real(value), None) => format!("{value:.2e}"),
        (Value::Integer(value), _) => value.to_string(),
        (Value::Text(text), _) => harmless(text).into_owned(),
    }
}

/// Text to the right of a cell, with a space after it.
fn right(text: &str, cell: usize) -> String {
    format!("{}{text} ", " ".repeat(cell.saturating_sub(text.width() + 1)))
}

fn wrap(text: &str, width: usize, out: &mut String) {
    let mut used = 0;
    for word in text.split(' ') {
        if used > 0 && used + 1 + word.width() > width {
            out.push('\n');
            used = 0;
        } else if used > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += word.width();
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pivot() -> Pivot {
        let models = ["Mu/7", "Mi/7"];
        let presets = ["none", "light1", "medium1", "strong-and-long-1", "strong-and-long-2"];
        let mut rows = Vec::new();
        for (m, model) in models.into_iter().enumerate() {
            for (p, preset) in presets.into_iter().enumerate() {
                let value = if (m, p) == (1, 2) {
                    Value::Null
                } else {
                    Value::Real(0.6 + 0.05 * (m + p) as f64)
                };
                rows.push(vec![model.into(), preset.into(), value]);
            }
        }
        let columns = ["model", "augmentation", "mean(final_val)"].map(str::to_owned).to_vec();
        Pivot::new(Rows { columns, rows })
    }

    #[test]
    fn a_heat_map_stands_side_by_side_where_there_is_room() {
        insta::assert_snapshot!(pivot().heat_map(100, false));
    }

    #[test]
    fn in_forty_columns_it_stands_in_blocks() {
        let text = pivot().heat_map(40, false);
        assert!(text.lines().all(|line| line.width() <= 40), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn colours_change_nothing_but_colours() {
        let coloured = pivot().heat_map(80, true);
        let mut plain = String::new();
        for (at, part) in coloured.split('\u{1b}').enumerate() {
            plain += if at == 0 { part } else { part.split_once('m').map_or("", |(_, rest)| rest) };
        }
        let cells = |text: &str| {
            let lines =
                text.lines().filter(|line| !line.contains("lowest") && !line.starts_with("0.6"));
            lines.map(|line| line.trim_end().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(cells(&plain), cells(&pivot().heat_map(80, false)));
        assert!(coloured.contains("\u{1b}[48;5;230m\u{1b}[38;5;16m"), "the lowest");
        assert!(coloured.contains("\u{1b}[48;5;68m\u{1b}[38;5;16m"), "the highest");
    }

    /// Contrast as WCAG 2.2 has it, of the colours as xterm defines them: 4.5 to 1 is enough for text.
    #[test]
    fn black_reads_on_every_colour_and_each_is_darker_than_the_one_before() {
        let linear = |level: u8| {
            let value = if level == 0 { 0.0 } else { f64::from(55 + 40 * level) / 255.0 };
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        let luminance = |colour: u8| {
            let cube = colour - 16;
            0.2126 * linear(cube / 36) + 0.7152 * linear(cube / 6 % 6) + 0.0722 * linear(cube % 6)
        };
        let all = COLOURS.map(luminance);
        assert!(all.iter().all(|colour| (colour + 0.05) / 0.05 > 4.5), "{all:?}");
        assert!(all.is_sorted_by(|a, b| a > b), "{all:?}");
    }

    #[test]
    fn many_columns_are_left_out_and_counted() {
        let row = |n: i64| vec![Value::from("a"), Value::Integer(99 - n), Value::Integer(n)];
        let columns = ["model", "seed", "count"].map(str::to_owned).to_vec();
        let pivot = Pivot::new(Rows { columns, rows: (0..100).map(row).collect() });
        let text = pivot.heat_map(40, false);
        assert!(text.contains("left out: 40 more values of seed"), "{text}");
        assert!(text.lines().all(|line| line.width() <= 40), "{text}");
        let rows = pivot.rows();
        assert_eq!((rows.columns.len(), &rows.columns[1]), (101, &"0".to_owned()), "numbers go up");
    }
}
