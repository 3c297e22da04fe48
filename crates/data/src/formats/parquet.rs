//! Parquet files as Hugging Face's `datasets` writes them: a column of pictures, `struct<bytes,
//! path>` or plain bytes, and a column of labels, each a class or a list of classes; with a label map
//! any number.
//!
//! In a table no row can be read without the page around it, and small pictures come by the thousand
//! a page. So the first look at a table writes its pictures as a pack into the cache, which reads
//! everything once, as the hash of the content has to anyway; from then on the table is not touched
//! as long as it does not change.

use std::fs::File;
use std::path::{Path, PathBuf};

use augreg_spec::{DataSource, LabelMap};
use parquet::basic::{ConvertedType, Type as Physical};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};

use super::pack::{self, Writer};
use super::{classes, shards};
use crate::DataError;
use crate::cache;
use crate::index::{Holder, Index, Kind, Places};
use crate::place::Place;

/// Rows in memory at once.
const ROWS: usize = 64;

/// Opens the source split `split`, made of these files.
pub(crate) fn open(
    source: &DataSource,
    split: &str,
    files: &[PathBuf],
) -> Result<Index, DataError> {
    let entry = shards::fingerprint(source, split, files)?;
    let _alone = cache::alone();
    let path = cache::folder().join(format!("{entry}.pack"));
    let mut index = if let Ok(index) = pack::open(&path) {
        index
    } else {
        unpack(source, files, &path)?;
        pack::open(&path)?
    };
    if let Places::Spans(spans) = &mut index.places {
        for (holder, file) in spans.origins.iter_mut().zip(files) {
            holder.path.clone_from(file);
        }
    }
    Ok(index)
}

/// Writes the pictures and labels of all files as a pack.
fn unpack(source: &DataSource, files: &[PathBuf], path: &Path) -> Result<(), DataError> {
    tracing::info!("unpacking {} tables into `{}`", files.len(), path.display());
    let mut failure = None;
    let written = cache::write_whole(path, |file| {
        let mut writer = Writer::new(file);
        let (mut origins, mut names) = (Vec::new(), Vec::new());
        for path in files {
            let before = writer.len();
            match Table::open(source, path).and_then(|table| table.copy(&mut writer)) {
                Ok(found) => names = found,
                Err(Fault::Write(error)) => return Err(error),
                Err(Fault::Data(error)) => {
                    failure = Some(error);
                    return Err(std::io::Error::other("the data cannot be read"));
                }
            }
            let examples = (writer.len() - before) as u64;
            origins.push(Holder { path: path.clone(), examples });
        }
        let known = (!names.is_empty()).then_some(names.len() as u32);
        let classes = source.reading.label_map.map(LabelMap::classes).or(known);
        writer.finish(Kind::Encoded, classes, names, origins, None)
    });
    match (written, failure) {
        (Ok(()), _) => Ok(()),
        (_, Some(error)) => Err(error),
        (Err(source), None) => {
            Err(DataError::Write { path: path.to_owned(), source, advice: cache::ADVICE })
        }
    }
}

/// Either the data are to blame or the cache.
enum Fault {
    Data(DataError),
    Write(std::io::Error),
}

impl From<DataError> for Fault {
    fn from(error: DataError) -> Self {
        Self::Data(error)
    }
}

/// One file.
struct Table<'a> {
    path: &'a Path,
    file: SerializedFileReader<File>,
    /// Numbers of the columns of pictures and labels.
    image: usize,
    label: usize,
    map: Option<LabelMap>,
}

/// What stands in a row of the column of labels.
enum Label {
    /// One class, or several.
    Classes(Vec<i64>),
    /// What a map makes a class of.
    Raw(LabelMap, f64),
}

impl Label {
    fn classes(self, place: impl Fn() -> Place) -> Result<Vec<u32>, DataError> {
        match self {
            Self::Classes(numbers) => classes::classes(&numbers, place),
            Self::Raw(map, raw) => classes::mapped(map, raw, place).map(|class| vec![class]),
        }
    }
}

impl<'a> Table<'a> {
    fn open(source: &DataSource, path: &'a Path) -> Result<Self, Fault> {
        let file =
            File::open(path).map_err(|source| DataError::Read { path: path.to_owned(), source })?;
        let file = SerializedFileReader::new(file).map_err(|error| damaged(path, None, &error))?;
        let schema = file.metadata().file_metadata().schema_descr();
        let reading = &source.reading;
        let map = reading.label_map;
        let labels = if map.is_some() { Holds::Numbers } else { Holds::Classes };
        let named = |asked: &Option<String>, usual: &[&str], holds: Holds, what: &str| {
            column(schema, asked.as_deref(), usual, holds).ok_or_else(|| {
                let asked = asked
                    .clone()
                    .map_or(format!("`{}`", usual.join("` or `")), |name| format!("`{name}`"));
                let columns: Vec<_> =
                    schema.columns().iter().map(|column| column.path().string()).collect();
                let what = format!(
                    "there is no column {asked} of {what}, the columns are {}: name the right one \
                     in the data set",
                    columns.join(", ")
                );
                Fault::Data(DataError::Column { path: path.to_owned(), what })
            })
        };
        let image = named(&reading.image, &["image", "img"], Holds::Pictures, "pictures")?;
        let label = named(&reading.label, &["label", "labels"], labels, "labels")?;
        Ok(Self { path, file, image, label, map })
    }

