//! The paper's tables as runs, to be drawn beside own ones by the same functions.
//!
//! Each table is a source of its own, since they are not about the same runs: Figure 4 shows all
//! settings before adaptation, Table 3 the chosen ones after it.

use augreg_spec::VTAB;
use augreg_store::Run;

use crate::paper::{self, Upstream};

/// Where fine-tuning on ImageNet-1k is filed in the published tables.
const IMAGENET: &str = "imagenet2012";

/// Figure 4, Table 3 and Table 5 of the paper as imported runs.
#[must_use]
pub fn paper_runs() -> Vec<Run> {
    [figure4(), table3(), table5()].concat()
}

/// What Table 3 is called as a source.
pub(crate) const TABLE_3: &str = "paper, Table 3";

fn run(source: &str, model: &str, upstream: Upstream) -> Run {
    Run {
        source: source.to_owned(),
        model: model.to_owned(),
        dataset: upstream.dataset().to_owned(),
        epochs: f64::from(upstream.epochs()),
        ..Run::default()
    }
}

fn figure4() -> Vec<Run> {
    let mut runs = Vec::new();
    for row in paper::figure4() {
        for (drop, val) in [(0.0, row.without_regularization), (0.1, row.with_regularization)] {
            runs.push(Run {
                augmentation: Some(row.augmentation.clone()),
                dropout: Some(drop),
                stochastic_depth: Some(drop),
                final_val: Some(val / 100.0),
                ..run("paper, Figure 4", &row.model, row.upstream)
            });
        }
    }
    runs
}

fn table3() -> Vec<Run> {
    let mut runs = Vec::new();
    for row in paper::table3() {
        for upstream in Upstream::ALL {
            for resolution in [224, 384] {
                runs.push(Run {
                    // Only this upstream is the data set that is adapted to.
                    final_test: (upstream == Upstream::I1k300).then_some(row.i1k_up / 100.0),
                    adapt_dataset: Some(IMAGENET.to_owned()),
                    adapt_resolution: Some(resolution),
                    adapt_final_test: row
                        .fine_tuned(upstream, resolution)
                        .map(|accuracy| accuracy / 100.0),
                    infer_images_per_second: row.speed(resolution),
                    ..run(TABLE_3, &row.model, upstream)
                });
            }
        }
    }
    runs
}

fn table5() -> Vec<Run> {
    let mut runs = Vec::new();
    for row in paper::table5() {
        for (task, accuracy) in VTAB.iter().zip(row.tasks) {
            runs.push(Run {
                adapt_dataset: Some(format!("vtab-{}", task.name)),
                adapt_final_test: Some(accuracy / 100.0),
                ..run("paper, Table 5", &row.model, row.upstream)
            });
        }
    }
    runs
}
