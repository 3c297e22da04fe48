//! One job as the report sees it, read from a row of the store's view `v_jobs`.

use augreg_protocol::JobState;
use augreg_store::{Rows, Value};
use thiserror::Error;

/// One job of the study: its settings, its state and what it measured. A setting that its stage does
/// not have is 0 or empty.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRow {
    /// The job's id, 26 characters.
    pub id: String,
    /// The kind of work: `pretrain`, `transfer`, `evaluate`, `throughput` or `noop`.
    pub stage: String,
    /// The job whose final parameters it starts from or judges.
    pub parent: Option<String>,
    /// Name of the data set.
    pub dataset: String,
    /// Name of the model.
    pub model: String,
    /// Name of the augmentation.
    pub augmentation: String,
    /// Probability of dropping an activation.
    pub dropout: f64,
    /// Probability of dropping the last block's branches.
    pub stochastic_depth: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Passes over the training split.
    pub epochs: f64,
    /// Examples a step.
    pub batch_size: u64,
    /// Side of the input image in pixels.
    pub resolution: u64,
    /// Seed of every random draw.
    pub seed: u64,
    /// Where the job is in its life.
    pub state: JobState,
    /// Highest validation accuracy seen, in [0, 1].
    pub best_val: Option<f64>,
    /// Validation accuracy at the end, in [0, 1].
    pub final_val: Option<f64>,
    /// Test accuracy at the end, in [0, 1].
    pub final_test: Option<f64>,
    /// Training loss at the end.
    pub train_loss: Option<f64>,
    /// Optimizer steps of the whole job.
    pub steps: Option<u64>,
    /// Parameters of the model.
    pub parameters: Option<u64>,
    /// Floating-point operations of the whole job.
    pub flops: Option<f64>,
    /// Seconds spent on the job.
    pub seconds: Option<f64>,
    /// Training speed.
    pub images_per_second: Option<f64>,
    /// Attempts so far.
    pub attempts: u64,
    /// The kind of the failure that ended the job.
    pub failure: Option<String>,
    /// What that failure said.
    pub message: Option<String>,
}

/// A row of the store that is no job.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("row {row} of the jobs has {problem} in column `{column}`")]
pub struct RowError {
    /// Counted from 1.
    row: usize,
    column: &'static str,
    problem: String,
}

impl JobRow {
    /// The columns of `v_jobs` that a report needs.
    pub const COLUMNS: [&'static str; 27] = [
        "id",
        "dataset",
        "model",
        "augmentation",
        "dropout",
        "stochastic_depth",
        "weight_decay",
        "learning_rate",
        "epochs",
        "batch_size",
        "resolution",
        "seed",
        "state",
        "best_val",
        "final_val",
        "final_test",
        "train_loss",
        "steps",
        "parameters",
        "flops",
        "seconds",
        "images_per_second",
        "attempts",
        "failure",
        "message",
        "stage",
        "parent",
    ];

    /// Reads jobs from rows that have at least [`JobRow::COLUMNS`], in any order.
    ///
    /// # Errors
    ///
    /// [`RowError`] naming the first row and column that is absent or holds something else.
    pub fn from_rows(rows: &Rows) -> Result<Vec<Self>, RowError> {
        (0..rows.rows.len()).map(|index| Reader { rows, index }.job()).collect()
    }

    /// Validation accuracy at the end in [0, 1] of a job that succeeded.
    #[must_use]
    pub fn validation(&self) -> Option<f64> {
        self.final_val.filter(|value| self.state == JobState::Succeeded && value.is_finite())
    }

    /// Test accuracy at the end in [0, 1] of a job that succeeded.
    #[must_use]
    pub fn test(&self) -> Option<f64> {
        self.final_test.filter(|value| self.state == JobState::Succeeded && value.is_finite())
    }

    /// Whether it trains from the start, as upstream runs do.
    #[must_use]
    pub fn is_pretraining(&self) -> bool {
        self.stage == "pretrain"
    }

    /// Whether it ended well, with all that a job of its stage measures.
    #[must_use]
    pub fn has_result(&self) -> bool {
        match self.stage.as_str() {
            "pretrain" | "transfer" => self.validation().is_some(),
            _ => self.state == JobState::Succeeded,
        }
    }

    /// Whether dropout or stochastic depth is on.
    #[must_use]
    pub fn is_regularized(&self) -> bool {
        self.dropout > 0.0 || self.stochastic_depth > 0.0
    }
}

/// Reads one row, column by column.
struct Reader<'a> {
    rows: &'a Rows,
    index: usize,
}

