//! Many statements in one trip. SQLite works in a thread of its own, and to hand it a statement and
//! hear of it costs more than most statements do; to compile one costs more still. So what a
//! transaction writes is gathered first, and handed over in pieces of which there are few kinds, so
//! that SQLite has them compiled already.

use std::collections::VecDeque;

use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe, Either, Executor, SqliteConnection};

use crate::error::database;
use crate::{StoreError, Value};

/// How many units of one kind are handed over together.
const TRIPS: [usize; 4] = [8, 4, 2, 1];

/// One statement; its parameters are written `?`.
pub(crate) struct Statement {
    /// What it does, for an error: `end an attempt`.
    what: &'static str,
    sql: &'static str,
    parameters: Vec<Value>,
    otherwise: Option<StoreError>,
}

impl Statement {
    /// Makes it an error that the statement finds no row to change.
    pub(crate) fn or(&mut self, otherwise: StoreError) {
        self.otherwise = Some(otherwise);
    }
}

/// Statements to be executed in their order, all or none.
#[derive(Default)]
pub(crate) struct Batch(Vec<Unit>);

/// Statements that often come together, in this order.
#[derive(Default)]
struct Unit(Vec<Statement>);

impl Unit {
    fn is_like(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(|(a, b)| a.sql == b.sql)
    }
}

impl Batch {
    /// What is added from here on belongs together.
    pub(crate) fn unit(&mut self) -> &mut Self {
        self.0.push(Unit::default());
        self
    }

    /// Adds a statement with the values of its `?` in their order.
    pub(crate) fn add(
        &mut self,
        what: &'static str,
        sql: &'static str,
        parameters: impl Into<Vec<Value>>,
    ) -> &mut Statement {
        let parameters = parameters.into();
        if self.0.is_empty() {
            self.unit();
        }
        let last = self.0.len() - 1;
        self.0[last].0.push_mut(Statement { what, sql, parameters, otherwise: None })
    }

    /// Adds all statements of another batch.
    pub(crate) fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Executes the statements in a transaction of their own and commits it.
    ///
    /// # Errors
    ///
    /// Nothing is changed then, unless the commit itself failed: then the connection is not to be
    /// used any more.
    pub(crate) async fn commit(self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let mut units: VecDeque<Unit> =
            self.0.into_iter().filter(|unit| !unit.0.is_empty()).collect();
        if units.is_empty() {
            return Ok(());
        }
        let mut opening = "BEGIN IMMEDIATE;";
        while let Some(first) = units.front() {
            let alike = units.iter().take(TRIPS[0]).take_while(|unit| unit.is_like(first)).count();
            let size = TRIPS.into_iter().find(|size| *size <= alike).unwrap_or(1);
            let trip = units.drain(..size).flat_map(|unit| unit.0).collect();
            if let Err(error) = execute(connection, opening, trip).await {
                // Fails where SQLite has rolled back by itself.
                let _ = connection.execute("ROLLBACK").await;
                return Err(error);
            }
            opening = "";
        }
        connection.execute("COMMIT").await.map_err(database("commit")).map(drop)
    }
}

async fn execute(
    connection: &mut SqliteConnection,
    opening: &'static str,
    mut trip: Vec<Statement>,
) -> Result<(), StoreError> {
    let mut sql = opening.to_owned();
    let mut arguments = SqliteArguments::default();
    for statement in &mut trip {
        sql += statement.sql;
        sql.push(';');
        for value in statement.parameters.drain(..) {
            match value {
                Value::Null => arguments.add(None::<i64>),
                Value::Integer(value) => arguments.add(value),
                Value::Real(value) => arguments.add(value),
                Value::Text(value) => arguments.add(value),
            }
            .map_err(sqlx::Error::Encode)
            .map_err(database(statement.what))?;
        }
    }
    // Every part is a constant of this crate; what comes from outside is bound.
    let query = sqlx::query_with(AssertSqlSafe(sql), arguments);
    let mut results = connection.fetch_many(query);
    if !opening.is_empty() {
        results.try_next().await.map_err(database("begin a transaction"))?;
    }
    let mut trip = trip.into_iter();
    let mut current = trip.next();
    loop {
        let what = current.as_ref().map_or("write to the database", |one| one.what);
        match results.try_next().await.map_err(database(what))? {
            Some(Either::Left(result)) => {
                let otherwise = current.and_then(|one| one.otherwise);
                if let Some(error) = otherwise.filter(|_| result.rows_affected() == 0) {
                    return Err(error);
                }
                current = trip.next();
            }
            Some(Either::Right(_)) => {}
            None => return Ok(()),
        }
    }
}
