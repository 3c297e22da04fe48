//! Rows as a Parquet file: typed columns, written in groups as rows come.
//!
//! Whole numbers are `INT64`, reals `DOUBLE`, text UTF-8 strings; every column may be null. Memory holds one
//! group of rows, however many there are in all.

use std::io::{self, Write};
use std::sync::Arc;

use augreg_store::{Heading, Kind, RowSink, Value, ValueRef};
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;

/// A group is written when it has so many rows,
const GROUP_ROWS: usize = 64 * 1024;

/// or so many bytes.
const GROUP_BYTES: usize = 32 << 20;

/// A Parquet file on its way.
pub struct ParquetSink<W: Write + Send> {
    /// Until the columns are known.
    out: Option<W>,
    writer: Option<SerializedFileWriter<W>>,
    columns: Vec<Column>,
    rows: usize,
    bytes: usize,
}

/// The values of a column in the group that is being filled.
struct Column {
    values: Values,
    /// 1 where there is a value, 0 where it is null.
    present: Vec<i16>,
}

enum Values {
    Integers(Vec<i64>),
    Reals(Vec<f64>),
    Texts(Vec<ByteArray>),
}

impl<W: Write + Send> ParquetSink<W> {
    /// A file that is written to `out`.
    pub fn new(out: W) -> Self {
        Self { out: Some(out), writer: None, columns: Vec::new(), rows: 0, bytes: 0 }
    }

    /// Writes what is left, and the footer without which nothing can be read; returns what was written to.
    ///
    /// # Errors
    ///
    /// What `out` says, or that it was never told its columns.
    pub fn finish(mut self) -> io::Result<W> {
        self.write_group()?;
        let columns = || io::Error::other("rows were written without their columns");
        let writer = self.writer.take().ok_or_else(columns)?;
        writer.into_inner().map_err(failed)
    }

    fn write_group(&mut self) -> io::Result<()> {
        let Some(writer) = self.writer.as_mut().filter(|_| self.rows > 0) else { return Ok(()) };
        let mut group = writer.next_row_group().map_err(failed)?;
        for column in &mut self.columns {
            column.write(&mut group).map_err(failed)?;
        }
        group.close().map_err(failed)?;
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }
}

impl<W: Write + Send> RowSink for ParquetSink<W> {
    fn needs_kinds(&self) -> bool {
        true
    }

    fn begin(&mut self, headings: &[Heading]) -> io::Result<()> {
        let kind = |heading: &Heading| heading.kind.unwrap_or(Kind::Text);
        self.columns = headings.iter().map(|heading| Column::of(kind(heading))).collect();
        let fields =
            headings.iter().map(|heading| field(&heading.name, kind(heading)).map(Arc::new));
        let fields = fields.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let schema =
            Type::group_type_builder("rows").with_fields(fields).build().map_err(failed)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(format!("augreg {}", env!("CARGO_PKG_VERSION")))
            .build();
        let out = self.out.take().ok_or_else(|| io::Error::other("the file has begun already"))?;
        let writer = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties));
        self.writer = Some(writer.map_err(failed)?);
        Ok(())
    }

    fn row(&mut self, row: &[ValueRef<'_>]) -> io::Result<()> {
        for (column, value) in self.columns.iter_mut().zip(row) {
            self.bytes += column.take(value)?;
        }
        self.rows += 1;
        if self.rows == GROUP_ROWS || self.bytes >= GROUP_BYTES {
            self.write_group()?;
        }
        Ok(())
    }
}

impl Column {
    fn of(kind: Kind) -> Self {
        let values = match kind {
            Kind::Integer => Values::Integers(Vec::new()),
            Kind::Real => Values::Reals(Vec::new()),
            Kind::Text => Values::Texts(Vec::new()),
        };
        Self { values, present: Vec::new() }
    }

