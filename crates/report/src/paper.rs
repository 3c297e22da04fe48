//! The published tables of the study (Steiner et al., TMLR 05/2022,
//! arXiv 2106.10270v2), which ship in the binary: facts to hold own numbers against.
//!
//! | table | source | how it was read |
//! |---|---|---|
//! | [`figure4()`] | Figures 4 and 7 | the text layer of the PDF, row by row; integers. The side column of Figure 4 follows from the maxima of the rows within rounding |
//! | [`table3()`] | Table 3 | as printed |
//! | [`table5()`] | Table 5 (appendix C) | as printed. All 81 group means follow from the tasks within rounding |
//! | [`figure5()`] | Figure 5, left | the text layer of the PDF, row by row: the order of the columns is inferred |
//!
//! Accuracies are per cent and differences points, as in the paper. The files are
//! `crates/report/paper/*.csv`. What is only drawn (Figures 1, 2 and 6, Figure 5 right) has no numbers.

use std::sync::LazyLock;

use augreg_spec::{VTAB, VtabGroup};
use augreg_store::Reference;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// What the study trained upstream on, and for how long (paper §3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
pub enum Upstream {
    /// ImageNet-1k for 300 epochs.
    #[serde(rename = "i1k300")]
    I1k300,
    /// ImageNet-21k for 30 epochs.
    #[serde(rename = "i21k30")]
    I21k30,
    /// ImageNet-21k for 300 epochs.
    #[serde(rename = "i21k300")]
    I21k300,
}

impl Upstream {
    /// All three, in the paper's order.
    pub const ALL: [Self; 3] = [Self::I1k300, Self::I21k30, Self::I21k300];

    /// The name that the data set has in the study's sweep files: `i1k` or `i21k`.
    #[must_use]
    pub const fn dataset(self) -> &'static str {
        match self {
            Self::I1k300 => "i1k",
            Self::I21k30 | Self::I21k300 => "i21k",
        }
    }

    /// Passes over it.
    #[must_use]
    pub const fn epochs(self) -> u32 {
        match self {
            Self::I21k30 => 30,
            Self::I1k300 | Self::I21k300 => 300,
        }
    }
}

/// A model under an augmentation in Figures 4 and 7: accuracy on the upstream validation split
/// (minival for ImageNet-1k) in per cent.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure4Row {
    /// What it was trained on.
    pub upstream: Upstream,
    /// The model, as in the study: `R+Ti/16`.
    pub model: String,
    /// The augmentation, as the paper's text calls it: `none`, `light1` … `strong2`.
    pub augmentation: String,
    /// Without dropout and stochastic depth.
    pub without_regularization: f64,
    /// With both at 0.1.
    pub with_regularization: f64,
    /// The difference as Figure 7 prints it, in points. In two cells it is more than rounding away
    /// from Figure 4's.
    pub figure7: f64,
}

/// A row of [`Figure4Row`]'s file.
#[derive(Deserialize)]
struct Figure4Line {
    upstream: String,
    epochs: u32,
    model: String,
    augmentation: String,
    val_none: f64,
    val_reg: f64,
    f7_diff: f64,
}

/// A model in Table 3: ImageNet-1k accuracy in per cent after fine-tuning, with the upstream run
/// chosen by its validation accuracy.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Table3Row {
    /// The model.
    pub model: String,
    /// Inference speed at 224 pixels: images a second on a V100 with 16 GB, in timm's implementation.
    #[serde(rename = "infer_img_s_224")]
    pub speed_224: f64,
    /// The best ImageNet-1k run itself, not fine-tuned.
    #[serde(rename = "i1kup")]
    pub i1k_up: f64,
    /// From ImageNet-1k, at 224 pixels.
    pub i1k300_224: f64,
    /// From ImageNet-21k for 30 epochs, at 224 pixels.
    pub i21k30_224: f64,
    /// From ImageNet-21k for 300 epochs, at 224 pixels.
    pub i21k300_224: f64,
    /// Inference speed at 384 pixels.
    #[serde(rename = "infer_img_s_384")]
    pub speed_384: f64,
    /// From ImageNet-1k, at 384 pixels.
    pub i1k300_384: f64,
    /// From ImageNet-21k for 30 epochs, at 384 pixels.
    pub i21k30_384: f64,
    /// From ImageNet-21k for 300 epochs, at 384 pixels.
    pub i21k300_384: f64,
    /// The same with the upstream run chosen on ImageNet-V2.
    #[serde(rename = "i21kv2_384")]
    pub i21k_v2_384: f64,
    /// From JFT-300M, as published before; none for models that were not trained on it.
    #[serde(rename = "jft300m_384")]
    pub jft300m_384: Option<f64>,
}

