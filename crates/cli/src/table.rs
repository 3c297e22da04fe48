//! Rows of a query in the form that was asked for: a table for a person, CSV, JSON, JSON lines, Parquet.
//!
//! Rows are written as they come and not kept, so an answer of any size takes no more memory than a small
//! one. How each form looks is in the modules below; what is in the rows is not known here.

mod json;
mod out;
mod text;

use std::borrow::Cow;
use std::io;
use std::path::Path;

use augreg_export::ParquetSink;
use augreg_store::{Heading, Kind, RowSink, Rows, VIEWS, Value, ValueRef};
use clap::ValueEnum;

use crate::failure::Failure;
use crate::output;
use crate::words::harmless;

use json::Json;
use out::Out;
use text::Text;

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
    /// A Parquet file with typed columns.
    Parquet,
}

impl Format {
    /// The format that a file's name ends in.
    pub(crate) fn of_file(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        Some(match extension.as_str() {
            "txt" => Self::Table,
            "json" => Self::Json,
            "jsonl" | "ndjson" => Self::Jsonl,
            "csv" => Self::Csv,
            "parquet" | "pq" => Self::Parquet,
            _ => return None,
        })
    }
}

/// Where rows go: to standard output or a file, in one of the formats.
pub(crate) enum Writer {
    Text(Text<Out>),
    Json(Json<Out>),
    Csv { csv: Box<csv::Writer<Out>>, cell: String, tame: bool },
    Parquet(Box<ParquetSink<Out>>),
}

impl Writer {
    /// Begins; a file gets its name when all is written.
    pub(crate) fn new(format: Format, file: Option<&Path>) -> Result<Self, Failure> {
        let terminal = file.is_none() && output::is_terminal();
        if terminal && format == Format::Parquet {
            return Err(Failure::request(
                "a Parquet file is nothing for a terminal",
                "write it to a file: `… > rows.parquet`, or of a query `--out rows.parquet`",
            ));
        }
        let out = Out::new(file)?;
        Ok(match format {
            Format::Table => Self::Text(Text::new(out, terminal.then(output::width))),
            Format::Json => Self::Json(Json::new(out, true)),
            Format::Jsonl => Self::Json(Json::new(out, false)),
            Format::Csv => {
                let csv = Box::new(csv::Writer::from_writer(out));
                Self::Csv { csv, cell: String::new(), tame: terminal }
            }
            Format::Parquet => Self::Parquet(Box::new(ParquetSink::new(out))),
        })
    }

    /// Writes what is left.
    pub(crate) fn finish(self) -> io::Result<()> {
        match self {
            Self::Text(text) => {
                let (out, left_out) = text.finish()?;
                out.finish()?;
                if let Some(left_out) = left_out {
                    output::say(&left_out);
                }
                Ok(())
            }
            Self::Json(json) => json.finish()?.finish(),
            Self::Csv { csv, .. } => {
                csv.into_inner().map_err(csv::IntoInnerError::into_error)?.finish()
            }
            Self::Parquet(parquet) => parquet.finish()?.finish(),
        }
    }
}

impl RowSink for Writer {
    fn needs_kinds(&self) -> bool {
        matches!(self, Self::Parquet(_))
    }

    fn begin(&mut self, headings: &[Heading]) -> io::Result<()> {
        match self {
            Self::Text(text) => {
                text.begin(headings);
                Ok(())
            }
            Self::Json(json) => json.begin(&distinct(headings)),
            Self::Csv { csv, tame, .. } => {
                let record = headings.iter().map(|heading| cell(&heading.name, *tame));
                csv.write_record(record.map(Cow::into_owned)).map_err(system)
            }
            Self::Parquet(parquet) => parquet.begin(&distinct(headings)),
        }
    }

    fn row(&mut self, row: &[ValueRef<'_>]) -> io::Result<()> {
        match self {
            Self::Text(text) => text.row(row),
            Self::Json(json) => json.row(row),
            Self::Csv { csv, cell: room, tame } => {
                for value in row {
                    let text = match value {
                        Value::Text(text) => cell(text, *tame),
                        number => {
                            room.clear();
                            write_plain(room, number);
                            Cow::Borrowed(room.as_str())
                        }
                    };
                    csv.write_field(text.as_bytes()).map_err(system)?;
                }
                csv.write_record(None::<&[u8]>).map_err(system)
            }
            Self::Parquet(parquet) => parquet.row(row),
        }
    }
}

/// Writes rows that are all there to standard output.
pub(crate) fn write(rows: &Rows, format: Format) -> Result<(), Failure> {
    write_to(rows, Writer::new(format, None)?)
}

/// Writes rows that are all there.
pub(crate) fn write_to(rows: &Rows, mut writer: Writer) -> Result<(), Failure> {
    writer.begin(&headings(rows))?;
    for row in &rows.rows {
        writer.row(&by_ref(row))?;
    }
    writer.finish()?;
    Ok(())
}

fn by_ref(row: &[Value]) -> Vec<ValueRef<'_>> {
    row.iter().map(Value::by_ref).collect()
}

