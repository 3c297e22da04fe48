//! The study's questions, answered in words from the data, with the count of runs behind.
//!
//! A sentence is only said of a row whose cells are complete; else the answer is "not enough runs
//! to say". Nothing is claimed about what the runs cannot tell, such as noise between seeds where
//! there is one seed.

use std::collections::BTreeMap;

use crate::heat_map::REFERENCE;
use crate::label::{self, count, percent, points};
use crate::{Cell, HeatMap, HeatMapRow, JobRow, Score};

/// What the runs of one upstream say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The upstream: `fashion, 3 epochs`.
    pub about: String,
    /// One sentence each.
    pub sentences: Vec<String>,
}

/// Answers for each of `heat_maps`, drawn from `jobs`.
pub(crate) fn answers(jobs: &[JobRow], heat_maps: &[HeatMap]) -> Vec<Answer> {
    heat_maps
        .iter()
        .map(|map| {
            let here: Vec<_> = jobs.iter().filter(|job| map.is_of(job)).collect();
            let mut sentences: Vec<_> = best_job(&here).into_iter().collect();
            for row in &map.rows {
                sentences.extend(augmentation(map, row));
                sentences.extend(regularization(map, row));
            }
            sentences.extend(noise(&here));
            Answer { about: map.title(), sentences }
        })
        .collect()
}

/// The best job by validation, and what it reaches on test.
fn best_job(jobs: &[&JobRow]) -> Option<String> {
    let done: Vec<_> = jobs.iter().filter(|job| job.validation().is_some()).collect();
    let best = done.iter().max_by(|a, b| {
        let by_value = a.validation().unwrap_or(0.0).total_cmp(&b.validation().unwrap_or(0.0));
        by_value.then_with(|| b.id.cmp(&a.id))
    })?;
    let test = best.test().map_or_else(
        || "it has no test accuracy".to_owned(),
        |test| format!("its test accuracy is {}\u{a0}%", percent(test * 100.0)),
    );
    Some(format!(
        "The best validation accuracy is {}\u{a0}% ({}, {}, regularization {}); {test} (chosen on \
         validation among {}).",
        percent(best.validation()? * 100.0),
        label::printable(&best.model),
        label::printable(&best.augmentation),
        label::regularization(best),
        finished(done.len(), jobs.len()),
    ))
}

fn finished(done: usize, all: usize) -> String {
    if done == all {
        count(done, "run")
    } else {
        format!("{done} of {} finished", count(all, "run"))
    }
}

/// A count of runs that no line break tears apart.
fn runs(number: usize) -> String {
    count(number, "run").replace(' ', "\u{a0}")
}

/// The best augmentation of a model against none, each at its better regularization.
fn augmentation(map: &HeatMap, row: &HeatMapRow) -> Option<String> {
    if map.augmentations().all(|name| name == REFERENCE) {
        return None;
    }
    let model = label::printable(&row.model);
    let none = best_of(map, row, REFERENCE);
    let others: Option<Vec<_>> = map
        .augmentations()
        .filter(|name| *name != REFERENCE && asked(map, row, name))
        .map(|name| best_of(map, row, name).map(|best| (name, best)))
        .collect();
    let best = others
        .and_then(|others| others.into_iter().reduce(|a, b| if b.1.0 > a.1.0 { b } else { a }));
    let (Some((none, none_jobs)), Some((name, (best, best_jobs)))) = (none, best) else {
        return Some(not_enough(row, &format!("which augmentation is best for {model}")));
    };
    let name = label::printable(name);
    let behind = format!(
        "({}\u{a0}% against {}\u{a0}%, n\u{a0}=\u{a0}{})",
        percent(best),
        percent(none),
        runs(best_jobs + none_jobs)
    );
    let delta = best - none;
    Some(if is_nothing(delta) {
        format!("No augmentation helps {model}: the best, {name}, is level with none {behind}.")
    } else if delta > 0.0 {
        format!(
            "The best augmentation for {model} is {name}: {} points over none {behind}.",
            points(delta)
        )
    } else {
        let distance = distance(delta);
        format!(
            "No augmentation helps {model}: the best, {name}, is {distance} points below none {behind}."
        )
    })
}

