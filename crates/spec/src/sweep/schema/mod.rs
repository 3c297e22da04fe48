//! What may stand in a sweep file: every table, its keys, the values they take, and what they default to. The JSON
//! Schema for editors and the reference page are made of it. The axes of stages are those the reader reads, with the
//! reader's defaults; of the other tables a test holds the keys against those the reader asks for.

mod json;
mod page;
mod stages;
mod tables;

use std::borrow::Cow;

pub use json::json_schema;
pub use page::reference;

/// A table of a sweep file.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// Its name in the schema, such as `dataset`.
    pub id: &'static str,
    /// As it stands in a file, such as `[dataset.NAME]`.
    pub title: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Its keys.
    pub keys: Vec<Key>,
}

/// A key of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// As it is written.
    pub name: &'static str,
    /// What it takes.
    pub value: Value,
    /// Whether it must be there.
    pub required: bool,
    /// What holds where it is left out, for a person; empty if nothing does.
    pub default: Cow<'static, str>,
    /// What it is.
    pub doc: Cow<'static, str>,
}

/// What a key takes.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text; an example of it, if one helps.
    Text(&'static str),
    /// One of these words.
    Words(Vec<&'static str>),
    /// A name: one of these, or one that the file defines.
    Name(Vec<&'static str>),
    /// A number in a range.
    Number {
        /// At least this.
        least: Option<f64>,
        /// More than this.
        above: Option<f64>,
        /// Less than this.
        below: Option<f64>,
    },
    /// A whole number between the two, both included.
    Count(u64, u64),
    /// True or false.
    Flag,
    /// A table, by its id.
    Table(&'static str),
    /// Tables of that id under names of the user's choice.
    Named(&'static str),
    /// Several in a list.
    List(Box<Self>),
    /// One, or several in a list.
    Axis(Box<Self>),
    /// Either of these.
    Either(Vec<Self>),
    /// Whole numbers under names of the user's choice.
    Counts,
    /// Values of axes under the names of the axes.
    Point,
}

/// Every table of a sweep file; the file itself first.
#[must_use]
pub fn tables() -> Vec<Table> {
    let mut all = tables::before_stages();
    all.extend(stages::tables());
    all.extend(tables::after_stages());
    all
}

fn key(name: &'static str, value: Value, doc: &'static str) -> Key {
    let (required, default) = (false, Cow::Borrowed(""));
    Key { name, value, required, default, doc: doc.into() }
}

impl Key {
    fn required(mut self) -> Self {
        self.required = true;
        self
    }

    fn or(mut self, default: impl Into<Cow<'static, str>>) -> Self {
        self.default = default.into();
        self
    }
}

#[cfg(test)]
mod tests;
