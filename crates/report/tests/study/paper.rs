//! The paper's tables, fed in as imported runs, come out as the paper's figures.

use augreg_report::exhibit::{Body, Chart, Table, TableCell};
use augreg_report::paper::{self, Upstream};
use augreg_report::{Exhibit, HeatMap, Report, paper_runs};
use augreg_spec::VtabGroup;

use crate::jobs::{folder, golden, published};

fn report() -> Report {
    Report::from_runs(Some("paper"), &[], &paper_runs())
}

fn exhibit<'a>(report: &'a Report, name: &str) -> &'a Exhibit {
    report.exhibits().iter().find(|exhibit| exhibit.name == name).expect("the exhibit is there")
}

fn chart<'a>(report: &'a Report, name: &str) -> &'a Chart {
    match &exhibit(report, name).body {
        Body::Chart(chart) => chart,
        other => panic!("{other:?}"),
    }
}

fn table<'a>(report: &'a Report, name: &str) -> &'a Table {
    match &exhibit(report, name).body {
        Body::Table(table) => table,
        other => panic!("{other:?}"),
    }
}

fn budget(upstream: Upstream) -> String {
    format!("{}, {} epochs", upstream.dataset(), upstream.epochs())
}

#[test]
fn figure_4_as_imported_runs_has_the_published_side_column() {
    let maps = HeatMap::imported(&paper_runs());
    assert_eq!(maps.len(), 3);
    for line in golden("side.csv") {
        let epochs: f64 = line[1].parse().expect("epochs");
        let map = maps
            .iter()
            .find(|map| map.dataset == line[0] && (map.epochs - epochs).abs() < 0.5)
            .expect("a heat map per upstream");
        let row = map.rows.iter().find(|row| row.model == line[2]).expect("a row per model");
        let (found, expected) = (row.side.expect("complete"), line[3].parse::<f64>().unwrap());
        assert!((found - expected).abs() < 1.01, "{line:?}: {found}");
    }
}

#[test]
fn figure_7_of_imported_runs_is_the_published_one_but_for_two_cells_that_disagree_in_print() {
    let report = report();
    let Body::Grids(grids) = &exhibit(&report, "figure7").body else { panic!("grids") };
    let mut beyond = Vec::new();
    for cell in published() {
        let title = format!("{}, {} epochs (paper, Figure 4)", cell.upstream, cell.epochs);
        let grid = grids.iter().find(|grid| grid.title == title).expect("a grid per upstream");
        let row = grid.rows.iter().position(|name| *name == cell.model).expect("a row");
        let column = grid.columns.iter().position(|name| *name == cell.augmentation).expect("one");
        let found = grid.cells[row][column].as_ref().expect("complete").value;
        if (found - cell.f7_diff).abs() > 1.01 {
            beyond.push((cell.upstream, cell.epochs as u32, cell.model, cell.augmentation));
        }
    }
    let known = [("i1k", 300, "R+Ti/16", "strong1"), ("i21k", 30, "R50+L/32", "strong1")]
        .map(|(set, epochs, model, name)| (set.into(), epochs, model.into(), name.into()));
    assert_eq!(beyond, known);
    assert_eq!(grids.iter().flat_map(|grid| &grid.cells).flatten().flatten().count(), 189);
}

#[test]
fn table_3_gives_figure_6_its_54_points() {
    let report = report();
    let chart = chart(&report, "figure6");
    assert_eq!(chart.panels.len(), 1);
    assert_eq!(exhibit(&report, "figure6").missing, []);
    let mut points = 0;
    for row in paper::table3() {
        for upstream in Upstream::ALL {
            for resolution in [224, 384] {
                let name = format!("{} (paper, Table 3), {resolution} px", budget(upstream));
                let series = chart.panels[0].series.iter().find(|series| series.name == name);
                let series = series.expect("a series per upstream and resolution");
                let point = series.points.iter().find(|point| point.label == row.model);
                let point = point.expect("a point per model");
                let expected = row.fine_tuned(upstream, resolution).expect("published");
                assert!((point.y - expected).abs() < 1e-9, "{name}: {point:?}");
                assert!((point.x - row.speed(resolution).expect("published")).abs() < 1e-9);
                points += 1;
            }
        }
    }
    assert_eq!(chart.panels[0].series.iter().map(|series| series.points.len()).sum::<usize>(), 54);
    assert_eq!(points, 54);
}

#[test]
fn the_right_half_of_figure_6_holds_the_four_small_models_by_patch_size() {
    let report = report();
    let chart = chart(&report, "figure6-patch");
    assert_eq!(chart.panels.len(), 3);
    for panel in &chart.panels {
        let models = |patch: &str| {
            let series = panel.series.iter().filter(|series| series.name.starts_with(patch));
            let points = series.flat_map(|series| &series.points);
            let mut models: Vec<_> = points.map(|point| &*point.label).collect();
            models.sort_unstable();
            models.dedup();
            models.join(" ")
        };
        assert_eq!(models("patch 16"), "R+Ti/16 Ti/16");
        assert_eq!(models("patch 32"), "B/32 S/32");
    }
}

#[test]
fn table_5_gives_figure_3_all_of_its_81_means() {
    let report = report();
    let chart = chart(&report, "figure3");
    assert_eq!(exhibit(&report, "figure3").missing, []);
    let mut means = 0;
    for row in paper::table5() {
        let name = format!("{} (paper, Table 5)", budget(row.upstream));
        for group in VtabGroup::ALL {
            let panel = chart.panels.iter().find(|panel| panel.title == group.name());
            let series = panel.expect("a panel per group").series.iter();
            let point = series
                .filter(|series| series.name == name)
                .flat_map(|series| &series.points)
                .find(|point| point.label == row.model)
                .expect("a point per model and upstream");
            // Tasks and means are both printed with one decimal.
            assert!((point.y - row.mean(group)).abs() < 0.1 + 1e-9, "{name} {point:?}");
            let speed = paper::table3().iter().find(|other| other.model == row.model);
            assert!((point.x - speed.expect("published").speed_224).abs() < 1e-9);
            means += 1;
        }
    }
    assert_eq!(means, 81);
}

#[test]
fn table_3_comes_back_as_it_went_in() {
    let report = report();
    let table = table(&report, "table3");
    let at =
        |name: &str| table.columns.iter().position(|column| column.0 == name).expect("a column");
    for row in paper::table3() {
        let upstream = format!("{} (paper, Table 3)", budget(Upstream::I1k300));
        let line = table
            .rows
            .iter()
            .find(|line| {
                line[1] == TableCell::Text(upstream.clone())
                    && line[2] == TableCell::Text(row.model.clone())
            })
            .expect("a row per model and upstream");
        for (column, expected) in [
            ("not adapted", row.i1k_up),
            ("224 px: test", row.i1k300_224),
            ("384 px: test", row.i1k300_384),
            ("224 px: images/s", row.speed_224),
        ] {
            let TableCell::Number(number, _) = &line[at(column)] else { panic!("{line:?}") };
            assert!((number.value - expected).abs() < 1e-9, "{column}: {number:?}");
        }
    }
}

#[test]
fn what_the_published_tables_cannot_tell_is_said_to_be_absent() {
    let report = report();
    let titles: Vec<_> = report.absent().iter().map(|line| line.split(" (").next()).collect();
    assert_eq!(
        titles,
        [
            Some("Figure 1: data, augmentation and compute"),
            Some("Figure 2: from scratch against transfer"),
            Some("Figure 2, right: random search"),
            Some("Figure 5, right: validation against test"),
            Some("Recommended checkpoints"),
        ]
    );
    report.write(&folder("paper-overlay")).expect("a written report");
}
