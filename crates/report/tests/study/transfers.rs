//! A small study with everything: two upstream sets, transfers, runs from scratch, speeds.

use augreg_protocol::JobState;
use augreg_report::exhibit::{Body, Chart, Panel};
use augreg_report::{Exhibit, JobRow, Report};
use augreg_store::Run;

use crate::jobs::{done, folder, without_result};

const MODELS: [(&str, u64, f64); 2] = [("Na/7", 18_000, 9_000.0), ("Mi/4", 90_000, 2_500.0)];

/// Jobs and runs of the study; accuracies follow a made-up rule, with numbers that are easy to follow.
pub(crate) fn study() -> (Vec<JobRow>, Vec<Run>) {
    let (mut jobs, mut runs) = (Vec::new(), Vec::new());
    for (m, (model, parameters, speed)) in MODELS.into_iter().enumerate() {
        for (dataset, examples, epochs) in
            [("fashion-10pct", 5_500, 100.0), ("fashion", 55_000, 10.0)]
        {
            for (a, augmentation) in ["none", "light2", "medium1"].into_iter().enumerate() {
                for drop in [0.0, 0.1] {
                    let large = f64::from(u8::from(examples > 10_000));
                    let val = 0.80
                        + 0.04 * large
                        + 0.01 * m as f64
                        + [0.0, 0.012, 0.008][a] * (1.0 - 0.8 * large)
                        - drop * 0.05;
                    let up = JobRow {
                        model: model.to_owned(),
                        parameters: Some(parameters),
                        dataset: dataset.to_owned(),
                        epochs,
                        augmentation: augmentation.to_owned(),
                        dropout: drop,
                        stochastic_depth: drop,
                        seconds: Some(300.0),
                        ..done(&id("up", jobs.len()), val)
                    };
                    for (l, rate) in [0.003, 0.01].into_iter().enumerate() {
                        let test = val + 0.1 + 0.005 * l as f64 - 0.003 * a as f64;
                        let down = JobRow {
                            stage: "transfer".to_owned(),
                            parent: Some(up.id.clone()),
                            dataset: "digits".to_owned(),
                            augmentation: "none".to_owned(),
                            learning_rate: rate,
                            final_val: Some(test + 0.008 * (a as f64 - 1.0)),
                            final_test: Some(test),
                            seconds: Some(12.0 + 30.0 * m as f64),
                            ..JobRow { id: id("down", jobs.len() + l), ..up.clone() }
                        };
                        runs.push(run(&up, &down, examples, speed));
                        jobs.push(down);
                    }
                    jobs.push(up);
                }
            }
        }
        for (e, epochs) in [3.0, 30.0, 300.0].into_iter().enumerate() {
            for (r, rate) in [0.001, 0.004].into_iter().enumerate() {
                let accuracy = 0.70 + 0.08 * e as f64 + 0.02 * m as f64 + 0.01 * r as f64;
                let scratch = JobRow {
                    model: model.to_owned(),
                    parameters: Some(parameters),
                    dataset: "digits".to_owned(),
                    epochs,
                    learning_rate: rate,
                    seconds: Some(4.0 * epochs * (1.0 + m as f64)),
                    ..done(&id("own", jobs.len()), accuracy)
                };
                let alone = run(&scratch, &scratch, 1_000, speed);
                runs.push(Run {
                    adapt_dataset: None,
                    adapt_job_id: None,
                    adapt_final_val: None,
                    adapt_final_test: None,
                    adapt_seconds: None,
                    ..alone
                });
                jobs.push(scratch);
            }
        }
    }
    (jobs, runs)
}

fn id(kind: &str, number: usize) -> String {
    format!("{:0>10}h7x3k9m2p4q8r5t6", format!("{kind}{number}"))
}

