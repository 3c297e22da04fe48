//! Aggregates over the rows of a group: which there are, and how each folds values into one.
//!
//! They are folded here and not in SQL, because SQLite knows neither the median nor the standard
//! deviation. Rows without a value count nowhere but in `count` without a column.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use augreg_spec::nearest;

use crate::filter::column;
use crate::views::{Column, Kind};
use crate::{QueryError, Value};

/// What aggregates are called, for people.
pub(crate) const FUNCTIONS: &str = "`count`, `mean`, `median`, `min`, `max`, `sum`, `std`";

/// One number, or value, that a group of jobs is summed up by: `count`, `mean(final_val)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Aggregate {
    pub(crate) function: Function,
    /// None counts the jobs themselves.
    pub(crate) column: Option<&'static Column>,
}

/// How values become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Count,
    Mean,
    Median,
    Min,
    Max,
    Sum,
    /// The deviation of a sample: of n values the sum of squares is divided by n - 1.
    Std,
}

impl Function {
    const ALL: [(&'static str, Self); 8] = [
        ("count", Self::Count),
        ("mean", Self::Mean),
        ("median", Self::Median),
        ("min", Self::Min),
        ("max", Self::Max),
        ("sum", Self::Sum),
        ("std", Self::Std),
        ("avg", Self::Mean), // As SQL calls it.
    ];

    fn of(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        Self::ALL.into_iter().find(|known| known.0 == name).map(|known| known.1)
    }

    fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|known| known.1 == self).map_or("", |known| known.0)
    }
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column {
            Some(column) => write!(f, "{}({})", self.function.name(), column.name),
            None => f.write_str(self.function.name()),
        }
    }
}

impl FromStr for Aggregate {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        let (name, inside) = match text.trim().split_once('(') {
            Some((name, rest)) => (name.trim_end(), rest.strip_suffix(')').map(str::trim)),
            None => (text.trim(), Some("")),
        };
        let grammar = || {
            let known = Function::ALL.iter().map(|known| known.0);
            let nearest = nearest(name, known).map(str::to_owned);
            QueryError::AggregateGrammar { text: text.to_owned(), nearest }
        };
        let function = Function::of(name).ok_or_else(grammar)?;
        match inside {
            Some("" | "*") if function == Function::Count => Ok(Self { function, column: None }),
            None | Some("" | "*") => Err(grammar()),
            Some(name) => Self::over(function, column(name)?),
        }
    }
}

impl Aggregate {
    /// An aggregate by its function's name and its column: for `count` the jobs that have a value.
    ///
    /// # Errors
    ///
    /// [`QueryError::AggregateGrammar`], [`QueryError::UnknownColumn`], [`QueryError::NotNumeric`].
    pub fn named(function: &str, column: &str) -> Result<Self, QueryError> {
        format!("{function}({column})").parse()
    }

    fn over(function: Function, column: &'static Column) -> Result<Self, QueryError> {
        let any = matches!(function, Function::Count | Function::Min | Function::Max);
        let aggregate = Self { function, column: Some(column) };
        if column.kind == Kind::Text && !any {
            let aggregate = aggregate.to_string();
            return Err(QueryError::NotNumeric { aggregate, column: column.name });
        }
        Ok(aggregate)
    }

    /// What it yields.
    pub(crate) fn kind(&self) -> Kind {
        match (self.function, self.column) {
            (Function::Count, _) | (_, None) => Kind::Integer,
            (Function::Min | Function::Max | Function::Sum, Some(column)) => column.kind,
            _ => Kind::Real,
        }
    }
}

/// An aggregate on its way through a group.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    count: i64,
    whole: i64,
    sum: f64,
    /// What rounding took from `sum` (Kahan, Neumaier).
    lost: f64,
    /// The smallest or largest so far.
    end: Option<Value>,
    /// All of them, for what cannot do without.
    values: Vec<f64>,
}

impl Fold {
    /// Takes the value of a row in the aggregate's column, or any value where it has none.
    pub(crate) fn take<T: AsRef<str>>(&mut self, aggregate: &Aggregate, value: &Value<T>) {
        if matches!(value, Value::Null) && aggregate.column.is_some() {
            return;
        }
        self.count += 1;
        match aggregate.function {
            Function::Count => {}
            Function::Mean | Function::Sum => self.add(value),
            Function::Median | Function::Std => self.values.extend(real(value)),
            Function::Min => self.keep(value, Ordering::Less),
            Function::Max => self.keep(value, Ordering::Greater),
        }
    }