impl Table3Row {
    /// The accuracy fine-tuned at 224 or 384 pixels; none at another resolution.
    #[must_use]
    pub fn fine_tuned(&self, upstream: Upstream, resolution: u32) -> Option<f64> {
        match (upstream, resolution) {
            (Upstream::I1k300, 224) => Some(self.i1k300_224),
            (Upstream::I21k30, 224) => Some(self.i21k30_224),
            (Upstream::I21k300, 224) => Some(self.i21k300_224),
            (Upstream::I1k300, 384) => Some(self.i1k300_384),
            (Upstream::I21k30, 384) => Some(self.i21k30_384),
            (Upstream::I21k300, 384) => Some(self.i21k300_384),
            _ => None,
        }
    }

    /// Images a second at 224 or 384 pixels; none at another resolution.
    #[must_use]
    pub fn speed(&self, resolution: u32) -> Option<f64> {
        match resolution {
            224 => Some(self.speed_224),
            384 => Some(self.speed_384),
            _ => None,
        }
    }
}

/// A model of one upstream in Table 5: test accuracy on VTAB's tasks in per cent, of the
/// recommended run, fine-tuned as is best on the task's validation split. The means are Figure 3.
#[derive(Debug, Clone, PartialEq)]
pub struct Table5Row {
    /// What it was trained on.
    pub upstream: Upstream,
    /// The model.
    pub model: String,
    /// One accuracy a task, in the order of [`VTAB`].
    pub tasks: [f64; VTAB.len()],
    /// Mean over the natural tasks, as printed.
    pub natural: f64,
    /// Mean over the specialized tasks.
    pub specialized: f64,
    /// Mean over the structured tasks.
    pub structured: f64,
}

impl Table5Row {
    /// The printed mean of a group.
    #[must_use]
    pub const fn mean(&self, group: VtabGroup) -> f64 {
        match group {
            VtabGroup::Natural => self.natural,
            VtabGroup::Specialized => self.specialized,
            VtabGroup::Structured => self.structured,
        }
    }
}

/// What Figure 5 (left) adapts to, in its columns' order. The last repeats the first, with upstream
/// runs chosen on minival instead of ImageNet-V2.
pub const FIGURE5_COLUMNS: [&str; 6] =
    ["imagenet2012_v2", "cifar100", "oxford_iiit_pet", "resisc45", "kitti", "imagenet2012_minival"];

/// A model in Figure 5 (left): what choosing the upstream run by its validation accuracy costs
/// against adapting every run and choosing then, as a difference of test accuracies in points.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure5Row {
    /// The model.
    pub model: String,
    /// One difference a column, in the order of [`FIGURE5_COLUMNS`]; negative: choosing early loses.
    pub differences: [f64; 6],
}

/// Figure 4 with Figure 7: 3 upstreams × 9 models × 7 augmentations.
#[must_use]
pub fn figure4() -> &'static [Figure4Row] {
    static ROWS: LazyLock<Vec<Figure4Row>> = LazyLock::new(|| {
        let lines: Vec<Figure4Line> = rows(include_str!("../paper/figure4.csv"));
        lines.into_iter().map(figure4_row).collect()
    });
    &ROWS
}

/// The cells of Figure 4 as results to be imported, without regularization before with; a line each.
/// They do not tell weight decays apart: the paper's text does not say, its numbers fit the best.
#[must_use]
pub fn figure4_references() -> Vec<Reference> {
    let cells = figure4().iter().flat_map(|row| {
        [(row, 0.0, row.without_regularization), (row, 0.1, row.with_regularization)]
    });
    let reference =
        |(line, (row, drop_rate, accuracy)): (i64, (&Figure4Row, f64, f64))| Reference {
            line,
            model: row.model.clone(),
            dataset: row.upstream.dataset().to_owned(),
            epochs: row.upstream.epochs().into(),
            learning_rate: Some(LEARNING_RATE),
            augmentation: Some(row.augmentation.clone()),
            dropout: Some(drop_rate),
            stochastic_depth: Some(drop_rate),
            final_val: Some(accuracy / 100.0),
            ..Reference::default()
        };
    (1..).zip(cells).map(reference).collect()
}

