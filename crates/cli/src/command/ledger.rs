//! `augreg ledger`

use augreg_store::{Rows, Store, Value};
use clap::Args;

use crate::args::Global;
use crate::failure::{Ending, Failure};
use crate::table::{self, Format};

const COLUMNS: &str = "\
One row is a way for attempts to end: succeeded, stopped, or the kind of failure; running ones too.
Wasted is what a later attempt had to repeat, `ran_again` counts attempts at jobs that had their
result: it is 0 unless something is wrong. `augreg query 'select * from v_ledger'` asks the same.";

/// Account for device time: starts, ends, what was wasted and why, and whether anything ran twice
#[derive(Debug, Args)]
#[command(after_help = COLUMNS)]
pub(crate) struct LedgerArgs {
    /// Only this sweep; the whole study without it
    sweep: Option<String>,
    /// How rows come out; a table has a row with the sums as well
    #[arg(long, default_value = "table")]
    format: Format,
}

pub(crate) async fn run(global: &Global, args: &LedgerArgs) -> Result<Ending, Failure> {
    let store = Store::open_read_only(&global.root).await?;
    let mut rows = store.ledger(args.sweep.as_deref()).await?;
    if args.format == Format::Table {
        let sums = sums(&rows);
        rows.rows.push(sums);
    }
    table::write(&rows, args.format)?;
    Ok(Ending::Good)
}

/// A row with the sum of every column of numbers.
fn sums(rows: &Rows) -> Vec<Value> {
    let sum = |column: usize| {
        rows.rows.iter().fold(Value::Integer(0), |sum, row| match (sum, &row[column]) {
            (Value::Integer(a), Value::Integer(b)) => Value::Integer(a + b),
            (Value::Real(a), Value::Real(b)) => Value::Real(a + b),
            (Value::Integer(a), Value::Real(b)) => Value::Real(a as f64 + b),
            (sum, _) => sum,
        })
    };
    let all = Value::Text("all".to_owned());
    std::iter::once(all).chain((1..rows.columns.len()).map(sum)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_row_of_the_table_sums_up_the_others() {
        let row = |cause: &str, n, seconds| {
            vec![Value::Text(cause.to_owned()), Value::Integer(n), Value::Real(seconds)]
        };
        let columns = ["cause", "starts", "device_seconds"].map(str::to_owned).into();
        let rows = Rows { columns, rows: vec![row("lost", 2, 1.5), row("succeeded", 3, 4.0)] };
        assert_eq!(sums(&rows), row("all", 5, 5.5));
    }
}
