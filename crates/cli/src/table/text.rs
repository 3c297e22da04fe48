//! Rows as a table for a person.
//!
//! How wide columns are is settled by the first rows; those after them are written as they come. On a
//! terminal a table is never wider than it: what does not fit is left out and named, or cut with `…`.

use std::io::{self, Write};

use augreg_store::{Heading, Value, ValueRef};
use unicode_width::UnicodeWidthStr;

use super::shown;
use crate::words::{harmless, shorten};

/// So many rows settle how wide columns are.
const SAMPLE: usize = 1000;

/// Text is cut to no fewer columns than this; where fewer are left it is left out.
const LEAST: usize = 12;

/// A table on its way.
#[derive(Debug)]
pub(crate) struct Text<W: Write> {
    out: W,
    /// Columns of the terminal; none elsewhere.
    width: Option<usize>,
    headings: Vec<String>,
    /// Rows that wait for their columns' widths.
    waiting: Vec<Vec<Value>>,
    /// The columns that are shown, once that is settled.
    columns: Option<Vec<Column>>,
}

#[derive(Debug, Clone, Copy)]
struct Column {
    /// Its place in a row.
    at: usize,
    width: usize,
    /// Numbers stand to the right.
    right: bool,
    /// Whether longer text is cut.
    cut: bool,
}

impl<W: Write> Text<W> {
    /// A table of at most `width` columns.
    pub(super) fn new(out: W, width: Option<usize>) -> Self {
        Self { out, width, headings: Vec::new(), waiting: Vec::new(), columns: None }
    }

    pub(super) fn begin(&mut self, headings: &[Heading]) {
        self.headings =
            headings.iter().map(|heading| harmless(&heading.name).into_owned()).collect();
    }

    pub(super) fn row(&mut self, row: &[ValueRef<'_>]) -> io::Result<()> {
        if let Some(columns) = &self.columns {
            return line(&mut self.out, columns, |at| shown(&row[at]));
        }
        self.waiting.push(row.iter().map(Value::to_value).collect());
        if self.waiting.len() == SAMPLE { self.settle() } else { Ok(()) }
    }

    /// Ends; says what was left out, if anything was.
    pub(super) fn finish(mut self) -> io::Result<(W, Option<String>)> {
        if self.columns.is_none() {
            self.settle()?;
        }
        let columns = self.columns.unwrap_or_default();
        let is_shown = |at: &usize| columns.iter().any(|column| column.at == *at);
        let left_out: Vec<&str> = (0..self.headings.len())
            .filter(|at| !is_shown(at))
            .map(|at| self.headings[at].as_str())
            .collect();
        let said = (!left_out.is_empty()).then(|| {
            format!(
                "no room for {}: name columns that fit, or take `--format jsonl`",
                left_out.join(", ")
            )
        });
        Ok((self.out, said))
    }

    /// Settles the columns and writes what waited for that.
    fn settle(&mut self) -> io::Result<()> {
        let rows = std::mem::take(&mut self.waiting);
        let texts: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(shown).collect()).collect();
        let natural = |(at, heading): (usize, &String)| Column {
            at,
            width: texts
                .iter()
                .map(|row| row[at].width())
                .chain([heading.width()])
                .max()
                .unwrap_or(0),
            right: rows.iter().all(|row| !matches!(row[at], Value::Text(_))),
            cut: self.width.is_some(),
        };
        let natural: Vec<Column> = self.headings.iter().enumerate().map(natural).collect();
        let columns = match self.width {
            Some(width) => fitting(&natural, width),
            None => natural,
        };
        line(&mut self.out, &columns, |at| self.headings[at].clone())?;
        for row in &texts {
            line(&mut self.out, &columns, |at| row[at].clone())?;
        }
        self.columns = Some(columns);
        Ok(())
    }
}

/// The columns that fit into `room`, in their order: the first text that does not is cut.
fn fitting(natural: &[Column], room: usize) -> Vec<Column> {
    let mut left = room;
    let mut fitting = Vec::new();
    for column in natural {
        let gaps = 1 + usize::from(!fitting.is_empty());
        let width = column.width.min(left.saturating_sub(gaps));
        if width == column.width || (!column.right && width >= LEAST.min(room)) {
            fitting.push(Column { width, ..*column });
            left -= width + gaps;
        }
    }
    if fitting.is_empty() {
        // Something is better than nothing.
        let width = room.saturating_sub(1).max(1);
        fitting.extend(natural.first().map(|column| Column { width, ..*column }));
    }
    fitting
}

/// Writes a line: a space before the first column, two between columns, none at the end.
fn line(
    out: &mut impl Write,
    columns: &[Column],
    text: impl Fn(usize) -> String,
) -> io::Result<()> {
    let mut line = String::new();
    for (place, column) in columns.iter().enumerate() {
        line.push_str(if place == 0 { " " } else { "  " });
        let mut text = text(column.at);
        if column.cut && text.width() > column.width {
            text = shorten(&text, column.width);
        }
        let free = " ".repeat(column.width.saturating_sub(text.width()));
        let (before, after) = if column.right { (free.as_str(), "") } else { ("", free.as_str()) };
        line.extend([before, &text, after]);
    }
    writeln!(out, "{}", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(width: Option<usize>, names: &[&str], rows: &[&[Value]]) -> (String, Option<String>) {
        let mut text = Text::new(Vec::new(), width);
        let headings: Vec<_> = names.iter().map(|name| Heading::untyped(name)).collect();
        text.begin(&headings);
        for row in rows {
            let row: Vec<_> = row.iter().map(Value::by_ref).collect();
            text.row(&row).expect("writes");
        }
        let (bytes, said) = text.finish().expect("ends");
        (String::from_utf8(bytes).expect("is text"), said)
    }

    #[test]
    fn a_narrow_terminal_gets_what_fits_and_is_told_what_does_not() {
        let row: &[Value] = &[
            "z7qww8m37k".into(),
            "fashion-with-a-long-name-of-its-own".into(),
            "Mi/7".into(),
            0.123_456.into(),
            3_i64.into(),
        ];
        let names = ["short_id", "dataset", "model", "final_val", "seed"];
        let (text, said) = table(Some(40), &names, &[row, row]);
        insta::assert_snapshot!(format!("{text}{}", said.expect("something is left out")));
        assert!(text.lines().all(|line| line.width() <= 40), "{text}");
        for width in 1..120 {
            let (text, _) = table(Some(width), &names, &[row]);
            assert!(text.lines().all(|line| line.width() <= width.max(2)), "{width}\n{text}");
        }
        let (text, said) = table(None, &names, &[row]);
        assert!(text.contains("of-its-own") && said.is_none());
    }

    #[test]
    fn text_cannot_talk_to_the_terminal() {
        let evil: &[Value] = &["\u{1b}[31mred\u{7}\u{9b}2J\u{202e}x\tü\r".into(), "a\nb".into()];
        let (text, _) = table(None, &["mess\u{1b}age", "lines"], &[evil]);
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        assert!(text.contains("␛[31mred␇<9b>2J<202e>x␉ü"), "{text}");
    }

    #[test]
    fn rows_after_the_first_thousand_are_written_as_they_come() {
        let mut text = Text::new(Vec::new(), None);
        text.begin(&[Heading::untyped("n")]);
        for n in 0..3000_i64 {
            text.row(&[Value::Integer(n)]).expect("writes");
        }
        assert!(text.waiting.is_empty());
        let (bytes, _) = text.finish().expect("ends");
        assert_eq!(String::from_utf8(bytes).expect("is text").lines().count(), 3001);
    }
}
