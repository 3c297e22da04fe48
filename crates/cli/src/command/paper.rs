//! `augreg paper`

use augreg_report::beside::Table;
use augreg_store::{OWN, Rows, Store, StoreError};
use clap::{Args, ValueEnum};

use crate::args::Global;
use crate::failure::{Ending, Failure};
use crate::output;
use crate::table::{self, Format};

/// Show a table of the paper, with this study's numbers beside the published ones
///
/// Accuracies are per cent, differences points: own minus published. The study's numbers are made as
/// the paper makes its own; `runs` is how many they were chosen among. docs/results.md says how.
#[derive(Debug, Args)]
pub(crate) struct PaperArgs {
    /// The table; without one, what there is
    table: Option<Name>,
    /// Instead of own runs, those of an imported table of this name
    #[arg(long, default_value = OWN, hide_default_value = true, requires = "table", value_name = "NAME")]
    source: String,
    /// How rows come out
    #[arg(long, default_value = "table")]
    format: Format,
}

/// A table of the paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Figures 4 and 7: augmentation and regularization against models
    Figure4,
    /// Table 3: ImageNet-1k after fine-tuning, and speed
    Table3,
    /// Table 5, whose means are Figure 3: VTAB
    Table5,
    /// Figure 5, left: what choosing by upstream validation costs
    Figure5,
}

impl From<Name> for Table {
    fn from(name: Name) -> Self {
        match name {
            Name::Figure4 => Self::Figure4,
            Name::Table3 => Self::Table3,
            Name::Table5 => Self::Table5,
            Name::Figure5 => Self::Figure5,
        }
    }
}

pub(crate) async fn run(global: &Global, args: &PaperArgs) -> Result<Ending, Failure> {
    let Some(name) = args.table else {
        table::write(&tables(), args.format)?;
        return Ok(Ending::Good);
    };
    let store = match Store::open_read_only(&global.root).await {
        Err(StoreError::NoStudy { .. }) if args.source == OWN => None,
        opened => Some(opened?),
    };
    let rows = match store {
        Some(store) => {
            let source = std::slice::from_ref(&args.source);
            let wanted = if args.source == OWN { &[] } else { source };
            let mut runs = store.runs(wanted).await?;
            runs.retain(|run| run.source == args.source);
            if runs.is_empty() {
                output::say("no run of this study has succeeded yet: the published numbers alone");
                Table::from(name).alone()
            } else {
                Table::from(name).beside(&runs)
            }
        }
        None => Table::from(name).alone(),
    };
    table::write(&rows, args.format)?;
    Ok(Ending::Good)
}

/// What there is.
fn tables() -> Rows {
    let row = |name: &Name| {
        let value = name.to_possible_value()?;
        let help = value.get_help().map(ToString::to_string).unwrap_or_default();
        let numbers = Table::from(*name).alone().rows.len() as u64;
        Some(vec![value.get_name().into(), numbers.into(), help.into()])
    };
    Rows {
        columns: ["table", "numbers", "what"].map(str::to_owned).to_vec(),
        rows: Name::value_variants().iter().filter_map(row).collect(),
    }
}