/// The one peak learning rate upstream (paper §3.3).
const LEARNING_RATE: f64 = 0.001;

/// Table 3: 9 models.
#[must_use]
pub fn table3() -> &'static [Table3Row] {
    static ROWS: LazyLock<Vec<Table3Row>> =
        LazyLock::new(|| rows(include_str!("../paper/table3.csv")));
    &ROWS
}

/// Table 5: 3 upstreams × 9 models.
#[must_use]
pub fn table5() -> &'static [Table5Row] {
    static ROWS: LazyLock<Vec<Table5Row>> = LazyLock::new(|| {
        let lines: Vec<(Upstream, String, [f64; 22])> =
            rows(include_str!("../paper/table5_vtab.csv"));
        lines.into_iter().map(table5_row).collect()
    });
    &ROWS
}

/// Figure 5 (left): 9 models.
#[must_use]
pub fn figure5() -> &'static [Figure5Row] {
    static ROWS: LazyLock<Vec<Figure5Row>> = LazyLock::new(|| {
        let lines: Vec<(String, [f64; 6])> = rows(include_str!("../paper/figure5.csv"));
        lines.into_iter().map(|(model, differences)| Figure5Row { model, differences }).collect()
    });
    &ROWS
}

/// The rows of a file that ships with the code.
fn rows<Row: DeserializeOwned>(text: &str) -> Vec<Row> {
    let rows: Result<_, _> = csv::Reader::from_reader(text.as_bytes()).into_deserialize().collect();
    rows.expect("the shipped tables are well formed: a test reads each of them")
}

fn figure4_row(line: Figure4Line) -> Figure4Row {
    let upstream = Upstream::ALL
        .into_iter()
        .find(|upstream| (upstream.dataset(), upstream.epochs()) == (&line.upstream, line.epochs))
        .expect("the shipped table names the study's upstreams: a test reads it");
    Figure4Row {
        upstream,
        model: line.model,
        augmentation: line.augmentation,
        without_regularization: line.val_none,
        with_regularization: line.val_reg,
        figure7: line.f7_diff,
    }
}