fn run(up: &JobRow, down: &JobRow, examples: i64, speed: f64) -> Run {
    Run {
        source: "own".to_owned(),
        job_id: Some(up.id.clone()),
        adapt_job_id: Some(down.id.clone()),
        model: up.model.clone(),
        dataset: up.dataset.clone(),
        train_examples: Some(examples),
        epochs: up.epochs,
        learning_rate: Some(up.learning_rate),
        augmentation: Some(up.augmentation.clone()),
        weight_decay: Some(up.weight_decay),
        dropout: Some(up.dropout),
        stochastic_depth: Some(up.stochastic_depth),
        resolution: Some(28),
        seed: Some(0),
        final_val: up.final_val,
        final_test: up.final_test,
        adapt_dataset: Some(down.dataset.clone()),
        adapt_learning_rate: Some(down.learning_rate),
        adapt_steps: Some(500),
        adapt_resolution: Some(28),
        adapt_final_val: down.final_val,
        adapt_final_test: down.final_test,
        parameters: up.parameters.map(|count| count as i64),
        infer_images_per_second: Some(speed),
        flops: up.flops,
        seconds: up.seconds,
        adapt_flops: Some(1e11),
        adapt_seconds: down.seconds,
    }
}

fn report() -> Report {
    let (jobs, runs) = study();
    Report::from_runs(Some("mini"), &jobs, &runs)
}

fn exhibit<'a>(report: &'a Report, name: &str) -> &'a Exhibit {
    let found = report.exhibits().iter().find(|exhibit| exhibit.name == name);
    found.unwrap_or_else(|| panic!("there is no `{name}`"))
}

fn chart<'a>(report: &'a Report, name: &str) -> &'a Chart {
    match &exhibit(report, name).body {
        Body::Chart(chart) => chart,
        other => panic!("{other:?}"),
    }
}

fn values(panel: &Panel, series: &str) -> Vec<f64> {
    let series = panel.series.iter().find(|one| one.name == series).expect("the series is there");
    series.points.iter().map(|point| (point.y * 100.0).round() / 100.0).collect()
}

#[test]
fn figure_1_sets_the_plain_model_against_the_best_of_the_sweep() {
    let report = report();
    let chart = chart(&report, "figure1");
    assert_eq!(exhibit(&report, "figure1").missing, []);
    // Plain: 80 % upstream, 90.5 % adapted at the higher rate; the best upstream is light2.
    assert_eq!(values(&chart.panels[0], "Na/7, plain"), [90.5, 94.5]);
    assert_eq!(values(&chart.panels[0], "Na/7, best of the sweep"), [91.4, 94.44]);
}

#[test]
fn figure_2_has_every_run_and_frames_those_of_recommended_checkpoints() {
    let report = report();
    let panel = &chart(&report, "figure2").panels[0];
    let points = |name: &str| {
        panel.series.iter().find(|series| series.name == name).expect("a series").points.clone()
    };
    assert_eq!(points("Na/7, from scratch").len(), 6);
    assert_eq!(points("Na/7, transfer").len(), 4);
    let augreg = points("Na/7, transfer + AugReg");
    assert_eq!(augreg.len(), 20);
    // Of each of the two budgets one checkpoint with two learning rates.
    assert_eq!(augreg.iter().filter(|point| point.framed).count(), 4);
    let search = &chart(&report, "figure2-search").panels[0];
    let last = |name: &str| *values(search, name).last().expect("a budget");
    assert!((last("Na/7, from scratch") - 86.5).abs() < 1e-9);
}

#[test]
fn figure_5_is_what_early_choice_costs() {
    let report = report();
    let Body::Grids(grids) = &exhibit(&report, "figure5").body else { panic!("grids") };
    let grid = grids.iter().find(|grid| grid.title == "fashion-10pct, 100 epochs").expect("a grid");
    let number = grid.cells[0][0].as_ref().expect("complete");
    // Downstream validation prefers medium1 (90.7 % test) to light2 (91.4 % test).
    assert!((number.value - 0.7).abs() < 1e-9, "{number:?}");
    assert_eq!(number.runs, 12);
}