/// What regularization does to a model's best cell.
fn regularization(map: &HeatMap, row: &HeatMapRow) -> Option<String> {
    let both = [false, true].map(|on| map.columns.iter().any(|column| column.regularized == on));
    if both != [true, true] {
        return None;
    }
    let model = label::printable(&row.model);
    let Some(delta) = row.side else {
        return Some(not_enough(row, &format!("whether regularization helps {model}")));
    };
    let scores =
        || map.columns.iter().zip(&row.cells).filter_map(|(c, cell)| Some((c, cell.score()?)));
    let best = |on| {
        let of = scores().filter(|(column, _)| column.regularized == on);
        of.map(|(_, score)| score.accuracy).reduce(f64::max)
    };
    let behind = format!(
        "({}\u{a0}% against {}\u{a0}%, n\u{a0}=\u{a0}{})",
        percent(best(true)?),
        percent(best(false)?),
        runs(scores().map(|(_, score)| score.jobs).sum())
    );
    let compared = if is_nothing(delta) {
        "level with".to_owned()
    } else if delta > 0.0 {
        format!("{} points above", distance(delta))
    } else {
        format!("{} points below", distance(delta))
    };
    Some(format!(
        "With regularization the best of {model} is {compared} its best without {behind}."
    ))
}

/// How much seeds differ: the standard deviation pooled over settings of two or more seeds.
fn noise(jobs: &[&JobRow]) -> Option<String> {
    let mut settings: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for job in jobs {
        let Some(accuracy) = job.validation() else { continue };
        let key = format!(
            "{:?}",
            (
                (&job.model, &job.augmentation),
                (job.dropout, job.stochastic_depth, job.weight_decay, job.learning_rate),
                (job.batch_size, job.resolution),
            )
        );
        settings.entry(key).or_default().push(accuracy * 100.0);
    }
    if settings.len() < 2 {
        return None;
    }
    let repeated: Vec<_> = settings.into_values().filter(|seeds| seeds.len() > 1).collect();
    let freedom: usize = repeated.iter().map(|seeds| seeds.len() - 1).sum();
    if freedom == 0 {
        return Some(
            "Every setting ran with one seed: how much seeds differ is unknown, so small \
             differences may be noise."
                .to_owned(),
        );
    }
    let squares: f64 = repeated
        .iter()
        .map(|seeds| {
            let mean = seeds.iter().sum::<f64>() / seeds.len() as f64;
            seeds.iter().map(|value| (value - mean).powi(2)).sum::<f64>()
        })
        .sum();
    Some(format!(
        "Runs that differ in nothing but their seed differ by a standard deviation of {:.2} points \
         (pooled over {}).",
        (squares / freedom as f64).sqrt(),
        count(repeated.len(), "setting")
    ))
}

fn not_enough(row: &HeatMapRow, question: &str) -> String {
    let (mut done, mut all) = (0, 0);
    for cell in &row.cells {
        match cell {
            Cell::Empty => {}
            Cell::Unfinished { done: some, jobs } => {
                done += some;
                all += jobs;
            }
            Cell::Done(score) => {
                done += score.jobs;
                all += score.jobs;
            }
        }
    }
    let why = if done < all { "finished" } else { "finished, not all that the comparison needs" };
    format!("Not enough runs to say {question} ({done} of {all} {why}).")
}

fn cells<'a>(map: &'a HeatMap, row: &'a HeatMapRow, name: &str) -> [&'a Cell; 2] {
    [false, true].map(|regularized| map.cell(row, name, regularized))
}

fn asked(map: &HeatMap, row: &HeatMapRow, name: &str) -> bool {
    cells(map, row, name).into_iter().any(|cell| *cell != Cell::Empty)
}

/// The better cell of an augmentation and the jobs behind both; `None` unless they are complete.
fn best_of(map: &HeatMap, row: &HeatMapRow, name: &str) -> Option<(f64, usize)> {
    let cells = cells(map, row, name);
    if cells.iter().any(|cell| cell.is_unfinished()) {
        return None;
    }
    let scores: Vec<&Score> = cells.into_iter().filter_map(Cell::score).collect();
    let best = scores.iter().map(|score| score.accuracy).reduce(f64::max)?;
    Some((best, scores.iter().map(|score| score.jobs).sum()))
}

/// A difference without its sign.
fn distance(delta: f64) -> String {
    percent(delta.abs())
}

/// Whether a difference is shown as 0.0.
fn is_nothing(delta: f64) -> bool {
    points(delta) == "0.0"
}