impl Reader<'_> {
    fn job(&self) -> Result<JobRow, RowError> {
        let state = self.text("state")?;
        let state = JobState::ALL
            .into_iter()
            .find(|known| known.name() == state)
            .ok_or_else(|| self.error("state", format!("the unknown state `{state}`")))?;
        Ok(JobRow {
            id: self.text("id")?,
            stage: self.text("stage")?,
            parent: self.maybe_text("parent")?,
            dataset: self.maybe_text("dataset")?.unwrap_or_default(),
            model: self.maybe_text("model")?.unwrap_or_default(),
            augmentation: self.maybe_text("augmentation")?.unwrap_or_default(),
            dropout: self.maybe_number("dropout")?.unwrap_or(0.0),
            stochastic_depth: self.maybe_number("stochastic_depth")?.unwrap_or(0.0),
            weight_decay: self.maybe_number("weight_decay")?.unwrap_or(0.0),
            learning_rate: self.maybe_number("learning_rate")?.unwrap_or(0.0),
            epochs: self.maybe_number("epochs")?.unwrap_or(0.0),
            batch_size: self.maybe_count("batch_size")?.unwrap_or(0),
            resolution: self.maybe_count("resolution")?.unwrap_or(0),
            seed: self.maybe_count("seed")?.unwrap_or(0),
            state,
            best_val: self.maybe_number("best_val")?,
            final_val: self.maybe_number("final_val")?,
            final_test: self.maybe_number("final_test")?,
            train_loss: self.maybe_number("train_loss")?,
            steps: self.maybe_count("steps")?,
            parameters: self.maybe_count("parameters")?,
            flops: self.maybe_number("flops")?,
            seconds: self.maybe_number("seconds")?,
            images_per_second: self.maybe_number("images_per_second")?,
            attempts: self.maybe_count("attempts")?.unwrap_or(0),
            failure: self.maybe_text("failure")?,
            message: self.maybe_text("message")?,
        })
    }

    fn value(&self, column: &'static str) -> Result<&Value, RowError> {
        self.rows
            .columns
            .iter()
            .position(|name| name == column)
            .and_then(|at| self.rows.rows.get(self.index)?.get(at))
            .ok_or_else(|| self.error(column, "nothing".to_owned()))
    }

    fn maybe_text(&self, column: &'static str) -> Result<Option<String>, RowError> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text.clone())),
            other => Err(self.error(column, format!("{other:?} instead of text"))),
        }
    }

    fn maybe_number(&self, column: &'static str) -> Result<Option<f64>, RowError> {
        match self.value(column)? {
            Value::Null => Ok(None),
            Value::Integer(value) => Ok(Some(*value as f64)),
            Value::Real(value) => Ok(Some(*value)),
            Value::Text(text) => Err(self.error(column, format!("`{text}` instead of a number"))),
        }
    }

    /// A count; text is read too, since a seed may exceed SQLite's integers.
    fn maybe_count(&self, column: &'static str) -> Result<Option<u64>, RowError> {
        let count = match self.value(column)? {
            Value::Null => return Ok(None),
            Value::Integer(value) => u64::try_from(*value).ok(),
            Value::Real(value) if value.fract() == 0.0 && (0.0..1.8e19).contains(value) => {
                Some(*value as u64)
            }
            Value::Real(_) => None,
            Value::Text(text) => text.parse().ok(),
        };
        count.map(Some).ok_or_else(|| self.error(column, "something that is no count".to_owned()))
    }

    fn text(&self, column: &'static str) -> Result<String, RowError> {
        self.maybe_text(column)?.ok_or_else(|| self.error(column, "nothing".to_owned()))
    }

    fn error(&self, column: &'static str, problem: String) -> RowError {
        RowError { row: self.index + 1, column, problem }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Rows {
        let cells = JobRow::COLUMNS.map(|column| match column {
            "id" | "stage" | "dataset" | "model" | "augmentation" => Value::Text(column.to_owned()),
            "state" => Value::Text("succeeded".to_owned()),
            "epochs" => Value::Real(0.5),
            "final_val" => Value::Real(0.75),
            "dropout" | "stochastic_depth" | "weight_decay" | "learning_rate" => Value::Integer(0),
            "batch_size" | "resolution" | "seed" => Value::Integer(28),
            _ => Value::Null,
        });
        Rows { columns: JobRow::COLUMNS.map(str::to_owned).to_vec(), rows: vec![cells.to_vec()] }
    }

    #[test]
    fn a_row_of_the_view_becomes_a_job_whatever_the_order_of_its_columns() {
        let mut rows = rows();
        rows.columns.reverse();
        rows.rows[0].reverse();
        let jobs = JobRow::from_rows(&rows).expect("a job");
        assert_eq!(jobs[0].augmentation, "augmentation");
        assert_eq!(jobs[0].validation(), Some(0.75));
        assert_eq!(jobs[0].batch_size, 28);
        assert_eq!(jobs[0].message, None);
    }

    #[test]
    fn a_row_that_is_no_job_names_row_column_and_problem() {
        let mut unknown = rows();
        unknown.rows[0][12] = Value::Text("asleep".to_owned());
        let error = JobRow::from_rows(&unknown).expect_err("no such state");
        assert_eq!(
            error.to_string(),
            "row 1 of the jobs has the unknown state `asleep` in column `state`"
        );

        let mut absent = rows();
        absent.columns[8] = "epoch".to_owned();
        let error = JobRow::from_rows(&absent).expect_err("no such column");
        assert_eq!(error.to_string(), "row 1 of the jobs has nothing in column `epochs`");
    }
}