    /// Takes a value; returns how many bytes it is, about.
    fn take(&mut self, value: &ValueRef<'_>) -> io::Result<usize> {
        self.present.push(i16::from(*value != Value::Null));
        match (&mut self.values, value) {
            (_, Value::Null) => return Ok(2),
            (Values::Integers(values), Value::Integer(value)) => values.push(*value),
            (Values::Reals(values), Value::Integer(value)) => values.push(*value as f64),
            (Values::Reals(values), Value::Real(value)) => values.push(*value),
            (Values::Texts(values), value) => {
                let text = match value {
                    Value::Integer(value) => value.to_string(),
                    Value::Real(value) => format!("{value:?}"),
                    Value::Text(text) => text.clone().into_owned(),
                    Value::Null => String::new(),
                };
                let bytes = text.len() + size_of::<ByteArray>();
                values.push(ByteArray::from(text.into_bytes()));
                return Ok(bytes);
            }
            (_, value) => {
                let message = format!("a column of numbers has {value:?} in it; give it a CAST");
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
        }
        Ok(10)
    }

    /// Writes the column of a group and empties it.
    fn write<W: Write + Send>(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<(), ParquetError> {
        match &mut self.values {
            Values::Integers(values) => write::<Int64Type, W>(group, values, &self.present)?,
            Values::Reals(values) => write::<DoubleType, W>(group, values, &self.present)?,
            Values::Texts(values) => write::<ByteArrayType, W>(group, values, &self.present)?,
        }
        self.present.clear();
        Ok(())
    }
}

fn write<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &mut Vec<T::T>,
    present: &[i16],
) -> Result<(), ParquetError> {
    let none = || ParquetError::General("the schema has fewer columns than the rows".to_owned());
    let mut column = group.next_column()?.ok_or_else(none)?;
    column.typed::<T>().write_batch(values, Some(present), None)?;
    values.clear();
    column.close()
}

fn field(name: &str, kind: Kind) -> Result<Type, ParquetError> {
    let (physical, logical) = match kind {
        Kind::Integer => (Physical::INT64, None),
        Kind::Real => (Physical::DOUBLE, None),
        Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
    };
    Type::primitive_type_builder(name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .build()
}

/// What went wrong below, as it was if the system said it.
fn failed(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(source) => io::Error::other(source),
        },
        error => io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;

    use super::*;

    fn written(headings: &[Heading], rows: Vec<Vec<Value>>) -> SerializedFileReader<Bytes> {
        let mut sink = ParquetSink::new(Vec::new());
        sink.begin(headings).expect("begins");
        for row in rows {
            let row: Vec<_> = row.iter().map(Value::by_ref).collect();
            sink.row(&row).expect("takes the row");
        }
        let bytes = sink.finish().expect("finishes");
        SerializedFileReader::new(Bytes::from(bytes)).expect("can be read")
    }

    fn heading(name: &str, kind: Kind) -> Heading {
        Heading { name: name.to_owned(), kind: Some(kind) }
    }

    /// What pandas and pyarrow make of such files is tested by `scripts/test.d/exports.py`.
    #[test]
    fn rows_come_back_with_their_types_and_without_what_is_absent() {
        let headings =
            [heading("n", Kind::Integer), heading("x", Kind::Real), heading("t", Kind::Text)];
        let file = written(
            &headings,
            vec![
                vec![Value::Integer(i64::MAX), Value::Real(0.1), Value::from("Ti/16 ü")],
                vec![Value::Null, Value::Integer(3), Value::Null],
                vec![Value::Integer(-1), Value::Null, Value::Real(2.0)],
            ],
        );
        let rows: Vec<Vec<Field>> = file
            .get_row_iter(None)
            .expect("iterates")
            .map(|row| {
                row.expect("a row").into_columns().into_iter().map(|(_, field)| field).collect()
            })
            .collect();
        let text = |text: &str| Field::Str(text.to_owned());
        assert_eq!(rows[0], [Field::Long(i64::MAX), Field::Double(0.1), text("Ti/16 ü")]);
        assert_eq!(rows[1], [Field::Null, Field::Double(3.0), Field::Null]);
        assert_eq!(rows[2], [Field::Long(-1), Field::Null, text("2.0")]);
    }

    #[test]
    fn many_rows_are_written_in_groups_and_no_rows_are_a_file_too() {
        let rows = (0..150_000).map(|n: i64| vec![Value::Integer(n)]).collect();
        let file = written(&[heading("n", Kind::Integer)], rows);
        assert_eq!(
            (file.metadata().num_row_groups(), file.metadata().file_metadata().num_rows()),
            (3, 150_000)
        );
        let file = written(&[heading("n", Kind::Integer)], Vec::new());
        assert_eq!(file.metadata().file_metadata().num_rows(), 0);
    }

    #[test]
    fn text_among_numbers_is_refused() {
        let mut sink = ParquetSink::new(Vec::new());
        sink.begin(&[heading("n", Kind::Integer)]).expect("begins");
        let error = sink.row(&[Value::from("x").by_ref()]).expect_err("is no number");
        assert!(error.to_string().contains("CAST"), "{error}");
    }
}