    /// Appends all rows to `writer`; the names of the classes, if the file knows them.
    fn copy(&self, writer: &mut Writer<'_>) -> Result<Vec<String>, Fault> {
        let mut row = 0;
        for group in 0..self.file.num_row_groups() {
            let group = self.file.get_row_group(group).map_err(|e| damaged(self.path, None, &e))?;
            row = self.copy_group(&*group, row, writer)?;
        }
        Ok(self.class_names())
    }

    fn copy_group(
        &self,
        group: &dyn RowGroupReader,
        mut row: u64,
        writer: &mut Writer<'_>,
    ) -> Result<u64, Fault> {
        let fault = |row, error: &ParquetError| Fault::Data(damaged(self.path, Some(row), error));
        let reader = |column| group.get_column_reader(column).map_err(|e| fault(row, &e));
        let (mut images, mut labels) = (reader(self.image)?, reader(self.label)?);
        let schema = self.file.metadata().file_metadata().schema_descr();
        let most = schema.column(self.image).max_def_level();
        let label = schema.column(self.label);
        let end = row + u64::try_from(group.metadata().num_rows()).unwrap_or(0);
        while row < end {
            let wanted = ROWS.min((end - row) as usize);
            let pictures = pictures(&mut images, most, wanted).map_err(|e| fault(row, &e))?;
            let found = self.labels(&mut labels, &label, wanted).map_err(|e| fault(row, &e))?;
            if pictures.len() != wanted || found.len() != wanted {
                let what = format!(
                    "the file has {} pictures and {} labels for {wanted} rows from here: it is damaged",
                    pictures.len(),
                    found.len()
                );
                let place = Place::row(self.path, row);
                return Err(Fault::Data(DataError::Damaged { place, what }));
            }
            for (picture, label) in pictures.iter().zip(found) {
                let place = || Place::row(self.path, row);
                let label = label.ok_or_else(|| DataError::BadLabel {
                    place: place(),
                    found: "missing".to_owned(),
                    wanted: "every row needs one: leave the row out, or correct it".to_owned(),
                })?;
                let classes = label.classes(place)?;
                // A row without a picture is an example that cannot be decoded, as an empty file.
                let bytes = picture.as_ref().map_or(&[][..], ByteArray::data);
                writer.add(bytes, &classes).map_err(Fault::Write)?;
                row += 1;
            }
        }
        Ok(row)
    }

    /// The next `rows` labels; none where there is none.
    fn labels(
        &self,
        column: &mut ColumnReader,
        of: &ColumnDescriptor,
        rows: usize,
    ) -> Result<Vec<Option<Label>>, ParquetError> {
        let Some(map) = self.map else {
            let found = labels_of(column, of, rows)?.into_iter();
            return Ok(found.map(|numbers| numbers.map(Label::Classes)).collect());
        };
        let found = raw_of(column, of.max_def_level(), rows)?.into_iter();
        Ok(found.map(|raw| raw.map(|raw| Label::Raw(map, raw))).collect())
    }

    /// What Hugging Face's metadata call the classes of the label column, if it holds classes.
    fn class_names(&self) -> Vec<String> {
        if self.map.is_some() {
            return Vec::new();
        }
        let metadata = self.file.metadata().file_metadata();
        let column = metadata.schema_descr().column(self.label);
        let label = column.path().parts()[0].clone();
        let features = metadata.key_value_metadata().and_then(|entries| {
            let entry = entries.iter().find(|entry| entry.key == "huggingface")?;
            serde_json::from_str::<serde_json::Value>(entry.value.as_deref()?).ok()
        });
        let names = features.and_then(|value| {
            let feature = value.pointer("/info/features")?.get(&label)?;
            // Of a list the names are those of what is in it.
            let names =
                feature.get("names").or_else(|| feature.pointer("/feature/names"))?.as_array()?;
            names.iter().map(|name| name.as_str().map(str::to_owned)).collect()
        });
        names.unwrap_or_default()
    }
}

fn damaged(path: &Path, row: Option<u64>, error: &ParquetError) -> DataError {
    let place = row.map_or(Place::file(path), |row| Place::row(path, row));
    let what = format!("the Parquet file cannot be read ({error}): fetch or write it again");
    DataError::Damaged { place, what }
}

/// What a column must hold.
#[derive(Clone, Copy, PartialEq)]
enum Holds {
    /// Bytes, or a structure whose field `bytes` holds them.
    Pictures,
    /// Whole numbers or lists of them.
    Classes,
    /// Numbers.
    Numbers,
}

