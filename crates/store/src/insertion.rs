//! The insertion of jobs, a piece at a time: what SQLite spends on a row is mostly spent on its values.
//!
//! Neighbours in a grid differ in few settings, so the values that all rows of a piece have alike
//! travel once, and only what differs a row each. A grid has few patterns of what differs; each is a
//! statement, compiled once.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::{AssertSqlSafe, SqliteConnection};

use crate::checked::checked;
use crate::error::database;
use crate::question::{Query, bind};
use crate::{StoreError, Value};

/// Jobs of a piece. A trip to SQLite costs more than a row, and SQLite's own cost per row stops
/// falling here.
pub(crate) const PIECE: usize = 256;

/// Patterns of what differs that have statements of their own. Each takes some 200 KB in SQLite.
const PATTERNS: usize = 32;

/// `OR FAIL`: what was inserted before need not be taken back by SQLite; the transaction is given up.
#[rustfmt::skip]
const ONE_JOB: &str = checked!(
    "INSERT OR FAIL INTO job (
         id, state, stage, priority, parent, dataset_fingerprint, steps, parameters, flops, created, labels,
         spec, dataset, model, augmentation, randaugment_layers, randaugment_magnitude, mixup,
         dropout, stochastic_depth, weight_decay, learning_rate, epochs, batch_size, resolution,
         loss, precision, seed, crop, flip, warmup_steps, clip_norm, beta1, beta2, eps, head_bias,
         evaluations
     )
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
             ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO NOTHING",
    _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _,
    _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _
);

/// The values of a job, in the order of [`ONE_JOB`].
pub(crate) type Row = Vec<Value>;

/// For each column, whether the rows of a piece differ in it.
type Pattern = Vec<bool>;

/// The insertion of one piece, ready to be sent to SQLite.
#[derive(Default)]
pub(crate) struct Insertion(Vec<Query>);

impl Insertion {
    /// Inserts those jobs that the study does not have. Returns how many those were.
    pub(crate) async fn execute(
        self,
        connection: &mut SqliteConnection,
    ) -> Result<i64, StoreError> {
        let mut inserted = 0;
        for query in self.0 {
            let done = query.execute(&mut *connection).await.map_err(database("register jobs"))?;
            inserted += done.rows_affected() as i64;
        }
        Ok(inserted)
    }
}

/// Makes insertions of the pieces of one sweep.
#[derive(Default)]
pub(crate) struct Insertions {
    statements: HashMap<Pattern, Arc<str>>,
}

impl Insertions {
    /// The insertion of these jobs.
    pub(crate) fn of(&mut self, rows: Vec<Row>) -> Insertion {
        if rows.len() == PIECE {
            return Insertion(vec![self.many(rows)]);
        }
        let one = |row: Row| row.into_iter().fold(sqlx::query(ONE_JOB), bind);
        Insertion(rows.into_iter().map(one).collect())
    }

    /// The insertion of a whole piece.
    fn many(&mut self, rows: Vec<Row>) -> Query {
        let mut pattern = differing(&rows);
        if self.statements.len() >= PATTERNS && !self.statements.contains_key(&pattern) {
            pattern.fill(true);
        }
        let sql = self.statements.entry(pattern.clone());
        let sql = sql.or_insert_with_key(|pattern| statement(pattern, PIECE).into());
        let mut query = sqlx::query(AssertSqlSafe(Arc::clone(sql)));
        for (place, row) in rows.into_iter().enumerate() {
            if place == 0 {
                let alike = row.iter().zip(&pattern).filter(|(_, differs)| !**differs);
                query = alike.fold(query, |query, (value, _)| bind(query, value.clone()));
            }
            let own = row.into_iter().zip(&pattern).filter(|(_, differs)| **differs);
            query = own.fold(query, |query, (value, _)| bind(query, value));
        }
        query
    }
}

fn differing(rows: &[Row]) -> Pattern {
    let Some((first, others)) = rows.split_first() else { return Pattern::new() };
    let differs = |column| others.iter().any(|row: &Row| row[column] != first[column]);
    (0..first.len()).map(differs).collect()
}

/// [`ONE_JOB`] of `rows` rows: first what they have alike, then what each has of its own.
fn statement(pattern: &[bool], rows: usize) -> String {
    let between = |open: char, close: char| {
        let inner = ONE_JOB.split_once(open).and_then(|(_, rest)| rest.split_once(close));
        inner.map_or("", |(inner, _)| inner)
    };
    let columns = between('(', ')');
    let names: Vec<_> = columns.split(',').map(str::trim).zip(pattern).collect();
    let of = |differs: bool| {
        let names = names.iter().filter(|(_, differing)| **differing == differs);
        names.map(|(name, _)| *name).collect::<Vec<_>>()
    };
    let (alike, own) = (of(false), of(true));
    let marks = |names: &[&str]| vec!["?"; names.len()].join(", ");
    let values = vec![format!("({})", marks(&own)); rows].join(", ");
    let insert = format!("INSERT OR FAIL INTO job ({columns})");
    let end = "ON CONFLICT (id) DO NOTHING";
    if alike.is_empty() {
        return format!("{insert} VALUES {values} {end}");
    }
    format!(
        "WITH alike ({}) AS (SELECT {}), own ({}) AS (VALUES {values})
         {insert} SELECT {columns} FROM own CROSS JOIN alike WHERE true {end}",
        alike.join(", "),
        marks(&alike),
        own.join(", "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rows_have_alike_travels_once() {
        let row = |id: &str, seed: i64| vec![id.into(), Value::Null, seed.into(), 0.5.into()];
        assert_eq!(differing(&[row("a", 1), row("b", 1)]), [true, false, false, false]);
        assert_eq!(differing(&[row("a", 1), row("b", 2)]), [true, false, true, false]);
        let columns = ONE_JOB.matches('?').count();
        let mut pattern = vec![false; columns];
        pattern[0] = true;
        let sql = statement(&pattern, 3);
        assert_eq!(sql.matches('?').count(), columns - 1 + 3, "{sql}");
        pattern.fill(true);
        assert_eq!(statement(&pattern, 3).matches('?').count(), 3 * columns);
    }
}
