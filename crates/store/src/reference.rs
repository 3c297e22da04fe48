//! Results that were not made here: published tables and other people's, as rows of `reference`.
//!
//! A source is one table. It is brought in whole, in one transaction, and replaces what the source
//! brought before.

use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Sqlite, SqliteConnection};

use crate::checked::checked;
use crate::clock::now;
use crate::error::database;
use crate::{Store, StoreError};

/// Rows that travel to SQLite together: a trip costs more than a row.
const PIECE: usize = 256;

#[rustfmt::skip]
const ONE_ROW: &str = checked!(
    "INSERT INTO reference (
         source, line, model, dataset, epochs, learning_rate, augmentation, weight_decay, dropout,
         stochastic_depth, best_val, final_val, final_test, adapt_dataset, adapt_learning_rate,
         adapt_steps, adapt_resolution, adapt_final_val, adapt_final_test, parameters,
         infer_images_per_second, filename, adapt_filename
     )
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _
);

/// The place of a row's values in [`ONE_ROW`].
const MARKS: &str = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// One result of somebody else's. Accuracies are fractions in [0, 1], presets are called as the
/// paper calls them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reference {
    /// Where in its table it stands, from 1; no line twice.
    pub line: i64,
    /// The model.
    pub model: String,
    /// The upstream data set.
    pub dataset: String,
    /// Passes over it.
    pub epochs: f64,
    /// Peak learning rate.
    pub learning_rate: Option<f64>,
    /// The augmentation preset.
    pub augmentation: Option<String>,
    /// Decoupled weight decay.
    pub weight_decay: Option<f64>,
    /// Drop rate of activations.
    pub dropout: Option<f64>,
    /// Drop rate of the last block's branches.
    pub stochastic_depth: Option<f64>,
    /// Best upstream validation accuracy.
    pub best_val: Option<f64>,
    /// Final upstream validation accuracy.
    pub final_val: Option<f64>,
    /// Final upstream test accuracy.
    pub final_test: Option<f64>,
    /// The downstream data set; none: not adapted.
    pub adapt_dataset: Option<String>,
    /// Learning rate of the adaptation.
    pub adapt_learning_rate: Option<f64>,
    /// Its steps.
    pub adapt_steps: Option<i64>,
    /// Its resolution in pixels.
    pub adapt_resolution: Option<i64>,
    /// Its validation accuracy.
    pub adapt_final_val: Option<f64>,
    /// Its test accuracy.
    pub adapt_final_test: Option<f64>,
    /// Trainable parameters.
    pub parameters: Option<i64>,
    /// Inference speed, images a second.
    pub infer_images_per_second: Option<f64>,
    /// Stem of the upstream checkpoint's file.
    pub filename: Option<String>,
    /// Stem of the adapted checkpoint's file.
    pub adapt_filename: Option<String>,
}

/// What an import changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imported {
    /// The source is new.
    New,
    /// The study had these very rows of the source.
    Unchanged,
    /// The source brought other rows before: so many, now gone.
    Replaced(u64),
}

impl Store {
    /// Takes in the rows of a source, all of them or none, in place of what it brought before.
    ///
    /// # Errors
    ///
    /// [`StoreError::ReadOnly`]; whatever the database reports, such as a line that comes twice.
    pub async fn import(&self, source: &str, rows: &[Reference]) -> Result<Imported, StoreError> {
        let mut connection = self.writer()?.connection().await;
        let mut transaction = connection.begin().await?;
        let before = of_source(&mut transaction, source).await?;
        if !before.is_empty() && before == rows {
            return Ok(Imported::Unchanged);
        }
        sqlx::query!("DELETE FROM reference WHERE source = ?", source)
            .execute(&mut *transaction)
            .await
            .map_err(database("replace imported results"))?;
        insert(&mut transaction, source, rows).await?;
        note(&mut transaction, source, rows.len(), before.len()).await?;
        transaction.commit().await.map_err(database("commit imported results"))?;
        let replaced = before.len() as u64;
        Ok(if replaced == 0 { Imported::New } else { Imported::Replaced(replaced) })
    }
}

async fn insert(
    connection: &mut SqliteConnection,
    source: &str,
    rows: &[Reference],
) -> Result<(), StoreError> {
    for piece in rows.chunks(PIECE) {
        let sql = format!("{ONE_ROW}{}", format!(", {MARKS}").repeat(piece.len() - 1));
        let query = sqlx::query(AssertSqlSafe(sql)).persistent(piece.len() == PIECE);
        let query = piece.iter().fold(query, |query, row| bind(query, source, row));
        query.execute(&mut *connection).await.map_err(database("import results"))?;
    }
    Ok(())
}

type Query<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;

/// Binds the values of a row in the order of [`ONE_ROW`].
fn bind<'q>(query: Query<'q>, source: &str, row: &Reference) -> Query<'q> {
    query
        .bind(source.to_owned())
        .bind(row.line)
        .bind(row.model.clone())
        .bind(row.dataset.clone())
        .bind(row.epochs)
        .bind(row.learning_rate)
        .bind(row.augmentation.clone())
        .bind(row.weight_decay)
        .bind(row.dropout)
        .bind(row.stochastic_depth)
        .bind(row.best_val)
        .bind(row.final_val)
        .bind(row.final_test)
        .bind(row.adapt_dataset.clone())
        .bind(row.adapt_learning_rate)
        .bind(row.adapt_steps)
        .bind(row.adapt_resolution)
        .bind(row.adapt_final_val)
        .bind(row.adapt_final_test)
        .bind(row.parameters)
        .bind(row.infer_images_per_second)
        .bind(row.filename.clone())
        .bind(row.adapt_filename.clone())
}

/// What a source brought, in the order of its table.
async fn of_source(
    connection: &mut SqliteConnection,
    source: &str,
) -> Result<Vec<Reference>, StoreError> {
    sqlx::query_as!(
        Reference,
        "SELECT line, model, dataset, epochs, learning_rate, augmentation, weight_decay, dropout,
             stochastic_depth, best_val, final_val, final_test, adapt_dataset,
             adapt_learning_rate, adapt_steps, adapt_resolution, adapt_final_val,
             adapt_final_test, parameters, infer_images_per_second, filename, adapt_filename
         FROM reference WHERE source = ? ORDER BY line",
        source
    )
    .fetch_all(connection)
    .await
    .map_err(database("read imported results"))
}

async fn note(
    connection: &mut SqliteConnection,
    source: &str,
    rows: usize,
    before: usize,
) -> Result<(), StoreError> {
    let at = now();
    let reason = match before {
        0 => format!("{rows} results as `{source}`"),
        before => format!("{rows} results as `{source}` in place of {before}"),
    };
    sqlx::query!(
        "INSERT INTO event (at, actor, what, reason) VALUES (?, 'user', 'imported', ?)",
        at,
        reason
    )
    .execute(connection)
    .await
    .map_err(database("write the audit"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_a_mark_for_each_of_its_columns() {
        let marks = |text: &str| text.matches('?').count();
        assert_eq!(marks(ONE_ROW), marks(MARKS));
    }
}
