//! Reports on a small sweep: pictures, words, files, and whatever names a person may choose.

use crate::jobs::{done, folder, sweep, without_result};
use augreg_protocol::JobState;
use augreg_report::{Cell, HeatMap, JobRow, Report, heat_map_text};

fn page(report: &Report, name: &str) -> String {
    let written = report.write(&folder(name)).expect("a written report");
    std::fs::read_to_string(written.page).expect("a page")
}

fn cell(maps: &[HeatMap], at: (usize, usize, usize)) -> &Cell {
    &maps[at.0].rows[at.1].cells[at.2]
}

#[test]
fn a_cell_is_the_best_setting_of_the_means_over_seeds() {
    let jobs = [(0.03, 0, 0.80), (0.03, 1, 0.90), (0.1, 0, 0.84), (0.1, 1, 0.84)]
        .map(|(weight_decay, seed, accuracy)| JobRow { weight_decay, seed, ..done("a", accuracy) });
    let maps = HeatMap::all(&jobs);
    let score = cell(&maps, (0, 0, 0)).score().expect("a complete cell");
    assert!((score.accuracy - 85.0).abs() < 1e-9);
    assert_eq!((score.seeds, score.settings, score.jobs), (2, 2, 4));
    assert_eq!(score.setting, "weight decay 0.03, learning rate 0.001");
}

#[test]
fn an_unfinished_cell_has_no_value_and_its_row_no_side() {
    let mut jobs = vec![
        done("a", 0.8),
        JobRow { dropout: 0.1, ..done("b", 0.7) },
        JobRow { dropout: 0.1, weight_decay: 0.3, ..done("c", 0.9) },
    ];
    let side = HeatMap::all(&jobs)[0].rows[0].side.expect("a complete row");
    assert!((side - 10.0).abs() < 1e-9);
    jobs[2] = without_result(jobs[2].clone(), JobState::Running);
    let maps = HeatMap::all(&jobs);
    assert_eq!(*cell(&maps, (0, 0, 1)), Cell::Unfinished { done: 1, jobs: 2 });
    assert_eq!(maps[0].rows[0].side, None);
}

#[test]
fn sides_are_only_compared_over_the_same_augmentations() {
    let jobs = [
        done("a", 0.8),
        JobRow { augmentation: "light1".to_owned(), ..done("b", 0.9) },
        JobRow { dropout: 0.1, ..done("c", 0.7) },
    ];
    assert_eq!(HeatMap::all(&jobs)[0].rows[0].side, None);
}

#[test]
fn a_row_without_its_reference_has_values_but_no_deltas() {
    let jobs = [
        JobRow { augmentation: "light1".to_owned(), ..done("b", 0.9) },
        without_result(done("a", 0.8), JobState::Failed),
    ];
    let maps = HeatMap::all(&jobs);
    assert_eq!(cell(&maps, (0, 0, 1)).score().expect("complete").delta, None);
}

#[test]
fn own_augmentations_follow_the_presets_and_models_go_by_parameters() {
    let named = |model: &str, parameters, augmentation: &str| JobRow {
        model: model.to_owned(),
        parameters,
        augmentation: augmentation.to_owned(),
        ..done("a", 0.5)
    };
    let maps = HeatMap::all(&[
        named("A", Some(900), "zebra"),
        named("B", None, "apple"),
        named("C", Some(100), "strong2"),
        named("A", Some(900), "none"),
    ]);
    assert_eq!(maps[0].augmentations().collect::<Vec<_>>(), ["none", "strong2", "apple", "zebra"]);
    let models: Vec<_> = maps[0].rows.iter().map(|row| row.model.as_str()).collect();
    assert_eq!(models, ["C", "A", "B"]);
}

#[test]
fn the_sweep_is_drawn_for_a_terminal() {
    insta::assert_snapshot!(heat_map_text(&Report::from_jobs(None, &sweep()), false, 80));
}