#[test]
fn an_unfinished_transfer_is_named_and_nothing_is_drawn_in_its_place() {
    let (mut jobs, mut runs) = study();
    let best = jobs
        .iter()
        .position(|job| {
            job.stage == "transfer" && job.model == "Na/7" && job.dataset == "digits" && {
                let up = jobs.iter().find(|up| Some(&up.id) == job.parent.as_ref()).expect("it is");
                up.dataset == "fashion" && up.augmentation == "light2" && up.dropout == 0.0
            }
        })
        .expect("it is there");
    let id = jobs[best].id.clone();
    jobs[best] = without_result(jobs[best].clone(), JobState::Running);
    runs.retain(|run| run.adapt_job_id.as_ref() != Some(&id));
    let report = Report::from_runs(Some("mini"), &jobs, &runs);
    let figure = exhibit(&report, "figure6");
    assert_eq!(figure.missing.len(), 1);
    assert_eq!(
        figure.missing[0].what,
        "Na/7, fashion, 10 epochs to digits at 28 px: 1 of 2 transfers without a result"
    );
    assert_eq!(figure.missing[0].jobs, std::slice::from_ref(&id));
    let full =
        chart(&self::report(), "figure6").panels[0].series.iter().map(|s| s.points.len()).sum();
    let here: usize =
        chart(&report, "figure6").panels[0].series.iter().map(|s| s.points.len()).sum();
    assert_eq!((full, here), (4, 3));
    let written = report.write(&folder("transfers-unfinished")).expect("a written report");
    let page = std::fs::read_to_string(written.page).expect("a page");
    assert!(page.contains("1 of 2 transfers without a result"));
    assert!(page.contains(&format!("href=\"#job-{id}\"")));
}

#[test]
fn figures_of_which_nothing_can_be_drawn_yet_say_which_jobs_they_wait_for() {
    let (mut jobs, mut runs) = study();
    for job in jobs.iter_mut().filter(|job| job.stage == "transfer") {
        *job = without_result(job.clone(), JobState::Waiting);
    }
    for run in runs.iter_mut().filter(|run| run.adapt_dataset.is_some()) {
        *run = Run {
            adapt_dataset: None,
            adapt_job_id: None,
            adapt_final_val: None,
            adapt_final_test: None,
            adapt_seconds: None,
            ..run.clone()
        };
    }
    let report = Report::from_runs(None, &jobs, &runs);
    for name in ["figure1", "figure2", "figure5", "figure6", "figure6-patch", "table3"] {
        let exhibit = exhibit(&report, name);
        let waited_for: usize = exhibit.missing.iter().map(|missing| missing.jobs.len()).sum();
        assert!(waited_for > 0, "{name}: {:?}", exhibit.missing);
    }
    report.write(&folder("transfers-none")).expect("a written report");
}

#[test]
fn a_group_with_an_unfinished_pretraining_recommends_nothing() {
    let (mut jobs, mut runs) = study();
    let up = jobs.iter().position(|job| job.dataset == "fashion" && job.model == "Na/7").unwrap();
    let id = jobs[up].id.clone();
    jobs[up] = without_result(jobs[up].clone(), JobState::Queued);
    runs.retain(|run| run.job_id.as_ref() != Some(&id));
    let report = Report::from_runs(None, &jobs, &runs);
    let recommended = exhibit(&report, "recommended");
    let Body::Table(table) = &recommended.body else { panic!("a table") };
    assert_eq!(table.rows.len(), 1, "the other model is complete");
    assert_eq!(recommended.missing[0].jobs, [id]);
}