    fn add<T>(&mut self, value: &Value<T>) {
        if let Value::Integer(value) = value {
            self.whole = self.whole.saturating_add(*value);
        }
        let Some(value) = real(value) else { return };
        let sum = self.sum + value;
        self.lost += if self.sum.abs() >= value.abs() {
            (self.sum - sum) + value
        } else {
            (value - sum) + self.sum
        };
        self.sum = sum;
    }

    fn keep<T: AsRef<str>>(&mut self, value: &Value<T>, wanted: Ordering) {
        if self.end.as_ref().is_none_or(|end| order(value, end) == wanted) {
            self.end = Some(value.to_value());
        }
    }

    /// What came of it.
    pub(crate) fn end(mut self, aggregate: &Aggregate) -> Value {
        if aggregate.function == Function::Count {
            return Value::Integer(self.count);
        }
        if self.count == 0 {
            return Value::Null;
        }
        let sum = self.sum + self.lost;
        match (aggregate.function, aggregate.kind()) {
            (Function::Sum, Kind::Integer) => Value::Integer(self.whole),
            (Function::Sum, _) => Value::Real(sum),
            (Function::Mean, _) => Value::Real(sum / self.count as f64),
            (Function::Median, _) => median(&mut self.values).map_or(Value::Null, Value::Real),
            (Function::Std, _) => deviation(&self.values).map_or(Value::Null, Value::Real),
            _ => self.end.unwrap_or(Value::Null),
        }
    }
}

fn real<T>(value: &Value<T>) -> Option<f64> {
    match value {
        Value::Integer(value) => Some(*value as f64),
        Value::Real(value) => Some(*value),
        Value::Null | Value::Text(_) => None,
    }
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[half]),
        _ => Some(f64::midpoint(values[half - 1], values[half])),
    }
}

/// In two passes, since the sum of squares alone loses what large values have in common.
fn deviation(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt())
}

/// Numbers before text, as SQLite sorts; nothing comes last.
pub(crate) fn order<A: AsRef<str>, B: AsRef<str>>(a: &Value<A>, b: &Value<B>) -> Ordering {
    match (a, b) {
        (Value::Text(a), Value::Text(b)) => a.as_ref().cmp(b.as_ref()),
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null | Value::Text(_), _) => Ordering::Greater,
        (_, Value::Null | Value::Text(_)) => Ordering::Less,
        (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
        (a, b) => real(a).unwrap_or(0.0).total_cmp(&real(b).unwrap_or(0.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(aggregate: &str, values: &[Value]) -> Value {
        let aggregate: Aggregate = aggregate.parse().expect("an aggregate");
        let mut fold = Fold::default();
        for value in values {
            fold.take(&aggregate, value);
        }
        fold.end(&aggregate)
    }

    /// `pandas.Series([0.25, None, 0.75, 0.5, 0.8]).agg(["mean", "median", "min", "max", "sum", "std", "count"])`,
    /// pandas 3.1.1.
    #[test]
    fn aggregates_are_those_of_pandas() {
        let values = [0.25, 0.75, 0.5, 0.8].map(Value::Real);
        let values = [&values[..1], &[Value::Null], &values[1..]].concat();
        for (aggregate, expected) in [
            ("mean(final_val)", 0.575),
            ("median(final_val)", 0.625),
            ("min(final_val)", 0.25),
            ("max(final_val)", 0.8),
            ("sum(final_val)", 2.3),
            ("std(final_val)", 0.253_311_402_559_511_07),
        ] {
            assert_eq!(folded(aggregate, &values), Value::Real(expected), "{aggregate}");
        }
        assert_eq!(folded("count(final_val)", &values), Value::Integer(4));
        assert_eq!(folded("count", &values), Value::Integer(5));
        assert_eq!(folded("std(final_val)", &values[..1]), Value::Null);
        assert_eq!(folded("mean(final_val)", &[Value::Null]), Value::Null);
        assert_eq!(folded("sum(seed)", &[1_i64, 2].map(Value::Integer)), Value::Integer(3));
        let texts = ["b", "a"].map(Value::from);
        assert_eq!(folded("max(model)", &texts), Value::from("b"));
    }

    #[test]
    fn what_is_no_aggregate_says_what_to_write() {
        let refusal =
            |text: &str| text.parse::<Aggregate>().expect_err("is no aggregate").to_string();
        assert!(refusal("men(final_val)").ends_with("did you mean `mean`?"));
        assert!(refusal("final_val").contains("such as `mean(final_val)`"));
        assert!(refusal("mean(final_val").contains("is no aggregate"));
        assert!(refusal("mean(final_vall)").contains("did you mean `final_val`?"));
        assert!(refusal("mean(model)").contains("column `model` holds text"));
        let aggregate: Aggregate = " AVG( final_val ) ".parse().expect("an aggregate");
        assert_eq!(aggregate.to_string(), "mean(final_val)");
    }
}