#[test]
fn colour_changes_nothing_but_the_colour() {
    let report = Report::from_jobs(None, &sweep());
    let plain = heat_map_text(&report, false, 80);
    let coloured = heat_map_text(&report, true, 80);
    let mut stripped = String::new();
    for (at, part) in coloured.split('\u{1b}').enumerate() {
        stripped.push_str(if at == 0 { part } else { part.split_once('m').expect("a code").1 });
    }
    let trimmed: Vec<_> = stripped.lines().map(str::trim_end).collect();
    assert_eq!(trimmed, plain.lines().collect::<Vec<_>>());
    assert!(coloured.contains("\u{1b}[48;5;255;38;5;16m84.4  0.0\u{1b}[0m"), "{coloured:?}");
}

#[test]
fn no_width_is_too_small_and_none_is_exceeded() {
    let mut jobs = sweep();
    jobs[0].model = "a-model-with-a-name-as-long-as-a-sentence".to_owned();
    jobs[0].augmentation = "an-augmentation-with-a-name-as-long-as-a-sentence".to_owned();
    jobs[0].dataset = "長い名前のデータセット".repeat(12);
    let report = Report::from_jobs(None, &jobs);
    for width in [0, 1, 50, 63, 80, 120, 4000] {
        for line in heat_map_text(&report, false, width).lines() {
            let columns = unicode_width::UnicodeWidthStr::width(line);
            assert!(columns <= width.max(50), "{width}: {columns} {line}");
        }
    }
}

#[test]
fn a_small_heat_map_is_this_svg() {
    let jobs: Vec<_> = sweep()
        .into_iter()
        .filter(|job| job.epochs > 5.0 && job.model == "Nano/4" && job.augmentation != "light2")
        .collect();
    let folder = folder("small");
    Report::from_jobs(None, &jobs).write(&folder).expect("a written report");
    let svg = std::fs::read_to_string(folder.join("figure4-fashion-10.svg")).expect("a figure");
    insta::assert_snapshot!(svg.replace("><", ">\n<"));
}

#[test]
fn the_answers_of_the_sweep_are_these() {
    let report = Report::from_jobs(None, &sweep());
    let lines: Vec<_> = report
        .answers()
        .iter()
        .flat_map(|answer| [vec![answer.about.clone()], answer.sentences.clone()].concat())
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn the_table_has_one_row_a_job_best_test_first_and_failures_with_their_reason() {
    let jobs = sweep();
    let report = Report::from_jobs(Some("fashion-mini"), &jobs);
    let page = page(&report, "sweep");
    let table = page.split("class=\"sortable\"").nth(1).expect("the table");
    let body = table.split("<tbody>").nth(1).expect("a body").split("</tbody>").next().unwrap();
    assert_eq!(body.matches("<tr id=\"job-").count(), jobs.len());
    let tests: Vec<_> = report.jobs().iter().map_while(JobRow::test).collect();
    assert_eq!(tests.len(), jobs.len() - 2);
    assert!(tests.is_sorted_by(|a, b| a >= b), "{tests:?}");
    assert!(body.contains("<td class=\"why\">diverged: training loss is NaN at step 412</td>"));
    assert!(page.contains("<b>1</b>failed"));
    assert!(page.contains("which are missing"));
}

#[test]
fn nothing_is_fetched_from_elsewhere_and_the_same_jobs_give_the_same_bytes() {
    let mut jobs = sweep();
    let report = Report::from_jobs(Some("fashion-mini"), &jobs);
    let first = page(&report, "first");
    jobs.reverse();
    let second = page(&Report::from_jobs(Some("fashion-mini"), &jobs), "second");
    assert_eq!(first, second);
    for outside in ["src=", "@import", "url(http", "<link", "fetch("] {
        assert!(!first.contains(outside), "{outside}");
    }
    assert_eq!(first.matches("http").count(), first.matches("http://www.w3.org/2000/svg").count());
    let dated = Report::from_jobs(Some("fashion-mini"), &jobs).with_date("2026-01-31");
    assert!(page(&dated, "dated").contains("2026-01-31"));
}

#[test]
fn names_are_text_and_never_markup() {
    let evil = "<script>alert(1)</script>\"'&\u{1b}[2J";
    let mut jobs = sweep();
    for job in &mut jobs {
        job.id = format!("{evil}{}", job.id);
        job.model = evil.to_owned();
        job.dataset = evil.to_owned();
        job.augmentation = format!("{evil}{}", job.augmentation);
        if job.state == JobState::Failed {
            job.message = Some(evil.to_owned());
        }
    }
    let report = Report::from_jobs(Some(evil), &jobs).with_date(evil);
    let folder = folder("evil");
    let written = report.write(&folder).expect("a written report");
    for path in written.files {
        let text = std::fs::read_to_string(&path).expect("a file");
        let extension = path.extension().and_then(|extension| extension.to_str());
        if extension == Some("csv") {
            continue;
        }
        assert!(!text.contains("<script>alert"), "{}", path.display());
        assert!(!text.contains('\u{1b}'), "{}", path.display());
        if extension == Some("svg") {
            roxmltree::Document::parse(&text).expect("a well-formed figure");
        }
    }
    assert!(!heat_map_text(&report, false, 80).contains('\u{1b}'));
}

#[test]
fn every_figure_and_the_page_are_well_formed_and_their_ids_unique() {
    let folder = folder("formed");
    let written = Report::from_jobs(None, &sweep()).write(&folder).expect("a written report");
    for path in &written.files {
        let text = std::fs::read_to_string(path).expect("a file");
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("svg") => {
                let figure = roxmltree::Document::parse(&text).expect("a well-formed figure");
                let tooltips = figure.descendants().filter(|node| node.has_tag_name("title"));
                assert!(tooltips.count() > 1);
                let root = figure.root_element();
                for id in root.attribute("aria-labelledby").expect("a label").split(' ') {
                    let named = |node: &roxmltree::Node<'_, '_>| node.attribute("id") == Some(id);
                    assert!(root.descendants().any(|node| named(&node)));
                }
            }
            Some("html") => {
                let mut ids: Vec<_> = text
                    .split(" id=\"")
                    .skip(1)
                    .map(|rest| rest.split('"').next().expect("an end"))
                    .collect();
                let all = ids.len();
                ids.sort_unstable();
                ids.dedup();
                assert_eq!(ids.len(), all);
                for target in text.split("href=\"#").skip(1) {
                    assert!(ids.contains(&target.split('"').next().expect("an end")));
                }
            }
            _ => {}
        }
    }
}