/// Splits a line of Table 5: each group's mean stands behind its tasks.
fn table5_row((upstream, model, values): (Upstream, String, [f64; 22])) -> Table5Row {
    let [n1, n2, n3, n4, n5, n6, n7, natural, rest @ ..] = values;
    let [p1, p2, p3, p4, specialized, s1, s2, s3, s4, s5, s6, s7, s8, structured] = rest;
    let tasks = [n1, n2, n3, n4, n5, n6, n7, p1, p2, p3, p4, s1, s2, s3, s4, s5, s6, s7, s8];
    Table5Row { upstream, model, tasks, natural, specialized, structured }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use augreg_spec::{Augmentation, ModelSpec};

    use super::*;

    /// Table 1 and Table 3 of the paper.
    const MODELS: [&str; 9] =
        ["B/16", "B/32", "L/16", "R+Ti/16", "R26+S/32", "R50+L/32", "S/16", "S/32", "Ti/16"];

    fn models<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }

    #[test]
    fn figure_4_has_each_of_the_7_augmentations_for_9_models_and_3_upstreams_once() {
        let rows = figure4();
        assert_eq!(rows.len(), 3 * 9 * 7);
        let cells: BTreeSet<_> =
            rows.iter().map(|row| (row.upstream, &row.model, &row.augmentation)).collect();
        assert_eq!(cells.len(), rows.len());
        assert_eq!(models(rows.iter().map(|row| row.model.as_str())), MODELS);
        for row in rows {
            assert!(ModelSpec::named(&row.model).is_some(), "{row:?}");
            assert!(Augmentation::preset(&row.augmentation).is_some(), "{row:?}");
        }
    }

    #[test]
    fn figure_4_can_be_imported_cell_by_cell() {
        let rows = figure4_references();
        assert_eq!(rows.len(), 2 * 3 * 9 * 7);
        assert!(rows.iter().zip(1..).all(|(row, line)| row.line == line));
        let cell = rows.iter().find(|row| {
            (row.model.as_str(), row.dataset.as_str()) == ("B/32", "i21k")
                && row.augmentation.as_deref() == Some("light2")
                && row.dropout == Some(0.0)
                && row.epochs > 100.0
        });
        // The recommended B/32: 47.7 % (paper, Table 6).
        assert_eq!(cell.and_then(|row| row.final_val), Some(0.48));
    }

    #[test]
    fn figure_7_is_the_difference_in_figure_4_but_for_rounding_and_two_cells() {
        let off = figure4().iter().filter(|row| {
            let difference = row.with_regularization - row.without_regularization;
            (row.figure7 - difference).abs() > 1.0
        });
        let off: Vec<_> = off.map(|row| (row.upstream, &*row.model, &*row.augmentation)).collect();
        assert_eq!(
            off,
            [(Upstream::I1k300, "R+Ti/16", "strong1"), (Upstream::I21k30, "R50+L/32", "strong1")]
        );
    }

    #[test]
    fn table_3_has_9_models_and_three_numbers_from_jft() {
        let rows = table3();
        assert_eq!(models(rows.iter().map(|row| row.model.as_str())), MODELS);
        assert_eq!(rows.len(), 9);
        let jft: Vec<_> =
            rows.iter().filter_map(|row| Some((&*row.model, row.jft300m_384?))).collect();
        assert_eq!(jft, [("L/16", 87.12), ("B/16", 84.15), ("B/32", 80.73)]);
        // Paper §3.2 and Table 3: fine-tuning at the resolution of the training only loses.
        assert!(rows.iter().all(|row| row.i1k300_224 < row.i1k_up));
        let b16 = rows.iter().find(|row| row.model == "B/16").expect("it is there");
        assert_eq!(b16.fine_tuned(Upstream::I21k300, 384), Some(85.49));
        assert_eq!(b16.fine_tuned(Upstream::I21k30, 224), Some(80.42));
        assert_eq!((b16.speed(224), b16.speed(300)), (Some(659.0), None));
    }

    #[test]
    fn the_81_group_means_of_table_5_are_those_of_its_tasks() {
        let rows = table5();
        assert_eq!(rows.len(), 3 * 9);
        for upstream in Upstream::ALL {
            let of = rows.iter().filter(|row| row.upstream == upstream);
            assert_eq!(models(of.map(|row| row.model.as_str())), MODELS);
        }
        for row in rows {
            for group in VtabGroup::ALL {
                let tasks: Vec<f64> = VTAB
                    .iter()
                    .zip(row.tasks)
                    .filter_map(|(task, accuracy)| (task.group == group).then_some(accuracy))
                    .collect();
                let mean = tasks.iter().sum::<f64>() / tasks.len() as f64;
                // Tasks and means are rounded to tenths each.
                assert!((mean - row.mean(group)).abs() <= 0.1 + 1e-9, "{group:?} {mean} {row:?}");
            }
        }
    }

    #[test]
    fn figure_5_has_9_models_and_its_columns_are_those_of_the_file() {
        let rows = figure5();
        assert_eq!(rows.len(), 9);
        assert_eq!(models(rows.iter().map(|row| row.model.as_str())), MODELS);
        let header = include_str!("../paper/figure5.csv").lines().next();
        assert_eq!(header, Some(&*format!("model,{}", FIGURE5_COLUMNS.join(","))));
        let s32 = rows.iter().find(|row| row.model == "S/32").expect("it is there");
        assert_eq!(
            s32.differences.map(|d| d.to_string()),
            ["-1.3", "1.3", "-0", "2.1", "-0.4", "0.2"]
        );
    }

    /// What the table calls the tasks, as the file has it.
    #[test]
    fn table_5_has_its_tasks_in_the_order_of_vtab() {
        let header = include_str!("../paper/table5_vtab.csv").lines().next().expect("a header");
        let tasks: Vec<_> =
            header.split(',').skip(2).filter(|column| !column.starts_with("mean_")).collect();
        let same = |column: &str| match column {
            "cifar-100" => "cifar100",
            "flowers102" => "oxford_flowers102",
            "pets" => "oxford_iiit_pet",
            "camelyon" => "patch_camelyon",
            "retinopathy" => "diabetic_retinopathy",
            "clevr-count" => "clevr_count",
            "clevr-dist" => "clevr_distance",
            "dspr-loc" => "dsprites_location",
            "dspr-ori" => "dsprites_orientation",
            "kitti-dist" => "kitti",
            "snorb-azim" => "smallnorb_azimuth",
            "snorb-elev" => "smallnorb_elevation",
            other => VTAB.iter().find(|task| task.name == other).expect("a task").name,
        };
        let tasks: Vec<_> = tasks.into_iter().map(same).collect();
        assert_eq!(tasks, VTAB.map(|task| task.name));
    }
}