/// Columns for a person: numbers to the right, four significant decimals, nothing as `–`.
#[cfg(test)]
pub(crate) fn table(rows: &Rows) -> String {
    let mut text = Text::new(Vec::new(), None);
    text.begin(&headings(rows));
    for row in &rows.rows {
        text.row(&by_ref(row)).expect("writes to memory");
    }
    let (bytes, _) = text.finish().expect("writes to memory");
    String::from_utf8(bytes).expect("is text")
}

/// The columns of rows, with what their values are; where all are absent, with what documented columns of
/// the same name hold.
fn headings(rows: &Rows) -> Vec<Heading> {
    let kind = |at: usize| {
        let kinds = rows.rows.iter().filter_map(|row| match row.get(at)? {
            Value::Null => None,
            Value::Integer(_) => Some(Kind::Integer),
            Value::Real(_) => Some(Kind::Real),
            Value::Text(_) => Some(Kind::Text),
        });
        kinds.reduce(|a, b| match (a, b) {
            (Kind::Text, _) | (_, Kind::Text) => Kind::Text,
            (Kind::Real, _) | (_, Kind::Real) => Kind::Real,
            _ => Kind::Integer,
        })
    };
    let documented = |name: &str| {
        let mut columns = VIEWS.iter().flat_map(|view| view.columns);
        columns.find(|column| column.name == name).map(|column| column.kind)
    };
    let heading = |(at, name): (usize, &String)| Heading {
        name: name.clone(),
        kind: kind(at).or_else(|| documented(name)),
    };
    rows.columns.iter().enumerate().map(heading).collect()
}

/// The same columns under names of which no two are the same: `id`, `id_2`. An object with a key twice
/// keeps one of its values.
fn distinct(headings: &[Heading]) -> Vec<Heading> {
    let mut taken: Vec<Heading> = Vec::with_capacity(headings.len());
    for heading in headings {
        let is_free = |name: &str| {
            let mut all = taken.iter().chain(headings);
            !taken.iter().any(|taken| taken.name == name)
                && (name == heading.name || !all.any(|other| other.name == name))
        };
        let numbered = (2..).map(|n| format!("{}_{n}", heading.name));
        let name = std::iter::once(heading.name.clone()).chain(numbered).find(|name| is_free(name));
        taken.push(Heading { name: name.unwrap_or_default(), kind: heading.kind });
    }
    taken
}

/// What the system said: that nobody listens any more must stay to be seen.
fn system(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        kind => io::Error::other(format!("{kind:?}")),
    }
}

/// Text of a CSV file; to a terminal without what a terminal would obey.
fn cell(text: &str, tame: bool) -> Cow<'_, str> {
    if tame { harmless(text) } else { Cow::Borrowed(text) }
}

/// A value as a program reads it.
pub(crate) fn plain(value: &Value) -> String {
    let mut text = String::new();
    write_plain(&mut text, value);
    text
}

fn write_plain<T: AsRef<str>>(text: &mut String, value: &Value<T>) {
    match value {
        Value::Null => {}
        Value::Integer(value) => text.push_str(itoa::Buffer::new().format(*value)),
        // The text that JSON has too: the shortest that reads back as the same number, with a point or an
        // exponent, so that a reader takes 0.0 for a float.
        Value::Real(value) => text.push_str(zmij::Buffer::new().format(*value)),
        Value::Text(value) => text.push_str(value.as_ref()),
    }
}

/// A value as a person reads it.
pub(crate) fn shown<T: AsRef<str>>(value: &Value<T>) -> String {
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
        // As many significant digits of small ones.
        Value::Real(value) if value.abs() >= 1e-6 => {
            let decimals = (3.0 - value.abs().log10().floor()) as usize;
            format!("{value:.decimals$}").trim_end_matches('0').to_owned()
        }
        Value::Real(value) => format!("{value:.3e}"),
        Value::Text(value) => {
            harmless(value.as_ref().lines().next().unwrap_or_default()).into_owned()
        }
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

    #[test]
    fn numbers_have_four_significant_digits_whatever_their_size() {
        let shown = |value| shown::<String>(&Value::Real(value));
        assert_eq!(shown(0.004_101_219_330_881_995), "0.004101");
        assert_eq!(
            (shown(0.001), shown(3e-5), shown(0.03)),
            ("0.001".into(), "0.00003".into(), "0.03".into())
        );
        assert_eq!((shown(-0.001_234_56), shown(1.5e-9)), ("-0.001235".into(), "1.500e-9".into()));
        assert_eq!(
            (shown(0.0), shown(12.345), shown(0.873_456)),
            ("0".into(), "12.3".into(), "0.8735".into())
        );
    }

    #[test]
    fn columns_of_one_name_are_told_apart_by_number() {
        let names = |names: &[&str]| {
            let headings: Vec<_> = names.iter().map(|name| Heading::untyped(name)).collect();
            distinct(&headings).into_iter().map(|heading| heading.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&["id", "state", "id", "id"]), ["id", "state", "id_2", "id_3"]);
        assert_eq!(names(&["id", "id", "id_2"]), ["id", "id_3", "id_2"]);
    }

    #[test]
    fn a_files_name_says_its_format() {
        let of = |name: &str| Format::of_file(Path::new(name));
        assert_eq!(of("a/b.PARQUET"), Some(Format::Parquet));
        assert_eq!(of("a.b.csv"), Some(Format::Csv));
        assert_eq!((of("rows"), of("rows.xyz")), (None, None));
    }
}