/// The number of the column of that name that holds that.
fn column(
    schema: &SchemaDescriptor,
    asked: Option<&str>,
    usual: &[&str],
    holds: Holds,
) -> Option<usize> {
    let names = asked.map_or(usual.to_vec(), |name| vec![name]);
    names.iter().find_map(|name| {
        schema.columns().iter().position(|column| {
            let parts = column.path().parts();
            let fits = match column.physical_type() {
                Physical::BYTE_ARRAY => holds == Holds::Pictures,
                Physical::FLOAT | Physical::DOUBLE => holds == Holds::Numbers,
                Physical::INT32 | Physical::INT64 => {
                    holds != Holds::Pictures && column.converted_type() != ConvertedType::DATE
                }
                _ => false,
            };
            fits && parts[0] == *name
                && match holds {
                    Holds::Pictures => {
                        column.max_rep_level() == 0
                            && (parts.len() == 1 || parts[1..] == ["bytes".to_owned()])
                    }
                    // A number, or `name.list.element`, whatever these two are called.
                    Holds::Classes => {
                        [(1, 0), (3, 1)].contains(&(parts.len(), column.max_rep_level()))
                    }
                    Holds::Numbers => parts.len() == 1 && column.max_rep_level() == 0,
                }
        })
    })
}

/// The next `rows` values of a column of bytes; none where there is none.
fn pictures(
    column: &mut ColumnReader,
    most: i16,
    rows: usize,
) -> Result<Vec<Option<ByteArray>>, ParquetError> {
    match column {
        ColumnReader::ByteArrayColumnReader(column) => values(column, most, rows),
        _ => Err(ParquetError::General("the column of pictures holds no bytes".to_owned())),
    }
}

/// The next `rows` labels, numbers or lists of numbers; none where there is none, or one is missing.
fn labels_of(
    column: &mut ColumnReader,
    of: &ColumnDescriptor,
    rows: usize,
) -> Result<Vec<Option<Vec<i64>>>, ParquetError> {
    match column {
        ColumnReader::Int64ColumnReader(column) => numbers(column, of, rows),
        ColumnReader::Int32ColumnReader(column) => numbers(column, of, rows),
        _ => Err(ParquetError::General("the column of labels holds no whole numbers".to_owned())),
    }
}

/// The next `rows` numbers of a column that is no list; none where there is none.
fn raw_of(
    column: &mut ColumnReader,
    most: i16,
    rows: usize,
) -> Result<Vec<Option<f64>>, ParquetError> {
    fn each<T: DataType>(
        column: &mut ColumnReaderImpl<T>,
        most: i16,
        rows: usize,
        number: impl Fn(T::T) -> f64,
    ) -> Result<Vec<Option<f64>>, ParquetError> {
        let found = values(column, most, rows)?.into_iter();
        Ok(found.map(|value| value.map(&number)).collect())
    }
    match column {
        ColumnReader::Int32ColumnReader(column) => each(column, most, rows, f64::from),
        ColumnReader::Int64ColumnReader(column) => each(column, most, rows, |n| n as f64),
        ColumnReader::FloatColumnReader(column) => each(column, most, rows, f64::from),
        ColumnReader::DoubleColumnReader(column) => each(column, most, rows, |n| n),
        _ => Err(ParquetError::General("the column of labels holds no numbers".to_owned())),
    }
}

/// [`labels_of`] one type of number.
fn numbers<T: DataType>(
    column: &mut ColumnReaderImpl<T>,
    of: &ColumnDescriptor,
    rows: usize,
) -> Result<Vec<Option<Vec<i64>>>, ParquetError>
where
    i64: From<T::T>,
{
    let most = of.max_def_level();
    if of.max_rep_level() == 0 {
        let found = values(column, most, rows)?.into_iter();
        return Ok(found.map(|number| number.map(|number| vec![number.into()])).collect());
    }
    let (mut definitions, mut repetitions, mut values) = (Vec::new(), Vec::new(), Vec::new());
    column.read_records(rows, Some(&mut definitions), Some(&mut repetitions), &mut values)?;
    // Below `most` come: a number that is missing, where it may be; an empty list; no list.
    let empty = most - 1 - i16::from(of.self_type().is_optional());
    let mut values = values.into_iter();
    let mut found: Vec<Option<Vec<i64>>> = Vec::with_capacity(rows);
    for (definition, repetition) in definitions.into_iter().zip(repetitions) {
        if repetition == 0 {
            found.push((definition >= empty).then(Vec::new));
        }
        if definition == most {
            let numbers = found.last_mut().and_then(Option::as_mut);
            numbers.into_iter().zip(values.next()).for_each(|(all, one)| all.push(one.into()));
        } else if definition > empty
            && let Some(last) = found.last_mut()
        {
            *last = None;
        }
    }
    Ok(found)
}

/// The next `rows` values of a column in which what is there has the definition level `most`.
fn values<T: DataType>(
    column: &mut ColumnReaderImpl<T>,
    most: i16,
    rows: usize,
) -> Result<Vec<Option<T::T>>, ParquetError> {
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    let (records, ..) = column.read_records(rows, Some(&mut levels), None, &mut values)?;
    if most == 0 {
        levels = vec![0; records];
    }
    let mut values = values.into_iter();
    Ok(levels.iter().map(|level| if *level == most { values.next() } else { None }).collect())
}
