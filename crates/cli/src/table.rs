//! Rows of a query as a table, CSV, JSON or JSON lines.

use std::io::{self, Write};

use augreg_store::{Rows, Value};
use clap::ValueEnum;
use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};

/// How rows come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns for a person.
    Table,
    /// One JSON array of objects.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values with a header line.
    Csv,
}

/// Writes rows to standard output.
pub(crate) fn write(rows: &Rows, format: Format) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match format {
        Format::Table => writeln!(out, "{}", table(rows))?,
        Format::Json => {
            out.write_all(b"[")?;
            for (i, row) in rows.rows.iter().enumerate() {
                out.write_all(if i == 0 { b"\n" } else { b",\n" })?;
                object(&mut out, &rows.columns, row)?;
            }
            out.write_all(b"\n]\n")?;
        }
        Format::Jsonl => {
            for row in &rows.rows {
                object(&mut out, &rows.columns, row)?;
                out.write_all(b"\n")?;
            }
        }
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(&mut out);
            csv.write_record(&rows.columns)?;
            for row in &rows.rows {
                csv.write_record(row.iter().map(plain))?;
            }
            csv.flush()?;
        }
    }
    out.flush()
}

/// An object with its keys in column order.
fn object(out: &mut impl Write, columns: &[String], row: &[Value]) -> io::Result<()> {
    out.write_all(b"{")?;
    for (i, (column, value)) in columns.iter().zip(row).enumerate() {
        if i > 0 {
            out.write_all(b",")?;
        }
        serde_json::to_writer(&mut *out, column)?;
        out.write_all(b":")?;
        serde_json::to_writer(&mut *out, value)?;
    }
    out.write_all(b"}")
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Integer(value) => value.to_string(),
        // With a point or an exponent, so that a reader takes 0.0 for a float too. The shortest text
        // that reads back as the same number.
        Value::Real(value) => format!("{value:?}"),
        Value::Text(value) => value.clone(),
    }
}

/// Columns for a person: numbers to the right, four significant decimals, nothing as `–`.
pub(crate) fn table(rows: &Rows) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(rows.columns.iter().enumerate().map(|(i, column)| {
        let cell = Cell::new(column);
        if is_number(rows, i) { cell.set_alignment(CellAlignment::Right) } else { cell }
    }));
    for row in &rows.rows {
        table.add_row(row.iter().enumerate().map(|(i, value)| {
            let cell = Cell::new(shown(value));
            if is_number(rows, i) { cell.set_alignment(CellAlignment::Right) } else { cell }
        }));
    }
    table
}

fn is_number(rows: &Rows, column: usize) -> bool {
    let mut values = rows.rows.iter().map(|row| &row[column]).filter(|v| **v != Value::Null);
    values.all(|value| matches!(value, Value::Integer(_) | Value::Real(_)))
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "–".into(),
        Value::Integer(value) => value.to_string(),
        Value::Real(value) if value.fract().abs() < f64::EPSILON && value.abs() < 1e6 => {
            format!("{value}")
        }
        Value::Real(value) if value.abs() >= 1e6 => format!("{value:.3e}"),
        Value::Real(value) if value.abs() >= 1000.0 => format!("{value:.0}"),
        Value::Real(value) if value.abs() >= 10.0 => format!("{value:.1}"),
        Value::Real(value) if value.abs() >= 0.01 => {
            format!("{value:.4}").trim_end_matches('0').to_owned()
        }
        Value::Real(value) => format!("{value}"),
        Value::Text(value) => value.lines().next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_aligns_numbers_and_shows_what_is_missing() {
        let rows = Rows {
            columns: vec!["model".into(), "final_test".into()],
            rows: vec![
                vec![Value::Text("Ti/16".into()), Value::Real(0.876_543)],
                vec![Value::Text("B/16".into()), Value::Null],
            ],
        };
        insta::assert_snapshot!(table(&rows));
    }
}
