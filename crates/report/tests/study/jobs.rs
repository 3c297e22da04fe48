//! Jobs for the tests: the published Figure 4, and a small sweep with everything that can go wrong.

use std::path::{Path, PathBuf};

use augreg_protocol::JobState;
use augreg_report::JobRow;

/// One line of `golden/figure4.csv`, read off the paper's Figures 4 and 7 (arXiv:2106.10270).
/// Integer per cent and points.
pub(crate) struct Published {
    pub(crate) upstream: String,
    pub(crate) epochs: f64,
    pub(crate) model: String,
    pub(crate) augmentation: String,
    pub(crate) val_none: f64,
    pub(crate) val_reg: f64,
    pub(crate) f7_diff: f64,
}

pub(crate) fn golden(name: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
    let mut reader = csv::Reader::from_path(path).expect("a golden file");
    reader.deserialize().map(|line| line.expect("a line")).collect()
}

pub(crate) fn published() -> Vec<Published> {
    golden("figure4.csv")
        .into_iter()
        .map(|line| Published {
            upstream: line[0].clone(),
            epochs: line[1].parse().expect("epochs"),
            model: line[2].clone(),
            augmentation: line[3].clone(),
            val_none: line[4].parse().expect("accuracy"),
            val_reg: line[5].parse().expect("accuracy"),
            f7_diff: line[6].parse().expect("difference"),
        })
        .collect()
}

/// The published cells as finished jobs, one without and one with regularization each.
pub(crate) fn published_jobs() -> Vec<JobRow> {
    let mut jobs = Vec::new();
    for cell in published() {
        for (drop, accuracy) in [(0.0, cell.val_none), (0.1, cell.val_reg)] {
            let id = format!("{:026}", jobs.len());
            jobs.push(JobRow {
                dataset: cell.upstream.clone(),
                epochs: cell.epochs,
                model: cell.model.clone(),
                augmentation: cell.augmentation.clone(),
                dropout: drop,
                stochastic_depth: drop,
                parameters: parameters(&cell.model),
                ..done(&id, accuracy / 100.0)
            });
        }
    }
    jobs
}

/// Parameters with a 1000-class head, for the order of rows (paper, Table 2).
fn parameters(model: &str) -> Option<u64> {
    let millions = match model {
        "Ti/16" => 5.8,
        "R+Ti/16" => 6.4,
        "S/16" => 22.2,
        "S/32" => 22.9,
        "R26+S/32" => 36.6,
        "B/16" => 86.8,
        "B/32" => 88.2,
        "L/16" => 304.7,
        "R50+L/32" => 330.0,
        _ => return None,
    };
    Some((millions * 1e6) as u64)
}

/// A finished job of `Mu/7` on `fashion` with this validation accuracy in [0, 1].
pub(crate) fn done(id: &str, accuracy: f64) -> JobRow {
    JobRow {
        id: id.to_owned(),
        stage: "pretrain".to_owned(),
        parent: None,
        dataset: "fashion".to_owned(),
        model: "Mu/7".to_owned(),
        augmentation: "none".to_owned(),
        dropout: 0.0,
        stochastic_depth: 0.0,
        weight_decay: 0.1,
        learning_rate: 0.001,
        epochs: 3.0,
        batch_size: 256,
        resolution: 28,
        seed: 0,
        state: JobState::Succeeded,
        best_val: Some(accuracy),
        final_val: Some(accuracy),
        final_test: Some(accuracy - 0.005),
        train_loss: Some(1.0 - accuracy),
        steps: Some(645),
        parameters: Some(210_000),
        flops: Some(1.2e12),
        seconds: Some(21.43),
        images_per_second: Some(7_700.4),
        attempts: 1,
        failure: None,
        message: None,
    }
}

/// The same job in another state, without a result.
pub(crate) fn without_result(job: JobRow, state: JobState) -> JobRow {
    JobRow {
        state,
        best_val: None,
        final_val: None,
        final_test: None,
        train_loss: None,
        seconds: None,
        images_per_second: None,
        attempts: u64::from(state == JobState::Failed),
        ..job
    }
}

/// Two models, three augmentations, both regularizations, two weight decays, two seeds for one
/// setting; at 10 epochs the larger model has a failed and a queued job, and one cell nobody
/// asked for.
pub(crate) fn sweep() -> Vec<JobRow> {
    let mut jobs = Vec::new();
    for (epochs, base) in [(3.0, 0.842), (10.0, 0.871)] {
        for (m, (model, parameters)) in [("Mu/7", 210_000), ("Nano/4", 820_000)].iter().enumerate()
        {
            for (a, augmentation) in ["medium1", "none", "light2"].iter().enumerate() {
                for drop in [0.0, 0.1] {
                    for weight_decay in [0.03, 0.1] {
                        let asked = !(m == 1 && a == 0 && drop > 0.0 && epochs > 5.0);
                        if !asked {
                            continue;
                        }
                        let gain = [[-0.011, 0.0, 0.008], [0.014, 0.0, 0.017]][m][a];
                        let shrink = drop * [0.09, -0.04][m];
                        let accuracy = base + gain - shrink + 0.01 * m as f64 + weight_decay * 0.02;
                        jobs.push(JobRow {
                            model: (*model).to_owned(),
                            parameters: Some(*parameters),
                            augmentation: (*augmentation).to_owned(),
                            dropout: drop,
                            stochastic_depth: drop,
                            weight_decay,
                            epochs,
                            ..done(&id(jobs.len()), accuracy)
                        });
                    }
                }
            }
        }
    }
    let again = JobRow { seed: 1, ..jobs[1].clone() };
    let accuracy = again.final_val.map(|value| value + 0.004);
    jobs.push(JobRow { id: id(jobs.len()), final_val: accuracy, ..again });

    let late: Vec<_> = (0..jobs.len())
        .filter(|&i| jobs[i].epochs > 5.0 && jobs[i].model == "Nano/4" && jobs[i].dropout > 0.0)
        .collect();
    jobs[late[0]] = JobRow {
        failure: Some("diverged".to_owned()),
        message: Some("training loss is NaN at step 412".to_owned()),
        ..without_result(jobs[late[0]].clone(), JobState::Failed)
    };
    jobs[late[2]] = without_result(jobs[late[2]].clone(), JobState::Queued);
    jobs
}

fn id(number: usize) -> String {
    format!("{:0>10}h7x3k9m2p4q8r5t6", format!("j{number}"))
}

/// A folder for a test's files that stays, so that a person can look at them.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("report-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}
