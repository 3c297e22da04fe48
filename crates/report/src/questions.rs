//! The study's questions about adaptation, answered in words: data against augmentation, choosing
//! early, transfer against training from scratch.

use std::collections::BTreeSet;

use crate::Answer;
use crate::figures::{Loss, Size, Way, losses, sizes, ways};
use crate::label::{count, percent, points, printable, short_count};
use crate::study::{OWN, Study, highest};

/// "Ten times the data": upstream sets whose sizes are at least so far apart.
const MORE_DATA: f64 = 5.0;
/// Images seen count as equal compute up to this factor (i1k for 300 epochs and i21k for 30 are
/// 1.02 apart).
const EQUAL: f64 = 1.5;

/// One answer for each question that the study's own runs are about.
pub(crate) fn answers(study: &Study<'_>) -> Vec<Answer> {
    [data_against_augreg(study), early_choice(study), scratch(study)]
        .into_iter()
        .flatten()
        .collect()
}

fn answer(about: &str, sentences: Vec<String>) -> Option<Answer> {
    (!sentences.is_empty()).then(|| Answer { about: about.to_owned(), sentences })
}

/// A count of runs that no line break tears apart.
fn runs(number: usize) -> String {
    count(number, "run").replace(' ', "\u{a0}")
}

/// Is AugReg on little data as good as more data without it, at equal compute?
fn data_against_augreg(study: &Study<'_>) -> Option<Answer> {
    let (sizes, _) = sizes(study);
    let own: Vec<_> = sizes.iter().filter(|size| size.source == OWN).collect();
    let mut sentences = Vec::new();
    for small in &own {
        for large in &own {
            let same = small.model == large.model && small.target == large.target;
            let ratio = |a: Option<f64>, b: Option<f64>| a.zip(b).map(|(a, b)| a / b);
            let more = ratio(large.images, small.images).filter(|ratio| *ratio >= MORE_DATA);
            let compute = ratio(large.seen, small.seen)
                .is_some_and(|ratio| (1.0 / EQUAL..=EQUAL).contains(&ratio));
            if let (true, true, Some(more)) = (same, compute, more) {
                sentences.push(compared(small, large, more));
            }
        }
    }
    if sentences.is_empty() && own.len() > 1 {
        let datasets: BTreeSet<_> = own.iter().map(|size| &size.budget).collect();
        if datasets.len() > 1 {
            sentences.push(
                "Not enough runs to say: no two upstream sets at equal compute (images seen) differ \
                 in size by a factor of five or more and were adapted to the same data set."
                    .to_owned(),
            );
        }
    }
    answer("Ten times the data against AugReg", sentences)
}

fn compared(small: &Size<'_>, large: &Size<'_>, more: f64) -> String {
    let (model, target) = (printable(small.model), printable(small.target));
    let (Some(augreg), Some(plain)) = (small.best, large.plain) else {
        return format!(
            "Not enough runs to say for {model} on {target}: AugReg on {} or the plain {} is not \
             complete.",
            small.budget, large.budget
        );
    };
    let delta = augreg.test - plain.test;
    let verdict = match points(delta).as_str() {
        "0.0" => "is level with".to_owned(),
        _ if delta > 0.0 => format!("is {} points above", percent(delta)),
        _ => format!("is {} points below", percent(-delta)),
    };
    format!(
        "{model} on {target}: the best of the sweep on {} {verdict} the plain model on {} with {}× the \
         images at about equal compute ({}\u{a0}% against {}\u{a0}%, n\u{a0}=\u{a0}{}).",
        small.budget,
        large.budget,
        short_count((more * 10.0).round() / 10.0),
        percent(augreg.test),
        percent(plain.test),
        runs(augreg.runs + plain.runs)
    )
}

/// How much is lost by choosing on upstream validation?
fn early_choice(study: &Study<'_>) -> Option<Answer> {
    let (all, missing) = losses(study);
    let mut groups: Vec<(String, Vec<&Loss<'_>>)> = Vec::new();
    for loss in &all {
        let name = format!("{}, from {}", printable(loss.target), loss.budget);
        match groups.iter_mut().find(|group| group.0 == name) {
            Some(group) => group.1.push(loss),
            None => groups.push((name, vec![loss])),
        }
    }
    let mut sentences: Vec<_> = groups.iter().map(|(name, all)| lost(name, all)).collect();
    if sentences.is_empty() && !missing.is_empty() {
        sentences.push(format!(
            "Not enough runs to say: {} not complete.",
            if missing.len() == 1 {
                "one comparison is".to_owned()
            } else {
                format!("{} comparisons are", missing.len())
            }
        ));
    }
    answer("Choosing on upstream validation against adapting all", sentences)
}

fn lost(name: &str, all: &[&Loss<'_>]) -> String {
    let mean = all.iter().map(|loss| loss.points()).sum::<f64>() / all.len() as f64;
    let behind = all.iter().map(|loss| loss.expensive.runs).sum();
    let verdict = match points(mean).as_str() {
        "0.0" => "Nothing is lost".to_owned(),
        _ if mean < 0.0 => format!("{} points are lost", percent(-mean)),
        _ => format!("{} points of test accuracy are gained", percent(mean)),
    };
    let over = if all.len() == 1 {
        printable(all[0].model).into_owned()
    } else {
        let worst = highest(all.iter(), |loss| Some(-loss.points()));
        let worst = worst.map_or_else(String::new, |loss| {
            format!(", at worst {} for {}", points(loss.points()), printable(loss.model))
        });
        format!("mean of {}{worst}", count(all.len(), "model"))
    };
    format!("{name}: {verdict} by choosing early ({over}; n\u{a0}=\u{a0}{}).", runs(behind))
}

/// Transfer or from scratch?
fn scratch(study: &Study<'_>) -> Option<Answer> {
    let mut sentences = Vec::new();
    for (target, all) in ways(study) {
        let target = printable(target);
        let best = |scratch: bool| {
            let these = all.iter().filter(|run| (run.way == Way::Scratch) == scratch);
            (these.clone().count(), highest(these, |run| Some(run.val)))
        };
        let ((n_scratch, scratch), (n_transfer, transfer)) = (best(true), best(false));
        let (Some(scratch), Some(transfer)) = (scratch, transfer) else {
            sentences.push(format!(
                "Not enough runs to say for {target}: {} from scratch and {} finished.",
                runs(n_scratch),
                count(n_transfer, "transfer").replace(' ', "\u{a0}")
            ));
            continue;
        };
        let delta = transfer.test - scratch.test;
        let verdict = match points(delta).as_str() {
            "0.0" => "Transfer and training from scratch are level".to_owned(),
            _ if delta > 0.0 => format!("Transfer is {} points better", percent(delta)),
            _ => format!("Training from scratch is {} points better", percent(-delta)),
        };
        let cost = if transfer.seconds > 0.0 {
            let ratio = scratch.seconds / transfer.seconds;
            format!(
                "; the run from scratch took {}× the device time",
                short_count((ratio * 10.0).round() / 10.0)
            )
        } else {
            String::new()
        };
        sentences.push(format!(
            "{target}: {verdict} ({}\u{a0}% with {} against {}\u{a0}% with {}, each chosen on \
             validation, n\u{a0}=\u{a0}{}{cost}).",
            percent(transfer.test),
            printable(transfer.model),
            percent(scratch.test),
            printable(scratch.model),
            runs(n_scratch + n_transfer)
        ));
    }
    answer("Transfer or from scratch", sentences)
}
