//! The paper's tables with a study's numbers beside the published ones.
//!
//! The study's numbers are made as the paper makes its own. Runs that differ in nothing but their seed
//! count once in Figure 4, with their mean; else each is a run of its own. Of runs that tie the first
//! is taken, by job or by line, whatever it reaches on the test split.
//!
//! | table | a number of the study |
//! |---|---|
//! | Figure 4 | final upstream validation accuracy, the best over weight decays |
//! | Table 3 | of each model and upstream the run with the best `final_val`; of its adaptations to `imagenet2012` at the resolution the one with the best `adapt_final_val`; its `adapt_final_test` |
//! | Table 5 | the same run; of its adaptations to `vtab-…` the best by `adapt_final_val`; its `adapt_final_test`. A mean needs all tasks of its group |
//! | Figure 5 | that of the run with the best `final_val` among those of ImageNet-21k for 300 epochs, adapted as is best on the validation split, minus that of the best of all runs and adaptations there |
//!
//! What was chosen on ImageNet-V2, and JFT-300M, `v_runs` cannot tell; there the study has no number.

mod choice;

use augreg_spec::{VTAB, VtabGroup};
use augreg_store::{Rows, Run, Value};

use crate::paper::{self, FIGURE5_COLUMNS, Table5Row, Upstream};
use choice::{Chosen, Runs};

/// A published table that can be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Figures 4 and 7.
    Figure4,
    /// Table 3.
    Table3,
    /// Table 5.
    Table5,
    /// Figure 5, left.
    Figure5,
}

impl Table {
    /// The table with nothing beside its numbers.
    #[must_use]
    pub fn alone(self) -> Rows {
        self.rows(None)
    }

    /// The table with the numbers of these runs, and the difference in points, beside its own.
    #[must_use]
    pub fn beside(self, runs: &[Run]) -> Rows {
        self.rows(Some(&Runs::new(runs)))
    }

    fn rows(self, runs: Option<&Runs>) -> Rows {
        match self {
            Self::Figure4 => figure4(runs),
            Self::Table3 => table3(runs),
            Self::Table5 => table5(runs),
            Self::Figure5 => figure5(runs),
        }
    }
}

/// Rows that begin with what a number is about and end with the number, and the study's.
struct Lines {
    rows: Rows,
    compared: bool,
}

impl Lines {
    fn new(about: &[&str], compared: bool) -> Self {
        let more: &[&str] = if compared { &["own", "difference", "runs"] } else { &[] };
        let columns = about.iter().chain(&["published"]).chain(more);
        let columns = columns.map(|&column| column.to_owned()).collect();
        Self { rows: Rows { columns, rows: Vec::new() }, compared }
    }

    fn push(&mut self, about: Vec<Value>, published: Option<f64>, own: Option<Chosen>) {
        let mut row = about;
        row.push(published.into());
        if self.compared {
            let value = own.map(|own| hundredths(own.value));
            let difference =
                published.zip(value).map(|(published, own)| hundredths(own - published));
            row.extend([value.into(), difference.into(), own.map(|own| own.runs as u64).into()]);
        }
        self.rows.rows.push(row);
    }
}

/// Rounds to hundredths of a point, as the paper's finest table does.
fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn about(upstream: Upstream) -> [Value; 2] {
    [upstream.dataset().into(), upstream.epochs().into()]
}

fn figure4(runs: Option<&Runs>) -> Rows {
    let columns = ["dataset", "epochs", "model", "augmentation", "regularization"];
    let mut lines = Lines::new(&columns, runs.is_some());
    for row in paper::figure4() {
        for (drop_rate, published) in
            [(0.0, row.without_regularization), (0.1, row.with_regularization)]
        {
            let [dataset, epochs] = about(row.upstream);
            let about = vec![
                dataset,
                epochs,
                row.model.as_str().into(),
                row.augmentation.as_str().into(),
                drop_rate.into(),
            ];
            let own = runs
                .and_then(|runs| runs.cell(row.upstream, &row.model, &row.augmentation, drop_rate));
            lines.push(about, Some(published), own);
        }
    }
    lines.rows
}

