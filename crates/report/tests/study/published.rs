//! The published Figure 4, fed in as finished jobs, comes out as published.

use crate::jobs::{folder, golden, published, published_jobs};
use augreg_report::{HeatMap, Report, heat_map_text};

fn find<'a>(maps: &'a [HeatMap], upstream: &str, epochs: f64) -> &'a HeatMap {
    let is_it = |map: &&HeatMap| map.dataset == upstream && (map.epochs - epochs).abs() < 0.5;
    maps.iter().find(is_it).expect("a heat map per upstream")
}

#[test]
fn the_side_column_is_the_published_one_within_rounding() {
    let maps = HeatMap::all(&published_jobs());
    let side = golden("side.csv");
    assert_eq!(side.len(), 27);
    for line in side {
        let map = find(&maps, &line[0], line[1].parse().expect("epochs"));
        let row = map.rows.iter().find(|row| row.model == line[2]).expect("a row per model");
        let expected: f64 = line[3].parse().expect("points");
        let found = row.side.expect("a complete row");
        assert!((found - expected).abs() < 1.01, "{line:?}: {found}");
    }
}

#[test]
fn figure_7_is_the_published_one_within_rounding_but_for_the_two_cells_that_disagree_in_print() {
    let maps = HeatMap::all(&published_jobs());
    let mut beyond = Vec::new();
    for cell in published() {
        let map = find(&maps, &cell.upstream, cell.epochs);
        let row = map.rows.iter().find(|row| row.model == cell.model).expect("a row per model");
        let found = map.regularization_effect(row, &cell.augmentation).expect("a complete cell");
        if (found - cell.f7_diff).abs() > 1.01 {
            beyond.push((cell.upstream, cell.epochs as u32, cell.model, cell.augmentation));
        }
    }
    let known = [("i1k", 300, "R+Ti/16", "strong1"), ("i21k", 30, "R50+L/32", "strong1")]
        .map(|(set, epochs, model, name)| (set.into(), epochs, model.into(), name.into()));
    assert_eq!(beyond, known);
}

#[test]
fn columns_stand_in_the_order_of_the_paper_and_deltas_go_to_the_first_cell() {
    let maps = HeatMap::all(&published_jobs());
    assert_eq!(
        maps.iter().map(HeatMap::title).collect::<Vec<_>>(),
        ["i1k, 300 epochs", "i21k, 30 epochs", "i21k, 300 epochs"]
    );
    for map in &maps {
        let names: Vec<_> = map.augmentations().collect();
        assert_eq!(names, ["none", "light1", "light2", "medium1", "medium2", "strong1", "strong2"]);
        assert_eq!((map.columns.len(), map.rows.len()), (14, 9));
        for row in &map.rows {
            let scores: Vec<_> = row.cells.iter().filter_map(|cell| cell.score()).collect();
            assert_eq!(scores.len(), 14);
            for score in &scores {
                let delta = score.delta.expect("the reference is there");
                assert!((delta - (score.accuracy - scores[0].accuracy)).abs() < 1e-9);
            }
        }
    }
}

#[test]
fn the_paper_is_drawn_for_a_terminal_of_80_columns() {
    let text = heat_map_text(&Report::from_jobs(Some("paper"), &published_jobs()), false, 80);
    assert!(text.lines().all(|line| line.chars().count() <= 80));
    insta::assert_snapshot!(text);
}

#[test]
fn the_paper_is_written_as_page_figures_and_data() {
    let folder = folder("published");
    let report = Report::from_jobs(Some("paper"), &published_jobs());
    let written = report.write(&folder).expect("a written report");
    let names: Vec<_> =
        written.files.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    assert_eq!(
        names,
        [
            "figure4.csv",
            "results.csv",
            "figure7.csv",
            "figure7.svg",
            "figure4-i1k-300.svg",
            "figure4-i21k-30.svg",
            "figure4-i21k-300.svg",
            "index.html"
        ]
    );
    let published = golden("figure4.csv");
    let mut reader = csv::Reader::from_path(folder.join("figure4.csv")).expect("the data");
    let found: Vec<Vec<String>> = reader.deserialize().map(|line| line.expect("a line")).collect();
    assert_eq!(found.len(), published.len());
    for line in published {
        let is_it = |other: &&Vec<String>| other[..4] == line[..4];
        let other = found.iter().find(is_it).expect("every published cell");
        for column in [4, 5] {
            let (a, b): (f64, f64) =
                (line[column].parse().unwrap(), other[column].parse().unwrap());
            assert!((a - b).abs() < 1e-3, "{line:?} {other:?}");
        }
    }
}
