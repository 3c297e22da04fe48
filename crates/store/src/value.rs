//! What a query returns: named columns and rows of plain values. Rendering lives elsewhere.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

/// One value of a row, as SQLite stores it. Serializes as the plain JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<T = String> {
    /// Nothing.
    Null,
    /// A whole number.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// Text; bytes are shown in hexadecimal.
    Text(T),
}

/// A value of a row that SQLite is still at: its text is where SQLite has it.
pub type ValueRef<'a> = Value<Cow<'a, str>>;

impl<T: AsRef<str>> Value<T> {
    /// The value with text of its own.
    #[must_use]
    pub fn to_value(&self) -> Value {
        match self.by_ref() {
            Value::Null => Value::Null,
            Value::Integer(value) => Value::Integer(value),
            Value::Real(value) => Value::Real(value),
            Value::Text(text) => Value::Text(text.into_owned()),
        }
    }

    /// The value with its text borrowed.
    #[must_use]
    pub fn by_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Integer(value) => Value::Integer(*value),
            Self::Real(value) => Value::Real(*value),
            Self::Text(text) => Value::Text(Cow::Borrowed(text.as_ref())),
        }
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Integer(value as i64)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Integer(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<T: AsRef<str>> Serialize for Value<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Real(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value.as_ref()),
        }
    }
}

/// The answer to a query.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Rows {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows, each as long as `columns`.
    pub rows: Vec<Vec<Value>>,
}