fn table3(runs: Option<&Runs>) -> Rows {
    let columns = ["model", "what", "dataset", "epochs", "resolution"];
    let mut lines = Lines::new(&columns, runs.is_some());
    for row in paper::table3() {
        let mut push = |what: &str,
                        upstream: Option<Upstream>,
                        resolution: Option<u32>,
                        published,
                        own| {
            let [dataset, epochs] = upstream.map_or([Value::Null, Value::Null], about);
            let about =
                vec![row.model.as_str().into(), what.into(), dataset, epochs, resolution.into()];
            lines.push(about, published, own);
        };
        let up = runs.and_then(|runs| runs.upstream_test(Upstream::I1k300, &row.model));
        push("upstream", Some(Upstream::I1k300), None, Some(row.i1k_up), up);
        for resolution in [224, 384] {
            for upstream in Upstream::ALL {
                let own = runs.and_then(|runs| {
                    runs.adapted(upstream, &row.model, "imagenet2012", Some(resolution))
                });
                let published = row.fine_tuned(upstream, resolution);
                push("fine-tuned", Some(upstream), Some(resolution), published, own);
            }
            let speed = runs.and_then(|runs| runs.speed(&row.model, resolution));
            push("images/s", None, Some(resolution), row.speed(resolution), speed);
        }
        let by_v2 = Some(row.i21k_v2_384);
        push("fine-tuned, chosen on V2", Some(Upstream::I21k300), Some(384), by_v2, None);
        push("fine-tuned from JFT-300M", None, Some(384), row.jft300m_384, None);
    }
    lines.rows
}

fn table5(runs: Option<&Runs>) -> Rows {
    let columns = ["dataset", "epochs", "model", "group", "task"];
    let mut lines = Lines::new(&columns, runs.is_some());
    for row in paper::table5() {
        for group in VtabGroup::ALL {
            group_of_tasks(row, group, runs, &mut lines);
        }
    }
    lines.rows
}

/// The tasks of a group, then their mean.
fn group_of_tasks(row: &Table5Row, group: VtabGroup, runs: Option<&Runs>, lines: &mut Lines) {
    let about = |task: &str| {
        let [dataset, epochs] = about(row.upstream);
        vec![dataset, epochs, row.model.as_str().into(), group.name().into(), task.into()]
    };
    let tasks = VTAB.iter().zip(row.tasks).filter(|(task, _)| task.group == group);
    let mut all = Some(Vec::new());
    for (task, published) in tasks {
        let dataset = format!("vtab-{}", task.name);
        let own = runs.and_then(|runs| runs.adapted(row.upstream, &row.model, &dataset, None));
        all = all.zip(own).map(|(mut all, own)| {
            all.push(own);
            all
        });
        lines.push(about(task.name), Some(published), own);
    }
    let mean = all.map(|all: Vec<Chosen>| Chosen {
        value: all.iter().map(|task| task.value).sum::<f64>() / all.len() as f64,
        runs: all.iter().map(|task| task.runs).sum(),
    });
    lines.push(about("mean"), Some(row.mean(group)), mean);
}

fn figure5(runs: Option<&Runs>) -> Rows {
    let mut lines = Lines::new(&["model", "adapt_dataset", "chosen_on"], runs.is_some());
    for row in paper::figure5() {
        for (column, published) in FIGURE5_COLUMNS.iter().zip(row.differences) {
            let (dataset, split) = match *column {
                "imagenet2012_v2" => ("imagenet2012", "ImageNet-V2"),
                "imagenet2012_minival" => ("imagenet2012", "validation"),
                other => (other, "validation"),
            };
            let own = runs.filter(|_| split == "validation").and_then(|runs| {
                runs.price_of_choosing_early(Upstream::I21k300, &row.model, dataset)
            });
            let about = vec![row.model.as_str().into(), dataset.into(), split.into()];
            lines.push(about, Some(published), own);
        }
    }
    lines.rows
}

#[cfg(test)]
mod tests;