#[test]
fn the_answers_of_the_study_are_these() {
    let report = report();
    let lines: Vec<_> = report
        .answers()
        .iter()
        .flat_map(|answer| [vec![format!("# {}", answer.about)], answer.sentences.clone()].concat())
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn the_data_of_the_figures_is_this() {
    let folder = folder("transfers");
    let written = report().write(&folder).expect("a written report");
    let size = std::fs::metadata(&written.page).expect("a page").len();
    assert!(size < 2_000_000, "{size}");
    for name in ["figure1", "figure5", "figure6", "table3", "recommended"] {
        let text = std::fs::read_to_string(folder.join(format!("{name}.csv"))).expect("data");
        insta::assert_snapshot!(name, text);
    }
}

#[test]
fn the_same_runs_give_the_same_bytes_and_the_page_points_only_at_itself() {
    let (first, second) = (folder("transfers-first"), folder("transfers-second"));
    let written = report().write(&first).expect("a written report");
    report().write(&second).expect("a written report");
    for path in &written.files {
        let name = path.file_name().expect("a name");
        let read = |folder: &std::path::Path| std::fs::read(folder.join(name)).expect("a file");
        assert_eq!(read(&first), read(&second), "{}", path.display());
        if path.extension().is_some_and(|extension| extension == "svg") {
            let text = String::from_utf8(read(&first)).expect("text");
            roxmltree::Document::parse(&text).expect("a well-formed figure");
        }
    }
    let page = std::fs::read_to_string(written.page).expect("a page");
    let mut ids: Vec<_> =
        page.split(" id=\"").skip(1).map(|rest| rest.split('"').next().expect("an end")).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
    for target in page.split("href=\"#").skip(1) {
        assert!(ids.binary_search(&target.split('"').next().expect("an end")).is_ok());
    }
}

/// As ImageNet-V2 judges what was adapted to ImageNet-1k and chosen on minival.
#[test]
fn an_evaluation_of_adapted_runs_is_a_panel_of_its_own() {
    let (mut jobs, runs) = study();
    let adapted: Vec<_> = jobs.iter().filter(|job| job.stage == "transfer").cloned().collect();
    for (number, down) in adapted.iter().enumerate() {
        jobs.push(JobRow {
            stage: "evaluate".to_owned(),
            parent: Some(down.id.clone()),
            dataset: "digits-v2".to_owned(),
            final_val: None,
            final_test: down.final_test.map(|test| test - 0.1),
            ..JobRow { id: id("eval", number), ..down.clone() }
        });
    }
    let report = Report::from_runs(None, &jobs, &runs);
    let panels = &chart(&report, "figure5-leak").panels;
    let titles: Vec<_> = panels.iter().map(|panel| panel.title.as_str()).collect();
    assert_eq!(titles, ["digits", "digits, judged on digits-v2"]);
    for point in panels[1].series.iter().flat_map(|series| &series.points) {
        assert!((point.y - point.x - 10.0).abs() < 1e-9, "{point:?}");
    }
    assert!(panels.iter().all(|panel| panel.series.len() == 2 && panel.diagonal));
}

#[test]
fn a_sweep_of_the_size_of_the_study_is_drawn_and_its_page_stays_light() {
    let (jobs, runs) = study();
    let (mut many_jobs, mut many) = (Vec::new(), Vec::new());
    for copy in 0..60 {
        let renamed = |id: &String| format!("{copy:02}{}", &id[2..]);
        many_jobs.extend(jobs.iter().map(|job| JobRow {
            id: renamed(&job.id),
            parent: job.parent.as_ref().map(renamed),
            seed: copy,
            ..job.clone()
        }));
        many.extend(runs.iter().map(|run| Run {
            job_id: run.job_id.as_ref().map(renamed),
            adapt_job_id: run.adapt_job_id.as_ref().map(renamed),
            ..run.clone()
        }));
    }
    assert!(many_jobs.len() > 5_000);
    let report = Report::from_runs(None, &many_jobs, &many);
    let written = report.write(&folder("transfers-many")).expect("a written report");
    let size = std::fs::metadata(written.page).expect("a page").len();
    assert!(size < 3_000_000, "{size}");
}