#[test]
fn a_study_without_a_finished_job_says_so_and_draws_nothing() {
    let jobs: Vec<_> =
        sweep().into_iter().map(|job| without_result(job, JobState::Queued)).collect();
    let report = Report::from_jobs(None, &jobs);
    let page = page(&report, "unfinished");
    assert!(page.contains("No job has finished yet"));
    assert!(!page.contains("<svg"));
    assert_eq!(
        heat_map_text(&report, true, 80),
        "No job has finished yet: there is nothing to draw.\n"
    );
}

#[test]
fn no_jobs_at_all_make_a_page_that_says_so() {
    let report = Report::from_jobs(Some("empty"), &[]);
    assert!(page(&report, "empty").contains("There are no jobs to report on."));
}

#[test]
fn numbers_that_are_none_count_as_missing() {
    let jobs = [JobRow { final_test: None, ..done("a", f64::NAN) }, done("b", 0.7)];
    let maps = HeatMap::all(&jobs);
    assert_eq!(*cell(&maps, (0, 0, 0)), Cell::Unfinished { done: 1, jobs: 2 });
    let page = page(&Report::from_jobs(None, &jobs), "nan");
    assert!(!page.split("<script>").next().expect("a page").contains("NaN"));
    assert!(page.contains("ended without a validation accuracy"));
}

#[test]
fn a_folder_that_cannot_be_made_and_a_file_that_cannot_be_replaced_are_named() {
    let folder = folder("blocked");
    let report = Report::from_jobs(None, &sweep());
    std::fs::create_dir_all(folder.join("index.html")).expect("a folder");
    let error = report.write(&folder).expect_err("a folder in the way");
    assert!(error.to_string().contains("index.html"), "{error}");

    std::fs::write(folder.join("file"), "").expect("a file");
    let error = report.write(&folder.join("file")).expect_err("a file in the way");
    assert!(error.to_string().starts_with("failed to create the report's folder"), "{error}");
    let left: Vec<_> = std::fs::read_dir(&folder)
        .expect("a folder")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with(".augreg"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}
